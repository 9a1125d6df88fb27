//! The crash matrix: each use case is run once to learn its calls, then once for each call and each fault. After
//! each, its sender has asked until it was told, the clock has struck once, and the books are closed.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use okd_local::{
    audit::{Books, Stored},
    dynamodb::TENANTS_READ,
    fault::{Call, EVENT, Fault},
    sender::{Refused, Sender, Source},
};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::bench::{Bench, Paper, Sheet, TWO_PARTS};

const HOUR: Duration = Duration::from_hours(1);
/// Clouds at once: most of the time each waits for something.
const CLOUDS: usize = 6;
/// How often an SDK tries: a fault that lasts as long gets through to us.
const TRIES: usize = 3;

/// The use cases, each from a scene that is set without faults to what it must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Case {
    InlineNew,
    InlineRepeated,
    InlineReplaces,
    InlineOlderAgain,
    InlineOverUpload,
    InlineMoves,
    InlineUnnamed,
    InlineKnown,
    PartsNew,
    PartsVerified,
    PartsResumed,
    PartsUnnamed,
    PartsOverUpload,
    PartsReplace,
    PartsKnown,
    PartsWrongCrc,
    PartsWrongSha,
    PartsForgotten,
    Aborted,
    AbortedJoined,
    SweptComplete,
    SweptExpired,
    SweptVerified,
    SweptCorrupt,
    SweptForgotten,
    SweptOrphan,
    SweptStray,
    StrayResent,
    LookedThrough,
    Announced,
}

const CASES: [Case; 30] = [
    Case::InlineNew,
    Case::InlineRepeated,
    Case::InlineReplaces,
    Case::InlineOlderAgain,
    Case::InlineOverUpload,
    Case::InlineMoves,
    Case::InlineUnnamed,
    Case::InlineKnown,
    Case::PartsNew,
    Case::PartsVerified,
    Case::PartsResumed,
    Case::PartsUnnamed,
    Case::PartsOverUpload,
    Case::PartsReplace,
    Case::PartsKnown,
    Case::PartsWrongCrc,
    Case::PartsWrongSha,
    Case::PartsForgotten,
    Case::Aborted,
    Case::AbortedJoined,
    Case::SweptComplete,
    Case::SweptExpired,
    Case::SweptVerified,
    Case::SweptCorrupt,
    Case::SweptForgotten,
    Case::SweptOrphan,
    Case::SweptStray,
    Case::StrayResent,
    Case::LookedThrough,
    Case::Announced,
];

/// One document on its way through a case.
struct Run<'a> {
    bench: &'a Bench,
    paper: Paper,
    first: Sheet,
    second: Sheet,
    id: String,
    upload: Value,
}

impl<'a> Run<'a> {
    fn new(bench: &'a Bench, case: Case) -> Self {
        let size = match case {
            Case::PartsResumed | Case::PartsOverUpload | Case::SweptExpired => TWO_PARTS,
            _ => 100,
        };
        let paper = Paper::new().of_student("1");
        let paper = match case {
            // Only its message names such a document.
            Case::InlineUnnamed | Case::PartsUnnamed => paper.with("documentId", Value::Null),
            _ => paper,
        };
        Self {
            bench,
            paper,
            first: bench.sheet(size),
            second: bench.sheet(size),
            id: String::new(),
            upload: Value::Null,
        }
    }

