//! What every manifest says: shared lints, a description, a README that is the crate's
//! documentation, and versions that stand in the root alone.

use super::{File, Finding};
use std::collections::BTreeMap;

const README_IN_ROOT: &str = "#![doc = include_str!(\"../README.md\")]";

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in files {
        let Some(folder) = manifest.path.strip_suffix("/Cargo.toml") else {
            continue;
        };
        // A manifest that is a workspace of its own (a fuzz crate) cannot inherit from ours.
        if manifest.lines().any(|(_, line)| line.trim().starts_with("[workspace")) {
            continue;
        }
        let entries = entries(&manifest.text);
        findings.extend(versions(manifest, &entries));
        if folder.starts_with("crates/") {
            findings.extend(package(manifest, &entries));
            findings.extend(readme(manifest, folder, files));
        }
    }
    findings
}

fn package(manifest: &File, entries: &[Entry]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let has = |path: &str, value: &str| {
        entries.iter().any(|entry| entry.path == path && entry.value == value)
    };
    // The Python package allows what is unsafe where a reason stands beside it; nothing else does.
    let is_exempt = manifest.path == "crates/promptops-python/Cargo.toml"
        && has("lints.rust.unsafe_code", "\"deny\"");
    if !has("lints.workspace", "true") && !is_exempt {
        findings.push(manifest.finding(1, "add `[lints]` with `workspace = true`"));
    }
    if !entries.iter().any(|entry| entry.path == "package.description") {
        findings.push(manifest.finding(1, "add a `description` of one sentence to `[package]`"));
    }
    findings
}

fn readme(manifest: &File, folder: &str, files: &[File]) -> Option<Finding> {
    let find = |name: &str| files.iter().find(|file| file.path == format!("{folder}/{name}"));
    if find("README.md").is_none() {
        return Some(
            manifest.finding(1, "add a README.md beside it: what the crate does, and how"),
        );
    }
    match find("src/lib.rs").or_else(|| find("src/main.rs")) {
        Some(root) if root.text.contains(README_IN_ROOT) => None,
        Some(root) => Some(root.finding(1, format!("add `{README_IN_ROOT}`"))),
        None => Some(manifest.finding(1, "add src/lib.rs or src/main.rs")),
    }
}

/// A finding for every dependency that does not inherit from the workspace.
fn versions(manifest: &File, entries: &[Entry]) -> Vec<Finding> {
    // One dependency may span several entries: `[dependencies.serde]`, `serde.features = [..]`.
    let mut dependencies: BTreeMap<usize, (&str, bool)> = BTreeMap::new();
    for entry in entries {
        let Some((name, key)) = dependency(&entry.path) else {
            continue;
        };
        let inherits = match key {
            // A crate that turns on its own features for its tests has no version to state.
            "" if entry.value.contains("path = \".\"") => !entry.value.contains("version"),
            "" => entry.value.contains("workspace = true"),
            key => key == "workspace" && entry.value == "true",
        };
        let same = dependencies.values_mut().next_back().filter(|(last, _)| *last == name);
        match same {
            Some((_, any)) if !key.is_empty() => *any |= inherits,
            _ => {
                dependencies.insert(entry.line, (name, inherits));
            }
        }
    }
    dependencies
        .into_iter()
        .filter(|(_, (_, inherits))| !inherits)
        .map(|(line, (name, _))| {
            manifest.finding(
                line,
                format!(
                    "`{name}`: put the version into [workspace.dependencies] of the root \
                     Cargo.toml, with a comment on what it is for, and write \
                     `{name} = {{ workspace = true }}` here"
                ),
            )
        })
        .collect()
}

/// The name and what follows it: `dependencies.serde.features` is `("serde", "features")`.
fn dependency(path: &str) -> Option<(&str, &str)> {
    let rest = ["dependencies.", "dev-dependencies.", "build-dependencies."]
        .into_iter()
        .find_map(|kind| path.strip_prefix(kind))
        .or_else(|| {
            path.strip_prefix("target.")?.split_once("dependencies.").map(|(_, rest)| rest)
        })?;
    Some(rest.split_once('.').unwrap_or((rest, "")))
}

