//! `cargo xtask minimal-versions`: whether the versions that Cargo.toml asks for are new enough.
//!
//! Everybody builds with the newest versions, so a requirement that is too low breaks only those
//! who hold a dependency back. Here each direct dependency is as old as it may be.

use super::copy;
use crate::Outcome;
use crate::command::cargo;

const COPY: &str = "target/minimal-versions/workspace";
const BUILD: &str = "target/minimal-versions/build";

pub(crate) fn run() -> Outcome {
    if !cargo("+nightly --version").works() {
        return Err("no nightly toolchain, which alone picks the oldest versions.\n\
                    Install it: rustup toolchain install nightly --profile minimal"
            .to_owned());
    }
    copy::workspace(COPY)?;
    build(&format!("{COPY}/Cargo.toml")).map_err(|error| {
        format!(
            "{error}\nRaise the version in [workspace.dependencies] of Cargo.toml to the oldest \
             that is enough, and run this again."
        )
    })
}

fn build(manifest: &str) -> Outcome {
    cargo("+nightly update -Z direct-minimal-versions --manifest-path")
        .arguments([manifest])
        .run()?;
    // Without tests: nobody who uses the crates builds them.
    cargo("check --workspace --all-features --locked --manifest-path")
        .arguments([manifest])
        .env("CARGO_TARGET_DIR", BUILD)
        .run()
}