    /// What there is before anything goes wrong.
    async fn set_the_scene(&mut self, case: Case) {
        let (bench, paper) = (self.bench, &self.paper);
        let (first, second) = (&self.first, &self.second);
        // Whether an object's event or its item is quicker must not be left to chance.
        bench.cloud.events.hold(true);
        match case {
            Case::InlineNew | Case::InlineUnnamed | Case::PartsNew | Case::PartsUnnamed | Case::PartsVerified => {}
            Case::InlineRepeated
            | Case::InlineMoves
            | Case::InlineReplaces
            | Case::PartsReplace
            | Case::PartsWrongCrc
            | Case::PartsWrongSha => self.id = bench.inline(paper, first).await,
            Case::InlineOlderAgain => {
                bench.inline(paper, first).await;
                self.id = bench.inline(paper, second).await;
            }
            Case::InlineOverUpload | Case::PartsOverUpload => {
                (self.id, _) = bench.offer(paper, second, 1).await;
            }
            Case::PartsResumed => {
                let declaring = paper.declaring(first.sha256());
                (self.id, _) = bench.offer(&declaring, first, 1).await;
            }
            Case::PartsKnown => {
                let declaring = paper.declaring(first.crc64nvme());
                self.id = bench.by_parts(&declaring, first).await;
            }
            Case::Aborted | Case::SweptExpired => {
                bench.inline(paper, &bench.sheet(100)).await;
                (self.id, self.upload) = bench.offer(paper, second, 1).await;
            }
            Case::PartsForgotten => {
                (self.id, self.upload) = bench.offer(paper, first, 1).await;
                bench.have_s3_forget(&self.id).await;
            }
            Case::AbortedJoined => {
                bench.lose_an_event(0);
                (self.id, self.upload) = bench.offer(paper, first, 1).await;
                bench.next("CompleteMultipartUpload", Fault::KillAfter);
                let complete = &self.upload["complete"];
                bench.impatient.follow(complete).await.unwrap_err();
            }
            Case::SweptForgotten => {
                bench.inline(paper, first).await;
                (self.id, _) = bench.offer(paper, second, 1).await;
                bench.have_s3_forget(&self.id).await;
            }
            Case::SweptComplete => (self.id, _) = bench.offer(paper, first, 1).await,
            Case::Announced => {
                self.id = bench.by_parts(&paper.declaring(first.crc64nvme()), first).await;
            }
            Case::InlineKnown => {
                let declaring = paper.declaring(first.sha256());
                self.id = bench.by_parts(&declaring, first).await;
            }
            Case::LookedThrough => {
                bench.lose_an_event(0);
                bench.strand(paper, first).await;
            }
            Case::SweptVerified => {
                bench.lose_an_event(0);
                let declaring = paper.declaring(first.sha256());
                self.id = bench.by_parts(&declaring, first).await;
            }
            Case::SweptCorrupt => {
                bench.inline(paper, first).await;
                bench.lose_an_event(1);
                let declaring = paper.declaring(bench.sheet(1).sha256());
                self.id = bench.by_parts(&declaring, second).await;
            }
            Case::SweptOrphan => self.id = bench.leave_over(paper, first).await,
            Case::SweptStray | Case::StrayResent => bench.strand(paper, first).await,
        }
        bench.cloud.events.hold(false);
        bench.cloud.events.settled().await;
    }

    /// What is to go wrong, asked by `sender` until it is answered or gives up; then the events of it.
    async fn act(&mut self, case: Case, sender: &Sender) -> okd_local::Result<()> {
        self.bench.cloud.events.hold(true);
        let done = self.ask(case, sender).await;
        self.bench.cloud.events.hold(false);
        self.bench.cloud.events.settled().await;
        let id = done?;
        assert!(self.id.is_empty() || self.id == id, "two ids: {} and {id}", self.id);
        self.id = id;
        Ok(())
    }

