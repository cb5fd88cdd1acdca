//! Everything that a store holds, keys and audit trail included, to a file and from one: with `--db`.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use promptops_server::{Access, Transferred};

use crate::block_on;
use crate::db::Location;
use crate::failure::{Exit, Failure};
use crate::interrupt::Interrupt;

/// Writes everything to a file that is not there yet.
pub(crate) fn export(db: &Location, path: &Path) -> Result<Transferred, Failure> {
    if let Some(registry) = db.file().filter(|registry| !registry.is_file()) {
        let message = format!("there is no registry at {}", registry.display());
        return Err(Failure::new(Exit::NotFound, message));
    }
    whole(path, |file| {
        block_on(async {
            let registry = db.open().await?;
            let access = Access::full("promptops export");
            let to = BufWriter::new(Interrupt::listen().ends(file));
            let exported = registry.export(&access, to).await;
            Ok(exported.map_err(|error| error.to_string())?)
        })
    })
}

/// Fills an empty store from such a file, whole or not at all.
pub(crate) fn import(db: &Location, path: &Path) -> Result<Transferred, Failure> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    block_on(async {
        let registry = db.open().await?;
        let access = Access::full("promptops import");
        Ok(registry.import(&access, file).await.map_err(|error| error.to_string())?)
    })
}

/// Makes a file that is not there yet, and takes it away again if it cannot be written whole.
pub(crate) fn whole<T>(
    path: &Path,
    write: impl FnOnce(&File) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let failed = |error: std::io::Error| {
        let path = path.display();
        match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Failure::new(Exit::Conflict, format!("{path} is there already"))
                    .help("choose another name; nothing is overwritten")
            }
            _ => Failure::new(Exit::Failed, format!("{path}: {error}")),
        }
    };
    if path.exists() {
        return Err(failed(std::io::ErrorKind::AlreadyExists.into()));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let file = tempfile::NamedTempFile::new_in(parent.unwrap_or(Path::new("."))).map_err(failed)?;
    let written = write(file.as_file())?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path).map(drop).map_err(|error| failed(error.error))?;
    Ok(written)
}
