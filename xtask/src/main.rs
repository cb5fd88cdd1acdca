//! The project's own tasks. `cargo xtask` lists them.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program prints")]

mod bench;
mod command;
mod deps;
mod docs;
mod faults;
mod lint;
mod models;
mod programs;
mod table;
mod test;
mod tidy;
mod wheel;

use std::path::Path;
use std::process::ExitCode;

/// What a task returns: nothing, or what went wrong and what to do about it.
type Outcome = Result<(), String>;

const USAGE: &str = "\
usage: cargo xtask <command>

  test              every test and doctest, the examples, the Python package, the feature checks
  wheel             the Python package alone: its wheel and its tests
  lint              formatting, clippy, rustdoc, deps, tidy, cargo deny
  ci                test, then lint
  deps              which crate may depend on which, and which packages each stays free of
  tidy              naming, leftovers, SQL, manifests, text files, test vectors, the book
  docs              the API documentation and the book
  bench [cache|http|server|telemetry|python]
                    speed, beside what it is compared with; a table of ratios
  faults [--long]   faults and attacks: what is promised and what was measured; a table
  models [--check]  refresh the model catalogue from the PyPI package litellm;
                    with --check, only say whether it is out of date
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let Some(task) = task(&arguments) else {
        if let ["help" | "-h" | "--help"] = arguments[..] {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        if !arguments.is_empty() {
            eprintln!("error: no such command: {}\n", arguments.join(" "));
        }
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    match go_to_root().and_then(|()| task()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn task(arguments: &[&str]) -> Option<fn() -> Outcome> {
    Some(match arguments {
        ["test"] => test::run,
        ["wheel"] => wheel::test,
        ["lint"] => lint::run,
        ["ci"] => || test::run().and_then(|()| lint::run()),
        ["deps"] => deps::run,
        ["tidy"] => tidy::run,
        ["docs"] => docs::run,
        ["bench"] => bench::run,
        ["bench", "cache"] => bench::cache,
        ["bench", "http"] => bench::http,
        ["bench", "server"] => bench::server,
        ["bench", "telemetry"] => bench::telemetry,
        ["bench", "python"] => bench::python,
        ["faults"] => faults::run,
        ["faults", "--long"] => faults::long,
        ["models"] => models::refresh,
        ["models", "--check"] => models::check,
        _ => return None,
    })
}

/// Every task names files from the root of the workspace, wherever it was called from.
fn go_to_root() -> Outcome {
    let here = std::env::current_dir().map_err(|error| format!("no current folder: {error}"))?;
    let root = here
        .ancestors()
        .find(|folder| folder.join("xtask/Cargo.toml").is_file())
        .ok_or_else(|| format!("{} is not inside this workspace", here.display()))?;
    std::env::set_current_dir(root)
        .map_err(|error| format!("cannot go to {}: {error}", root.display()))
}

/// Reads a text file, and names it when that fails.
fn read(path: impl AsRef<Path>) -> Result<String, String> {
    let path = path.as_ref();
    std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{USAGE, task};

    #[test]
    fn every_command_in_the_usage_text_exists_and_no_other() {
        for line in USAGE.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        {
            let name = line.split_whitespace().next().unwrap();
            assert!(task(&[name]).is_some(), "`{name}` is in the usage text only");
        }
        assert!(task(&["models", "--check"]).is_some());
        assert!(task(&["tests"]).is_none());
        assert!(task(&["lint", "--fix"]).is_none());
        assert!(task(&[]).is_none());
    }
}
