//! `promptops completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::Arguments;
use crate::failure::Failure;
use crate::settings::Global;

/// Writes what a shell completes this command with
///
/// For bash: `promptops completions bash > ~/.local/share/bash-completion/completions/promptops`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let mut command = Arguments::command();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "promptops", &mut script);
        global.output().raw(&String::from_utf8_lossy(&script))
    }
}
