//! `promptops delete`.

use clap::Args;
use dialoguer::Confirm;

use crate::block_on;
use crate::failure::{Exit, Failure};
use crate::output::can_ask;
use crate::settings::{Global, Registry};

/// Deletes a prompt, or one version of it
///
/// On a terminal it asks first. What a label points at stays, unless --force is given.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Slug or UUID
    prompt: String,

    /// Only this version
    #[arg(long)]
    version: Option<String>,

    /// Though labels point at it
    #[arg(long)]
    force: bool,

    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Delete {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let session = global.session(Registry::IsThere)?;
        let what = match &self.version {
            Some(version) => format!("version {version} of {}", self.prompt),
            None => format!("{} with all its versions", self.prompt),
        };
        if !self.yes && can_ask() {
            let question = Confirm::new().with_prompt(format!("Delete {what}?")).default(false);
            if !question.interact().map_err(|error| error.to_string())? {
                return Err(Failure::new(Exit::Failed, "nothing is deleted"));
            }
        }
        let mut request = session.client.delete_prompt(&self.prompt).force(self.force);
        if let Some(version) = &self.version {
            request = request.version(version);
        }
        let deleted = block_on(async { Ok(request.report().await?) })?;
        if session.output.json {
            return session.output.data(&deleted);
        }
        let versions = deleted.versions.join(", ");
        let gone = if deleted.prompt_deleted { "; the prompt is gone" } else { "" };
        session.output.line(&format!("deleted {} {versions}{gone}", deleted.slug))
    }
}
