//! `promptops create`.

use clap::Args;
use promptops_client::NewPrompt;

use crate::block_on;
use crate::commands::update::{Fields, said};
use crate::failure::Failure;
use crate::settings::{Global, Registry};

/// Creates a prompt
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its name
    name: String,

    /// Its slug [default: made from the name]
    #[arg(long)]
    slug: Option<String>,

    /// The version to begin with [default: 1.0.0]
    #[arg(long)]
    version: Option<String>,

    #[command(flatten)]
    fields: Fields,
}

impl Create {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let mut new = NewPrompt::default();
        new.name = self.name;
        new.slug = self.slug;
        new.version = self.version;
        let changes = self.fields.update()?;
        if changes.content.is_none() && changes.messages.is_none() {
            return Err(Failure::usage("a prompt needs a content")
                .help("give --content TEXT, --file PATH, or --message ROLE=TEXT"));
        }
        new.content = changes.content;
        new.messages = changes.messages;
        new.description = changes.description;
        new.variables = changes.variables;
        new.target_models = changes.target_models.unwrap_or_default();
        new.template_format = changes.template_format.unwrap_or_default();
        new.tags = changes.tags.unwrap_or_default();
        new.metadata = changes.metadata.unwrap_or_default();
        new.module_id = changes.module_id;
        let session = global.session(Registry::MayBeNew)?;
        let prompt = block_on(async { Ok(session.client.create_prompt(new).await?) })?;
        said(&session, "created", &prompt)
    }
}
