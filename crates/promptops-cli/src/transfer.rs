//! `promptops export` and `promptops import`.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

use clap::Args;
use promptops_server::{Access, Transferred};

use crate::db::Location;
use crate::runtime;

/// Writes everything that a registry holds to a file: JSON lines with a checksum.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    db: Location,

    /// The file, which must not be there yet
    file: PathBuf,
}

/// Fills an empty registry from such a file, whole or not at all.
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(flatten)]
    db: Location,

    /// The file
    file: PathBuf,
}

impl Export {
    pub(crate) fn run(&self) -> Result<(), String> {
        let name = self.file.display();
        if let Some(path) = self.db.file().filter(|path| !path.is_file()) {
            return Err(format!("there is no registry at {}", path.display()));
        }
        let file = File::create_new(&self.file).map_err(|error| format!("{name}: {error}"))?;
        let exported = runtime()?.block_on(async {
            let registry = self.db.open().await?;
            let access = Access::full("promptops export");
            let exported = registry.export(&access, BufWriter::new(&file)).await;
            exported.map_err(|error| error.to_string())
        });
        let exported = exported.and_then(|exported| {
            file.sync_all().map_err(|error| format!("{name}: {error}"))?;
            Ok(exported)
        });
        if exported.is_err() {
            // Half a file is of no use to anybody.
            let _ = std::fs::remove_file(&self.file);
        }
        tell(&exported?, "exported");
        Ok(())
    }
}

impl Import {
    pub(crate) fn run(&self) -> Result<(), String> {
        let name = self.file.display();
        let file = File::open(&self.file).map_err(|error| format!("{name}: {error}"))?;
        let imported = runtime()?.block_on(async {
            let registry = self.db.open().await?;
            let access = Access::full("promptops import");
            registry.import(&access, file).await.map_err(|error| error.to_string())
        })?;
        tell(&imported, "imported");
        Ok(())
    }
}

fn tell(transferred: &Transferred, done: &str) {
    let Transferred { records, digest } = transferred;
    println!("{done} {records} records; SHA-256 of them {digest}");
}
