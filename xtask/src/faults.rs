//! `cargo xtask faults`: what is promised when things break, and what was measured; written into the book.

use std::collections::BTreeSet;

use crate::command::cargo;
use crate::programs::{POSTGRES, PYTHON, Program, REDIS, STRACE};
use crate::table::{Row, Table};
use crate::{Outcome, chapter, lint, machine, programs, read, wheel};

/// Rows of the table of faults and attacks.
const ROWS: std::ops::RangeInclusive<u32> = 1..=40;

const COLUMNS: &[&str] = &["#", "fault or attack", "promised", "measured", "seed", "verdict"];

/// In the release profile, one test at a time: they measure memory and time.
const LINE: &str =
    "test --release -p promptops-tests --test it faults:: -- --nocapture --test-threads=1";

const CHAPTER: &str = "docs/src/reliability.md";

/// What a row cannot run without.
const NEEDS: [(&Program, &[u32]); 4] = [
    (&REDIS, &[12, 17, 37]),
    (&POSTGRES, &[3, 8, 37, 39]),
    (&STRACE, &[7, 33]),
    (&PYTHON, &[36, 38]),
];

/// How the command was called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Ten times as many, and ten minutes of everything at once.
    is_long: bool,
    /// Whether rows that cannot run here are left out without a failure.
    may_miss: bool,
}

impl Options {
    /// `--long` and `--allow-missing`, in any order.
    pub(crate) fn parse(arguments: &[&str]) -> Option<Self> {
        let mut options = Self::default();
        for argument in arguments {
            match *argument {
                "--long" => options.is_long = true,
                "--allow-missing" => options.may_miss = true,
                _ => return None,
            }
        }
        Some(options)
    }
}

/// A program that is not there.
struct Missing {
    name: &'static str,
    /// What cannot run without it.
    rows: &'static [u32],
    /// How to install it.
    help: String,
}

pub(crate) fn run(options: Options) -> Outcome {
    let missing = missing();
    let skipped: BTreeSet<u32> = missing.iter().flat_map(|program| program.rows).copied().collect();
    if missing.is_empty() {
        programs::packages()?;
    }
    cargo("build --release -p promptops-cli").run()?;
    let mut table = Table::new(COLUMNS);
    let skips = skipped.iter().flat_map(|row| ["--skip".to_owned(), format!("::row_{row}_")]);
    let line = cargo(LINE)
        .arguments(skips)
        .env("PROMPTOPS_FAULTS", if options.is_long { "long" } else { "table" });
    let mut outcome = table.run(line);
    if !skipped.contains(&38) {
        outcome = wheel::forks().and_then(|forks| table.run(forks)).and(outcome);
    }
    outcome = dependencies(&mut table).and(outcome);
    let without: Vec<u32> = ROWS.filter(|row| !table.has(&row.to_string())).collect();
    for row in &without {
        let program = missing.iter().find(|program| program.rows.contains(row));
        let why = match program {
            Some(program) => format!("not run: no {}", program.name),
            None if *row == 40 => "not run: no cargo-deny".to_owned(),
            None => "not run: its test failed".to_owned(),
        };
        table.add(Row::from([&row.to_string(), "", "", &why, "", "**not run**"]));
    }
    table.sort();
    let text = table.markdown();
    println!("\n{text}");
    let size = if options.is_long { ", with `--long`" } else { "" };
    let told = format!("Measured on {}{size}.\n\n{text}", machine::line()?);
    chapter::write(CHAPTER, "table", &told)?;
    outcome?;
    if without.is_empty() || options.may_miss {
        return Ok(());
    }
    let rows: Vec<String> = without.iter().map(ToString::to_string).collect();
    let help: Vec<&str> = missing.iter().map(|program| program.help.as_str()).collect();
    Err(format!(
        "rows that did not run: {}. Give --allow-missing to do without.\n{}",
        rows.join(", "),
        help.join("\n")
    ))
}

/// Row 40: what `deny.toml` demands, and that no crate but the Python package may say `unsafe`.
fn dependencies(table: &mut Table) -> Outcome {
    const PROMISED: &str = "cargo-deny clean; unsafe forbidden in our crates";
    let Some(checked) = lint::deny()? else {
        return Ok(());
    };
    let manifest = read("Cargo.toml")?;
    let is_forbidden = manifest.contains("unsafe_code = \"forbid\"");
    let own: BTreeSet<String> = own_lints("crates")?;
    let is_met = is_forbidden && own.iter().eq(["promptops-python"]);
    let own = own.into_iter().collect::<Vec<_>>().join(", ");
    let measured = format!("{checked}; unsafe only where it is listed: {own}");
    let verdict = if is_met { "met" } else { "**missed**" };
    table.add(Row::from(["40", "bad dependency", PROMISED, &measured, "", verdict]));
    if is_met { Ok(()) } else { Err(format!("row 40: unsafe is not forbidden in {own}")) }
}

/// Crates that do not take the lints of the workspace, where unsafe code is forbidden.
fn own_lints(crates: &str) -> Result<BTreeSet<String>, String> {
    let folders = std::fs::read_dir(crates).map_err(|error| format!("{crates}: {error}"))?;
    let mut own = BTreeSet::new();
    for folder in folders.flatten() {
        let manifest = read(folder.path().join("Cargo.toml"))?;
        if !manifest.contains("[lints]\nworkspace = true") {
            own.insert(folder.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(own)
}

fn missing() -> Vec<Missing> {
    let missing = NEEDS.iter().filter_map(|(program, rows)| {
        let help = program.require().err()?;
        Some(Missing { name: program.name, rows, help })
    });
    missing.collect()
}

#[cfg(test)]
mod tests {
    use super::{NEEDS, Options, ROWS, own_lints};

    #[test]
    fn options_come_in_any_order_and_others_are_refused() {
        let both = Options { is_long: true, may_miss: true };
        assert_eq!(Options::parse(&["--allow-missing", "--long"]), Some(both));
        assert_eq!(Options::parse(&[]), Some(Options::default()));
        assert_eq!(Options::parse(&["--short"]), None);
    }

    #[test]
    fn what_rows_need_is_about_rows_there_are() {
        assert!(NEEDS.iter().flat_map(|(_, rows)| *rows).all(|row| ROWS.contains(row)));
    }

    #[test]
    fn only_the_python_package_has_lints_of_its_own() {
        let crates = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates");
        assert!(own_lints(crates).unwrap().iter().eq(["promptops-python"]));
    }
}
