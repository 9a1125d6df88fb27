//! Lambda's side of every function: its log, its clock and the time that it is given.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Reads the time of day. Each function gets it from its `main`, so that a test can run functions whose clocks differ.
pub type Clock = fn() -> Timestamp;

/// Writes the log as JSON to standard output, from where Lambda takes it to CloudWatch; each line with the span that
/// it is written in. To be called once.
pub fn start_log() {
    tracing_subscriber::fmt().json().with_span_list(false).with_max_level(tracing::Level::INFO).init();
}

/// The time that is left until `deadline`, in milliseconds since 1970, as the context of an invocation has it.
pub fn time_left(deadline: u64) -> Duration {
    let deadline = UNIX_EPOCH + Duration::from_millis(deadline);
    let left = deadline.duration_since(SystemTime::now());
    left.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_that_until_the_deadline_and_never_below_zero() {
        assert_eq!(time_left(0), Duration::ZERO);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let in_a_minute = u64::try_from(now.as_millis()).unwrap() + 60_000;
        let left = time_left(in_a_minute);
        assert!((Duration::from_secs(1)..=Duration::from_mins(1)).contains(&left), "{left:?}");
    }
}
