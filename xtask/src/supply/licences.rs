//! `cargo xtask licences`: the list of what is shipped, and whether `deny.toml` allows its licences.

use super::expression::Expression;
use super::shipped::{self, Crates};
use crate::chapter::replace;
use crate::{Outcome, read};
use std::collections::BTreeMap;

const CHAPTER: &str = "docs/src/dependencies.md";
const PART: &str = "licences";
const ALLOWED: &str = "deny.toml";

/// Writes the list into the chapter, unless a licence is not allowed.
pub(crate) fn write() -> Outcome {
    let before = read(CHAPTER)?;
    let after = chapter(&before)?;
    if before == after {
        println!("licences: {CHAPTER} is up to date");
        return Ok(());
    }
    std::fs::write(CHAPTER, after).map_err(|error| format!("cannot write {CHAPTER}: {error}"))?;
    println!("licences: {CHAPTER} is written");
    Ok(())
}

/// Fails when the list is out of date or a licence is not allowed, and writes nothing.
pub(crate) fn check() -> Outcome {
    let before = read(CHAPTER)?;
    if chapter(&before)? == before {
        println!("licences: {CHAPTER} is up to date, and {ALLOWED} allows each");
        Ok(())
    } else {
        Err(format!("{CHAPTER} is not what Cargo.lock says. Run: cargo xtask licences"))
    }
}

/// The chapter with the list of today.
fn chapter(before: &str) -> Result<String, String> {
    let licensed = licensed(shipped::crates()?)?;
    allow(&licensed, &allowed(&read(ALLOWED)?)?)?;
    replace(before, PART, &list(&licensed)).map_err(|error| format!("{CHAPTER}: {error}"))
}

/// Crates, as `name version`, by what they are licensed under.
type Licensed = BTreeMap<Expression, Vec<String>>;

fn licensed(crates: Crates) -> Result<Licensed, String> {
    let mut licensed = Licensed::new();
    for (name, licence) in crates {
        let expression = Expression::parse(&licence).map_err(|error| {
            format!("{name}: {error}. Read its licence, and do without the crate if it has none")
        })?;
        licensed.entry(expression).or_default().push(name);
    }
    Ok(licensed)
}

/// The licences in `deny.toml`: what is quoted in `allow = [...]` of `[licenses]`.
fn allowed(deny: &str) -> Result<Vec<String>, String> {
    deny.split("\n[")
        .find_map(|table| table.strip_prefix("licenses]"))
        .and_then(|table| table.split_once("\nallow = ["))
        .and_then(|(_, rest)| rest.split_once(']'))
        .map(|(list, _)| list.split('"').skip(1).step_by(2).map(str::to_owned).collect())
        .ok_or_else(|| format!("no list `allow` below [licenses] in {ALLOWED}"))
}

fn allow(licensed: &Licensed, allowed: &[String]) -> Outcome {
    let refused: Vec<String> = licensed
        .iter()
        .filter(|(expression, _)| !expression.is_met_by(allowed))
        .map(|(expression, crates)| format!("{expression}: {}", crates.join(", ")))
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(format!(
        "licences that {ALLOWED} does not allow:\n  {}\n\
         Do without the crate; or, if we can meet what the licence asks, add it to `allow`.",
        refused.join("\n  ")
    ))
}

/// The list in Markdown: the licences most crates have come first.
fn list(licensed: &Licensed) -> String {
    let count: usize = licensed.values().map(Vec::len).sum();
    let mut text = format!("{count} crates.\n");
    let mut groups: Vec<_> = licensed.iter().collect();
    groups.sort_by_key(|(_, crates)| std::cmp::Reverse(crates.len()));
    for (expression, crates) in groups {
        text.push_str(&format!("\n### {expression}\n\n"));
        for name in crates {
            text.push_str(&format!("- {name}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Licensed, allow, allowed, list};
    use crate::supply::expression::Expression;

    fn licensed() -> Licensed {
        [("ISC", &["untrusted 0.9.0"][..]), ("Zlib OR MIT", &["adler2 2.0.1", "bytemuck 1.2.3"])]
            .into_iter()
            .map(|(expression, crates)| {
                let crates = crates.iter().map(|name| (*name).to_owned()).collect();
                (Expression::parse(expression).unwrap(), crates)
            })
            .collect()
    }

    #[test]
    fn crates_are_listed_by_licence() {
        assert_eq!(
            list(&licensed()),
            "3 crates.\n\n### MIT OR Zlib\n\n- adler2 2.0.1\n- bytemuck 1.2.3\n\n\
             ### ISC\n\n- untrusted 0.9.0\n"
        );
    }

    #[test]
    fn the_licences_that_are_allowed_are_read_from_their_own_table() {
        let deny = "\n[bans]\nallow = [\"x\"]\n[licenses]\nallow = [\n    \"MIT\",\n    \
                    \"Apache-2.0 WITH LLVM-exception\",\n]\n[sources]\n";
        assert_eq!(allowed(deny).unwrap(), ["MIT", "Apache-2.0 WITH LLVM-exception"]);
        let later = "\n[licenses]\nversion = 2\nallow = [\"MIT\"]\n";
        assert_eq!(allowed(later).unwrap(), ["MIT"]);
        assert!(allowed("\n[licenses]\n\n[bans]\nallow = [\"x\"]\n").is_err());
    }

    #[test]
    fn a_licence_that_is_not_allowed_is_told_with_its_crates() {
        let allowed =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(allow(&licensed(), &allowed(&["ISC", "MIT"])), Ok(()));
        let error = allow(&licensed(), &allowed(&["MIT"])).unwrap_err();
        assert!(error.contains("ISC: untrusted 0.9.0") && !error.contains("adler2"), "{error}");
    }
}
