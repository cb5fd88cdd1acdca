//! `promptops export`.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use promptops_client::{NewPrompt, PromptResponse, Version};
use promptops_registry::{
    ExportWriter, PromptHead, Record, StoredVersion, Transferred, VersionContent,
};
use promptops_types::{SystemTime, TimeSource};
use serde_json::json;

use crate::block_on;
use crate::commands::store_transfer::{self, whole};
use crate::db::Location;
use crate::failure::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::progress::Progress;
use crate::settings::{Global, Registry, Session};

/// Writes prompts with all their versions to one file
///
/// The file has a record a line, as JSON, and a checksum: one that was cut or changed is refused by `import`.
/// It holds the prompts of the project, or of all projects, their labels and their audit trail. With --db it is
/// everything that the store holds, API keys (hashed) included.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    db: Location,

    /// The file, which must not be there yet
    file: PathBuf,
}

impl Export {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let transferred = if self.db.is_given() {
            store_transfer::export(&self.db, &self.file)?
        } else {
            let session = global.session(Registry::IsThere)?;
            whole(&self.file, |file| block_on(export(&session, file)))?
        };
        tell(global.output(), &transferred, "exported")
    }
}

/// Says what was moved.
pub(crate) fn tell(output: Output, transferred: &Transferred, done: &str) -> Result<(), Failure> {
    let Transferred { records, digest } = transferred;
    if output.json {
        return output.data(&json!({ "records": records, "sha256": digest }));
    }
    output.line(&format!("{done} {records} records; SHA-256 of them {digest}"))
}

async fn export(session: &Session, file: &File) -> Result<Transferred, Failure> {
    let to = BufWriter::new(Interrupt::listen().ends(file));
    let mut writer = ExportWriter::new(to, SystemTime.now()).map_err(failed)?;
    // Which change of each prompt was the last: its revision.
    let mut revisions: HashMap<String, u64> = HashMap::new();
    session
        .each_change(|change| {
            revisions.insert(change.prompt_id.clone(), change.seq);
            Ok(())
        })
        .await?;
    let first = session.page_of(session.project.as_deref(), None).await?;
    let total = usize::try_from(first.total).unwrap_or(0);
    let progress = Progress::new(session.output, "exporting", total);
    let mut known = HashSet::new();
    let mut page = first;
    loop {
        for prompt in &page.prompts {
            let versions = session.all_versions(&prompt.id, None).await?;
            write_places(&mut writer, prompt, &versions, &mut known)?;
            let revision = revisions.get(&prompt.id).copied().unwrap_or(0);
            let head = Record::Prompt { head: head(prompt, &versions, revision)? };
            writer.record(&head).map_err(failed)?;
            let is_labelled = versions.iter().any(|version| !version.labels.is_empty());
            for version in versions {
                let version = Box::new(stored(&version)?);
                writer.record(&Record::Version { version }).map_err(failed)?;
            }
            if is_labelled {
                for label in session.client.labels(&prompt.id).await? {
                    writer.record(&Record::Label { label }).map_err(failed)?;
                }
            }
            progress.step();
        }
        match page.next_cursor {
            Some(next) if page.has_more => {
                page = session.page_of(session.project.as_deref(), Some(&next)).await?;
            }
            _ => break,
        }
    }
    session
        .each_change(|change| {
            writer.record(&Record::Audit { entry: Box::new(change) }).map_err(failed)
        })
        .await?;
    drop(progress);
    writer.finish().map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, error.to_string())
}

/// The project and the modules that a prompt is in, once.
fn write_places<W: Write>(
    writer: &mut ExportWriter<W>,
    prompt: &PromptResponse,
    versions: &[Arc<PromptResponse>],
    known: &mut HashSet<(String, Option<String>)>,
) -> Result<(), Failure> {
    let (project, created_at) = (&prompt.project_id, prompt.created_at);
    if known.insert((project.clone(), None)) {
        let record = Record::Project { id: project.clone(), created_at };
        writer.record(&record).map_err(failed)?;
    }
    for id in versions.iter().filter_map(|version| version.module_id.clone()) {
        if known.insert((project.clone(), Some(id.clone()))) {
            let record = Record::Module { project: project.clone(), id, created_at };
            writer.record(&record).map_err(failed)?;
        }
    }
    Ok(())
}

fn number(prompt: &PromptResponse) -> Result<Version, Failure> {
    prompt.version.parse().map_err(failed)
}

fn head(
    prompt: &PromptResponse,
    versions: &[Arc<PromptResponse>],
    revision: u64,
) -> Result<PromptHead, Failure> {
    let numbers = versions.iter().map(|version| number(version)).collect::<Result<Vec<_>, _>>()?;
    Ok(PromptHead {
        id: prompt.id.clone(),
        project: prompt.project_id.clone(),
        slug: prompt.slug.clone(),
        created_at: prompt.created_at,
        revision,
        last_release: numbers.into_iter().filter(|number| !number.is_prerelease()).max(),
        version_count: versions.len() as u64,
    })
}

fn stored(prompt: &PromptResponse) -> Result<StoredVersion, Failure> {
    Ok(StoredVersion {
        version: number(prompt)?,
        content: VersionContent::from(NewPrompt::from(prompt)),
        digest: prompt.digest.clone(),
        updated_at: prompt.updated_at,
        created_by: prompt.created_by.clone(),
        message: None,
        labels: Vec::new(),
    })
}
