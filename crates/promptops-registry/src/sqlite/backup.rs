//! Copies of a registry's file.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::connection::{Place, failed};
use crate::StoreError;

/// Copies a registry's file as it is at one moment, while others read and write it: a whole file that
/// can be opened as it is. It is checked, and only then appears under its name. Blocks.
///
/// # Errors
/// [`StoreError::NotARegistry`] for another kind of file, [`StoreError::Other`] where there is a file of
/// the copy's name already, and whatever keeps SQLite from reading or writing.
pub fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let io = |path: &Path, error: &dyn std::fmt::Display| {
        StoreError::Io(format!("{}: {error}", path.display()))
    };
    // A log that another file of the name has left would be taken for this one's.
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = to.as_os_str().to_owned();
        name.push(suffix);
        let path = Path::new(&name);
        if path.try_exists().map_err(|error| io(path, &error))? {
            let message = format!("{} is there already; choose another name", path.display());
            return Err(StoreError::Other(message));
        }
    }
    let source = Place::File(from.to_owned()).open_existing()?;
    let name = to.file_name().map(|name| name.to_string_lossy().into_owned());
    let Some(name) = name else { return Err(io(to, &"names no file")) };
    let unfinished = to.with_file_name(format!("{name}.unfinished-{}", std::process::id()));
    let made = write(&source, &unfinished)
        .and_then(|()| fs::rename(&unfinished, to).map_err(|error| io(to, &error)))
        .and_then(|()| sync_folder(to).map_err(|error| io(to, &error)));
    if made.is_err() {
        // It may not have been made at all.
        let _ = fs::remove_file(&unfinished);
    }
    made
}

fn write(source: &Connection, to: &Path) -> Result<(), StoreError> {
    let Some(path) = to.to_str() else {
        return Err(StoreError::Other(format!("{} is not UTF-8", to.display())));
    };
    // One transaction that reads, so what others write meanwhile is not half in it.
    source.execute("VACUUM INTO ?", [path]).map_err(|error| failed(&error))?;
    let copy = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let check = copy.and_then(|copy| {
        copy.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0))
    });
    match check.map_err(|error| failed(&error))?.as_str() {
        "ok" => {}
        wrong => return Err(StoreError::Corrupt(format!("the copy is damaged: {wrong}"))),
    }
    let file = fs::File::open(to).and_then(|file| file.sync_all());
    file.map_err(|error| StoreError::Io(error.to_string()))
}

/// A new name is durable once its folder is.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => fs::File::open(".")?.sync_all(),
    }
}
