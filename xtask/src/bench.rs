//! `cargo xtask bench`: speed, beside what it is compared with, in one run.

use crate::Outcome;
use crate::command::cargo;
use crate::table::Table;

/// The benchmarks of the tests' package.
const BENCHES: [&str; 2] = ["cache", "http"];

const COLUMNS: &[&str] = &["what", "against", "measured", "ratio", "to reach", "verdict"];

/// All of them, in one table.
pub(crate) fn run() -> Outcome {
    let mut table = Table::new(COLUMNS);
    let outcome = BENCHES.into_iter().try_for_each(|name| table.run(cargo(&line(name))));
    table.print();
    outcome
}

/// A cached get.
pub(crate) fn cache() -> Outcome {
    one("cache")
}

/// An uncached get over HTTP.
pub(crate) fn http() -> Outcome {
    one("http")
}

fn one(name: &str) -> Outcome {
    let mut table = Table::new(COLUMNS);
    let outcome = table.run(cargo(&line(name)));
    table.print();
    outcome
}

fn line(name: &str) -> String {
    format!("bench -p promptops-tests --bench {name}")
}
