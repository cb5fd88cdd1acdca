//! `cargo xtask bench`: speed, beside what it is compared with, in one run.

use crate::command::{CommandLine, cargo};
use crate::table::Table;
use crate::{Outcome, programs, wheel};

/// The benchmarks of the tests' package.
const BENCHES: [&str; 5] = ["cache", "redis", "http", "server", "telemetry"];

const COLUMNS: &[&str] = &["what", "against", "measured", "ratio", "to reach", "verdict"];

/// All of them, in one table.
pub(crate) fn run() -> Outcome {
    programs::require()?;
    let python = wheel::bench()?;
    table(BENCHES.iter().map(|name| bench(name)).chain([python]))
}

/// The Python package, beside its peers.
pub(crate) fn python() -> Outcome {
    table([wheel::bench()?])
}

/// A cached get, from memory and from Redis.
pub(crate) fn cache() -> Outcome {
    programs::require()?;
    some(&["cache", "redis"])
}

/// An uncached get over HTTP.
pub(crate) fn http() -> Outcome {
    some(&["http"])
}

/// The registry and its server.
pub(crate) fn server() -> Outcome {
    some(&["server"])
}

/// What telemetry costs.
pub(crate) fn telemetry() -> Outcome {
    some(&["telemetry"])
}

fn some(names: &[&str]) -> Outcome {
    table(names.iter().map(|name| bench(name)))
}

fn bench(name: &str) -> CommandLine {
    cargo(&format!("bench -p promptops-tests --bench {name}"))
}

fn table(lines: impl IntoIterator<Item = CommandLine>) -> Outcome {
    let mut table = Table::new(COLUMNS);
    let outcome = lines.into_iter().try_for_each(|line| table.run(line));
    table.print();
    outcome
}
