//! Faults between processes and the services that they call: a [`tower::Layer`] on which tests make things go wrong.
//!
//! Every call that passes a [`FaultLayer`] is noted, and on the order of a test something happens to it: it fails, comes
//! late, its answer is lost, or the process that makes it dies. The layers around several services share one [`Faults`]:
//!
//! - [`Faults::inject`] has the n-th call of a kind meet a [`Fault`].
//! - [`Faults::chaos`] has calls meet faults at random.
//! - [`Faults::interleave`] lets calls through one by one, in an order drawn from a seed. That is how races are tried out.
//!
//! Events on their way to a process ask [`Faults::deliveries`] how often they come.
//!
//! The layer knows no service. It is given what [names](Named) a request, and what words an answer that is not the
//! service's [own](Wording). The invariants and the soak are not here but in okd-local, which is made of this crate: they
//! ask the whole cloud.

mod call;
mod faults;
mod gate;
mod layer;
mod plan;
mod processes;

pub use call::{Call, Fault, Named, Wording};
pub use faults::{Faults, Interleaving};
pub use layer::{Broken, FaultLayer, FaultService};
pub use processes::{Dying, Registered};
