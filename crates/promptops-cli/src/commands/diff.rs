//! `promptops diff`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use promptops_client::{Error, ErrorKind, PromptDiff, PromptOpsClient, PromptResponse};
use promptops_files::{PromptFile, write};

use crate::block_on;
use crate::failure::{Exit, Failure};
use crate::folder::{entry_of, is_prompt_file};
use crate::output::coloured_diff;
use crate::settings::{Global, Registry, Session};
use crate::text_diff::unified;

/// Shows what differs between versions, labels and files
///
/// `diff PROMPT` compares the two versions published last, `diff PROMPT production` that label with the
/// latest version, `diff PROMPT 1.0.0 2.0.0` two versions, `diff FILE` the registry with a file,
/// `diff FILE production` a label with it, and `diff FILE FILE` two files.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// Slug, UUID, or the path of a prompt file
    #[arg(value_name = "PROMPT|FILE")]
    what: String,

    /// Version, range or label; with a file, another file too
    from: Option<String>,

    /// Version, range or label
    to: Option<String>,

    /// Exit with 6 if there are differences
    #[arg(long)]
    check: bool,
}

/// One side of a comparison.
struct Side {
    name: String,
    version: String,
    text: String,
    variables: Vec<String>,
}

impl Side {
    fn of_prompt(prompt: &PromptResponse) -> Self {
        Self {
            name: format!("{}@{}", prompt.slug, prompt.version),
            version: prompt.version.clone(),
            text: write(prompt),
            variables: prompt.variables.clone(),
        }
    }

    fn of_file(path: &Path, file: &PromptFile) -> Self {
        let shown = path.display().to_string();
        Self {
            name: shown.clone(),
            version: shown,
            text: file.source().to_owned(),
            variables: file.prompt().variables.clone().unwrap_or_default(),
        }
    }

    /// Where there is no prompt yet.
    fn nothing() -> Self {
        let name = "/dev/null".to_owned();
        Self { version: name.clone(), name, text: String::new(), variables: Vec::new() }
    }
}

impl Diff {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let (from, to) = if is_prompt_file(Path::new(&self.what)) {
            self.with_file(global)?
        } else {
            let session = global.session(Registry::IsThere)?;
            block_on(self.versions(&session))?
        };
        let only = |these: &Side, those: &Side| -> Vec<String> {
            these.variables.iter().filter(|name| !those.variables.contains(name)).cloned().collect()
        };
        let unified = unified((&from.name, &from.text), (&to.name, &to.text));
        let differs = !unified.is_empty();
        let mut diff = PromptDiff::new(from.version.clone(), to.version.clone(), unified);
        diff.variables_added = only(&to, &from);
        diff.variables_removed = only(&from, &to);
        let output = global.output();
        if output.json {
            output.data(&diff)?;
        } else if differs {
            output.text(&coloured_diff(&diff.unified))?;
        } else {
            output.note(&format!("{} and {} are the same", from.name, to.name));
        }
        if differs && self.check {
            return Err(Failure::new(Exit::Conflict, "there are differences"));
        }
        Ok(())
    }

    fn with_file(&self, global: &Global) -> Result<(Side, Side), Failure> {
        let folder = global.folder()?;
        let path = PathBuf::from(&self.what);
        let entry = entry_of(&folder, &path)?;
        let to = Side::of_file(&path, &entry.read()?);
        if self.to.is_some() {
            return Err(Failure::usage("a file is compared with one other thing"));
        }
        if let Some(other) = self.from.as_ref().filter(|from| is_prompt_file(Path::new(from))) {
            let other = Path::new(other);
            // The first that is named is the first that is shown.
            return Ok((to, Side::of_file(other, &entry_of(&folder, other)?.read()?)));
        }
        let session = global.session(Registry::IsThere)?;
        let mut request = session.client.get_prompt(&entry.slug);
        if let Some(selector) = &self.from {
            request = request.version(selector);
        }
        let from = match block_on(async { Ok(request.await) })? {
            Ok(prompt) => Side::of_prompt(&prompt),
            Err(error) if error.kind() == ErrorKind::PromptNotFound && self.from.is_none() => {
                Side::nothing()
            }
            Err(error) => return Err(error.into()),
        };
        Ok((from, to))
    }

    async fn versions(&self, session: &Session) -> Result<(Side, Side), Failure> {
        let client = &session.client;
        let to = version(client, &self.what, self.to.as_deref()).await?;
        let from = if let Some(from) = &self.from {
            version(client, &self.what, Some(from)).await?
        } else {
            let versions = client.prompt_versions(&self.what).await?;
            let before = versions.into_iter().find(|other| other.version != to.version);
            before.ok_or_else(|| {
                let message = format!("{} has one version, {}", to.slug, to.version);
                Failure::new(Exit::NotFound, message)
            })?
        };
        Ok((Side::of_prompt(&from), Side::of_prompt(&to)))
    }
}

async fn version(
    client: &PromptOpsClient,
    prompt: &str,
    selector: Option<&str>,
) -> Result<Arc<PromptResponse>, Error> {
    let request = client.get_prompt(prompt);
    match selector {
        Some(selector) => request.version(selector).await,
        None => request.await,
    }
}
