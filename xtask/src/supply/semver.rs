//! `cargo xtask semver`: whether each published crate keeps what its last release promised.

use crate::Outcome;
use crate::command::{cargo, program};
use serde_json::Value;

/// Compares with the last release that is tagged, where there is one.
pub(crate) fn run() -> Outcome {
    let tags = program("git", ["tag", "--list", "v*", "--merged", "HEAD"]).output()?;
    let Some(tag) = last_release(&tags) else {
        println!("semver: no release is tagged v*, so there is nothing to compare with");
        return Ok(());
    };
    if !cargo("semver-checks --version").works() {
        return Err("cargo-semver-checks is not installed, and compares what crates promise.\n\
                    Install it: cargo install --locked cargo-semver-checks"
            .to_owned());
    }
    let metadata = cargo("metadata --format-version 1 --no-deps").output()?;
    let metadata: Value = serde_json::from_str(&metadata)
        .map_err(|error| format!("cargo metadata wrote no JSON: {error}"))?;
    let (old, new): (Vec<_>, Vec<_>) = published(&metadata).into_iter().partition(|name| {
        let manifest = format!("{tag}:crates/{name}/Cargo.toml");
        program("git", ["cat-file", "-e", &manifest]).works()
    });
    for name in new {
        println!("not compared: {name}, which {tag} does not have");
    }
    if old.is_empty() {
        return Ok(());
    }
    let packages = old.into_iter().flat_map(|name| ["--package", name]);
    cargo("semver-checks --all-features --baseline-rev").arguments([tag]).arguments(packages).run()
}

/// The highest version among tags; releases before a release count as less than it.
fn last_release(tags: &str) -> Option<&str> {
    let versions = tags.lines().filter_map(|tag| Some((version(tag)?, tag)));
    versions.max().map(|(_, tag)| tag)
}

/// Numbers, whether it is a release proper, and what stands behind the `-` if it is not.
type Version<'t> = ([u64; 3], bool, &'t str);

fn version(tag: &str) -> Option<Version<'_>> {
    let tag = tag.strip_prefix('v')?;
    let (numbers, before) = tag.split_once('-').unwrap_or((tag, ""));
    let numbers: Result<Vec<u64>, _> = numbers.split('.').map(str::parse).collect();
    Some((numbers.ok()?.try_into().ok()?, before.is_empty(), before))
}

/// The libraries of ours that crates.io has.
fn published(metadata: &Value) -> Vec<&str> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_library = |package: &Value| {
        let targets = package["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
        targets.iter().any(|target| target["kind"][0] == "lib")
    };
    // `publish = false` is an empty list of registries.
    packages
        .iter()
        .filter(|package| package["publish"].is_null() && is_library(package))
        .filter_map(|package| package["name"].as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{last_release, published};
    use serde_json::json;

    #[test]
    fn the_last_release_is_the_highest_version_not_the_last_word() {
        assert_eq!(last_release("v0.10.0\nv0.2.0\nv0.9.1\n"), Some("v0.10.0"));
        assert_eq!(last_release("v1.0.0\nv1.0.0-rc.1\n"), Some("v1.0.0"));
        assert_eq!(last_release("v1.0.0-rc.1\nv0.9.0\n"), Some("v1.0.0-rc.1"));
    }

    #[test]
    fn tags_that_are_no_versions_are_no_releases() {
        assert_eq!(last_release("v1\nvim\nversion-2.0.0\nv1.2.3.4\n"), None);
        assert_eq!(last_release(""), None);
    }

    #[test]
    fn only_libraries_that_are_published_are_compared() {
        let package = |name, publish, kind| json!({ "name": name, "publish": publish, "targets": [{ "kind": [kind] }] });
        let metadata = json!({ "packages": [
            package("types", json!(null), "lib"),
            package("python", json!([]), "cdylib"),
            package("tests", json!([]), "lib"),
            package("command", json!(null), "bin"),
        ] });
        assert_eq!(published(&metadata), ["types"]);
    }
}
