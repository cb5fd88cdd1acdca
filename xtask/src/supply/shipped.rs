//! The crates of others that end up in what is shipped.

use crate::command::{CommandLine, cargo};
use std::collections::BTreeMap;

/// Their licences by `name version`, as their manifests state them.
pub(super) type Crates = BTreeMap<String, String>;

/// Finds those that are linked or that build what is linked, on all platforms, with all features.
pub(super) fn crates() -> Result<Crates, String> {
    parse(&tree().output()?)
}

/// The `promptops` command, the Python module, and the crate that applications build on. It is no
/// line of `cargo metadata`, where features that only tests turn on bring further crates.
fn tree() -> CommandLine {
    cargo("tree --locked --all-features --target all --edges normal,build --prefix none")
        .arguments(["--format", "{p} = {l}"])
        .arguments(["--package", "promptops-cli"])
        .arguments(["--package", "promptops-client"])
        .arguments(["--package", "promptops-python"])
}

/// Reads lines such as `serde_derive v1.0.229 (proc-macro) = MIT OR Apache-2.0 (*)`; the mark says
/// that what is below it was printed before. A crate of ours has its folder in the brackets.
fn parse(tree: &str) -> Result<Crates, String> {
    let mut crates = Crates::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let line = line.trim_end_matches(" (*)");
        let (package, licence) = line.split_once(" = ").ok_or_else(|| unread(line))?;
        let package = package.trim_end_matches(" (proc-macro)");
        if !package.ends_with(')') {
            let (name, version) = package.split_once(" v").ok_or_else(|| unread(line))?;
            crates.insert(format!("{name} {version}"), licence.to_owned());
        }
    }
    Ok(crates)
}

fn unread(line: &str) -> String {
    format!("cargo tree wrote a line in a new form: {line}. Read it in xtask/src/supply/shipped.rs")
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn crates_of_others_are_read_once_each() {
        let tree = "promptops-cli v0.1.0 (/src/crates/promptops-cli) = MIT OR Apache-2.0\n\
                    serde_derive v1.0.229 (proc-macro) = MIT OR Apache-2.0\n\
                    adler2 v2.0.1 = 0BSD OR MIT OR Apache-2.0\n\n\
                    promptops-client v0.1.0 (/src/crates/promptops-client) = MIT OR Apache-2.0 (*)\n\
                    serde_derive v1.0.229 (proc-macro) = MIT OR Apache-2.0 (*)\n\
                    adler2 v2.0.0 = \n";
        let crates: Vec<_> = parse(tree).unwrap().into_iter().collect();
        let expected = [
            ("adler2 2.0.0", ""),
            ("adler2 2.0.1", "0BSD OR MIT OR Apache-2.0"),
            ("serde_derive 1.0.229", "MIT OR Apache-2.0"),
        ];
        assert_eq!(crates, expected.map(|(name, licence)| (name.to_owned(), licence.to_owned())));
    }

    #[test]
    fn a_line_in_another_form_is_told() {
        let error = parse("adler2 2.0.1 MIT\n").unwrap_err();
        assert!(error.contains("adler2 2.0.1 MIT"), "{error}");
    }
}
