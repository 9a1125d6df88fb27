//! The processes of functions, which ask their [Runtime API](crate::runtime_api) for work.
//!
//! A function runs as in Lambda: in processes of its own, one request at a time in each, and there are as
//! many as there are requests at once. Each process gets a Runtime API endpoint to itself, so that it is
//! known which request dies with it. The processes are this very executable, run again as the function.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    num::NonZero,
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    thread::available_parallelism,
    time::Duration,
};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use okd_faults::{Faults, Registered};
use tokio::{
    net::TcpListener,
    process::{Child, ChildStdin, Command},
    sync::{Semaphore, mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    FUNCTIONS_LOG, Options, Result,
    runtime_api::{Endpoint, Failed, Invocation, Outcome, routes},
};

/// The time that a process may take before it asks for work: Lambda allows it 10 s.
const TO_START: Duration = Duration::from_secs(10);

/// By how many seconds the clock of a process is ahead, in its environment.
const CLOCK_AHEAD: &str = "OKD_LOCAL_CLOCK_AHEAD";

/// The clock of a function's process: the machine's, wrong by as much as its environment says.
pub fn clock() -> Timestamp {
    let ahead = std::env::var(CLOCK_AHEAD).ok();
    let ahead = ahead.and_then(|ahead| ahead.parse().ok());
    Timestamp::now() + SignedDuration::from_secs(ahead.unwrap_or_default())
}

/// A function: how to start its processes, and those that wait for work.
pub struct Function {
    name: String,
    executable: PathBuf,
    log: PathBuf,
    environment: BTreeMap<String, String>,
    timeout: Duration,
    memory_mb: u64,
    faults: Arc<Faults>,
    started: AtomicUsize,
    /// The permits to start a process: a crowd of requests would start one each, and all of them be slow together.
    starting: Semaphore,
    /// By how many seconds the clocks of its processes are wrong, at most.
    skew: AtomicI64,
    idle: Mutex<Vec<Process>>,
    peak_memory: Mutex<u64>,
}

/// One process and its Runtime API endpoint; both end when this is dropped.
struct Process {
    /// By its name faults kill it.
    registered: Registered,
    child: Child,
    /// Kept apart because waiting for the child would close it.
    _stdin: Option<ChildStdin>,
    work: mpsc::Sender<Invocation>,
    serving: JoinHandle<()>,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Function {
    /// A function named `name` (`template.yaml`'s logical id), run as `options` say, in exactly this
    /// environment: nothing of ours, such as real credentials, is passed on.
    pub fn new(
        name: &str,
        options: &Options,
        environment: BTreeMap<String, String>,
        timeout: Duration,
        memory_mb: u64,
        faults: Arc<Faults>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            executable: options.executable.clone(),
            log: options.data.join(FUNCTIONS_LOG),
            environment,
            timeout,
            memory_mb,
            faults,
            started: AtomicUsize::new(0),
            starting: Semaphore::new(available_parallelism().map_or(2, NonZero::get)),
            skew: AtomicI64::new(0),
            idle: Mutex::default(),
            peak_memory: Mutex::default(),
        }
    }

    /// Runs the function on one event, in a process that is idle or else in a new one.
    pub async fn invoke(self: &Arc<Self>, event: Bytes) -> Outcome {
        let mut process = match self.take_idle() {
            Some(process) => process,
            None => self.idle_or_new().await.map_err(|error| {
                tracing::error!(function = self.name, %error, "a process could not be started");
                Failed::Crashed
            })?,
        };
        let (reply, answer) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        process.work.send(Invocation { event, reply, ended }).await.map_err(|_| Failed::Crashed)?;
        let outcome = tokio::select! {
            answer = answer => answer.unwrap_or(Err(Failed::Crashed)),
            status = process.child.wait() => {
                tracing::error!(function = self.name, ?status, "a process ended with a request in hand");
                return Err(Failed::Crashed);
            }
            dying = process.registered.killed() => {
                let _ = process.child.kill().await;
                dying.is_dead();
                return Err(Failed::Crashed);
            }
            () = tokio::time::sleep(self.timeout) => return Err(Failed::TimedOut),
        };
        if outcome.as_ref().is_ok_and(|answer| answer.rest.is_some()) {
            tokio::spawn(self.clone().see_out(process, end));
        } else {
            self.release(process);
        }
        outcome
    }

    /// Waits until the process has sent the last of its answer and asks for work again: one that broke its answer off
    /// may end instead.
    async fn see_out(self: Arc<Self>, mut process: Process, end: oneshot::Receiver<()>) {
        tokio::select! {
            _ = end => self.release(process),
            _ = process.child.wait() => {}
            dying = process.registered.killed() => {
                let _ = process.child.kill().await;
                dying.is_dead();
            }
            () = tokio::time::sleep(self.timeout) => {}
        }
    }

    /// Has the process wait for work again.
    fn release(&self, process: Process) {
        self.note_memory(&process);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(process);
    }

    /// Has the clocks of the processes that start from now on go wrong by up to so many seconds, each by another number
    /// of them.
    pub fn skew(&self, seconds: u16) {
        self.skew.store(seconds.into(), Ordering::Relaxed);
    }

    /// The number of processes that there have been.
    pub fn processes(&self) -> usize {
        self.started.load(Ordering::Relaxed)
    }

    /// The most memory that any process of this function has held, in bytes; 0 where the system does not
    /// tell (only Linux does).
    pub fn peak_memory(&self) -> u64 {
        *self.peak_memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_idle(&self) -> Option<Process> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(mut process) = idle.pop() {
            if matches!(process.child.try_wait(), Ok(None)) {
                return Some(process);
            }
        }
        None
    }

    /// A process that has become idle by the time that it is this request's turn to start one, or that one, when
    /// it asks for work.
    async fn idle_or_new(&self) -> Result<Process> {
        let _turn = self.starting.acquire().await?;
        if let Some(process) = self.take_idle() {
            return Ok(process);
        }
        let (mut process, endpoint) = self.start().await?;
        tokio::select! {
            () = endpoint.ready.notified() => {}
            status = process.child.wait() => return Err(format!("it ended with {status:?}").into()),
            () = tokio::time::sleep(TO_START) => return Err("it asks for no work".into()),
        }
        Ok(process)
    }

    /// A new process, and its endpoint, which tells when it is ready.
    async fn start(&self) -> Result<(Process, Arc<Endpoint>)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (work, receiver) = mpsc::channel(1);
        let endpoint = Arc::new(Endpoint::new(receiver, self.timeout));
        let routes = routes(Arc::clone(&endpoint));
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::error!(%error, "a Runtime API endpoint failed");
            }
        });
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}", self.name);
        let registered = self.faults.register(&name);
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut child = Command::new(&self.executable)
            .args(["function", &self.name])
            .env_clear()
            .envs(&self.environment)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env(CLOCK_AHEAD, self.clock_ahead(number).to_string())
            // The SDK puts it into the user agent of each call, and so the fault layer knows whose it is.
            .env("AWS_SDK_UA_APP_ID", &name)
            .env("AWS_LAMBDA_FUNCTION_NAME", format!("local-{}", self.name))
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", self.memory_mb.to_string())
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "local")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "local")
            // The process reads its end there when this one is gone, however it went.
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let process = Process { registered, _stdin: child.stdin.take(), child, work, serving };
        Ok((process, endpoint))
    }

    /// The seconds by which the clock of the process with this number is ahead: none, some, or so many behind.
    fn clock_ahead(&self, number: usize) -> i64 {
        let turn = i64::try_from(number % 3).unwrap_or_default();
        self.skew.load(Ordering::Relaxed) * (turn - 1)
    }

    fn note_memory(&self, process: &Process) {
        let Some(bytes) = process.child.id().and_then(peak_memory_of) else {
            return;
        };
        let mut peak = self.peak_memory.lock().unwrap_or_else(PoisonError::into_inner);
        *peak = bytes.max(*peak);
    }
}

/// `VmHWM` of a process, in bytes.
fn peak_memory_of(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
