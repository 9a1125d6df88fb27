//! The fault proxy between the functions and their stores. Every call to S3 and DynamoDB passes here, and every event
//! on its way to a function: it is noted, and on the order of a test or the soak something happens to it.
//!
//! A fault is injected for the n-th call of a kind ([`FaultProxy::inject`]), or comes at random ([`FaultProxy::chaos`]).
//! [`FaultProxy::interleave`] lets calls of several requests through one by one, in an order drawn from a seed: that
//! is how races are tried out.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fastrand::Rng;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::{
    caller::Caller,
    fault::{Call, EVENT, Fault, Wording},
    gate::{Gate, keep},
    policies::{Allowed, Need, Policies, Principal},
};

/// Longer than the functions wait for an answer before they call again (3 s).
const LATE: Duration = Duration::from_millis(3500);

struct Injected {
    call: Call,
    /// Calls of this kind to let pass before.
    skip: usize,
    /// Calls to meet it then: an SDK tries three times.
    times: usize,
    fault: Fault,
}

#[derive(Default)]
struct Inner {
    calls: Vec<Call>,
    injected: Vec<Injected>,
    chaos: Option<Chaos>,
    processes: HashMap<String, mpsc::Sender<oneshot::Sender<()>>>,
    gate: Option<Arc<Gate>>,
    /// Effects begun and not ended, and calls that are on their way late.
    under_way: usize,
    hits: HashMap<Fault, u64>,
    policies: Policies,
}

struct Chaos {
    random: Rng,
    percent: u64,
}

/// See the module.
#[derive(Default)]
pub struct FaultProxy {
    inner: Mutex<Inner>,
    ended: Notify,
}

impl FaultProxy {
    /// A wire on which every function may do what its policy says.
    pub fn new(policies: Policies) -> Self {
        let faults = Self::default();
        faults.lock().policies = policies;
        faults
    }

    /// The rights that no function has asked for yet, and those that functions asked for in vain.
    pub fn audit_policies(&self) -> (Vec<Allowed>, Vec<(String, Need)>) {
        self.lock().policies.check_invariants()
    }

    /// Every call so far, in the order of their arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// Plants a fault for the next call of this kind after `skip` others, and as many after that that it is
    /// `times` in all.
    pub fn inject(&self, call: Call, skip: usize, times: usize, fault: Fault) {
        self.lock().injected.push(Injected { call, skip, times, fault });
    }

    /// Takes away what was injected; says how many faults were never met.
    pub fn clear(&self) -> usize {
        self.lock().injected.drain(..).count()
    }

