//! Calls, and the faults that they can meet.

/// One call, or one event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Call {
    /// The kind of process that makes it: the name of a function. Empty for a caller that is no process of ours.
    pub from: String,
    /// The service's name for it: `PutObject`.
    pub operation: String,
}

/// A request, as the layer must know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name of the process that makes it, as it was [registered](crate::Faults::register).
    pub process: String,
    /// Its name in a test's orders.
    pub call: Call,
    /// True if the service may begin to answer before it knows the outcome, and so put an error into a success.
    pub fails_inside: bool,
}

/// The faults of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// The process that makes the call dies before it has an effect...
    KillBefore,
    /// ...or after, and before it knows.
    KillAfter,
    /// The service answers that it failed, and does nothing.
    Fail,
    /// The service asks to be left alone for a while.
    Throttle,
    /// The call arrives late: its caller has given it up, and made it again.
    Late,
    /// It has its effect, and the answer gets lost.
    LoseAnswer,
    /// Nothing happens, and there is no answer. Not in chaos: it takes too long.
    Hang,
    /// It has its effect, and there is no answer. Not in chaos either.
    HangAfter,
    /// The answer says success, and has an error inside. In chaos only where a service [does so](Named::fails_inside).
    FailInside,
    /// An event only: it comes twice.
    Twice,
    /// An event only: it never comes.
    Never,
}

impl Fault {
    /// Those that can befall a call of a process.
    pub const OF_CALLS: [Self; 6] =
        [Self::KillBefore, Self::KillAfter, Self::Fail, Self::Throttle, Self::Late, Self::LoseAnswer];
    /// Those that can befall an event.
    pub const OF_EVENTS: [Self; 2] = [Self::Twice, Self::Never];
}

/// The kinds of answers that are not a service's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wording {
    /// [`Fault::Fail`].
    Failed,
    /// [`Fault::Throttle`].
    Throttled,
    /// [`Fault::FailInside`].
    FailedInside,
}
