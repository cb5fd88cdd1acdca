//! `promptops backup` and `promptops restore`.

use std::path::{Path, PathBuf};

use clap::Args;
use promptops_server::copy_sqlite;
use serde_json::json;

use crate::db::Location;
use crate::failure::{Exit, Failure};
use crate::settings::Global;

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
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let from = path(&self.db)?;
        if !from.is_file() {
            return Err(missing("registry", from));
        }
        copy_sqlite(from, &self.file).map_err(|error| error.to_string())?;
        done(global, from, &self.file, "is backed up to")
    }
}

impl Restore {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let to = path(&self.db)?;
        if !self.file.is_file() {
            return Err(missing("backup", &self.file));
        }
        copy_sqlite(&self.file, to).map_err(|error| error.to_string())?;
        done(global, to, &self.file, "is made from")
    }
}

fn missing(what: &str, path: &Path) -> Failure {
    Failure::new(Exit::NotFound, format!("there is no {what} at {}", path.display()))
}

fn done(global: &Global, registry: &Path, backup: &Path, what: &str) -> Result<(), Failure> {
    let output = global.output();
    if output.json {
        return output.data(&json!({ "registry": registry, "backup": backup }));
    }
    output.line(&format!("{} {what} {}", registry.display(), backup.display()))
}

fn path(db: &Location) -> Result<&Path, String> {
    db.file().ok_or_else(|| {
        "--db: give sqlite:PATH; of PostgreSQL, use its own backups, or `promptops export`"
            .to_owned()
    })
}
