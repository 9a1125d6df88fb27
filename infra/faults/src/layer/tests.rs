use std::{
    convert::Infallible,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, task::JoinSet};
use tower::{ServiceExt, service_fn};

use super::*;
use crate::{Call, Fault};

const LATE: Duration = Duration::from_millis(30);

/// A service that notes each operation that it does, behind faults. Its callers are a process called `a-1`.
#[derive(Clone)]
struct Bench {
    faults: Arc<Faults>,
    done: Arc<Mutex<Vec<String>>>,
    /// As many operations may begin.
    permits: Arc<Semaphore>,
}

impl Bench {
    fn new() -> Self {
        let permits = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self { faults: Arc::new(Faults::new(LATE)), done: Arc::default(), permits }
    }

    fn done(&self) -> Vec<String> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn inject(&self, fault: Fault) {
        self.faults.inject(Call { from: "a".to_owned(), operation: "Put".to_owned() }, 0, 1, fault);
    }

    /// Does an operation: the answer, or the error.
    async fn call(self, operation: String) -> Result<String, String> {
        let Self { faults, done, permits } = self;
        let own = service_fn(move |request: Request<String>| {
            let (done, permits) = (done.clone(), permits.clone());
            async move {
                permits.acquire().await.unwrap().forget();
                done.lock().unwrap_or_else(PoisonError::into_inner).push(request.into_body());
                Ok::<_, Infallible>(Response::new("done".to_owned()))
            }
        });
        let name = |request: &Request<String>| Named {
            process: "a-1".to_owned(),
            call: Call { from: "a".to_owned(), operation: request.body().clone() },
            fails_inside: false,
        };
        let word = |wording| Response::new(format!("{wording:?}"));
        let answer = FaultLayer::new(faults, name, word).layer(own).oneshot(Request::new(operation)).await;
        answer.map(Response::into_body).map_err(|error| error.to_string())
    }

    fn put(&self) -> impl Future<Output = Result<String, String>> + Send + 'static {
        self.clone().call("Put".to_owned())
    }
}

/// One call that meets a fault: the answer, and whether the call had its effect.
async fn meet(fault: Fault) -> (Result<String, String>, bool) {
    let bench = Bench::new();
    bench.inject(fault);
    let answer = bench.put().await;
    assert_eq!((bench.faults.clear(), bench.faults.hits()), (0, vec![(fault, 1)]));
    (answer, !bench.done().is_empty())
}

#[tokio::test]
async fn each_fault_has_its_answer_and_its_effect() {
    let broken = || Err(Broken.to_string());
    let worded = |wording: &str| Ok(wording.to_owned());
    assert_eq!(meet(Fault::KillBefore).await, (broken(), false));
    assert_eq!(meet(Fault::KillAfter).await, (broken(), true));
    assert_eq!(meet(Fault::Fail).await, (worded("Failed"), false));
    assert_eq!(meet(Fault::Throttle).await, (worded("Throttled"), false));
    assert_eq!(meet(Fault::FailInside).await, (worded("FailedInside"), false));
    assert_eq!(meet(Fault::LoseAnswer).await, (broken(), true));
    let began = Instant::now();
    assert_eq!(meet(Fault::Late).await, (worded("done"), true));
    assert!(began.elapsed() >= LATE, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_call_that_hangs_gets_no_answer_and_may_have_had_its_effect() {
    for (fault, has_effect) in [(Fault::Hang, false), (Fault::HangAfter, true)] {
        let bench = Bench::new();
        bench.inject(fault);
        let answer = tokio::time::timeout(2 * LATE, bench.put()).await;
        assert!(answer.is_err());
        assert_eq!(!bench.done().is_empty(), has_effect, "{fault:?}");
    }
}

#[tokio::test]
async fn a_call_that_kills_its_process_is_answered_when_that_is_dead() {
    let bench = Bench::new();
    let mut process = bench.faults.register("a-1");
    bench.inject(Fault::KillBefore);
    let call = tokio::spawn(bench.put());
    let dying = process.killed().await;
    tokio::task::yield_now().await;
    assert!(!call.is_finished());
    dying.is_dead();
    call.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn a_call_under_way_has_its_effect_also_when_its_caller_has_gone() {
    let mut bench = Bench::new();
    bench.permits = Arc::new(Semaphore::new(0));
    let given_up = tokio::time::timeout(LATE, bench.put()).await;
    assert!(given_up.is_err() && bench.done().is_empty());
    bench.permits.add_permits(1);
    bench.faults.idle().await;
    assert_eq!(bench.done(), ["Put"]);
}

/// The order in which calls that come at once get through.
async fn order(seed: u64) -> Vec<String> {
    let bench = Bench::new();
    let _interleaving = bench.faults.interleave(seed, 6);
    let mut calls = JoinSet::new();
    for number in 0..6 {
        calls.spawn(bench.clone().call(number.to_string()));
    }
    while let Some(call) = calls.join_next().await {
        call.unwrap().unwrap();
    }
    bench.done()
}

#[tokio::test]
async fn calls_that_wait_at_the_gate_go_in_the_order_of_the_seed() {
    let (seventh, eighth) = (order(7).await, order(8).await);
    assert_eq!(order(7).await, seventh);
    assert_ne!(seventh, eighth);
}

#[test]
fn an_event_comes_once_twice_or_never_and_is_among_the_calls() {
    let faults = Faults::new(LATE);
    let event = Call { from: String::new(), operation: "Created".to_owned() };
    assert_eq!(faults.deliveries("Created"), 1);
    for (fault, times) in [(Fault::Twice, 2), (Fault::Never, 0)] {
        faults.inject(event.clone(), 0, 1, fault);
        assert_eq!(faults.deliveries("Created"), times);
    }
    assert_eq!(faults.calls(), [event.clone(), event.clone(), event]);
}