    async fn ask(&self, case: Case, sender: &Sender) -> okd_local::Result<String> {
        let (bench, paper) = (self.bench, &self.paper);
        let (first, second) = (&self.first, &self.second);
        let inline = async |sheet: &Sheet| sender.hand_in_inline(&paper.0, &sheet.0).await;
        let by_parts = async |paper: &Paper, sheet: &Sheet| {
            let source = Source::Bytes(sheet.0.clone());
            let paper = paper.of_size(sheet);
            let handed_in = sender.hand_in_by_parts(&paper.0, &source).await?;
            // Whatever was lost or repeated, nobody was told "stored" of bytes that were not compared.
            assert!(!handed_in.is_stored || !matches!(case, Case::PartsWrongSha));
            Ok::<_, okd_local::Error>(handed_in.id)
        };
        match case {
            Case::InlineNew
            | Case::InlineUnnamed
            | Case::InlineRepeated
            | Case::InlineOlderAgain
            | Case::InlineOverUpload
            | Case::InlineKnown
            | Case::StrayResent => inline(first).await,
            Case::InlineReplaces => inline(second).await,
            // The document moves to another student, and with it the entries by which it is found.
            Case::InlineMoves => {
                let moved = paper.of_student("2");
                sender.hand_in_inline(&moved.0, &first.0).await
            }
            Case::PartsNew | Case::PartsUnnamed | Case::PartsOverUpload => by_parts(paper, first).await,
            Case::PartsVerified | Case::PartsResumed => by_parts(&paper.declaring(first.sha256()), first).await,
            Case::PartsReplace => by_parts(paper, second).await,
            Case::PartsKnown => by_parts(&paper.declaring(first.crc64nvme()), first).await,
            Case::PartsWrongCrc => {
                let wrong = paper.declaring(bench.sheet(1).crc64nvme());
                let refused = by_parts(&wrong, second).await.unwrap_err();
                let refused = refused.downcast::<Refused>()?;
                assert_eq!(refused.status, 422);
                Ok(self.id.clone())
            }
            Case::PartsWrongSha => {
                let wrong = paper.declaring(bench.sheet(1).sha256());
                by_parts(&wrong, second).await
            }
            Case::PartsForgotten => {
                let (status, answer) = sender.follow(&self.upload["complete"]).await?;
                assert_eq!(status, 410, "{answer}");
                by_parts(paper, first).await
            }
            Case::Aborted | Case::AbortedJoined => {
                let (status, answer) = sender.follow(&self.upload["abort"]).await?;
                assert_eq!(status, 204, "{answer}");
                Ok(self.id.clone())
            }
            Case::SweptExpired | Case::SweptForgotten => {
                bench.strike(25 * HOUR).await;
                Ok(self.id.clone())
            }
            Case::LookedThrough => {
                bench.look_through(3 * HOUR).await;
                // What could not be looked at is a day later.
                bench.look_through(28 * HOUR).await;
                Ok(self.id.clone())
            }
            Case::Announced => {
                bench.announce().await;
                Ok(self.id.clone())
            }
            Case::SweptComplete | Case::SweptVerified | Case::SweptCorrupt | Case::SweptOrphan | Case::SweptStray => {
                bench.strike(3 * HOUR).await;
                Ok(self.id.clone())
            }
        }
    }

    /// The sheets that must be there in the end: the current one, then those it replaced; and how many corrupt ones.
    fn outcome(&self, case: Case) -> (Option<&Sheet>, Vec<&Sheet>, usize) {
        let (first, second) = (&self.first, &self.second);
        match case {
            Case::InlineReplaces | Case::PartsReplace => (Some(second), vec![first], 0),
            Case::InlineOlderAgain => (Some(first), vec![first, second], 0),
            // The history has the same file with its metadata of before.
            Case::InlineMoves | Case::InlineKnown => (Some(first), vec![first], 0),
            // Restored under a sequence of its own, so the history has it too.
            Case::PartsWrongSha | Case::SweptCorrupt => (Some(first), vec![first], 1),
            Case::AbortedJoined | Case::SweptOrphan | Case::SweptStray | Case::LookedThrough => (None, vec![], 0),
            _ => (Some(first), vec![], 0),
        }
    }

    /// What must hold also where nobody was told anything.
    async fn check_books(&self) -> Books {
        let books = self.bench.close().await;
        assert!(books.documents.len() <= 1, "{:?}", books.documents);
        for stored in books.documents.values() {
            assert!(!stored.uploading && !stored.unverified, "{stored:?}");
        }
        books
    }

