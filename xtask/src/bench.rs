//! `cargo xtask bench`: speed, beside what it is compared with, in one run.

use crate::command::cargo;
use crate::table::Table;
use crate::{Outcome, programs};

/// The benchmarks of the tests' package.
const BENCHES: [&str; 5] = ["cache", "redis", "http", "server", "telemetry"];

const COLUMNS: &[&str] = &["what", "against", "measured", "ratio", "to reach", "verdict"];

/// All of them, in one table.
pub(crate) fn run() -> Outcome {
    programs::require()?;
    some(&BENCHES)
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
    let mut table = Table::new(COLUMNS);
    let outcome = names
        .iter()
        .try_for_each(|name| table.run(cargo(&format!("bench -p promptops-tests --bench {name}"))));
    table.print();
    outcome
}
