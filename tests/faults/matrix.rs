//! The crash matrix: each use case is run once to learn its calls, then once for each call and each fault. After
//! each, its sender has asked until it was told, the clock has ticked once, and the invariants are checked.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use okd_faults::{Call, Fault};
use okd_local::{
    dynamodb::TENANTS_READ,
    events::EVENT,
    invariants::{Findings, Stored},
    sender::{self, Sender, Source},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Harness, Message, TWO_PARTS, TestFile};

const HOUR: Duration = Duration::from_hours(1);
/// Clouds at once: most of the time each waits for something.
const CLOUDS: usize = 9;
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
    Replaced,
    Deleted,
    DeletedUploading,
    DeletedResent,
    Reported,
    ReportedBefore,
    SweptReport,
    Destroyed,
    DestroyedResent,
    Announced,
}

const CASES: [Case; 39] = [
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
    Case::Replaced,
    Case::Deleted,
    Case::DeletedUploading,
    Case::DeletedResent,
    Case::Reported,
    Case::ReportedBefore,
    Case::SweptReport,
    Case::Destroyed,
    Case::DestroyedResent,
    Case::Announced,
];

/// One document on its way through a case.
struct Run<'a> {
    harness: &'a Harness,
    message: Message,
    first: TestFile,
    second: TestFile,
    id: String,
    upload: Value,
}

impl<'a> Run<'a> {
    fn new(harness: &'a Harness, case: Case) -> Self {
        let size = match case {
            Case::PartsResumed | Case::PartsOverUpload | Case::SweptExpired => TWO_PARTS,
            _ => 100,
        };
        let message = Message::new().of_student("1");
        let message = match case {
            // Only its message names such a document.
            Case::InlineUnnamed | Case::PartsUnnamed => message.with("documentId", Value::Null),
            _ => message,
        };
        Self {
            harness,
            message,
            first: harness.file(size),
            second: harness.file(size),
            id: String::new(),
            upload: Value::Null,
        }
    }

    /// What there is before anything goes wrong.
    #[expect(clippy::too_many_lines, reason = "it is a table: one arm for each case")]
    async fn set_the_scene(&mut self, case: Case) {
        let (harness, message) = (self.harness, &self.message);
        let (first, second) = (&self.first, &self.second);
        // Whether an object's event or its item is quicker must not be left to chance.
        harness.cloud.events.pause(true);
        match case {
            Case::InlineNew | Case::InlineUnnamed | Case::PartsNew | Case::PartsUnnamed | Case::PartsVerified => {}
            Case::InlineRepeated
            | Case::InlineMoves
            | Case::InlineReplaces
            | Case::PartsReplace
            | Case::PartsWrongCrc
            | Case::PartsWrongSha
            | Case::Replaced
            | Case::Deleted
            | Case::Reported => self.id = harness.inline(message, first).await,
            Case::ReportedBefore => harness.report(message, "finished").await,
            Case::SweptReport => {
                self.id = harness.inline(message, first).await;
                harness.report(message, "finished").await;
            }
            Case::Destroyed => {
                harness.inline(message, first).await;
                self.id = harness.inline(message, second).await;
                harness.destroy(&self.id).await;
            }
            Case::DestroyedResent => {
                self.id = harness.inline(message, first).await;
                harness.destroy(&self.id).await;
                harness.tick(HOUR).await;
            }
            Case::DeletedUploading => {
                harness.inline(message, first).await;
                (self.id, _) = harness.offer(message, second, 1).await;
            }
            Case::DeletedResent => {
                self.id = harness.inline(message, first).await;
                harness.sender.delete(&self.id).await.unwrap();
            }
            Case::InlineOlderAgain => {
                harness.inline(message, first).await;
                self.id = harness.inline(message, second).await;
            }
            Case::InlineOverUpload | Case::PartsOverUpload => {
                (self.id, _) = harness.offer(message, second, 1).await;
            }
            Case::PartsResumed => {
                let declaring = message.declaring(first.sha256());
                (self.id, _) = harness.offer(&declaring, first, 1).await;
            }
            Case::PartsKnown => {
                let declaring = message.declaring(first.crc64nvme());
                self.id = harness.by_parts(&declaring, first).await;
            }
            Case::Aborted | Case::SweptExpired => {
                harness.inline(message, &harness.file(100)).await;
                (self.id, self.upload) = harness.offer(message, second, 1).await;
            }
            Case::PartsForgotten => {
                (self.id, self.upload) = harness.offer(message, first, 1).await;
                harness.have_s3_forget(&self.id).await;
            }
            Case::AbortedJoined => {
                harness.lose_an_event(0);
                (self.id, self.upload) = harness.offer(message, first, 1).await;
                harness.next("CompleteMultipartUpload", Fault::KillAfter);
                let complete = &self.upload["complete"];
                harness.impatient.follow(complete).await.unwrap_err();
            }
            Case::SweptForgotten => {
                harness.inline(message, first).await;
                (self.id, _) = harness.offer(message, second, 1).await;
                harness.have_s3_forget(&self.id).await;
            }
            Case::SweptComplete => (self.id, _) = harness.offer(message, first, 1).await,
            Case::Announced => {
                self.id = harness.by_parts(&message.declaring(first.crc64nvme()), first).await;
            }
            Case::InlineKnown => {
                let declaring = message.declaring(first.sha256());
                self.id = harness.by_parts(&declaring, first).await;
            }
            Case::LookedThrough => {
                harness.lose_an_event(0);
                harness.strand(message, first).await;
            }
            Case::SweptVerified => {
                harness.lose_an_event(0);
                let declaring = message.declaring(first.sha256());
                self.id = harness.by_parts(&declaring, first).await;
            }
            Case::SweptCorrupt => {
                harness.inline(message, first).await;
                harness.lose_an_event(1);
                let declaring = message.declaring(harness.file(1).sha256());
                self.id = harness.by_parts(&declaring, second).await;
            }
            Case::SweptOrphan => self.id = harness.leave_over(message, first).await,
            Case::SweptStray | Case::StrayResent => harness.strand(message, first).await,
        }
        harness.cloud.events.pause(false);
        harness.cloud.events.drained().await;
    }

