//! `promptops backup` and `promptops restore`.

use std::path::{Path, PathBuf};

use clap::Args;
use promptops_server::copy_sqlite;

use crate::db::Location;

/// Copies a registry's file, while a server may be using it.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    db: Location,

    /// The copy, which must not be there yet
    file: PathBuf,
}

/// Makes a registry, which must not be there yet, from a backup.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    db: Location,

    /// The backup
    file: PathBuf,
}

impl Backup {
    pub(crate) fn run(&self) -> Result<(), String> {
        let from = path(&self.db)?;
        if !from.is_file() {
            return Err(format!("there is no registry at {}", from.display()));
        }
        copy_sqlite(from, &self.file).map_err(|error| error.to_string())?;
        println!("{} is backed up to {}", from.display(), self.file.display());
        Ok(())
    }
}

impl Restore {
    pub(crate) fn run(&self) -> Result<(), String> {
        let to = path(&self.db)?;
        if !self.file.is_file() {
            return Err(format!("there is no backup at {}", self.file.display()));
        }
        copy_sqlite(&self.file, to).map_err(|error| error.to_string())?;
        println!("{} is made from {}", to.display(), self.file.display());
        Ok(())
    }
}

fn path(db: &Location) -> Result<&Path, String> {
    db.file().ok_or_else(|| {
        "--db: give sqlite:PATH; of PostgreSQL, use its own backups, or `promptops export`"
            .to_owned()
    })
}
