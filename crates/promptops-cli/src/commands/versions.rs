//! `promptops versions`.

use clap::Args;

use crate::block_on;
use crate::failure::Failure;
use crate::output::moment;
use crate::settings::{Global, Registry};

/// Lists the versions of a prompt, the one published last first
#[derive(Debug, Args)]
pub(crate) struct Versions {
    /// Slug or UUID
    prompt: String,
}

impl Versions {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let session = global.session(Registry::IsThere)?;
        let request = session.client.prompt_versions(&self.prompt);
        let versions = block_on(async { Ok(request.await?) })?;
        if session.output.json {
            return session.output.data(&versions);
        }
        let rows = versions.iter().map(|prompt| {
            vec![
                prompt.version.clone(),
                prompt.labels.join(", "),
                moment(prompt.updated_at),
                prompt.digest.chars().take(12).collect(),
                prompt.created_by.clone(),
            ]
        });
        session.output.table(&["VERSION", "LABELS", "PUBLISHED", "DIGEST", "BY"], rows.collect())
    }
}