    /// What is to go wrong, asked by `sender` until it is answered or gives up; then the events of it.
    async fn act(&mut self, case: Case, sender: &Sender) -> okd_local::Result<()> {
        self.harness.cloud.events.pause(true);
        let done = self.ask(case, sender).await;
        self.harness.cloud.events.pause(false);
        self.harness.cloud.events.drained().await;
        let id = done?;
        assert!(self.id.is_empty() || self.id == id, "two ids: {} and {id}", self.id);
        self.id = id;
        Ok(())
    }

    async fn ask(&self, case: Case, sender: &Sender) -> okd_local::Result<String> {
        let (harness, message) = (self.harness, &self.message);
        let (first, second) = (&self.first, &self.second);
        let inline = async |file: &TestFile| Ok(sender.hand_in_inline(&message.0, &file.0).await?);
        let by_parts = async |message: &Message, file: &TestFile| {
            let source = Source::Bytes(file.0.clone());
            let message = message.of_size(file);
            let handed_in = sender.hand_in_by_parts(&message.0, &source).await?;
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
            | Case::StrayResent
            | Case::ReportedBefore
            | Case::DeletedResent
            | Case::DestroyedResent => inline(first).await,
            Case::Destroyed => {
                // The rest is that of any orphan.
                harness.tick(HOUR).await;
                Ok(self.id.clone())
            }
            Case::Replaced => {
                sender.replace(&self.id, &second.0).await?;
                Ok(self.id.clone())
            }
            Case::Reported => {
                let association = message.0["associationId"].as_str().unwrap_or_default();
                sender.report(association, &json!({ "state": "finished" })).await?;
                Ok(self.id.clone())
            }
            Case::Deleted | Case::DeletedUploading => {
                sender.delete(&self.id).await?;
                Ok(self.id.clone())
            }
            Case::InlineReplaces => inline(second).await,
            // The document moves to another student, and with it the entries by which it is found.
            Case::InlineMoves => {
                let moved = message.of_student("2");
                Ok(sender.hand_in_inline(&moved.0, &first.0).await?)
            }
            Case::PartsNew | Case::PartsUnnamed | Case::PartsOverUpload => by_parts(message, first).await,
            Case::PartsVerified | Case::PartsResumed => by_parts(&message.declaring(first.sha256()), first).await,
            Case::PartsReplace => by_parts(message, second).await,
            Case::PartsKnown => by_parts(&message.declaring(first.crc64nvme()), first).await,
            Case::PartsWrongCrc => {
                let wrong = message.declaring(harness.file(1).crc64nvme());
                let refused = by_parts(&wrong, second).await.unwrap_err();
                match *refused.downcast::<sender::Error>()? {
                    sender::Error::Refused(refused) => assert_eq!(refused.status, 422),
                    // It was given up before it was told.
                    unheard => return Err(unheard.into()),
                }
                Ok(self.id.clone())
            }
            Case::PartsWrongSha => {
                let wrong = message.declaring(harness.file(1).sha256());
                by_parts(&wrong, second).await
            }
            Case::PartsForgotten => {
                let (status, answer) = sender.follow(&self.upload["complete"]).await?;
                assert_eq!(status, 410, "{answer}");
                by_parts(message, first).await
            }
            Case::Aborted | Case::AbortedJoined => {
                let (status, answer) = sender.follow(&self.upload["abort"]).await?;
                assert_eq!(status, 204, "{answer}");
                Ok(self.id.clone())
            }
            Case::SweptExpired | Case::SweptForgotten => {
                harness.tick(25 * HOUR).await;
                Ok(self.id.clone())
            }
            Case::LookedThrough => {
                harness.look_through(3 * HOUR).await;
                // What could not be looked at is a day later.
                harness.look_through(28 * HOUR).await;
                Ok(self.id.clone())
            }
            Case::Announced => {
                harness.announce().await;
                Ok(self.id.clone())
            }
            Case::SweptComplete
            | Case::SweptVerified
            | Case::SweptCorrupt
            | Case::SweptOrphan
            | Case::SweptStray
            | Case::SweptReport => {
                harness.tick(3 * HOUR).await;
                Ok(self.id.clone())
            }
        }
    }

