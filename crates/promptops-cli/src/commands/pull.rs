//! `promptops pull`.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use promptops_client::{AuditEntry, BatchEntry, NewPrompt, PromptResponse};
use promptops_files::{fingerprint, write as text_of};
use serde::Serialize;

use crate::block_on;
use crate::failure::{Exit, Failure, plural};
use crate::folder::{Entry, entries, file_of, write};
use crate::interrupt::Interrupt;
use crate::output::{BAD, CHANGED, GOOD, coloured_diff};
use crate::progress::Progress;
use crate::settings::{Global, Registry, Session};
use crate::text_diff::unified;

/// Prompts of one batch.
const BATCH: usize = 200;

/// Writes prompts to their files
///
/// A file that says what some version of its prompt says is replaced; one with edits that are nowhere else is
/// not, unless --force is given: the command exits with 6 then, and the other files are written.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct Pull {
    /// Slugs [default: all prompts of the project]
    prompts: Vec<String>,

    /// Version, range, label, or several: `staging,production` [default: latest]
    #[arg(long, value_name = "SELECTOR")]
    version: Option<String>,

    /// Show what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,

    /// Write nothing, and exit with 6 if there is anything to write
    #[arg(long)]
    check: bool,

    /// Replace and remove files that are nowhere else
    #[arg(long)]
    force: bool,

    /// Remove the files of prompts that the registry no longer has; those that were never pushed are kept,
    /// unless --force is given
    #[arg(long, conflicts_with_all = ["prompts", "version"])]
    prune: bool,
}

#[derive(Debug, Default, Serialize)]
struct Pulled {
    written: Vec<String>,
    removed: Vec<String>,
    /// Files with edits that are nowhere else.
    refused: Vec<String>,
    /// Prompts without the version that was asked for.
    skipped: Vec<String>,
    unchanged: usize,
    #[serde(skip)]
    seen: HashSet<String>,
}

