//! `cargo xtask models`: the model catalogue, refreshed from litellm on `PyPI`.

mod catalogue;
mod litellm;

use crate::command::program;
use crate::{Outcome, read};
use catalogue::Catalogue;
use std::path::{Path, PathBuf};

const CATALOGUE: &str = "crates/promptops-registry/data/models.json";
const SOURCE: &str = "model_prices_and_context_window_backup.json";

/// Writes the catalogue, unless nothing but its date would change.
pub(crate) fn refresh() -> Outcome {
    let before = current()?;
    let after = download()?;
    if let Some(before) = &before {
        if before.says_the_same_as(&after) {
            println!("models: {CATALOGUE} is up to date with {}", after.source);
            return Ok(());
        }
        refuse_a_collapse(before, &after)?;
    }
    write(&after.to_json()?).map_err(|error| format!("cannot write {CATALOGUE}: {error}"))?;
    println!("models: {CATALOGUE} now has {} models: {}", after.models.len(), after.summary());
    Ok(())
}

fn write(text: &str) -> std::io::Result<()> {
    if let Some(folder) = Path::new(CATALOGUE).parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(CATALOGUE, text)
}

/// Fails when the catalogue is out of date, and writes nothing.
pub(crate) fn check() -> Outcome {
    let after = download()?;
    if current()?.is_some_and(|before| before.says_the_same_as(&after)) {
        println!("models: {CATALOGUE} is up to date with {}", after.source);
        Ok(())
    } else {
        Err(format!("{CATALOGUE} is not what {} says. Run: cargo xtask models", after.source))
    }
}

fn current() -> Result<Option<Catalogue>, String> {
    if !Path::new(CATALOGUE).is_file() {
        return Ok(None);
    }
    serde_json::from_str(&read(CATALOGUE)?)
        .map(Some)
        .map_err(|error| format!("{CATALOGUE} is no catalogue: {error}. Restore it from git."))
}

/// Fewer than half as many models means that the format has changed, not the market.
fn refuse_a_collapse(before: &Catalogue, after: &Catalogue) -> Outcome {
    let (before, after) = (before.models.len(), after.models.len());
    if after * 2 >= before {
        return Ok(());
    }
    Err(format!(
        "{CATALOGUE} has {before} models and would have {after}: not written. See whether litellm \
         has renamed a field or a provider (xtask/src/models/litellm.rs); if so many models really \
         are gone, delete the file and run this again."
    ))
}

fn download() -> Result<Catalogue, String> {
    let folder = TemporaryFolder::create()?;
    let path = folder.0.display().to_string();
    program("python3", ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"])
        .arguments(["--disable-pip-version-check", "-d", &path, "litellm"])
        .run()?;
    let wheel = folder.wheel()?;
    let version = version(&wheel)?;
    program("python3", ["-m", "zipfile", "-e"])
        .arguments([&format!("{path}/{wheel}"), &path])
        .run()?;
    let models = litellm::models(&read(folder.0.join("litellm").join(SOURCE))?)?;
    let date =
        program("python3", ["-c", "import datetime; print(datetime.date.today())"]).output()?;
    Ok(Catalogue {
        source: format!("litellm {version}, {SOURCE} (MIT License)"),
        date: date.trim().to_owned(),
        models,
    })
}

/// The version in a wheel's file name: `litellm-1.2.3-py3-none-any.whl`.
fn version(wheel: &str) -> Result<&str, String> {
    wheel
        .strip_prefix("litellm-")
        .and_then(|rest| rest.split_once('-'))
        .map(|(version, _)| version)
        .ok_or_else(|| format!("no version in the file name {wheel}"))
}

/// A folder that is deleted when dropped.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn create() -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("promptops-models-{}", std::process::id()));
        std::fs::create_dir(&path)
            .map_err(|error| format!("cannot create {}: {error}", path.display()))?;
        Ok(Self(path))
    }

    fn wheel(&self) -> Result<String, String> {
        std::fs::read_dir(&self.0)
            .map_err(|error| format!("cannot read {}: {error}", self.0.display()))?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .find(|name| Path::new(name).extension().is_some_and(|extension| extension == "whl"))
            .ok_or_else(|| "pip downloaded no wheel of litellm".to_owned())
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("note: {} is left behind: {error}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Catalogue, litellm, refuse_a_collapse, version};
    use serde_json::{Map, json};

    fn catalogue(size: usize) -> Catalogue {
        let entries: Map<_, _> = (0..size)
            .map(|number| {
                let entry = json!({
                    "litellm_provider": "ollama", "mode": "chat", "max_input_tokens": 8192,
                    "max_output_tokens": 8192, "input_cost_per_token": 0,
                    "output_cost_per_token": 0,
                });
                (format!("ollama/model-{number}"), entry)
            })
            .collect();
        let models = litellm::models(&json!(entries).to_string()).unwrap();
        Catalogue { source: "litellm".to_owned(), date: "2026-01-01".to_owned(), models }
    }

    #[test]
    fn a_catalogue_less_than_half_as_long_is_refused() {
        assert!(refuse_a_collapse(&catalogue(5), &catalogue(2)).is_err());
        assert!(refuse_a_collapse(&catalogue(4), &catalogue(2)).is_ok());
        assert!(refuse_a_collapse(&catalogue(2), &catalogue(5)).is_ok());
    }

    #[test]
    fn the_version_is_read_from_the_name_of_the_wheel() {
        assert_eq!(
            version("litellm-1.2.3rc1-cp310-abi3-manylinux_2_28_x86_64.whl"),
            Ok("1.2.3rc1")
        );
        assert!(version("other-1.2.3-py3-none-any.whl").is_err());
    }
}
