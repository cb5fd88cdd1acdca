//! `cargo xtask faults`: what is promised when things break, and what was measured.

use crate::command::cargo;
use crate::table::Table;
use crate::{Outcome, programs, wheel};

/// Rows of the table of faults and attacks; those without a test are told.
const ROWS: std::ops::RangeInclusive<u32> = 1..=40;

const COLUMNS: &[&str] = &["#", "fault or attack", "promised", "measured", "seed", "verdict"];

/// In the release profile, one test at a time: they measure memory and time.
const LINE: &str =
    "test --release -p promptops-tests --test it faults:: -- --nocapture --test-threads=1";

pub(crate) fn run() -> Outcome {
    table("table")
}

pub(crate) fn long() -> Outcome {
    table("long")
}

fn table(size: &'static str) -> Outcome {
    programs::require()?;
    cargo("build --release -p promptops-cli").run()?;
    let forks = wheel::forks()?;
    let mut table = Table::new(COLUMNS);
    let outcome = table.run(cargo(LINE).env("PROMPTOPS_FAULTS", size));
    let outcome = table.run(forks).and(outcome);
    table.sort();
    table.print();
    let without = ROWS.map(|row| row.to_string()).filter(|row| !table.has(row));
    println!("rows without a test yet: {}", without.collect::<Vec<_>>().join(", "));
    outcome
}
