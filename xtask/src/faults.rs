//! `cargo xtask faults`: what is promised when things break, and what was measured; written into the book.

use std::collections::BTreeSet;

use crate::command::cargo;
use crate::lint::Denied;
use crate::programs::{POSTGRES, PYTHON, Program, REDIS, STRACE};
use crate::table::{Row, Table};
use crate::{Outcome, chapter, lint, machine, programs, read, test, wheel};

/// Rows of the table of faults and attacks, and the one of everything at once.
const ROWS: std::ops::RangeInclusive<u32> = 1..=40;
const SOAK: &str = "soak";

const COLUMNS: &[&str] = &["#", "fault or attack", "promised", "measured", "seed", "verdict"];

/// In the release profile, one test at a time: they measure memory and time.
const LINE: &str =
    "test --release -p promptops-tests --test it faults:: -- --nocapture --test-threads=1";

const CHAPTER: &str = "docs/src/reliability.md";

/// What a row cannot run without.
const NEEDS: [(&Program, &[&str]); 4] = [
    (&REDIS, &["12", "17", "37", SOAK]),
    (&POSTGRES, &["3", "8", "37", "39"]),
    (&STRACE, &["7", "33"]),
    (&PYTHON, &["36", "38"]),
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
    rows: &'static [&'static str],
    /// How to install it.
    help: String,
}

pub(crate) fn run(options: Options) -> Outcome {
    let missing = missing();
    let skipped: BTreeSet<&str> =
        missing.iter().flat_map(|program| program.rows).copied().collect();
    if !skipped.contains("36") {
        programs::packages()?;
    }
    cargo("build --release -p promptops-cli").run()?;
    let mut table = Table::new(COLUMNS);
    let skips = skipped.iter().flat_map(|row| ["--skip".to_owned(), name_of_tests(row)]);
    let line = cargo(LINE)
        .arguments(skips)
        .env("PROMPTOPS_FAULTS", if options.is_long { "long" } else { "table" });
    let mut outcome = table.run(line);
    if !skipped.contains("38") {
        outcome = wheel::forks().and_then(|forks| table.run(forks)).and(outcome);
    }
    outcome = vectors(&mut table).and(outcome);
    outcome = dependencies(&mut table).and(outcome);
    for name in table.failed().clone() {
        let (row, why) = (row_of_test(&name), format!("`{name}` failed"));
        table.add(Row::from([row, "", "", &why, "", "**failed**"]));
    }
    let all = ROWS.map(|row| row.to_string()).chain([SOAK.to_owned()]);
    let without: Vec<String> = all.filter(|row| !table.has(row)).collect();
    for row in &without {
        let program = missing.iter().find(|program| program.rows.contains(&row.as_str()));
        let why = match program {
            Some(program) => format!("not run: no {}", program.name),
            None if row == "40" => "not run: no cargo-deny".to_owned(),
            None => "not run: the tests ended before it".to_owned(),
        };
        table.add(Row::from([row, "", "", &why, "", "**not run**"]));
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
    let help: Vec<&str> = missing.iter().map(|program| program.help.as_str()).collect();
    Err(format!(
        "rows that did not run: {}. Give --allow-missing to do without.\n{}",
        without.join(", "),
        help.join("\n")
    ))
}

/// What the names of a row's tests have in them.
fn name_of_tests(row: &str) -> String {
    if row == SOAK { format!("::{SOAK}_") } else { format!("::row_{row}_") }
}

/// The row of a test's name; of another test, its own name.
fn row_of_test(name: &str) -> &str {
    let own = name.rsplit("::").next().unwrap_or(name);
    if own.starts_with(SOAK) {
        return SOAK;
    }
    own.strip_prefix("row_").and_then(|rest| rest.split('_').next()).unwrap_or(own)
}

/// Row 4, by programs that share nothing with ours.
fn vectors(table: &mut Table) -> Outcome {
    let told = match test::signature_vectors() {
        Some(line) => line.output()?,
        None => "not checked: no openssl or no Python".to_owned(),
    };
    let verdict = if told.contains("agree with") { "met" } else { "**not run**" };
    let promised = "50 vectors agreed by Rust, Python's hmac and openssl";
    table.add(Row::from(["4", "signatures, computed again", promised, told.trim(), "", verdict]));
    Ok(())
}

/// Row 40: what `deny.toml` demands, and that no crate but the Python package may say `unsafe`.
fn dependencies(table: &mut Table) -> Outcome {
    const PROMISED: &str = "cargo-deny clean; unsafe forbidden in our crates";
    let denied = match lint::deny() {
        Ok(Some(denied)) => denied,
        Ok(None) => return Ok(()),
        Err(error) => {
            let why = "cargo deny refuses what is there; run it to read why";
            table.add(Row::from(["40", "bad dependency", PROMISED, why, "", "**missed**"]));
            return Err(error);
        }
    };
    let manifest = read("Cargo.toml")?;
    let is_forbidden = manifest.contains("unsafe_code = \"forbid\"");
    let own: BTreeSet<String> = own_lints("crates")?;
    let is_met = is_forbidden && own.iter().eq(["promptops-python"]);
    let own = own.into_iter().collect::<Vec<_>>().join(", ");
    let measured = format!("{}; unsafe only where it is listed: {own}", denied.told());
    let verdict = if is_met && denied == Denied::All { "met" } else { "**missed**" };
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
    use super::{NEEDS, Options, ROWS, SOAK, name_of_tests, own_lints, row_of_test};

    #[test]
    fn options_come_in_any_order_and_others_are_refused() {
        let both = Options { is_long: true, may_miss: true };
        assert_eq!(Options::parse(&["--allow-missing", "--long"]), Some(both));
        assert_eq!(Options::parse(&[]), Some(Options::default()));
        assert_eq!(Options::parse(&["--short"]), None);
    }

    #[test]
    fn what_rows_need_is_about_rows_there_are() {
        let is_row = |row: &&str| *row == SOAK || row.parse().is_ok_and(|row| ROWS.contains(&row));
        assert!(NEEDS.iter().flat_map(|(_, rows)| *rows).all(is_row));
    }

    #[test]
    fn a_test_has_the_name_of_its_row() {
        assert!("faults::redis::row_12_redis_fails".contains(&name_of_tests("12")));
        assert_eq!(row_of_test("faults::redis::row_12_redis_fails"), "12");
        assert!("faults::soak::soak_no_answer_is_wrong".contains(&name_of_tests(SOAK)));
        assert_eq!(row_of_test("faults::soak::soak_no_answer_is_wrong"), SOAK);
        assert_eq!(row_of_test("faults::outage::the_feed_goes_on"), "the_feed_goes_on");
    }

    #[test]
    fn only_the_python_package_has_lints_of_its_own() {
        let crates = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates");
        assert!(own_lints(crates).unwrap().iter().eq(["promptops-python"]));
    }
}
