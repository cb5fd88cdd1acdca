//! `promptops import`.

mod source;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use promptops_client::{Label, LabelTarget, NewPrompt, PromptUpdate};
use promptops_files::{Imported, ImportedVersion, fingerprint};
use serde::Serialize;

use self::source::Source;
use crate::block_on;
use crate::commands::export::tell;
use crate::commands::store_transfer;
use crate::db::Location;
use crate::failure::{Exit, Failure, plural};
use crate::interrupt::Interrupt;
use crate::output::GOOD;
use crate::progress::Progress;
use crate::settings::{Global, Registry, Session};

/// Reads prompts from an export, or from another tool's
///
/// Creates the prompts and versions that are not there yet, and points the labels. A version that is there with
/// another content is a conflict: it is told before anything is written. An import that was stopped goes on where
/// it was. With --db, an empty store is filled with everything that `export --db` wrote.
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(flatten)]
    db: Location,

    /// Files, or folders with .prompt and .prompty files
    #[arg(required = true)]
    paths: Vec<PathBuf>,

    /// What the files are [default: told by their names and their first line]
    #[arg(long, value_enum, value_name = "FORMAT")]
    from: Option<Format>,

    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// What `promptops export` writes
    Promptops,
    /// JSON of Langfuse: prompts as its API gives them, in an array, in `data` or a line each
    Langfuse,
    /// A `.prompt` file
    Dotprompt,
    /// A `.prompty` file
    Prompty,
}

/// What is missing of a prompt, and where it goes.
struct Missing {
    prompt: Imported,
    project: String,
    is_new: bool,
    /// Numbers that are there already.
    there: HashSet<String>,
    labels: Vec<Label>,
}

/// What a registry has of what is imported.
#[derive(Debug, Default)]
struct There {
    /// Project and slug of every prompt in the projects that are imported into.
    slugs: HashSet<(String, String)>,
    /// How many prompts are imported.
    total: usize,
}

#[derive(Debug, Default, Serialize)]
struct Counts {
    prompts: usize,
    created: usize,
    versions: usize,
    labels: usize,
    unchanged: usize,
}

