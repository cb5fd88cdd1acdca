//! `cargo xtask deps`: which crate may depend on which, and which packages each stays free of.

mod arrows;
mod banned;

use crate::Outcome;
use crate::command::cargo;
use serde_json::Value;

pub(crate) fn run() -> Outcome {
    let metadata = cargo("metadata --format-version 1 --no-deps").output()?;
    let metadata: Value = serde_json::from_str(&metadata)
        .map_err(|error| format!("cargo metadata wrote no JSON: {error}"))?;
    let members = arrows::members(&metadata)?;
    let mut failures = arrows::check(&members);
    for rule in banned::RULES {
        if members.iter().any(|member| member.name == rule.package) {
            let tree = cargo(&rule.tree_line()).output()?;
            failures.extend(rule.check(&tree));
        }
    }
    if failures.is_empty() {
        println!("deps: every arrow allowed; crates checked: {}", members.len());
        Ok(())
    } else {
        Err(format!("deps:\n  {}", failures.join("\n  ")))
    }
}
