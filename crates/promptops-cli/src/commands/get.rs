//! `promptops get`.

use clap::Args;
use promptops_files::write;

use crate::block_on;
use crate::failure::Failure;
use crate::output::{FAINT, STRONG, moment};
use crate::settings::{Global, Registry};

/// Shows a prompt
///
/// Writes the prompt as its file, so that `promptops get greeting > greeting.prompt.md` is one. The version
/// and the labels go to standard error.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// Slug or UUID
    prompt: String,

    /// Version, range such as `1.2`, label, or several: `staging,production` [default: latest]
    #[arg(long, value_name = "SELECTOR")]
    version: Option<String>,

    /// Whose version of a weighted label
    #[arg(long)]
    key: Option<String>,
}

impl Get {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let session = global.session(Registry::IsThere)?;
        let mut request = session.client.get_prompt(&self.prompt);
        if let Some(version) = &self.version {
            request = request.version(version);
        }
        if let Some(key) = &self.key {
            request = request.key(key);
        }
        let prompt = block_on(async { Ok(request.await?) })?;
        if session.output.json {
            return session.output.data(&prompt);
        }
        let labels = if prompt.labels.is_empty() {
            String::new()
        } else {
            format!(" · {}", prompt.labels.join(", "))
        };
        let (slug, version, at) = (&prompt.slug, &prompt.version, moment(prompt.updated_at));
        session.output.note(&format!(
            "{STRONG}{slug} {version}{STRONG:#}{labels}{FAINT} · {at} by {}{FAINT:#}",
            prompt.created_by
        ));
        session.output.raw(&write(&prompt))
    }
}