    /// The files that must be there in the end: the current one, then those it replaced; and how many corrupt ones.
    fn outcome(&self, case: Case) -> (Option<&TestFile>, Vec<&TestFile>, usize) {
        let (first, second) = (&self.first, &self.second);
        match case {
            Case::InlineReplaces | Case::PartsReplace | Case::Replaced => (Some(second), vec![first], 0),
            Case::Deleted | Case::DeletedUploading => (None, vec![first], 0),
            Case::InlineOlderAgain => (Some(first), vec![first, second], 0),
            // The history has the same file with its metadata of before.
            Case::InlineMoves | Case::InlineKnown | Case::DeletedResent => (Some(first), vec![first], 0),
            // Restored under a sequence of its own, so the history has it too.
            Case::PartsWrongSha | Case::SweptCorrupt => (Some(first), vec![first], 1),
            Case::AbortedJoined | Case::SweptOrphan | Case::SweptStray | Case::LookedThrough | Case::Destroyed => {
                (None, vec![], 0)
            }
            _ => (Some(first), vec![], 0),
        }
    }

    /// What must hold also where nobody was told anything.
    async fn check_invariants(&self, case: Case) -> Findings {
        if let Case::Destroyed | Case::DestroyedResent = case {
            // Noted, then removed, then known to be gone; each later than what a tick before has leased.
            for days in [1, 2] {
                self.harness.tick(24 * days * HOUR).await;
            }
        }
        let findings = self.harness.close().await;
        assert!(findings.documents.len() <= 1, "{:?}", findings.documents);
        for stored in findings.documents.values() {
            assert!(!stored.uploading && !stored.unverified, "{stored:?}");
        }
        findings
    }