    async fn check(&self, case: Case) {
        let books = self.check_books().await;
        let stored = books.documents.get(&self.id).cloned().unwrap_or_default();
        if let Case::Aborted | Case::SweptExpired = case {
            assert!(stored.current.is_some() && stored.past.is_empty(), "{stored:?}");
            return;
        }
        let (current, past, corrupt) = self.outcome(case);
        let expected = Stored {
            current: current.map(Sheet::sha256),
            past: past.into_iter().map(Sheet::sha256).collect(),
            corrupt,
            ..Stored::default()
        };
        assert_eq!(stored, expected);
    }
}

/// One fault on one call of one case.
#[derive(Debug, Clone)]
struct Cell {
    case: Case,
    call: Call,
    nth: usize,
    times: usize,
    fault: Fault,
    /// Whether its sender dies of it too, and never asks again.
    given_up: bool,
    /// Another fault in the same story, on a call of another kind.
    second: Option<(Call, usize, Fault)>,
}

/// The cases in which two faults are most likely to meet what one alone does not: those with the most calls, of a
/// request and of the service by itself, of which one part is written down and another is not.
const OF_TWO: [Case; 5] =
    [Case::InlineOverUpload, Case::PartsVerified, Case::PartsOverUpload, Case::PartsWrongSha, Case::SweptComplete];
/// How many of all pairs are tried, drawn from a seed.
const PAIRS: usize = 120;

/// Runs every case without faults.
pub(crate) async fn run_every_case(bench: &Bench) {
    for case in CASES {
        calls_of(bench, case).await;
    }
}

/// Runs a case without faults; gives the calls that were made.
async fn calls_of(bench: &Bench, case: Case) -> Vec<Call> {
    let mut run = Run::new(bench, case);
    run.set_the_scene(case).await;
    let before = bench.cloud.wire.calls().len();
    run.act(case, &bench.sender).await.unwrap();
    let made = bench.cloud.wire.calls().split_off(before);
    run.check(case).await;
    bench.clear().await;
    made
}

/// Runs a case without faults and says which there could be.
async fn learn(bench: &Bench, case: Case) -> Vec<Cell> {
    let made = calls_of(bench, case).await;
    let mut seen: BTreeMap<Call, usize> = BTreeMap::new();
    let mut cells = Vec::new();
    // Whose token it is, a process asks when it happens to have forgotten.
    for call in made.into_iter().filter(|call| call.operation != TENANTS_READ) {
        let count = seen.entry(call.clone()).or_default();
        let nth = *count;
        *count += 1;
        // The queues of the index are read alike: one of them will do.
        if call.operation == "Query" && (1..8).contains(&nth) {
            continue;
        }
        for (fault, times, given_up) in faults_of(&call) {
            cells.push(Cell { case, call: call.clone(), nth, times, fault, given_up, second: None });
        }
    }
    cells
}

/// Stories with two faults, drawn from those with one.
fn pairs(cells: &VecDeque<Cell>) -> Vec<Cell> {
    let mut random = fastrand::Rng::with_seed(PAIRS as u64);
    let single = |cell: &&Cell| OF_TWO.contains(&cell.case) && !cell.given_up && cell.times == 1;
    let single: Vec<&Cell> = cells.iter().filter(single).collect();
    let mut pairs = Vec::new();
    while pairs.len() < PAIRS {
        let (Some(&one), Some(&other)) = (random.choice(&single), random.choice(&single)) else {
            return pairs;
        };
        if one.case == other.case && one.call != other.call {
            let second = (other.call.clone(), other.nth, other.fault);
            pairs.push(Cell { second: Some(second), ..one.clone() });
        }
    }
    pairs
}

/// The faults that a call can meet, for how many tries, and whether its sender gives up then.
fn faults_of(call: &Call) -> Vec<(Fault, usize, bool)> {
    let planted = |fault| (fault, 1, false);
    if call.from.is_empty() {
        return if call.operation == EVENT {
            Fault::OF_EVENTS.map(planted).into()
        } else {
            [Fault::Fail, Fault::Throttle, Fault::LoseAnswer].map(planted).into()
        };
    }
    let mut faults: Vec<_> = Fault::OF_CALLS.map(planted).into();
    faults.extend([(Fault::Fail, TRIES, false), (Fault::LoseAnswer, TRIES, false)]);
    if call.operation == "CompleteMultipartUpload" {
        faults.push(planted(Fault::FailInside));
    }
    if call.from == "ApiFunction" {
        faults.extend([(Fault::KillBefore, 1, true), (Fault::KillAfter, 1, true), (Fault::LoseAnswer, TRIES, true)]);
    }
    faults
}