impl Import {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        if self.db.is_given() {
            let [path] = self.paths.as_slice() else {
                return Err(Failure::usage("with --db, give one file: what `export --db` wrote"));
            };
            let transferred = store_transfer::import(&self.db, path)?;
            return tell(global.output(), &transferred, "imported");
        }
        let source = Source::open(&self.paths, self.from)?;
        let session = global.session(Registry::MayBeNew)?;
        block_on(self.import(&session, &source))
    }

    async fn import(&self, session: &Session, source: &Source) -> Result<(), Failure> {
        let There { slugs: there, total } = self.check(session, source).await?;
        let interrupt = Interrupt::listen();
        let mut counts = Counts { prompts: total, ..Counts::default() };
        let progress = Progress::new(session.output, "importing", total);
        let mut done = 0;
        for prompt in source.prompts()? {
            if interrupt.is_wanted() {
                break;
            }
            let missing = missing(session, prompt?, &there).await?;
            self.take(session, &missing, &mut counts).await?;
            done += 1;
            progress.step();
        }
        drop(progress);
        if session.output.json {
            session.output.data(&counts)?;
        } else {
            let Counts { created, versions, labels, unchanged, .. } = counts;
            let would = if self.dry_run { "to be " } else { "" };
            session.output.line(&format!(
                "{} {would}created, {} {would}added, {} {would}set, {unchanged} there already",
                plural(created, "prompt"),
                plural(versions, "version"),
                plural(labels, "label"),
            ))?;
        }
        if done < total {
            let message = format!("stopped: {done} of {total} are done");
            return Err(Failure::new(Exit::Failed, message).help("import again to go on"));
        }
        Ok(())
    }

    /// Finds every conflict before anything is written.
    async fn check(&self, session: &Session, source: &Source) -> Result<There, Failure> {
        let mut there = There::default();
        let mut projects = HashSet::new();
        let mut conflicts = Vec::new();
        for prompt in source.prompts()? {
            let prompt = prompt?;
            there.total += 1;
            let (project, slug) = (prompt.project(session), prompt.prompt.slug.clone());
            if projects.insert(project.clone()) {
                session
                    .each_prompt_of(Some(&project), |prompt| {
                        there.slugs.insert((project.clone(), prompt.slug.clone()));
                        Ok(())
                    })
                    .await?;
            }
            let key = (project, slug);
            if !there.slugs.contains(&key) {
                continue;
            }
            let (project, slug) = key;
            let stored = session.all_versions(&slug, Some(&project)).await?;
            let stored: BTreeMap<_, _> = stored
                .iter()
                .map(|version| (version.version.clone(), fingerprint(&NewPrompt::from(&**version))))
                .collect();
            for version in &prompt.prompt.versions {
                let same = stored.get(&version.version);
                if same.is_some_and(|same| *same != fingerprint(&whole(&slug, version))) {
                    conflicts.push(format!("{slug} {}", version.version));
                }
            }
        }
        if conflicts.is_empty() {
            return Ok(there);
        }
        let shown = conflicts.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
        let more = if conflicts.len() > 10 { ", …" } else { "" };
        let message = format!(
            "{} there already with another content: {shown}{more}",
            if conflicts.len() == 1 { "a version is" } else { "versions are" }
        );
        let help = "nothing is written; import into another --project, or delete them";
        Err(Failure::new(Exit::Conflict, message).help(help))
    }

    async fn take(
        &self,
        session: &Session,
        missing: &Missing,
        counts: &mut Counts,
    ) -> Result<(), Failure> {
        let client = &session.client;
        let Missing { prompt, project, is_new, there, labels } = missing;
        let slug = prompt.slug.as_str();
        let new: Vec<_> =
            prompt.versions.iter().filter(|version| !there.contains(&version.version)).collect();
        let moved: Vec<_> = prompt
            .labels
            .iter()
            .filter(|(name, target)| {
                !labels.iter().any(|label| label.label == *name && label.target == *target)
            })
            .collect();
        counts.created += usize::from(*is_new);
        counts.versions += new.len();
        counts.labels += moved.len();
        if new.is_empty() && moved.is_empty() {
            counts.unchanged += 1;
            return Ok(());
        }
        if self.dry_run {
            let numbers: Vec<_> = new.iter().map(|version| version.version.as_str()).collect();
            if !session.output.json {
                session.output.line(&format!("{GOOD}+ {slug}{GOOD:#} {}", numbers.join(", ")))?;
            }
            return Ok(());
        }
        let mut is_there = !is_new;
        for version in new {
            let content = whole(slug, version);
            if !is_there {
                let content = content.version(&version.version);
                client.create_prompt(content).project(project).await?;
                is_there = true;
                continue;
            }
            // Versions of elsewhere may say the same; their numbers are told from one another there.
            let mut request = client
                .update_prompt(slug, PromptUpdate::from(content))
                .project(project)
                .version(&version.version)
                .create_new_version(true)
                .force(true);
            if let Some(message) = &version.message {
                request = request.message(message);
            }
            request.await?;
        }
        for (name, target) in moved {
            let request = match target {
                LabelTarget::Weights(weights) => {
                    let weights =
                        weights.iter().map(|(number, weight)| (number.to_string(), *weight));
                    client.set_label_weights(slug, name.as_str(), weights)
                }
                target => {
                    let number = target.versions().first().map(ToString::to_string);
                    client.set_label(slug, name.as_str(), number.unwrap_or_default())
                }
            };
            request.project(project).await?;
        }
        Ok(())
    }
}

/// What a registry does not have of a prompt.
async fn missing(
    session: &Session,
    found: source::Found,
    there: &HashSet<(String, String)>,
) -> Result<Missing, Failure> {
    let project = found.project(session);
    let prompt = found.prompt;
    let is_new = !there.contains(&(project.clone(), prompt.slug.clone()));
    let mut missing =
        Missing { prompt, project, is_new, there: HashSet::new(), labels: Vec::new() };
    if !is_new {
        let (slug, project) = (&missing.prompt.slug, &missing.project);
        let versions = session.all_versions(slug, Some(project)).await?;
        missing.labels = session.client.labels(slug).project(project).await?;
        missing.there = versions.iter().map(|version| version.version.clone()).collect();
    }
    Ok(missing)
}

/// A version with the slug that it gets.
fn whole(slug: &str, version: &ImportedVersion) -> NewPrompt {
    let mut prompt = version.prompt.clone().slug(slug);
    prompt.version = None;
    prompt
}
