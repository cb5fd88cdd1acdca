//! Faults and attacks. Each row of the table is a test that says what it measured;
//! `cargo xtask faults` runs them one at a time, in the release profile, and prints the table.
//!
//! What is promised in counts and in memory (no error, nothing hung, nothing leaked) is asserted. Times
//! are printed with a verdict: a shared machine proves nothing about them.

mod attacks;
mod cache;
mod clock_skew;
mod description;
mod dropped;
mod feed;
mod hostile;
mod network;
mod no_answer;
mod outage;
mod power_cut;
mod redis;
mod retry_after;
mod reuse;
mod secrets;
mod server;
#[cfg(target_os = "linux")]
mod soak;
mod store;
mod strace;
mod telemetry;
mod template;

use std::fmt;
use std::time::Duration;

use promptops_transport::TokioClock;
use promptops_types::TimeSource;

/// How large the runs are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// Within `cargo test`.
    Small,
    /// `cargo xtask faults`.
    Table,
    /// `cargo xtask faults --long`.
    Long,
}

pub(crate) fn size() -> Size {
    match std::env::var("PROMPTOPS_FAULTS").as_deref() {
        Ok("table") => Size::Table,
        Ok("long") => Size::Long,
        _ => Size::Small,
    }
}

/// The number of runs: a twentieth of the table's within `cargo test`, ten times that when long.
pub(crate) fn runs(table: usize) -> usize {
    match size() {
        Size::Small => table.div_ceil(20),
        Size::Table => table,
        Size::Long => table * 10,
    }
}

/// What chance does, unless `PROMPTOPS_SEED` says otherwise: a failure is repeated by its seed.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("PROMPTOPS_SEED").ok();
    given.map_or(20_261_125, |seed| seed.parse().unwrap())
}

/// Waits where nothing is asynchronous: for another process.
#[expect(clippy::disallowed_methods, reason = "another process has no clock of ours")]
pub(crate) fn wait(time: Duration) {
    std::thread::sleep(time);
}

/// How long ago a reading of tokio's clock was.
pub(crate) fn since(started: Duration) -> Duration {
    TokioClock.monotonic().saturating_sub(started)
}

/// One line for `cargo xtask faults`.
#[expect(clippy::print_stdout, reason = "the table is made of what the tests print")]
pub(crate) fn row(
    number: impl fmt::Display,
    fault: &str,
    promised: &str,
    measured: impl fmt::Display,
    met: bool,
) {
    let verdict = if met { "met" } else { "missed" };
    println!("row\t{number}\t{fault}\t{promised}\t{measured}\t{}\t{verdict}", seed());
}
