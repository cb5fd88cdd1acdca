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
    ($($name:ident($type:ty),)*) => {
        #[derive(Debug, Subcommand)]
        pub(crate) enum Command {
            $($name($type),)*
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
    Init(init::Init),
    Push(push::Push),
    Pull(pull::Pull),
    Diff(diff::Diff),
    Validate(validate::Validate),
    List(list::List),
    Get(get::Get),
    Render(render::Render),
    Versions(versions::Versions),
    Create(create::Create),
    Update(update::Update),
    Delete(delete::Delete),
    Label(label::Label),
    Compat(compat::Compat),
    Models(models::Models),
    Watch(watch::Watch),
    Stats(stats::Stats),
    Health(health::Health),
    Keys(keys::Keys),
    Export(export::Export),
    Import(import::Import),
    Serve(serve::Serve),
    Backup(backup::Backup),
    Restore(backup::Restore),
    Completions(completions::Completions),
    Man(man::Man),
}
