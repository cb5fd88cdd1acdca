//! A copy of the workspace: what a tool writes beside manifests or into Cargo.lock stays out of ours.

use crate::Outcome;
use crate::command::program;
use std::fs;
use std::path::Path;

/// Copies every file that is in git or could be added to it. What was there before is deleted.
pub(super) fn workspace(to: &str) -> Outcome {
    let listed = program("git", ["ls-files", "-z", "-co", "--exclude-standard"]).output()?;
    delete(to)?;
    for path in listed.split('\0').map(Path::new).filter(|path| path.is_file()) {
        file(path, &Path::new(to).join(path))
            .map_err(|error| format!("cannot copy {} to {to}: {error}", path.display()))?;
    }
    Ok(())
}

/// Deletes a folder, if it is there.
pub(super) fn delete(folder: &str) -> Outcome {
    if Path::new(folder).exists() {
        fs::remove_dir_all(folder).map_err(|error| format!("cannot delete {folder}: {error}"))?;
    }
    Ok(())
}

fn file(from: &Path, to: &Path) -> std::io::Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).map(|_| ())
}