/// One `key = value` of a manifest, its path led by the table it stands in.
struct Entry {
    path: String,
    value: String,
    line: usize,
}

/// The entries of a manifest, a value of several lines joined. It reads what manifests hold; it is
/// no TOML parser.
fn entries(manifest: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut table = "";
    let mut open = 0;
    for (index, line) in manifest.lines().enumerate() {
        let line = line.split(" #").next().unwrap_or(line).trim();
        let opened = line.matches(['[', '{']).count();
        let closed = line.matches([']', '}']).count();
        if open > 0 {
            open = (open + opened).saturating_sub(closed);
            if let Some(entry) = entries.last_mut() {
                entry.value.push_str(line);
            }
        } else if line.starts_with('[') {
            table = line.trim_matches(['[', ']']);
        } else if let Some((key, value)) = line.split_once('=')
            && !line.starts_with('#')
        {
            open = opened.saturating_sub(closed);
            let path = format!("{table}.{}", key.trim());
            entries.push(Entry { path, value: value.trim().to_owned(), line: index + 1 });
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::{README_IN_ROOT, check};
    use crate::tidy::tests::{file, places};

    const NONE: [&str; 0] = [];

    const GOOD: &str = "\
[package]
name = \"a\"
description = \"What it does.\"

[features]
default = [\"b\"]

[dependencies]
# promptops-types = \"1\"
promptops-types = { workspace = true }
serde.workspace = true
tokio = { features = [
    \"rt\",
    \"time\",
], workspace = true }

[dev-dependencies]
a = { path = \".\", features = [\"test-util\"] }

[dev-dependencies.proptest]
features = [\"std\"]
workspace = true

[target.'cfg(unix)'.dependencies]
libc = { workspace = true } # signals

[lints]
workspace = true
";

    fn with_manifest(manifest: &str) -> Vec<String> {
        places(&check(&[
            file("crates/a/Cargo.toml", manifest),
            file("crates/a/README.md", "# a\n"),
            file("crates/a/src/lib.rs", README_IN_ROOT),
        ]))
    }

    #[test]
    fn a_manifest_in_order_passes() {
        assert_eq!(with_manifest(GOOD), NONE);
    }

    #[test]
    fn lints_and_description_are_asked_for() {
        let place = "crates/a/Cargo.toml:1";
        let no_lints = GOOD.replace("[lints]", "[badges]");
        assert_eq!(with_manifest(&no_lints), [place]);
        let no_description = GOOD.replace("description", "authors");
        assert_eq!(with_manifest(&no_description), [place]);
    }

    #[test]
    fn the_readme_is_the_documentation_of_the_crate() {
        let manifest = || file("crates/a/Cargo.toml", GOOD);
        let readme = || file("crates/a/README.md", "# a\n");
        let found = check(&[manifest(), file("crates/a/src/lib.rs", README_IN_ROOT)]);
        assert_eq!(places(&found), ["crates/a/Cargo.toml:1"]);
        let found = check(&[manifest(), readme(), file("crates/a/src/main.rs", "fn main() {}\n")]);
        assert_eq!(places(&found), ["crates/a/src/main.rs:1"]);
    }

    #[test]
    fn a_version_outside_the_root_is_found_wherever_it_stands() {
        let text = "[dependencies]\na = \"1\"\nb = { version = \"1\", features = [\n\"c\" ] }\n\
                    d.version = \"1\"\nd.features = []\n[dev-dependencies.e]\nversion = \"1\"\n\
                    [target.'cfg(unix)'.build-dependencies]\nf = { git = \"g\" }\n";
        let found = check(&[file("examples/Cargo.toml", text)]);
        let lines = [2, 3, 5, 8, 10].map(|line| format!("examples/Cargo.toml:{line}"));
        assert_eq!(places(&found), lines);
    }

    #[test]
    fn the_root_and_workspaces_of_their_own_may_hold_versions() {
        let own = "[workspace]\n[dependencies]\na = \"1\"\n";
        let found = check(&[
            file("Cargo.toml", "[workspace.dependencies]\na = \"1\"\n"),
            file("fuzz/Cargo.toml", own),
        ]);
        assert_eq!(places(&found), NONE);
    }
}