impl Pull {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let session = global.session(Registry::IsThere)?;
        block_on(async {
            let interrupt = Interrupt::listen();
            let mut pulled = Pulled::default();
            let total = if self.prompts.is_empty() {
                session
                    .client
                    .list_prompts()
                    .project(session.project())
                    .limit(1)
                    .page()
                    .await?
                    .total
            } else {
                self.prompts.len() as u64
            };
            let progress =
                Progress::new(session.output, "pulling", usize::try_from(total).unwrap_or(0));
            self.pull(&session, &mut pulled, &progress, &interrupt).await?;
            drop(progress);
            if self.prune && !interrupt.is_wanted() {
                self.prune(&session, &mut pulled).await?;
            }
            self.tell(&session, &pulled, &interrupt)
        })
    }

    async fn pull(
        &self,
        session: &Session,
        pulled: &mut Pulled,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        if !self.prompts.is_empty() {
            return self.batches(session, &self.prompts, pulled, progress, interrupt).await;
        }
        let mut cursor: Option<String> = None;
        loop {
            let page = session.page(cursor.as_deref()).await?;
            if self.version.is_some() {
                let slugs: Vec<_> = page.prompts.iter().map(|prompt| prompt.slug.clone()).collect();
                self.batches(session, &slugs, pulled, progress, interrupt).await?;
            } else {
                for prompt in &page.prompts {
                    if interrupt.is_wanted() {
                        return Ok(());
                    }
                    self.take(session, prompt, pulled, progress).await?;
                }
            }
            match page.next_cursor {
                Some(next) if page.has_more => cursor = Some(next),
                _ => return Ok(()),
            }
        }
    }

    async fn batches(
        &self,
        session: &Session,
        slugs: &[String],
        pulled: &mut Pulled,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        for slugs in slugs.chunks(BATCH) {
            let wanted = slugs.iter().map(|slug| match &self.version {
                Some(version) => BatchEntry::selected(slug, version),
                None => BatchEntry::from(slug.as_str()),
            });
            let found = session.client.get_prompts(wanted).project(session.project()).await?;
            for slug in slugs {
                if interrupt.is_wanted() {
                    return Ok(());
                }
                let id = match &self.version {
                    Some(version) => format!("{slug}@{version}"),
                    None => slug.clone(),
                };
                if let Some(prompt) = found.prompts.get(&id) {
                    self.take(session, prompt, pulled, progress).await?;
                    continue;
                }
                if !self.prompts.is_empty() {
                    // Its error says what there is.
                    let request = session.client.get_prompt(slug).project(session.project());
                    let version = self.version.as_deref().unwrap_or("latest");
                    request.version(version).await?;
                }
                pulled.seen.insert(slug.clone());
                pulled.skipped.push(slug.clone());
                progress.step();
            }
        }
        Ok(())
    }

    /// Writes the file of a prompt, if that loses nothing.
    async fn take(
        &self,
        session: &Session,
        prompt: &Arc<PromptResponse>,
        pulled: &mut Pulled,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let slug = prompt.slug.clone();
        pulled.seen.insert(slug.clone());
        let (path, text) = (file_of(&session.folder, &slug)?, text_of(prompt));
        let old = match std::fs::read(&path) {
            Ok(old) => Some(old),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(format!("{}: {error}", path.display()).into()),
        };
        progress.step();
        if old.as_deref() == Some(text.as_bytes()) {
            pulled.unchanged += 1;
            return Ok(());
        }
        let is_only_here = match &old {
            Some(_) => !self.force && !is_stored(session, &slug, &path).await?,
            None => false,
        };
        if !session.output.json && !session.output.quiet {
            progress.tell(&shown(prompt, &path, old.as_deref(), &text, is_only_here));
        }
        if is_only_here {
            pulled.refused.push(path.display().to_string());
            return Ok(());
        }
        if !self.dry_run && !self.check {
            write(&path, &text)?;
        }
        pulled.written.push(slug);
        Ok(())
    }

    /// Deletes the files of prompts that the registry no longer has. One that it never had was not pushed
    /// yet: it is nowhere else.
    async fn prune(&self, session: &Session, pulled: &mut Pulled) -> Result<(), Failure> {
        let mut files = entries(&session.folder)?;
        files.retain(|entry| !pulled.seen.contains(&entry.slug));
        let mut were_there = HashSet::new();
        if !files.is_empty() && !self.force {
            let look = |change: AuditEntry| {
                if change.project == session.project() {
                    were_there.insert(change.slug);
                }
                Ok(())
            };
            session.each_change(look).await?;
        }
        for Entry { slug, path } in files {
            if !self.force && !were_there.contains(&slug) {
                let kept = path.display();
                session
                    .output
                    .note(&format!("{CHANGED}~ {kept}{CHANGED:#} kept: it was never pushed"));
                pulled.refused.push(kept.to_string());
                continue;
            }
            session.output.note(&format!("{BAD}- {}{BAD:#}", path.display()));
            if !self.dry_run && !self.check {
                let removed = std::fs::remove_file(&path);
                removed.map_err(|error| format!("{}: {error}", path.display()))?;
            }
            pulled.removed.push(slug);
        }
        Ok(())
    }

    fn tell(
        &self,
        session: &Session,
        pulled: &Pulled,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        let output = session.output;
        let to_do = pulled.written.len() + pulled.removed.len() + pulled.refused.len();
        if output.json {
            output.data(pulled)?;
        } else {
            let would = if self.dry_run || self.check { "to write" } else { "written" };
            let mut parts = vec![
                format!("{} {would}", pulled.written.len()),
                format!("{} unchanged", pulled.unchanged),
            ];
            if self.prune {
                parts.push(format!("{} removed", pulled.removed.len()));
            }
            if let (Some(version), 1..) = (&self.version, pulled.skipped.len()) {
                parts.push(format!("{} without {version}", pulled.skipped.len()));
            }
            output.line(&parts.join(", "))?;
        }
        if interrupt.is_wanted() {
            return Err(Failure::new(Exit::Failed, "stopped").help("pull again to go on"));
        }
        if self.check && to_do > 0 {
            let message = format!("the files differ: {}", plural(to_do, "file"));
            return Err(Failure::new(Exit::Conflict, message));
        }
        if !pulled.refused.is_empty() {
            let files = pulled.refused.join(", ");
            let message = format!("edits that are nowhere else are in {files}");
            return Err(
                Failure::new(Exit::Conflict, message).help("push them, or --force to lose them")
            );
        }
        Ok(())
    }
}

/// Whether some version of the prompt says what the file says.
async fn is_stored(session: &Session, slug: &str, path: &Path) -> Result<bool, Failure> {
    let entry = Entry { slug: slug.to_owned(), path: path.to_owned() };
    let Ok(file) = entry.read() else { return Ok(false) };
    let here = fingerprint(file.prompt());
    let versions = session.client.prompt_versions(slug).project(session.project()).await?;
    Ok(versions.iter().any(|version| fingerprint(&NewPrompt::from(&**version)) == here))
}

fn shown(
    prompt: &PromptResponse,
    path: &Path,
    old: Option<&[u8]>,
    new: &str,
    is_only_here: bool,
) -> String {
    let (slug, version) = (&prompt.slug, &prompt.version);
    let Some(old) = old else { return format!("{GOOD}+ {slug}{GOOD:#} {version}") };
    let (old, path) = (String::from_utf8_lossy(old), path.display().to_string());
    let diff = unified((&path, &old), (&format!("{slug}@{version}"), new));
    let what = if is_only_here { "kept: its edits are nowhere else" } else { version.as_str() };
    format!("{CHANGED}~ {slug}{CHANGED:#} {what}\n{}", coloured_diff(&diff).trim_end())
}
