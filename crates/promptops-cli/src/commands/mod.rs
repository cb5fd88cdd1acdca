//! One module a command.

mod backup;
mod compat;
mod completions;
mod create;
mod delete;
mod diff;
mod export;
mod get;
mod health;
mod import;
mod init;
mod keys;
mod label;
mod list;
mod man;
mod models;
mod pull;
mod push;
mod render;
mod serve;
mod stats;
mod store_transfer;
mod update;
mod validate;
mod versions;
mod watch;

use clap::Subcommand;

pub(crate) use self::list::PAGE;

use crate::failure::Failure;
use crate::settings::Global;

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident($type:ty),)*) => {
        #[derive(Debug, Subcommand)]
        pub(crate) enum Command {
            $($(#[$doc])* $name($type),)*
        }

        impl Command {
            pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
                match self {
                    $(Self::$name(command) => command.run(global),)*
                }
            }
        }
    };
}

commands! {
    /// Sets a folder up for prompts as files: promptops.toml, the folder, a registry
    Init(init::Init),
    /// Publishes what prompt files say
    Push(push::Push),
    /// Writes prompts to their files
    Pull(pull::Pull),
    /// Shows what differs between versions, labels and files
    Diff(diff::Diff),
    /// Finds the mistakes in prompt files, or in stored prompts
    Validate(validate::Validate),
    /// Lists prompts
    List(list::List),
    /// Shows a prompt
    Get(get::Get),
    /// Fills in the variables of a prompt
    Render(render::Render),
    /// Lists the versions of a prompt
    Versions(versions::Versions),
    /// Creates a prompt
    Create(create::Create),
    /// Publishes a version of a prompt, or edits one
    Update(update::Update),
    /// Deletes a prompt, or one version of it
    Delete(delete::Delete),
    /// Points labels at versions, and back
    Label(label::Label),
    /// Tells whether a prompt can be used with models
    Compat(compat::Compat),
    /// Lists the models that the registry knows
    Models(models::Models),
    /// Follows what is published, labelled and deleted
    Watch(watch::Watch),
    /// Tells what was used
    Stats(stats::Stats),
    /// Tells how the registry is
    Health(health::Health),
    /// Makes, lists and ends API keys
    Keys(keys::Keys),
    /// Writes prompts with all their versions to one file
    Export(export::Export),
    /// Reads prompts from such a file, or from another tool's
    Import(import::Import),
    /// Serves a registry over HTTP
    Serve(serve::Serve),
    /// Copies a registry's file, while a server may be using it
    Backup(backup::Backup),
    /// Makes a registry from a backup
    Restore(backup::Restore),
    /// Writes what a shell completes this command with
    Completions(completions::Completions),
    /// Writes the manual's pages
    Man(man::Man),
}
