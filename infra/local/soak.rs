//! `cargo run -- soak`: thousands of documents handed in while every fifth call between functions and stores
//! goes wrong, then the books. Everything is drawn from one seed, which is printed first.
#![expect(clippy::print_stdout, reason = "a command line talks to its user")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use fastrand::Rng;
use futures_util::{FutureExt, StreamExt, stream};
use indicatif::ProgressBar;
use okd_core::checksum::Checksum;
use serde_json::{Value, json};

use crate::{
    Cloud, Result,
    audit::{Books, audit, settle},
    sample,
    sender::{HandedIn, Refused, Sender, Source},
    wire::Fault,
};

/// Clients at once: most of the time each waits for something.
const AT_ONCE: usize = 24;

/// Actor how many seconds the clocks of functions' processes are wrong.
const SKEW_SECONDS: u16 = 20;

/// The size of the soak, and the part of calls that meet a fault.
#[derive(clap::Args)]
pub struct Arguments {
    /// The number of documents to hand in.
    #[arg(long, default_value_t = 1000)]
    uploads: u64,
    /// The number of of the calls to S3 and DynamoDB, and of the events, meet a fault, such as 20%.
    #[arg(long, default_value = "20%", value_parser = parse_percent)]
    faults: u64,
    /// Draws everything; the same seed hands in the same documents.
    #[arg(long)]
    seed: Option<u64>,
}

fn parse_percent(text: &str) -> Result<u64, String> {
    let percent = text.strip_suffix('%').unwrap_or(text).parse();
    percent
        .ok()
        .filter(|percent| *percent <= 50)
        .ok_or_else(|| "must be 0% to 50%: above that nothing gets done".to_owned())
}

/// The stories of senders and their documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Story {
    /// Form A.
    Inline,
    /// Form B.
    Parts,
    /// Either form, and the same again.
    Repeated,
    /// Either form, and then another file under the same key.
    Replaced,
    /// Form B with a CRC64NVME that is another file's.
    WrongCrc,
    /// Form B with a SHA-256 that is another file's.
    WrongSha,
    /// Form B, and its sender dies after the last part.
    DiesAtTheEnd,
    /// Form B, and its sender dies before the first.
    DiesAtOnce,
    /// Form A, by a sender that asks once and does not wait for what comes of it.
    AsksOnce,
}

/// The knowledge of a sender in the end.
struct Told {
    story: Story,
    /// The `dmsDocumentId` of each answer; none where none was waited for.
    ids: Vec<String>,
    bytes: u64,
    /// The content that must be current now; `None`: none may be.
    current: Option<Checksum>,
    /// The contents that must have been replaced.
    past: Vec<Checksum>,
    corrupt: usize,
}

