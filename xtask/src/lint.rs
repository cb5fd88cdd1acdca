//! `cargo xtask lint`: everything that reads the code without running it.

use crate::command::cargo;
use crate::{Outcome, deps, tidy};

pub(crate) fn run() -> Outcome {
    cargo("fmt --all --check").run()?;
    cargo("clippy --workspace --all-targets --all-features -- -D warnings").run()?;
    cargo("doc --workspace --no-deps --all-features").env("RUSTDOCFLAGS", "-D warnings").run()?;
    deps::run()?;
    tidy::run()?;
    deny()
}

/// What `deny.toml` demands of dependencies. The advisory database lives outside the package
/// registry; where it cannot be fetched, the rest is checked and the gap is told.
fn deny() -> Outcome {
    if !cargo("deny --version").works() {
        println!("skipped: cargo deny check (to install it: cargo install --locked cargo-deny)");
        return Ok(());
    }
    cargo("deny --log-level error check bans licenses sources").run()?;
    if cargo("deny fetch db").works() {
        return cargo("deny check advisories").run();
    }
    println!("not checked: advisories, since their database cannot be fetched from here");
    Ok(())
}
