//! The project's own tasks. `cargo xtask` lists them.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program prints")]

mod bench;
mod chapter;
mod command;
mod deps;
mod docs;
mod faults;
mod fuzz;
mod lint;
mod machine;
mod models;
mod programs;
mod supply;
mod table;
mod test;
mod tidy;
mod wheel;

use std::path::Path;
use std::process::ExitCode;

/// What a task returns: nothing, or what went wrong and what to do about it.
type Outcome = Result<(), String>;

/// What a command line asks for.
type Task = Box<dyn FnOnce() -> Outcome>;

const USAGE: &str = "\
usage: cargo xtask <command>

  test              every test and doctest, the examples, the Python package, the feature checks
  wheel             the Python package alone: its wheel and its tests
  lint              formatting, clippy, rustdoc, deps, tidy, cargo deny
  ci                test, then lint
  deps              which crate may depend on which, and which packages each stays free of
  tidy              naming, leftovers, SQL, manifests, text files, test vectors, the book
  docs              the API documentation and the book
  bench [cache|template|http|server|telemetry|python|scale]
                    speed, beside what it is compared with; written into docs/src/benchmarks.md
  faults [--long] [--allow-missing]
                    faults and attacks: what is promised and what was measured; written into
                    docs/src/reliability.md
  fuzz SECONDS      each fuzz target for so long; needs nightly and cargo-fuzz
  licences [--check]
                    the list of what is shipped, by licence, in docs/src/dependencies.md
  sbom              what is shipped as CycloneDX, in target/sbom; needs cargo-cyclonedx
  semver            the public API against the last tag; needs cargo-semver-checks
  minimal-versions  a build with the oldest versions that our manifests allow; needs nightly
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

fn task(arguments: &[&str]) -> Option<Task> {
    match arguments {
        ["bench", subject] => {
            let subject = bench::subject(subject)?;
            return Some(Box::new(|| subject.measure()));
        }
        ["faults", options @ ..] => {
            let options = faults::Options::parse(options)?;
            return Some(Box::new(move || faults::run(options)));
        }
        ["fuzz", seconds] => {
            let seconds = seconds.parse().ok()?;
            return Some(Box::new(move || fuzz::run(seconds)));
        }
        _ => {}
    }
    let plain: fn() -> Outcome = match arguments {
        ["test"] => test::run,
        ["wheel"] => wheel::test,
        ["lint"] => lint::run,
        ["ci"] => || test::run().and_then(|()| lint::run()),
        ["deps"] => deps::run,
        ["tidy"] => tidy::run,
        ["docs"] => docs::run,
        ["bench"] => bench::run,
        ["licences"] => supply::licences,
        ["licences", "--check"] => supply::check_licences,
        ["sbom"] => supply::sbom,
        ["semver"] => supply::semver,
        ["minimal-versions"] => supply::minimal_versions,
        ["models"] => models::refresh,
        ["models", "--check"] => models::check,
        _ => return None,
    };
    Some(Box::new(plain))
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
            let seconds = if name == "fuzz" { &["60"][..] } else { &[] };
            let line = [&[name], seconds].concat();
            assert!(task(&line).is_some(), "`{name}` is in the usage text only");
        }
        assert!(task(&["models", "--check"]).is_some());
        assert!(task(&["bench", "scale"]).is_some());
        assert!(task(&["bench", "everything"]).is_none());
        assert!(task(&["fuzz", "a while"]).is_none());
        assert!(task(&["tests"]).is_none());
        assert!(task(&["lint", "--fix"]).is_none());
        assert!(task(&[]).is_none());
    }
}
