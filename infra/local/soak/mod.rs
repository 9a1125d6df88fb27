//! `cargo run -- soak`: thousands of documents handed in while every fifth call between functions and stores
//! goes wrong, then the invariants. Everything is drawn from one seed, which is printed first.
#![expect(clippy::print_stdout, reason = "a command line talks to its user")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use fastrand::Rng;

use futures_util::{FutureExt, StreamExt, stream};

use indicatif::ProgressBar;

use okd_core::checksum::Checksum;
use okd_faults::Fault;

mod scenario;

use crate::{
    Cloud, Result,
    invariants::{Findings, check_invariants, drain},
    sender::Sender,
};
use scenario::{One, Outcome, Scenario, label};

/// Clients at once: most of the time each waits for something.
const AT_ONCE: usize = 24;

/// The seconds by which the clocks of functions' processes are wrong.
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

/// Hands everything in, tells what came of it, and fails if anything is lost, doubled or stuck.
pub async fn run(cloud: &Cloud, arguments: &Arguments) -> Result<()> {
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    println!("seed {seed}");
    let began = Instant::now();
    let token = cloud.issuer.token("local-soak", "okd:examdocuments")?;
    let sender = Sender::new(&cloud.url, token.clone());
    let mut impatient = Sender::new(&cloud.url, token);
    impatient.set_patience(Duration::ZERO);
    let handed_in = Mutex::new(BTreeSet::new());
    let progress = ProgressBar::new(arguments.uploads);

    for function in cloud.functions.values() {
        function.skew(SKEW_SECONDS);
    }
    if let Some(stream) = &cloud.stream {
        stream.shuffle(Some(seed));
    }
    cloud.faults.chaos(seed, arguments.faults);
    let calls_before = cloud.faults.calls().len();
    let all: Vec<Result<Outcome>> = stream::iter(0..arguments.uploads)
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
    cloud.events.drained().await;
    let chaos =
        Chaos { time: began.elapsed(), calls: cloud.faults.calls().len() - calls_before, hits: cloud.faults.hits() };
    cloud.faults.chaos(seed, 0);
    drain(cloud).await?;
    // Remove what requests left that died, and whose events were lost besides.
    let days = |days: u32| jiff::Timestamp::now() + days * Duration::from_hours(24);
    let swept = async {
        cloud.look_through(days(5)).await?;
        // Past the 35 days of an orphan that the listing found.
        cloud.tick(days(45)).await
    };
    let swept = swept.await;
    swept.map_err(|failed| format!("the bucket could not be looked through: {failed:?}"))?;
    let handed_in = handed_in.into_inner().unwrap_or_else(PoisonError::into_inner);
    let findings = check_invariants(cloud, &handed_in).await?;
    report(&all, &findings, &chaos, began.elapsed())
}

/// The faults that were met.
struct Chaos {
    time: Duration,
    calls: usize,
    hits: Vec<(Fault, u64)>,
}

/// The faults, in words.
#[derive(Default)]
struct Wrong {
    lost: Vec<String>,
    doubled: Vec<String>,
    stuck: Vec<String>,
}

impl Wrong {
    /// Compares what the senders were answered with the findings.
    fn find(all: &[Result<Outcome>], findings: &Findings) -> Self {
        let mut wrong = Self::default();
        let mut ids = BTreeSet::new();
        for outcome in all {
            match outcome {
                Ok(outcome) => wrong.compare(outcome, findings),
                Err(error) => wrong.stuck.push(error.to_string()),
            }
            for id in outcome.iter().filter_map(|outcome| outcome.ids.first()) {
                if !ids.insert(id.as_str()) {
                    wrong.doubled.push(format!("{id} is two documents"));
                }
            }
        }
        let asked_once = all.iter().flatten().filter(|outcome| outcome.ids.is_empty());
        let unknown = findings.documents.keys().filter(|id| !ids.contains(id.as_str()));
        let unknown: Vec<_> = unknown.collect();
        // A sender that never got its id has it counted as stuck above.
        if unknown.len() > asked_once.count() && wrong.stuck.is_empty() {
            let doubled = format!("among {unknown:?} are documents of which no sender got the id");
            wrong.doubled.push(doubled);
        }
        wrong
    }

    fn compare(&mut self, outcome: &Outcome, findings: &Findings) {
        let Some(id) = outcome.ids.first() else { return };
        if outcome.ids.iter().any(|other| other != id) {
            self.doubled.push(format!("one document is {:?}", outcome.ids));
        }
        let stored = findings.documents.get(id).cloned().unwrap_or_default();
        if stored.uploading || stored.unverified {
            self.stuck.push(format!("{id} is still pending"));
        }
        let kept = |past: &Checksum| stored.past.contains(past) || stored.current == Some(*past);
        let all_kept = outcome.past.iter().all(kept);
        if stored.current != outcome.current || !all_kept || stored.corrupt < outcome.corrupt {
            self.lost.push(format!("{id}, {:?}, is {stored:?}", outcome.scenario));
        }
    }
}

/// The table, and an error where anything is lost, doubled or stuck.
fn report(all: &[Result<Outcome>], findings: &Findings, chaos: &Chaos, whole: Duration) -> Result<()> {
    let (mut scenarios, mut bytes) = (BTreeMap::<Scenario, u64>::new(), 0);
    for outcome in all.iter().flatten() {
        *scenarios.entry(outcome.scenario).or_default() += 1;
        bytes += outcome.bytes;
    }
    println!("| what | how many |\n|-|-|");
    for (scenario, count) in scenarios {
        println!("| documents, {} | {count} |", label(scenario));
    }
    println!("| sent | {} MiB in {:.0?} |", bytes >> 20, chaos.time);
    println!("| calls to S3 and DynamoDB, and events | {} |", chaos.calls);
    let faults: u64 = chaos.hits.iter().map(|(_, count)| count).sum();
    println!("| of these met a fault | {faults} |");
    for (fault, count) in &chaos.hits {
        println!("| ... {fault:?} | {count} |");
    }
    let Wrong { lost, doubled, stuck } = Wrong::find(all, findings);
    println!("| objects in the end | {} |", findings.objects);
    println!("| faults against the invariants | {} |", findings.faults.len());
    println!("| **lost** | **{}** |", lost.len());
    println!("| **duplicated** | **{}** |", doubled.len());
    println!("| **stuck** | **{}** |", stuck.len());
    println!("| the whole soak | {whole:.0?} |");
    let problems = [&lost, &doubled, &stuck, &findings.faults];
    for problem in problems.into_iter().flatten() {
        println!("PROBLEM: {problem}");
    }
    if problems.iter().any(|problems| !problems.is_empty()) {
        return Err("the invariants do not hold".into());
    }
    Ok(())
}
