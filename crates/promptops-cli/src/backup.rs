//! `promptops backup` and `promptops restore`.

use std::path::{Path, PathBuf};

use clap::Args;
use promptops_server::copy_sqlite;

/// Copies a registry's file, while a server may be using it.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The registry: `sqlite:PATH`
    #[arg(long, env = "PROMPTOPS_DB", value_name = "URL", default_value = "sqlite:prompts.db")]
    db: String,

    /// The copy, which must not be there yet
    file: PathBuf,
}

/// Makes a registry from a backup.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The registry to make: `sqlite:PATH`, which must not be there yet
    #[arg(long, env = "PROMPTOPS_DB", value_name = "URL", default_value = "sqlite:prompts.db")]
    db: String,

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

fn path(db: &str) -> Result<&Path, String> {
    match db.strip_prefix("sqlite:") {
        Some(path) if !path.is_empty() && path != ":memory:" => Ok(Path::new(path)),
        _ => Err(format!("--db {db}: give sqlite:PATH; only a file is backed up")),
    }
}