/// Hands everything in, tells what came of it, and fails if anything is lost, doubled or stuck.
pub async fn run(cloud: &Cloud, arguments: &Arguments) -> Result<()> {
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    println!("seed {seed}");
    let began = Instant::now();
    let token = cloud.issuer.token("local-soak", "okd:examdocuments")?;
    let sender = Sender::new(&cloud.url, token.clone());
    let mut impatient = Sender::new(&cloud.url, token);
    impatient.patience = Duration::ZERO;
    let handed_in = Mutex::new(BTreeSet::new());
    let progress = ProgressBar::new(arguments.uploads);

    for function in cloud.functions.values() {
        function.skew(SKEW_SECONDS);
    }
    if let Some(stream) = &cloud.stream {
        stream.shuffle(Some(seed));
    }
    cloud.wire.storm(seed, arguments.faults);
    let calls_before = cloud.wire.calls().len();
    let all: Vec<Result<Told>> = stream::iter(0..arguments.uploads)
        .map(|number| {
            let one = One {
                sender: &sender,
                impatient: &impatient,
                handed_in: &handed_in,
                random: Rng::with_seed(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            };
            one.hand_in().inspect(|_| progress.inc(1))
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    progress.finish_and_clear();
    cloud.events.settled().await;
    let storm =
        Storm { time: began.elapsed(), calls: cloud.wire.calls().len() - calls_before, struck: cloud.wire.struck() };
    cloud.wire.storm(seed, 0);
    settle(cloud).await?;
    // Remove what requests left that died, and whose events were lost besides.
    let days = |days: u32| jiff::Timestamp::now() + days * Duration::from_hours(24);
    let swept = async {
        cloud.look_through(days(5)).await?;
        cloud.strike(days(6)).await
    };
    let swept = swept.await;
    swept.map_err(|failed| format!("the bucket could not be looked through: {failed:?}"))?;
    let handed_in = handed_in.into_inner().unwrap_or_else(PoisonError::into_inner);
    let books = audit(cloud, &handed_in).await?;
    report(&all, &books, &storm, began.elapsed())
}

/// The faults that struck.
struct Storm {
    time: Duration,
    calls: usize,
    struck: Vec<(Fault, u64)>,
}

/// One document.
struct One<'a> {
    sender: &'a Sender,
    impatient: &'a Sender,
    handed_in: &'a Mutex<BTreeSet<String>>,
    random: Rng,
}

impl One<'_> {
    async fn hand_in(mut self) -> Result<Told> {
        let story = match self.random.u8(..100) {
            0..35 => Story::Inline,
            35..65 => Story::Parts,
            65..75 => Story::Repeated,
            75..88 => Story::Replaced,
            88..91 => Story::WrongCrc,
            91..94 => Story::WrongSha,
            94..96 => Story::DiesAtTheEnd,
            96..98 => Story::DiesAtOnce,
            _ => Story::AsksOnce,
        };
        let metadata = sample::metadata("verslag.pdf", None);
        let file = self.file();
        let sha256 = Checksum::sha256(&file);
        let mut told = Told {
            story,
            ids: Vec::new(),
            bytes: file.len() as u64,
            current: Some(sha256),
            past: Vec::new(),
            corrupt: 0,
        };
        match story {
            Story::Inline => told.ids.push(self.inline(&metadata, &file).await?),
            Story::Parts => told.ids.push(self.parts(&metadata, &file).await?),
            Story::Repeated => {
                told.ids.push(self.either(&metadata, &file).await?);
                told.ids.push(self.either(&metadata, &file).await?);
                // Actor parts and without a checksum the same file is another version.
                told.past = vec![sha256];
            }
            Story::Replaced => {
                told.ids.push(self.either(&metadata, &file).await?);
                let other = self.file();
                told.ids.push(self.either(&metadata, &other).await?);
                told.bytes += other.len() as u64;
                told.past = vec![sha256];
                told.current = Some(Checksum::sha256(&other));
            }
            Story::WrongCrc => {
                let wrong = declaring(&metadata, Checksum::crc64nvme(b"another file"));
                told.ids.push(self.offered(&wrong, &file).await?.0);
                let refused = self.parts_of(&wrong, &file).await;
                match refused {
                    Err(error) if error.downcast_ref::<Refused>().is_some_and(|no| no.status == 422) => {}
                    Err(error) => return Err(error),
                    Ok(_) => return Err("a wrong checksum was accepted".into()),
                }
                told.current = None;
            }
            Story::WrongSha => {
                let wrong = declaring(&metadata, Checksum::sha256(b"another file"));
                told.ids.push(self.offered(&wrong, &file).await?.0);
                match self.parts_of(&wrong, &file).await {
                    // The verification may be quicker than the answer.
                    Err(error) if error.downcast_ref::<Refused>().is_none_or(|no| no.status != 422) => {
                        return Err(error);
                    }
                    Ok(handed_in) if handed_in.is_stored => {
                        return Err("bytes that nobody had compared were called stored".into());
                    }
                    _ => {}
                }
                told.current = None;
                told.corrupt = 1;
            }
            Story::DiesAtTheEnd => {
                let (id, upload) = self.offered(&metadata, &file).await?;
                self.sender.send_parts(&Source::Bytes(file), &upload).await?;
                told.ids.push(id);
            }
            Story::DiesAtOnce => {
                told.ids.push(self.offered(&metadata, &file).await?.0);
                told.current = None;
            }
            Story::AsksOnce => {
                let _ = self.impatient.hand_in_inline(&metadata, &file).await;
            }
        }
        Ok(told)
    }

    /// A file like no other: mostly small, some of several parts.
    fn file(&mut self) -> Bytes {
        let size = match self.random.u8(..200) {
            0 => self.random.usize(16 << 20..40 << 20),
            1..20 => self.random.usize(64 << 10..4 << 20),
            _ => self.random.usize(16..64 << 10),
        };
        let mut bytes = vec![0; size];
        self.random.fill(&mut bytes);
        let sha256 = Checksum::sha256(&bytes).to_string();
        let mut handed_in = self.handed_in.lock().unwrap_or_else(PoisonError::into_inner);
        handed_in.insert(sha256);
        bytes.into()
    }

    async fn either(&mut self, metadata: &Value, file: &Bytes) -> Result<String> {
        if self.random.bool() { self.inline(metadata, file).await } else { self.parts(metadata, file).await }
    }

    async fn inline(&mut self, metadata: &Value, file: &Bytes) -> Result<String> {
        if file.len() > 4 << 20 {
            return self.parts(metadata, file).await;
        }
        self.sender.hand_in_inline(metadata, file).await
    }

    async fn parts(&mut self, metadata: &Value, file: &Bytes) -> Result<String> {
        let metadata = match self.random.u8(..3) {
            0 => metadata.clone(),
            1 => declaring(metadata, Checksum::sha256(file)),
            _ => declaring(metadata, Checksum::crc64nvme(file)),
        };
        Ok(self.parts_of(&metadata, file).await?.id)
    }

    async fn parts_of(&self, metadata: &Value, file: &Bytes) -> Result<HandedIn> {
        let source = Source::Bytes(file.clone());
        self.sender.hand_in_by_parts(&sized(metadata, file), &source).await
    }

    async fn offered(&self, metadata: &Value, file: &Bytes) -> Result<(String, Value)> {
        match self.sender.offer(&sized(metadata, file)).await? {
            (202, answer) => {
                let id = answer["dmsDocumentId"].as_str().unwrap_or_default();
                Ok((id.to_owned(), answer["upload"].clone()))
            }
            (status, problem) => Err(Refused { status, problem }.into()),
        }
    }
}

fn declaring(metadata: &Value, checksum: Checksum) -> Value {
    let mut metadata = metadata.clone();
    metadata["consumers"][0]["documentChecksum"] = json!(checksum);
    metadata
}

fn sized(metadata: &Value, file: &Bytes) -> Value {
    let mut metadata = metadata.clone();
    metadata["consumers"][0]["documentSize"] = json!(file.len());
    metadata
}

/// The faults, in words.
#[derive(Default)]
struct Wrong {
    lost: Vec<String>,
    doubled: Vec<String>,
    stuck: Vec<String>,
}

impl Wrong {
    /// Compares what the senders were told with the books.
    fn find(all: &[Result<Told>], books: &Books) -> Self {
        let mut wrong = Self::default();
        let mut ids = BTreeSet::new();
        for told in all {
            match told {
                Ok(told) => wrong.compare(told, books),
                Err(error) => wrong.stuck.push(error.to_string()),
            }
            for id in told.iter().filter_map(|told| told.ids.first()) {
                if !ids.insert(id.as_str()) {
                    wrong.doubled.push(format!("{id} is two documents"));
                }
            }
        }
        let asked_once = all.iter().flatten().filter(|told| told.ids.is_empty());
        let unknown = books.documents.keys().filter(|id| !ids.contains(id.as_str()));
        let unknown: Vec<_> = unknown.collect();
        // A sender that was never told its id has it counted as stuck above.
        if unknown.len() > asked_once.count() && wrong.stuck.is_empty() {
            let doubled = format!("among {unknown:?} are documents that nobody was told of");
            wrong.doubled.push(doubled);
        }
        wrong
    }

    fn compare(&mut self, told: &Told, books: &Books) {
        let Some(id) = told.ids.first() else { return };
        if told.ids.iter().any(|other| other != id) {
            self.doubled.push(format!("one document is {:?}", told.ids));
        }
        let stored = books.documents.get(id).cloned().unwrap_or_default();
        if stored.uploading || stored.unverified {
            self.stuck.push(format!("{id} is still pending"));
        }
        let kept = |past: &Checksum| stored.past.contains(past) || stored.current == Some(*past);
        let all_kept = told.past.iter().all(kept);
        if stored.current != told.current || !all_kept || stored.corrupt < told.corrupt {
            self.lost.push(format!("{id}, {:?}, is {stored:?}", told.story));
        }
    }
}

/// The table, and an error where anything is lost, doubled or stuck.
fn report(all: &[Result<Told>], books: &Books, storm: &Storm, whole: Duration) -> Result<()> {
    let (mut stories, mut bytes) = (BTreeMap::<Story, u64>::new(), 0);
    for told in all.iter().flatten() {
        *stories.entry(told.story).or_default() += 1;
        bytes += told.bytes;
    }
    println!("| what | how many |\n|-|-|");
    for (story, count) in stories {
        println!("| documents, {} | {count} |", words(story));
    }
    println!("| sent | {} MiB in {:.0?} |", bytes >> 20, storm.time);
    println!("| calls to S3 and DynamoDB, and events | {} |", storm.calls);
    let faults: u64 = storm.struck.iter().map(|(_, count)| count).sum();
    println!("| of these met a fault | {faults} |");
    for (fault, count) in &storm.struck {
        println!("| ... {fault:?} | {count} |");
    }
    let Wrong { lost, doubled, stuck } = Wrong::find(all, books);
    println!("| objects in the end | {} |", books.objects);
    println!("| faults in the books | {} |", books.faults.len());
    println!("| **lost** | **{}** |", lost.len());
    println!("| **duplicated** | **{}** |", doubled.len());
    println!("| **stuck** | **{}** |", stuck.len());
    println!("| the whole soak | {whole:.0?} |");
    let problems = [&lost, &doubled, &stuck, &books.faults];
    for problem in problems.into_iter().flatten() {
        println!("PROBLEM: {problem}");
    }
    if problems.iter().any(|problems| !problems.is_empty()) {
        return Err("the books are not in order".into());
    }
    Ok(())
}

fn words(story: Story) -> &'static str {
    match story {
        Story::Inline => "inline",
        Story::Parts => "by parts",
        Story::Repeated => "sent twice",
        Story::Replaced => "replaced by another file",
        Story::WrongCrc => "declared with a wrong CRC64NVME: refused",
        Story::WrongSha => "declared with a wrong SHA-256: found corrupt",
        Story::DiesAtTheEnd => "whose sender died after the last part: stored by the sweep",
        Story::DiesAtOnce => "whose sender died before the first part: expired",
        Story::AsksOnce => "inline, whose sender asked once and died: stored whole, or nothing left of them",
    }
}
