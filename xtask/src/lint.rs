//! `cargo xtask lint`: everything that reads the code without running it.

use crate::command::cargo;
use crate::{Outcome, deps, supply, tidy};

pub(crate) fn run() -> Outcome {
    cargo("fmt --all --check").run()?;
    cargo("clippy --workspace --all-targets --all-features -- -D warnings").run()?;
    cargo("doc --workspace --no-deps --all-features").env("RUSTDOCFLAGS", "-D warnings").run()?;
    deps::run()?;
    tidy::run()?;
    supply::check_licences()?;
    if deny()?.is_none() {
        println!("skipped: cargo deny check (to install it: cargo install --locked cargo-deny)");
    }
    Ok(())
}

/// What `deny.toml` demands of dependencies: says what was checked, or nothing where cargo-deny is not
/// installed. The advisory database lives outside the package registry; where it cannot be fetched,
/// the rest is checked and the gap is told.
pub(crate) fn deny() -> Result<Option<Denied>, String> {
    if !cargo("deny --version").works() {
        return Ok(None);
    }
    cargo("deny --log-level error check bans licenses sources").run()?;
    if cargo("deny fetch db").works() {
        cargo("deny check advisories").run()?;
        return Ok(Some(Denied::All));
    }
    println!("not checked: advisories, since their database cannot be fetched from here");
    Ok(Some(Denied::NotAdvisories))
}

/// What was checked of dependencies, and is clean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    All,
    NotAdvisories,
}

impl Denied {
    pub(crate) fn told(self) -> &'static str {
        match self {
            Self::All => "bans, licences, sources and advisories clean",
            Self::NotAdvisories => {
                "bans, licences and sources clean; advisories not checked: they cannot be fetched here"
            }
        }
    }
}