/// Tries one cell; says whether its fault struck.
async fn attempt(bench: &Bench, cell: &Cell) -> bool {
    let mut run = Run::new(bench, cell.case);
    run.set_the_scene(cell.case).await;
    let wire = &bench.cloud.wire;
    wire.plant(cell.call.clone(), cell.nth, cell.times, cell.fault);
    if let Some((call, nth, fault)) = &cell.second {
        wire.plant(call.clone(), *nth, 1, *fault);
    }
    let before: u64 = wire.struck().iter().map(|(_, count)| count).sum();
    if cell.given_up {
        // Told or not: what was told is checked where the sender asks on.
        let _ = run.act(cell.case, &bench.impatient).await;
    } else {
        run.act(cell.case, &bench.sender).await.unwrap();
    }
    wire.weed();
    let after: u64 = wire.struck().iter().map(|(_, count)| count).sum();
    if cell.given_up {
        run.check_books().await;
    } else {
        run.check(cell.case).await;
    }
    bench.clear().await;
    after > before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_at_whatever_call_nothing_is_lost_doubled_mixed_or_left() {
    let began = Instant::now();
    let mut cells = VecDeque::new();
    let bench = Bench::new();
    for case in CASES {
        cells.extend(learn(&bench, case).await);
    }
    cells.extend(pairs(&cells));
    let (count, cells) = (cells.len(), Arc::new(Mutex::new(cells)));
    let results = Arc::new(Mutex::new(Vec::new()));
    let mut clouds = JoinSet::new();
    for _ in 0..CLOUDS {
        let (cells, results) = (cells.clone(), results.clone());
        clouds.spawn(async move {
            let mut bench = Arc::new(Bench::new());
            loop {
                let Some(cell) = cells.lock().unwrap().pop_front() else {
                    return;
                };
                let (used, tried) = (bench.clone(), cell.clone());
                // In a task of its own, so that one that fails does not hide what the others come to.
                let outcome = tokio::spawn(async move { attempt(&used, &tried).await }).await;
                if outcome.is_err() {
                    bench = Arc::new(Bench::new());
                }
                results.lock().unwrap().push((cell, outcome));
            }
        });
    }
    clouds.join_all().await;

    let mut table: BTreeMap<(bool, Case), [usize; 3]> = BTreeMap::new();
    for (cell, outcome) in results.lock().unwrap().iter() {
        let row = (cell.second.is_some(), cell.case);
        let [held, missed, failed] = table.entry(row).or_default();
        match outcome {
            Ok(true) => *held += 1,
            // The calls were not the ones that were learned: nothing went wrong, so nothing is proven.
            Ok(false) => {
                tell!("not met: {cell:?}");
                *missed += 1;
            }
            Err(error) => {
                tell!("FAILED: {cell:?}: {error}");
                *failed += 1;
            }
        }
    }
    let total = |index: usize| table.values().map(|row| row[index]).sum::<usize>();
    tell!("the crash matrix: (use case, call, fault) cells that held, were not met, failed");
    for ((twice, case), [held, missed, failed]) in &table {
        let case = format!("{case:?}{}", if *twice { ", two faults" } else { "" });
        tell!("  {case:<30} {held:>4} {missed:>4} {failed:>4}");
    }
    let (held, missed, failed) = (total(0), total(1), total(2));
    tell!("  {count} cells in {:.0?}: {held} held, {missed} not met, {failed} failed", began.elapsed());
    assert_eq!(failed, 0);
    assert!(held >= 200 && missed * 20 <= count);
}
