//! The same from outside: the program itself, over HTTP, while functions and the whole of it are killed by the system
//! (`kill -9`) and started again. What its clients were answered goes before the judge.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use okd_cli::{access_key::AccessKey, physical_name};
use okd_model::{Answer, Declared, Verdict, judge};
use tokio::task::JoinSet;

use support::program::Program;

use crate::{
    harness::TestFile,
    races::{by_parts, complete},
    witness::{Client, Place, Witness},
};

/// Histories, so many at once.
const HISTORIES: u64 = 200;
const AT_ONCE: u64 = 8;
/// Between two kills.
const PAUSE: Duration = Duration::from_millis(40);
/// Every so many rounds the whole of it is killed, and not functions only.
const WHOLE: u64 = 5;
/// How long a client goes on until all is well again.
const PATIENCE: Duration = Duration::from_secs(20);

/// The program, on one data folder and always the same ports.
struct Service {
    program: Program,
    data: PathBuf,
    port: u16,
}

fn start(data: &Path, port: u16) -> Program {
    let mut command = Command::new(support::executable());
    let command = command.args(["--port", &port.to_string(), "--data"]);
    Program::start(command.arg(data))
}

impl Service {
    fn start(data: PathBuf, port: u16) -> Self {
        Self { program: start(&data, port), data, port }
    }

    fn place(&self) -> Place {
        let url = |offset: u16| format!("http://127.0.0.1:{}", self.port + offset);
        Place {
            url: url(0),
            token: self.program.after("TOKEN=").to_owned(),
            dynamodb_url: url(3),
            s3_url: url(2),
            access_key: AccessKey::read(&self.data).unwrap(),
            bucket: physical_name("FilesBucket"),
            table: physical_name("DocumentsTable"),
        }
    }

    /// Kills it, and starts it again where it was.
    fn kill(&mut self) {
        self.program.kill();
        self.program = start(&self.data, self.port);
    }

    /// Kills one of its functions' processes.
    fn kill_a_function(&self, random: &mut fastrand::Rng) {
        let children = format!("/proc/{0}/task", self.program.process.id());
        let tasks = std::fs::read_dir(children).into_iter().flatten().flatten();
        let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        let children: Vec<u32> =
            children.flat_map(|pids| pids.split(' ').filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect();
        if let Some(pid) = random.choice(&children) {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
    }
}

/// The first of six ports in a row that nobody has.
fn free_ports() -> u16 {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let mut first = (0..1000).map(|_| fastrand::u16(20_000..30_000));
    let first = first.find(|&first| (first..first + 6).all(is_free));
    first.expect("six ports in a row are free")
}

/// What one of a history's clients does: mostly one thing, and then another.
async fn act(client: Client, mut random: fastrand::Rng) {
    for _ in 0..2 {
        let file = random.u8(..3);
        match random.u8(..6) {
            0..2 => {
                client.hand_in(file, 1).await;
            }
            2 => by_parts(&client, file, Declared::Nothing).await,
            3 => by_parts(&client, file, Declared::Sha256(file)).await,
            4 => by_parts(&client, file, Declared::Crc64Nvme(file)).await,
            _ => by_parts(&client, 2, Declared::Sha256(1)).await,
        }
    }
}

/// One history: two or three clients of one document, and in the end, when nothing is killed any more, what is there.
async fn history(place: Place, seed: u64, is_calm: Arc<AtomicBool>) {
    let mut random = fastrand::Rng::with_seed(seed);
    let files = (0..3).map(|_| TestFile::random(100, &mut random)).collect();
    let witness = Arc::new(Witness::new(place, files));
    let mut clients = JoinSet::new();
    for who in 1..=random.usize(2..=3) {
        clients.spawn(act(witness.client(who), random.fork()));
    }
    clients.join_all().await;
    while !is_calm.load(Ordering::SeqCst) {
        tokio::time::sleep(PAUSE).await;
    }
    let last = witness.client(0);
    let settled = async {
        // Whoever repeats what was stored last is told so.
        while last.hand_in(0, 1).await == Answer::Silence {
            tokio::time::sleep(PAUSE).await;
        }
        last.read().await;
        if let Answer::Open(upload, _) = last.offer(Declared::Nothing, 1).await {
            last.send(upload, 1).await;
            complete(&last, upload).await;
        }
        last.read().await;
    };
    tokio::time::timeout(PATIENCE, settled).await.unwrap();
    let history = witness.history();
    if let Verdict::Impossible(story) = judge(&history) {
        let story: Vec<String> = story.iter().map(ToString::to_string).collect();
        panic!("seed {seed}: this cannot be:\n{}", story.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a machine of its own for a minute: .ci/run"]
async fn whatever_the_system_kills_every_answer_is_one_that_the_promises_allow() {
    let folder = tempfile::tempdir_in(support::temporary()).unwrap();
    let mut service = Service::start(folder.path().join("data"), free_ports());
    let mut random = fastrand::Rng::with_seed(HISTORIES);
    let mut kills = 0;
    for round in 0..HISTORIES / AT_ONCE {
        let is_calm = Arc::new(AtomicBool::new(false));
        let mut histories = JoinSet::new();
        for number in 0..AT_ONCE {
            let seed = round * AT_ONCE + number;
            histories.spawn(history(service.place(), seed, is_calm.clone()));
        }
        for _ in 0..8 {
            tokio::time::sleep(PAUSE.mul_f64(2.0 * random.f64())).await;
            service.kill_a_function(&mut random);
            kills += 1;
        }
        if round % WHOLE == 0 {
            tokio::task::block_in_place(|| service.kill());
            kills += 1;
        }
        is_calm.store(true, Ordering::SeqCst);
        histories.join_all().await;
    }
    tell!("from outside: {HISTORIES} histories under {kills} kills, judged");
}
