//! Nothing is lost: the whole system while things go wrong. The [layer](okd_faults) between functions and
//! stores kills, fails, delays and loses on order; what must hold in the end is [`okd_local::invariants`]'s.
//!
//! [`matrix`] tries every fault on every call of every use case, [`races`] draws orders of the calls of several
//! at once from seeds, [`resume`] kills a large upload again and again, [`reconcile`] and [`sweep`] say what the
//! function behind the senders' backs does, [`screening`] that nothing is read before a scanner has seen it, [`policies`] that all of this needs what the functions may do, and no more,
//! [`timeouts`] what is said when there is no time, [`clocks`] what comes of clocks that differ, an index that is late
//! and a stream that repeats itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

/// Tells something also when the test passes: `cargo test` keeps back only what goes through `println!`.
macro_rules! tell {
    ($($words:tt)*) => {{
        use std::io::Write;
        writeln!(std::io::stderr(), $($words)*).unwrap()
    }};
}

mod clocks;
mod harness;
mod matrix;
mod outside;
mod policies;
mod races;
mod reconcile;
mod releases;
mod resume;
mod screening;
mod sweep;
mod timeouts;
mod witness;
