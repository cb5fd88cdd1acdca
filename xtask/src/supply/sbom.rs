//! `cargo xtask sbom`: what each shipped binary is made of, in `CycloneDX`, for programs to read.

use super::copy;
use crate::command::{cargo, program};
use crate::{Outcome, read};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const FOLDER: &str = "target/sbom";
/// The tool writes beside every manifest.
const COPY: &str = "target/sbom/workspace";
const PYTHON: &str = "crates/promptops-python/pyproject.toml";

pub(crate) fn run() -> Outcome {
    if !cargo("cyclonedx --version").works() {
        return Err("cargo-cyclonedx is not installed, and writes what binaries are made of.\n\
                    Install it: cargo install --locked cargo-cyclonedx@0.5.9"
            .to_owned());
    }
    copy::delete(FOLDER)?;
    copy::workspace(COPY)?;
    // The time of the commit, so that the same commit gives the same files.
    let time = program("git", ["log", "-1", "--format=%ct"]).output()?;
    cargo("cyclonedx --format json --spec-version 1.5 --describe binaries --all-features")
        .arguments(["--target", "all", "--manifest-path", &format!("{COPY}/Cargo.toml")])
        .env("SOURCE_DATE_EPOCH", time.trim())
        .run()?;
    let package = python_name(&read(PYTHON)?)?;
    keep("promptops-cli/promptops_bin.cdx.json", "promptops.cdx.json", |_| ())?;
    keep("promptops-python/_promptops_cdylib.cdx.json", "promptops-python.cdx.json", |sbom| {
        name_python_package(sbom, &package);
    })?;
    copy::delete(COPY)
}

/// Takes one file out of the copy, without the paths of this machine.
fn keep(from: &str, to: &str, change: impl FnOnce(&mut Value)) -> Outcome {
    let root = fs::canonicalize(COPY).map_err(|error| format!("no folder {COPY}: {error}"))?;
    let text = read(Path::new(COPY).join("crates").join(from))?;
    let text = text.replace(&format!("{}/", root.display()), "/");
    let mut sbom: Value = serde_json::from_str(&text)
        .map_err(|error| format!("cargo cyclonedx wrote no JSON into {from}: {error}"))?;
    change(&mut sbom);
    let crates = sbom["components"].as_array().map_or(0, Vec::len);
    let path = format!("{FOLDER}/{to}");
    fs::write(&path, format!("{sbom:#}\n"))
        .map_err(|error| format!("cannot write {path}: {error}"))?;
    println!("sbom: {path} names {crates} crates");
    Ok(())
}

/// The name on `PyPI`; the version is the workspace's.
fn python_name(pyproject: &str) -> Result<String, String> {
    pyproject
        .lines()
        .find_map(|line| line.strip_prefix("name = \""))
        .and_then(|rest| rest.strip_suffix('"'))
        .map(str::to_owned)
        .ok_or_else(|| format!("no line `name = \"…\"` in {PYTHON}"))
}

/// The module in the wheel is known by the package that brings it.
fn name_python_package(sbom: &mut Value, name: &str) {
    let component = &mut sbom["metadata"]["component"];
    let version = component["version"].as_str().unwrap_or_default();
    component["purl"] = json!(format!("pkg:pypi/{name}@{version}"));
    component["name"] = json!(name);
}

#[cfg(test)]
mod tests {
    use super::{name_python_package, python_name};
    use serde_json::json;

    #[test]
    fn the_python_package_is_known_by_its_name_on_pypi() {
        let name = python_name("[project]\nname = \"promptops-client\"\n").unwrap();
        let mut sbom = json!({ "metadata": { "component": {
            "bom-ref": "a", "name": "_promptops", "version": "1.2.3", "purl": "pkg:cargo/x@1.2.3",
        } } });
        name_python_package(&mut sbom, &name);
        assert_eq!(
            sbom["metadata"]["component"],
            json!({
                "bom-ref": "a", "name": "promptops-client", "version": "1.2.3",
                "purl": "pkg:pypi/promptops-client@1.2.3",
            })
        );
    }

    #[test]
    fn a_project_without_a_name_is_told() {
        assert!(python_name("[project]\n").unwrap_err().contains("pyproject.toml"));
    }
}
