//! `cargo xtask docs`: the API documentation, and the book.

use crate::Outcome;
use crate::command::{cargo, program};

pub(crate) fn run() -> Outcome {
    cargo("doc --workspace --no-deps --all-features").run()?;
    if program("mdbook", ["--version"]).works() {
        program("mdbook", ["build", "docs"]).run()
    } else {
        println!("skipped: mdbook build docs (to install it: cargo install mdbook)");
        Ok(())
    }
}
