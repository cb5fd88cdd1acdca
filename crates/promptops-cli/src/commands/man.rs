//! `promptops man`.

use std::path::PathBuf;

use clap::{Args, CommandFactory};

use crate::Arguments;
use crate::failure::Failure;
use crate::settings::Global;

/// Writes the manual's pages
///
/// Into a folder, one page a command; without one, the page of the whole to standard output.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder
    folder: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let command = Arguments::command();
        let Some(folder) = self.folder else {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            return global.output().raw(&String::from_utf8_lossy(&page));
        };
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        std::fs::create_dir_all(&folder).map_err(failed)?;
        clap_mangen::generate_to(command, &folder).map_err(failed)?;
        let output = global.output();
        if output.json {
            return output.data(&serde_json::json!({ "folder": folder }));
        }
        output.line(&format!("wrote the pages to {}", folder.display()))
    }
}
