//! Where imported prompts come from.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use promptops_client::DEFAULT_PROJECT;
use promptops_files::{Imported, ImportedVersion, Mistakes, foreign};
use promptops_registry::{Record, Records, StoreError, StoredVersion, read_export};
use walkdir::WalkDir;

use super::Format;
use crate::failure::{Exit, Failure};
use crate::settings::Session;

/// Largest file of another tool.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// What our own export begins with.
const EXPORT: &[u8] = br#"{"format":"promptops-export""#;

/// A prompt, and the project it was in.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) prompt: Imported,
    project: Option<String>,
}

impl Found {
    /// The project that it goes to: the one that is set, else the one it was in.
    pub(super) fn project(&self, session: &Session) -> String {
        let set = session.project.as_ref().or(self.project.as_ref());
        set.map_or_else(|| DEFAULT_PROJECT.to_owned(), Clone::clone)
    }
}

/// Prompts that can be read several times.
#[derive(Debug)]
pub(super) enum Source {
    /// Our own export, read as it goes: it may be large.
    Export(PathBuf),
    /// Another tool's, all of it.
    Foreign(Vec<Imported>),
}

impl Source {
    pub(super) fn open(paths: &[PathBuf], format: Option<Format>) -> Result<Self, Failure> {
        let (mut prompts, mut mistakes) = (Vec::new(), Vec::new());
        for (root, path) in files(paths)? {
            let format = match format {
                Some(format) => format,
                None => format_of(&path)?,
            };
            if format == Format::Promptops {
                if paths.len() > 1 {
                    return Err(Failure::usage("import one export at a time"));
                }
                return Ok(Self::Export(path));
            }
            match read(format, &root, &path)? {
                Ok(more) => prompts.extend(more),
                Err(more) => mistakes.push(more),
            }
        }
        if !mistakes.is_empty() {
            return Err(Failure::mistakes(mistakes));
        }
        let mut slugs = BTreeSet::new();
        if let Some(twice) = prompts.iter().find(|prompt| !slugs.insert(&prompt.slug)) {
            let message = format!("two prompts would have the slug `{}`", twice.slug);
            return Err(Failure::new(Exit::Conflict, message).help("import them one at a time"));
        }
        Ok(Self::Foreign(prompts))
    }

    /// The prompts, one after the other.
    pub(super) fn prompts(
        &self,
    ) -> Result<Box<dyn Iterator<Item = Result<Found, Failure>>>, Failure> {
        match self {
            Self::Export(path) => {
                let failed = |error: &dyn std::fmt::Display| {
                    Failure::new(Exit::Failed, format!("{}: {error}", path.display()))
                };
                let file = File::open(path).map_err(|error| failed(&error))?;
                let (_, records) = read_export(file).map_err(|error| match error {
                    StoreError::Other(reason) => failed(&reason),
                    other => failed(&other),
                })?;
                Ok(Box::new(Grouped { records, next: None }))
            }
            Self::Foreign(prompts) => {
                let found = |prompt| Ok(Found { prompt, project: None });
                Ok(Box::new(prompts.clone().into_iter().map(found)))
            }
        }
    }
}

/// The records of an export, a prompt at a time.
struct Grouped {
    records: Records,
    /// The prompt that the records before this began.
    next: Option<Found>,
}

impl Iterator for Grouped {
    type Item = Result<Found, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        for record in self.records.by_ref() {
            match record {
                Err(reason) => return Some(Err(reason.into())),
                Ok(Record::Prompt { head }) => {
                    let new =
                        Found { prompt: Imported::new(head.slug), project: Some(head.project) };
                    if let Some(whole) = self.next.replace(new) {
                        return Some(Ok(whole));
                    }
                }
                Ok(Record::Version { version }) => {
                    let versions = self.next.as_mut().map(|found| &mut found.prompt.versions);
                    if let Some(versions) = versions {
                        versions.push(imported(*version));
                    }
                }
                Ok(Record::Label { label }) => {
                    let labels = self.next.as_mut().map(|found| &mut found.prompt.labels);
                    if let Some(labels) = labels {
                        labels.push((label.label, label.target));
                    }
                }
                // What no registry takes from outside: keys, the audit trail.
                Ok(_) => {}
            }
        }
        self.next.take().map(Ok)
    }
}

fn imported(stored: StoredVersion) -> ImportedVersion {
    let mut version = ImportedVersion::new(stored.version.to_string(), stored.content.into());
    version.message = stored.message;
    version
}

/// The files that were named, each with the folder that its slug begins at.
fn files(paths: &[PathBuf]) -> Result<Vec<(PathBuf, PathBuf)>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if !path.exists() {
            return Err(Failure::new(Exit::NotFound, format!("there is no {}", path.display())));
        }
        if !path.is_dir() {
            let root = path.parent().unwrap_or(Path::new("")).to_owned();
            found.push((root, path.clone()));
            continue;
        }
        for entry in WalkDir::new(path).sort_by_file_name() {
            let entry = entry.map_err(|error| error.to_string())?;
            if entry.file_type().is_file() && extension(entry.path()).is_some() {
                found.push((path.clone(), entry.into_path()));
            }
        }
    }
    if found.is_empty() {
        let message = "there are no .prompt and no .prompty files";
        return Err(Failure::new(Exit::NotFound, message));
    }
    Ok(found)
}

/// The format that a file's name tells.
fn extension(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()? {
        "prompt" => Some(Format::Dotprompt),
        "prompty" => Some(Format::Prompty),
        _ => None,
    }
}

fn format_of(path: &Path) -> Result<Format, Failure> {
    if let Some(format) = extension(path) {
        return Ok(format);
    }
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut first = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(EXPORT.len() as u64).read_to_end(&mut first).map_err(failed)?;
    Ok(if first == EXPORT { Format::Promptops } else { Format::Langfuse })
}

/// Reads a file of another tool.
fn read(
    format: Format,
    root: &Path,
    path: &Path,
) -> Result<Result<Vec<Imported>, Mistakes>, Failure> {
    let shown = path.display().to_string();
    let failed =
        |reason: &dyn std::fmt::Display| Failure::new(Exit::Failed, format!("{shown}: {reason}"));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| failed(&error))?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(failed(&format!("is larger than {} MiB", MAX_BYTES / 1024 / 1024)));
    }
    // As with our own files, folders are slashes.
    let slug = path.strip_prefix(root).unwrap_or(path).with_extension("");
    let slug = slug.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
    Ok(match format {
        Format::Dotprompt => foreign::dotprompt(&shown, &slug, &bytes).map(|one| vec![one]),
        Format::Prompty => foreign::prompty(&shown, &slug, &bytes).map(|one| vec![one]),
        Format::Langfuse | Format::Promptops => foreign::langfuse(&shown, &bytes),
    })
}
