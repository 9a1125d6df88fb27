//! The faults that are still to come: those injected, and those of chaos.

use fastrand::Rng;

use crate::call::{Call, Fault};

/// The faults that are still to come.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) injected: Vec<Injected>,
    pub(crate) chaos: Option<Chaos>,
}

/// A fault for certain calls.
pub(crate) struct Injected {
    pub(crate) call: Call,
    /// Calls of this kind to let pass before.
    pub(crate) skip: usize,
    /// Calls to meet it then: a client may try several times.
    pub(crate) times: usize,
    pub(crate) fault: Fault,
}

/// Faults at random.
pub(crate) struct Chaos {
    pub(crate) random: Rng,
    pub(crate) percent: u64,
}

/// The kinds of what passes: other faults can befall each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A call.
    Call { fails_inside: bool },
    /// An event.
    Event,
}

impl Plan {
    /// Takes the fault of this call or event, if it has one.
    pub(crate) fn take(&mut self, call: &Call, kind: Kind) -> Option<Fault> {
        self.injected_for(call).or_else(|| self.chaos.as_mut()?.draw(call, kind))
    }

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
}

impl Chaos {
    fn draw(&mut self, call: &Call, kind: Kind) -> Option<Fault> {
        if self.random.u64(..100) >= self.percent {
            return None;
        }
        let faults: &[Fault] = match kind {
            Kind::Event => &Fault::OF_EVENTS,
            Kind::Call { fails_inside: true } if self.random.u8(..4) == 0 => &[Fault::FailInside],
            // There is no process to kill.
            Kind::Call { .. } if call.from.is_empty() => &[Fault::Fail, Fault::Throttle, Fault::LoseAnswer],
            Kind::Call { .. } => &Fault::OF_CALLS,
        };
        self.random.choice(faults).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PLAIN: Kind = Kind::Call { fails_inside: false };

    fn call(from: &str, operation: &str) -> Call {
        Call { from: from.to_owned(), operation: operation.to_owned() }
    }

    fn chaos(seed: u64, percent: u64) -> Plan {
        Plan { injected: Vec::new(), chaos: Some(Chaos { random: Rng::with_seed(seed), percent }) }
    }

    #[test]
    fn a_fault_is_met_after_as_many_calls_of_its_kind_and_as_often_as_it_was_injected() {
        let injected = Injected { call: call("a", "Put"), skip: 1, times: 2, fault: Fault::Fail };
        let mut plan = Plan { injected: vec![injected], chaos: None };
        let met = ["Put", "Get", "Put", "Put", "Put"].map(|operation| plan.take(&call("a", operation), PLAIN));
        assert_eq!(met, [None, None, Some(Fault::Fail), Some(Fault::Fail), None]);
        assert!(plan.injected.is_empty());
    }

    #[test]
    fn a_call_of_another_process_does_not_meet_it() {
        let injected = Injected { call: call("a", "Put"), skip: 0, times: 1, fault: Fault::Fail };
        let mut plan = Plan { injected: vec![injected], chaos: None };
        assert_eq!(plan.take(&call("b", "Put"), PLAIN), None);
        assert_eq!(plan.take(&call("a", "Put"), PLAIN), Some(Fault::Fail));
    }

    #[test]
    fn chaos_draws_the_same_from_the_same_seed_and_about_as_many_as_it_should() {
        let draw = |seed| {
            let mut plan = chaos(seed, 20);
            (0..1000).map(|_| plan.take(&call("a", "Put"), PLAIN)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let met = draw(7).iter().flatten().count();
        assert!((150..250).contains(&met), "{met}");
    }

    #[test]
    fn chaos_has_nothing_befall_a_call_that_cannot() {
        let drawn = |from: &str, kind| {
            let mut plan = chaos(7, 100);
            (0..200).filter_map(|_| plan.take(&call(from, "Put"), kind)).collect::<BTreeSet<_>>()
        };
        assert_eq!(drawn("", Kind::Event), BTreeSet::from(Fault::OF_EVENTS));
        assert_eq!(drawn("", PLAIN), BTreeSet::from([Fault::Fail, Fault::Throttle, Fault::LoseAnswer]));
        assert_eq!(drawn("a", PLAIN), BTreeSet::from(Fault::OF_CALLS));
        let mut with_inside = BTreeSet::from(Fault::OF_CALLS);
        with_inside.insert(Fault::FailInside);
        assert_eq!(drawn("a", Kind::Call { fails_inside: true }), with_inside);
    }
}
