//! The folder of prompt files.

use std::io::Write;
use std::path::{Path, PathBuf};

use promptops_files::{PROMPT_FILE, PromptFile, path_of, slug_of};
use promptops_registry::check_prompt;
use walkdir::WalkDir;

use crate::failure::{Exit, Failure};

/// Largest prompt file: a prompt is at most 4 MiB.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// A prompt's file and its slug.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) slug: String,
    pub(crate) path: PathBuf,
}

impl Entry {
    /// Reads the file.
    pub(crate) fn read(&self) -> Result<PromptFile, ReadFailure> {
        let shown = self.path.display().to_string();
        let failed = |reason: &dyn std::fmt::Display| {
            ReadFailure::Failed(Failure::new(Exit::Failed, format!("{shown}: {reason}")))
        };
        let size = std::fs::metadata(&self.path).map_err(|error| failed(&error))?.len();
        if size > MAX_BYTES {
            return Err(failed(&format!("is larger than {} MiB", MAX_BYTES / 1024 / 1024)));
        }
        let bytes = std::fs::read(&self.path).map_err(|error| failed(&error))?;
        // What is sound here, a registry takes.
        PromptFile::parse_with(&shown, &self.slug, &bytes, check_prompt)
            .map_err(ReadFailure::Mistakes)
    }
}

/// Why a prompt file cannot be used.
#[derive(Debug)]
pub(crate) enum ReadFailure {
    Mistakes(promptops_files::Mistakes),
    Failed(Failure),
}

impl From<ReadFailure> for Failure {
    fn from(failure: ReadFailure) -> Self {
        match failure {
            ReadFailure::Mistakes(mistakes) => Self::mistakes(vec![mistakes]),
            ReadFailure::Failed(failure) => failure,
        }
    }
}

/// The prompt files of a folder, by slug. Names that begin with a dot are left alone.
pub(crate) fn entries(folder: &Path) -> Result<Vec<Entry>, Failure> {
    if !folder.is_dir() {
        let message = format!("there is no folder {}", folder.display());
        let help = "`promptops init` makes one; `folder` in promptops.toml says where it is";
        return Err(Failure::new(Exit::NotFound, message).help(help));
    }
    let is_seen = |entry: &walkdir::DirEntry| {
        entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".")
    };
    let mut found = Vec::new();
    for entry in WalkDir::new(folder).into_iter().filter_entry(is_seen) {
        let entry = entry.map_err(|error| error.to_string())?;
        if entry.file_type().is_dir() || !is_prompt_file(entry.path()) {
            continue;
        }
        found.push(entry_of(folder, entry.path())?);
    }
    found.sort();
    Ok(found)
}

/// The prompt files that were named: files, and folders with all that is in them.
pub(crate) fn chosen(folder: &Path, paths: &[PathBuf]) -> Result<Vec<Entry>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let within = entries(path)?;
            // Slugs begin at the folder of the prompts, not at the one that was named.
            found.extend(
                within
                    .iter()
                    .map(|entry| entry_of(folder, &entry.path))
                    .collect::<Result<Vec<_>, _>>()?,
            );
        } else if path.exists() {
            found.push(entry_of(folder, path)?);
        } else {
            return Err(Failure::new(Exit::NotFound, format!("there is no {}", path.display())));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

pub(crate) fn is_prompt_file(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(PROMPT_FILE.as_bytes())
}

/// The entry of a file; outside the folder, its name alone is its slug.
pub(crate) fn entry_of(folder: &Path, path: &Path) -> Result<Entry, Failure> {
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (inner, outer) = (whole(path), whole(folder));
    let relative =
        inner.strip_prefix(&outer).ok().or_else(|| path.file_name().map(Path::new)).unwrap_or(path);
    let slug = slug_of(relative).map_err(|reason| Failure::new(Exit::Failed, reason))?;
    Ok(Entry { slug, path: path.to_owned() })
}

/// Where a prompt's file is in a folder.
pub(crate) fn file_of(folder: &Path, slug: &str) -> Result<PathBuf, Failure> {
    Ok(folder.join(path_of(slug)?))
}

/// Writes a file whole or not at all, and makes the folders to it.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::from(format!("{}: {error}", path.display()));
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(failed)?;
    let mut new = tempfile::Builder::new();
    #[cfg(unix)]
    let new = {
        use std::os::unix::fs::PermissionsExt;
        // As every other file: the umask takes its part.
        new.permissions(std::fs::Permissions::from_mode(0o666))
    };
    let mut new = new.prefix(".promptops-").tempfile_in(parent).map_err(failed)?;
    new.write_all(text.as_bytes()).map_err(failed)?;
    new.persist(path).map(drop).map_err(|error| failed(error.error))
}