    async fn check(&self, case: Case) {
        let findings = self.check_invariants(case).await;
        let stored = findings.documents.get(&self.id).cloned().unwrap_or_default();
        if let Case::Aborted | Case::SweptExpired = case {
            assert!(stored.current.is_some() && stored.past.is_empty(), "{stored:?}");
            return;
        }
        let (current, past, corrupt) = self.outcome(case);
        let expected = Stored {
            current: current.map(TestFile::sha256),
            past: past.into_iter().map(TestFile::sha256).collect(),
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
pub(crate) async fn run_every_case(harness: &Harness) {
    for case in CASES {
        calls_of(harness, case).await;
    }
}

/// Runs a case without faults; gives the calls that were made.
async fn calls_of(harness: &Harness, case: Case) -> Vec<Call> {
    let mut run = Run::new(harness, case);
    run.set_the_scene(case).await;
    let before = harness.cloud.faults.calls().len();
    run.act(case, &harness.sender).await.unwrap();
    let made = harness.cloud.faults.calls().split_off(before);
    run.check(case).await;
    harness.clear().await;
    made
}

/// Runs a case without faults and says which there could be.
async fn learn(harness: &Harness, case: Case) -> Vec<Cell> {
    let made = calls_of(harness, case).await;
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
    let injected = |fault| (fault, 1, false);
    if call.from.is_empty() {
        return if call.operation == EVENT {
            Fault::OF_EVENTS.map(injected).into()
        } else {
            [Fault::Fail, Fault::Throttle, Fault::LoseAnswer].map(injected).into()
        };
    }
    let mut faults: Vec<_> = Fault::OF_CALLS.map(injected).into();
    faults.extend([(Fault::Fail, TRIES, false), (Fault::LoseAnswer, TRIES, false)]);
    if call.operation == "CompleteMultipartUpload" {
        faults.push(injected(Fault::FailInside));
    }
    if call.from == "ApiFunction" {
        faults.extend([(Fault::KillBefore, 1, true), (Fault::KillAfter, 1, true), (Fault::LoseAnswer, TRIES, true)]);
    }
    faults
}

/// Tries one cell; says whether its fault was met.
async fn attempt(harness: &Harness, cell: &Cell) -> bool {
    let mut run = Run::new(harness, cell.case);
    run.set_the_scene(cell.case).await;
    let faults = &harness.cloud.faults;
    faults.inject(cell.call.clone(), cell.nth, cell.times, cell.fault);
    if let Some((call, nth, fault)) = &cell.second {
        faults.inject(call.clone(), *nth, 1, *fault);
    }
    let before: u64 = faults.hits().iter().map(|(_, count)| count).sum();
    if cell.given_up {
        // Outcome or not: what was told is checked where the sender asks on.
        let _ = run.act(cell.case, &harness.impatient).await;
    } else {
        run.act(cell.case, &harness.sender).await.unwrap();
    }
    faults.clear();
    let after: u64 = faults.hits().iter().map(|(_, count)| count).sum();
    if cell.given_up {
        run.check_invariants(cell.case).await;
    } else {
        run.check(cell.case).await;
    }
    harness.clear().await;
    after > before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_at_whatever_call_nothing_is_lost_doubled_mixed_or_left() {
    let began = Instant::now();
    let mut cells = VecDeque::new();
    let harness = Harness::new();
    for case in CASES {
        cells.extend(learn(&harness, case).await);
    }
    cells.extend(pairs(&cells));
    let (count, cells) = (cells.len(), Arc::new(Mutex::new(cells)));
    let results = Arc::new(Mutex::new(Vec::new()));
    let mut clouds = JoinSet::new();
    for _ in 0..CLOUDS {
        let (cells, results) = (cells.clone(), results.clone());
        clouds.spawn(async move {
            let mut harness = Arc::new(Harness::new());
            loop {
                let Some(cell) = cells.lock().unwrap().pop_front() else {
                    return;
                };
                let (used, tried) = (harness.clone(), cell.clone());
                // In a task of its own, so that one that fails does not hide what the others come to.
                let outcome = tokio::spawn(async move { attempt(&used, &tried).await }).await;
                if outcome.is_err() {
                    harness = Arc::new(Harness::new());
                }
                results.lock().unwrap().push((cell, outcome));
            }
        });
    }
    clouds.join_all().await;

    let mut table: BTreeMap<(bool, Case), [usize; 3]> = BTreeMap::new();
    for (cell, outcome) in results.lock().unwrap().iter() {
        let row = (cell.second.is_some(), cell.case);
        let [paused, missed, failed] = table.entry(row).or_default();
        match outcome {
            Ok(true) => *paused += 1,
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
    tell!("the crash matrix: (use case, call, fault) cells that paused, were not met, failed");
    for ((twice, case), [paused, missed, failed]) in &table {
        let case = format!("{case:?}{}", if *twice { ", two faults" } else { "" });
        tell!("  {case:<30} {paused:>4} {missed:>4} {failed:>4}");
    }
    let (paused, missed, failed) = (total(0), total(1), total(2));
    tell!("  {count} cells in {:.0?}: {paused} paused, {missed} not met, {failed} failed", began.elapsed());
    assert_eq!(failed, 0);
    assert!(paused >= 200 && missed * 20 <= count);
}
