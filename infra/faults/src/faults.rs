//! What the layers around all services share: the orders of a test, and the calls so far.

use std::{
    collections::HashMap,
    future::{Future, pending},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fastrand::Rng;
use tokio::{sync::Notify, task::JoinHandle};

use crate::{
    call::{Call, Fault, Named, Wording},
    gate::{Gate, keep},
    plan::{Chaos, Injected, Kind, Plan},
    processes::{Processes, Registered},
};

/// The orders of a test, and the calls so far.
pub struct Faults {
    /// By how much a call is late.
    late: Duration,
    inner: Mutex<Inner>,
    processes: Processes,
    ended: Notify,
}

#[derive(Default)]
struct Inner {
    calls: Vec<Call>,
    plan: Plan,
    gate: Option<Arc<Gate>>,
    /// Effects begun and not ended, and calls that are on their way late.
    under_way: usize,
    hits: HashMap<Fault, u64>,
}

/// The end of a call.
pub(crate) enum Passed<T> {
    /// The answer of the service.
    Answer(T),
    /// An answer in its stead.
    Instead(Wording),
    /// None: the connection breaks.
    Broken,
}

impl Faults {
    /// No fault so far. A call that is to come late waits for `late`: longer than its caller waits for an answer.
    pub fn new(late: Duration) -> Self {
        Self { late, inner: Mutex::default(), processes: Processes::default(), ended: Notify::new() }
    }

    /// Every call and event so far, in the order of their arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// Has the next call of this kind after `skip` others meet a fault, and as many after that that it is `times` in
    /// all.
    pub fn inject(&self, call: Call, skip: usize, times: usize, fault: Fault) {
        self.lock().plan.injected.push(Injected { call, skip, times, fault });
    }

    /// Takes away what was injected; says how many faults were never met.
    pub fn clear(&self) -> usize {
        self.lock().plan.injected.drain(..).count()
    }

    /// From now on `percent` of the calls meet a fault, drawn from `seed`; 0 ends it.
    pub fn chaos(&self, seed: u64, percent: u64) {
        self.lock().plan.chaos = (percent > 0).then(|| Chaos { random: Rng::with_seed(seed), percent });
    }

    /// The number of times that each fault was met.
    pub fn hits(&self) -> Vec<(Fault, u64)> {
        let mut hits: Vec<_> = self.lock().hits.clone().into_iter().collect();
        hits.sort();
        hits
    }

    /// Lets calls through one by one from now on, as long as the guard lives, in an order drawn from `seed`.
    /// `expected` are how many requests are under way: when as many calls wait, or a moment after the last
    /// came, one is let through.
    pub fn interleave(self: &Arc<Self>, seed: u64, expected: usize) -> Interleaving {
        let gate = Arc::new(Gate::new());
        self.lock().gate = Some(gate.clone());
        let keeper = tokio::spawn(keep(gate.clone(), Rng::with_seed(seed), expected.max(1)));
        Interleaving { faults: self.clone(), gate, keeper }
    }

    /// Registers a process under this name, so that faults of its calls can kill it.
    pub fn register(&self, process: &str) -> Registered {
        self.processes.register(process.to_owned())
    }

    /// Returns when no call is under way, not even one that its caller has given up.
    pub async fn idle(&self) {
        loop {
            let ended = self.ended.notified();
            if self.lock().under_way == 0 {
                return;
            }
            ended.await;
        }
    }

    /// Notes an event of this name; says how many times it is to be delivered.
    pub fn deliveries(&self, event: &str) -> usize {
        let event = Call { from: String::new(), operation: event.to_owned() };
        match self.note(event, Kind::Event) {
            Some(Fault::Twice) => 2,
            Some(Fault::Never) => 0,
            _ => 1,
        }
    }

    /// Passes one call on to its service, and the answer back. An effect once begun ends, also where its caller has
    /// gone.
    pub(crate) async fn pass<T: Send + 'static>(
        self: &Arc<Self>,
        named: Named,
        effect: impl Future<Output = T> + Send + 'static,
    ) -> Passed<T> {
        let Named { process, call, fails_inside } = named;
        let of_process = !call.from.is_empty();
        let fault = self.note(call, Kind::Call { fails_inside });
        let gate = self.lock().gate.clone().filter(|_| of_process);
        if let Some(gate) = gate {
            gate.pass().await;
        }
        match fault {
            Some(Fault::KillBefore) => {
                self.processes.kill(&process).await;
                Passed::Broken
            }
            Some(Fault::KillAfter) => {
                self.begin(Duration::ZERO, effect).await;
                self.processes.kill(&process).await;
                Passed::Broken
            }
            Some(Fault::Fail) => Passed::Instead(Wording::Failed),
            Some(Fault::Throttle) => Passed::Instead(Wording::Throttled),
            Some(Fault::FailInside) => Passed::Instead(Wording::FailedInside),
            Some(Fault::Hang) => pending().await,
            Some(Fault::HangAfter) => {
                self.begin(Duration::ZERO, effect).await;
                pending().await
            }
            Some(Fault::Late) => self.begin(self.late, effect).await,
            Some(Fault::LoseAnswer) => {
                self.begin(Duration::ZERO, effect).await;
                Passed::Broken
            }
            Some(Fault::Twice | Fault::Never) | None => self.begin(Duration::ZERO, effect).await,
        }
    }

    /// Has the effect after a delay, also if its caller has gone.
    async fn begin<T: Send + 'static>(
        self: &Arc<Self>,
        delay: Duration,
        effect: impl Future<Output = T> + Send + 'static,
    ) -> Passed<T> {
        let faults = self.clone();
        self.lock().under_way += 1;
        let whole = async move {
            tokio::time::sleep(delay).await;
            let answer = effect.await;
            faults.lock().under_way -= 1;
            faults.ended.notify_waiters();
            answer
        };
        tokio::spawn(whole).await.map_or(Passed::Broken, Passed::Answer)
    }

    fn note(&self, call: Call, kind: Kind) -> Option<Fault> {
        let mut inner = self.lock();
        let fault = inner.plan.take(&call, kind);
        if let Some(fault) = fault {
            *inner.hits.entry(fault).or_default() += 1;
        }
        inner.calls.push(call);
        fault
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps calls waiting for their turn; see [`Faults::interleave`].
pub struct Interleaving {
    faults: Arc<Faults>,
    gate: Arc<Gate>,
    keeper: JoinHandle<()>,
}

impl Drop for Interleaving {
    /// Calls that still wait may go.
    fn drop(&mut self) {
        self.keeper.abort();
        self.faults.lock().gate = None;
        self.gate.lock().take();
    }
}
