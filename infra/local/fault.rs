//! Calls to the stores, events, and the faults that they can meet on the [fault proxy](crate::fault_proxy).

/// One call, or one event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Call {
    /// The logical id of the function that makes it; empty for other callers.
    pub from: String,
    /// Its name at AWS: `PutObject`, `GetItem`, `ObjectCreated`.
    pub operation: String,
}

/// The faults of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// The function's process dies before the call has an effect...
    KillBefore,
    /// ...or after, and before it knows.
    KillAfter,
    /// The store answers 500, and does nothing.
    Fail,
    /// The store asks to be left alone for a while: `SlowDown`, `ThrottlingException`.
    Throttle,
    /// The call arrives late: its caller has given it up, and made it again.
    Late,
    /// It has its effect, and the answer gets lost.
    LoseAnswer,
    /// Nothing happens, and there is no answer. Not in chaos: it takes too long.
    Hang,
    /// It has its effect, and there is no answer. Not in chaos either.
    HangAfter,
    /// `CompleteMultipartUpload` only: 200, and an error inside.
    FailInside,
    /// An event only: it comes twice.
    Twice,
    /// An event only: it never comes.
    Never,
}

impl Fault {
    /// Those that can befall a call of a function.
    pub const OF_CALLS: [Self; 6] =
        [Self::KillBefore, Self::KillAfter, Self::Fail, Self::Throttle, Self::Late, Self::LoseAnswer];
    /// Those that can befall an event.
    pub const OF_EVENTS: [Self; 2] = [Self::Twice, Self::Never];
}

/// The operation as which an event passes.
pub const EVENT: &str = "ObjectCreated";

/// The kinds of answers that are not a store's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wording {
    /// [`Fault::Fail`].
    Failed,
    /// [`Fault::Throttle`].
    Throttled,
    /// [`Fault::FailInside`].
    FailedInside,
    /// No fault: the function's policy does not allow it.
    Denied,
}
