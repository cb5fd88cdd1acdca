//! How long something takes.

use promptops_types::{SystemTime, TimeSource};
use std::time::Duration;

/// A reading of the clock, to be given to [`seconds_since`].
pub(crate) fn now() -> Duration {
    SystemTime.monotonic()
}

/// Seconds since a reading.
pub(crate) fn seconds_since(started: Duration) -> f64 {
    now().saturating_sub(started).as_secs_f64()
}

/// Nanoseconds of one of many, which are told their number.
#[allow(dead_code, reason = "not every benchmark has something that never waits")]
pub(crate) fn each(times: usize, mut run: impl FnMut(usize)) -> f64 {
    let started = now();
    for number in 0..times {
        run(number);
    }
    of_many(seconds_since(started), times)
}

/// Nanoseconds of one of so many.
#[allow(dead_code, reason = "not every benchmark counts")]
pub(crate) fn of_many(seconds: f64, times: usize) -> f64 {
    seconds * 1e9 / count(times)
}

/// A number of runs, as what is divided by.
#[expect(clippy::cast_precision_loss, reason = "below 2^53")]
pub(crate) fn count(times: usize) -> f64 {
    times as f64
}