    /// From now on `percent` of the calls meet a fault, drawn from `seed`; 0 ends it.
    pub fn chaos(&self, seed: u64, percent: u64) {
        self.lock().chaos = (percent > 0).then(|| Chaos { random: Rng::with_seed(seed), percent });
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

    /// A process of a function lives under this name, and dies when told so by this channel.
    pub(crate) fn register(&self, process: &str, kill: mpsc::Sender<oneshot::Sender<()>>) {
        self.lock().processes.insert(process.to_owned(), kill);
    }

    pub(crate) fn unregister(&self, process: &str) {
        self.lock().processes.remove(process);
    }

    /// Passes one call on to the store and its answer back; `None` is a connection that breaks. `needs` is what the
    /// caller's policy must allow. An effect once begun ends, also where its
    /// caller has gone.
    pub(crate) async fn pass<T: Send + 'static>(
        self: &Arc<Self>,
        caller: &Caller,
        operation: &str,
        needs: &[Need],
        word: impl FnOnce(Wording) -> T,
        effect: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (process, from) = (caller.process.as_str(), caller.function());
        let call = Call { from: from.to_owned(), operation: operation.to_owned() };
        if !self.allows(caller, needs) {
            return Some(word(Wording::Denied));
        }
        let fault = self.note(call);
        let gate = self.lock().gate.clone();
        if let (Some(gate), false) = (gate, from.is_empty()) {
            gate.pass().await;
        }
        match fault {
            Some(Fault::KillBefore) => {
                self.kill(process).await;
                None
            }
            Some(Fault::KillAfter) => {
                self.begin(Duration::ZERO, effect).await;
                self.kill(process).await;
                None
            }
            Some(Fault::Fail) => Some(word(Wording::Failed)),
            Some(Fault::Throttle) => Some(word(Wording::Throttled)),
            Some(Fault::FailInside) => Some(word(Wording::FailedInside)),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::HangAfter) => {
                self.begin(Duration::ZERO, effect).await;
                std::future::pending().await
            }
            Some(Fault::Late) => self.begin(LATE, effect).await,
            Some(Fault::LoseAnswer) => {
                self.begin(Duration::ZERO, effect).await;
                None
            }
            Some(Fault::Twice | Fault::Never) | None => self.begin(Duration::ZERO, effect).await,
        }
    }

    /// Returns whether the policy of the caller's role allows all of it, or else that of its function. To other callers
    /// everything is allowed.
    pub(crate) fn allows(&self, caller: &Caller, needs: &[Need]) -> bool {
        let principal = match &caller.role {
            Some(role) => Principal { name: &role.name, tags: Some(&role.tags) },
            None => Principal::function(caller.function()),
        };
        principal.name.is_empty() || self.lock().policies.allow(principal, needs)
    }

    /// Has the effect after a delay, also if its caller has gone.
    async fn begin<T: Send + 'static>(
        self: &Arc<Self>,
        delay: Duration,
        effect: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let faults = self.clone();
        self.lock().under_way += 1;
        let whole = async move {
            tokio::time::sleep(delay).await;
            let answer = effect.await;
            faults.lock().under_way -= 1;
            faults.ended.notify_waiters();
            answer
        };
        tokio::spawn(whole).await.ok()
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

    /// The number of times that an event is to be delivered.
    pub(crate) fn pass_event(&self) -> usize {
        let event = Call { from: String::new(), operation: EVENT.to_owned() };
        match self.note(event) {
            Some(Fault::Twice) => 2,
            Some(Fault::Never) => 0,
            _ => 1,
        }
    }

    fn note(&self, call: Call) -> Option<Fault> {
        let mut inner = self.lock();
        let fault = inner.injected_for(&call).or_else(|| inner.chaos_on(&call));
        if let Some(fault) = fault {
            *inner.hits.entry(fault).or_default() += 1;
        }
        inner.calls.push(call);
        fault
    }

    /// Ends a process and returns when it has. A caller that is no process of ours lives on.
    async fn kill(&self, process: &str) {
        let kill = self.lock().processes.get(process).cloned();
        if let Some(kill) = kill {
            let (dead, died) = oneshot::channel();
            if kill.send(dead).await.is_ok() {
                let _ = died.await;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn injected_for(&mut self, call: &Call) -> Option<Fault> {
        let index = self.injected.iter().position(|injected| injected.call == *call)?;
        let injected = &mut self.injected[index];
        if injected.skip > 0 {
            injected.skip -= 1;
            return None;
        }
        let fault = injected.fault;
        injected.times -= 1;
        if injected.times == 0 {
            self.injected.remove(index);
        }
        Some(fault)
    }

    fn chaos_on(&mut self, call: &Call) -> Option<Fault> {
        let chaos = self.chaos.as_mut()?;
        if chaos.random.u64(..100) >= chaos.percent {
            return None;
        }
        let faults: &[Fault] = match (call.operation.as_str(), call.from.as_str()) {
            (EVENT, _) => &Fault::OF_EVENTS,
            ("CompleteMultipartUpload", _) if chaos.random.u8(..4) == 0 => &[Fault::FailInside],
            // A sender's own call: there is no process to kill.
            (_, "") => &[Fault::Fail, Fault::Throttle, Fault::LoseAnswer],
            _ => &Fault::OF_CALLS,
        };
        chaos.random.choice(faults).copied()
    }
}

/// Keeps calls waiting for their turn; see [`FaultProxy::interleave`].
pub struct Interleaving {
    faults: Arc<FaultProxy>,
    gate: Arc<Gate>,
    keeper: tokio::task::JoinHandle<()>,
}

impl Drop for Interleaving {
    /// Calls that still wait may go.
    fn drop(&mut self) {
        self.keeper.abort();
        self.faults.lock().gate = None;
        self.gate.lock().take();
    }
}
