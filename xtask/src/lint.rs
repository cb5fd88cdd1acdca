//! `cargo xtask lint`: everything that reads the code without running it.

use crate::command::cargo;
use crate::{Outcome, deps, tidy};

pub(crate) fn run() -> Outcome {
    cargo("fmt --all --check").run()?;
    cargo("clippy --workspace --all-targets --all-features -- -D warnings").run()?;
    cargo("doc --workspace --no-deps --all-features").env("RUSTDOCFLAGS", "-D warnings").run()?;
    deps::run()?;
    tidy::run()?;
    if cargo("deny --version").works() {
        cargo("deny check").run()
    } else {
        println!("skipped: cargo deny check (to install it: cargo install --locked cargo-deny)");
        Ok(())
    }
}
