//! The Python package: its wheel, in a virtual environment of its own, and its tests.

use std::fs;

use crate::command::{CommandLine, cargo, program};
use crate::{Outcome, programs};

const PACKAGE: &str = "crates/promptops-python";
const WHEELS: &str = "target/wheels";

/// What the wheel is installed into, with what its tests need, and what it is compared with.
const FOR_TESTS: Environment = Environment { folder: "target/wheel", needs: "tests" };
const FOR_BENCHES: Environment = Environment { folder: "target/wheel-bench", needs: "benches" };

struct Environment {
    folder: &'static str,
    /// The folder of the package that lists what it has.
    needs: &'static str,
}

/// Builds the wheel, installs it and runs its tests, those of the command line with it.
pub(crate) fn test() -> Outcome {
    build(&FOR_TESTS, &[])?;
    cargo("build -p promptops-cli").run()?;
    let python = format!("{}/bin/python", FOR_TESTS.folder);
    let tests = format!("{PACKAGE}/tests");
    program(&python, ["-m", "pytest", "-q", "-p", "no:cacheprovider", &tests]).run()
}

/// The tests of processes that fork, which say what they measured.
pub(crate) fn forks() -> Result<CommandLine, String> {
    build(&FOR_TESTS, &[])?;
    cargo("build -p promptops-cli").run()?;
    let python = format!("{}/bin/python", FOR_TESTS.folder);
    let tests = format!("{PACKAGE}/tests/test_fork.py");
    Ok(program(&python, ["-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", &tests]))
}

/// What runs langfuse, the peer of the Rust client's benchmark: a command line.
pub(crate) fn langfuse() -> Result<String, String> {
    let Environment { folder, needs } = FOR_BENCHES;
    programs::environment(folder, &format!("{PACKAGE}/{needs}/requirements.txt"))?;
    Ok(format!("{folder}/bin/python {PACKAGE}/benches/langfuse_peer.py"))
}

/// What measures the package beside its peers; the wheel is built as it is published.
pub(crate) fn bench() -> Result<CommandLine, String> {
    build(&FOR_BENCHES, &["--release"])?;
    let python = format!("{}/bin/python", FOR_BENCHES.folder);
    Ok(program(&python, [format!("{PACKAGE}/benches/bench.py")]))
}

/// Builds the wheel and installs it.
fn build(environment: &Environment, options: &[&str]) -> Outcome {
    let Environment { folder, needs } = environment;
    programs::environment(folder, &format!("{PACKAGE}/{needs}/requirements.txt"))?;
    let _ = fs::remove_dir_all(WHEELS);
    let manifest = format!("{PACKAGE}/Cargo.toml");
    let maturin = format!("{folder}/bin/maturin");
    program(&maturin, ["build", "--manifest-path", &manifest, "--out", WHEELS])
        .arguments(options.iter().copied())
        .run()?;
    let wheels = fs::read_dir(WHEELS).map_err(|error| format!("{WHEELS}: {error}"))?;
    let wheels = wheels.flatten().map(|file| file.path().display().to_string());
    let pip = format!("{folder}/bin/pip");
    let install =
        ["install", "-q", "--disable-pip-version-check", "--no-deps", "--force-reinstall"];
    program(&pip, install).arguments(wheels).run()
}
