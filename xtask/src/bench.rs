//! `cargo xtask bench`: speed, beside what it is compared with, in one run.

use crate::Outcome;
use crate::command::cargo;
use crate::table::Table;

/// The benchmarks of the tests' package.
const BENCHES: [&str; 1] = ["http"];

const COLUMNS: &[&str] = &["what", "against", "measured", "ratio", "to reach", "verdict"];

/// All of them, in one table.
pub(crate) fn run() -> Outcome {
    let mut table = Table::new(COLUMNS);
    let outcome = BENCHES.into_iter().try_for_each(|name| table.run(cargo(&line(name))));
    table.print();
    outcome
}

/// An uncached get over HTTP.
pub(crate) fn http() -> Outcome {
    let mut table = Table::new(COLUMNS);
    let outcome = table.run(cargo(&line("http")));
    table.print();
    outcome
}

fn line(name: &str) -> String {
    format!("bench -p promptops-tests --bench {name}")
}
