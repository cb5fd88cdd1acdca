//! What a push will do: the files beside what the registry has.

use std::collections::HashMap;

use promptops_client::NewPrompt;
use promptops_files::{PromptFile, fingerprint, write};
use serde::{Serialize, Serializer};

use crate::failure::{Exit, Failure};
use crate::folder::{Entry, ReadFailure};
use crate::output::{BAD, CHANGED, FAINT, GOOD, coloured_diff};
use crate::settings::Session;
use crate::text_diff::unified;

/// What a push does with a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub(super) enum Doing {
    Create,
    Publish,
    /// It is there already.
    #[serde(rename = "none")]
    Nothing,
    Delete,
}

/// One file, and what is to be done for it.
#[derive(Debug, Serialize)]
pub(super) struct Planned {
    #[serde(flatten, serialize_with = "slug_of")]
    entry: Entry,
    #[serde(flatten)]
    pub(super) doing: Doing,
    /// The version that is there; empty for a new prompt.
    pub(super) version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    diff: String,
    #[serde(skip)]
    labels: Vec<String>,
    /// The state that the plan is about.
    #[serde(skip)]
    pub(super) etag: Option<String>,
    /// Of what the file said.
    #[serde(skip)]
    fingerprint: [u8; 32],
}

fn slug_of<S: Serializer>(entry: &Entry, serializer: S) -> Result<S::Ok, S::Error> {
    [("slug", &entry.slug)].into_iter().collect::<HashMap<_, _>>().serialize(serializer)
}

/// A prompt of the registry.
#[derive(Debug, Serialize)]
pub(super) struct There {
    pub(super) slug: String,
    pub(super) version: String,
    #[serde(skip)]
    labels: Vec<String>,
    #[serde(skip)]
    fingerprint: [u8; 32],
}

#[derive(Debug, Serialize)]
pub(super) struct Plan {
    pub(super) prompts: Vec<Planned>,
    /// Prompts without a file, where the whole folder is pushed.
    #[serde(rename = "only_in_registry")]
    pub(super) only_there: Vec<There>,
    pub(super) unchanged: usize,
}

impl Planned {
    pub(super) fn slug(&self) -> &str {
        &self.entry.slug
    }

    /// Reads the file again: only its fingerprint is kept, however many files there are.
    pub(super) fn read(&self) -> Result<PromptFile, Failure> {
        let file = self.entry.read()?;
        if fingerprint(file.prompt()) == self.fingerprint {
            return Ok(file);
        }
        let message = format!("{} has changed since the plan was made", self.entry.path.display());
        Err(Failure::new(Exit::Conflict, message).help("push again"))
    }

    /// Whether there is anything to do for it.
    pub(super) fn needs(&self, label: Option<&str>) -> bool {
        self.doing != Doing::Nothing
            || label.is_some_and(|label| !self.labels.iter().any(|other| other == label))
    }
}

impl Plan {
    /// Reads every file and every prompt of the project.
    pub(super) async fn make(
        session: &Session,
        files: Vec<Entry>,
        is_whole: bool,
    ) -> Result<Self, Failure> {
        let mut mistakes = Vec::new();
        let mut sound_files = Vec::new();
        for entry in files {
            match entry.read() {
                Ok(file) => sound_files.push((entry, fingerprint(file.prompt()))),
                Err(ReadFailure::Mistakes(more)) => mistakes.push(more),
                Err(ReadFailure::Failed(failure)) => return Err(failure),
            }
        }
        if !mistakes.is_empty() {
            return Err(Failure::mistakes(mistakes));
        }
        let mut there = all_there(session).await?;
        let mut plan = Self { prompts: Vec::new(), only_there: Vec::new(), unchanged: 0 };
        for (entry, fingerprint) in sound_files {
            let mut planned = Planned {
                doing: Doing::Create,
                version: String::new(),
                diff: String::new(),
                labels: Vec::new(),
                etag: None,
                fingerprint,
                entry,
            };
            if let Some(found) = there.remove(planned.slug()) {
                planned.doing = Doing::Nothing;
                (planned.version, planned.labels) = (found.version, found.labels);
                if found.fingerprint == fingerprint {
                    plan.unchanged += 1;
                } else {
                    planned.compare(session).await?;
                }
            }
            plan.prompts.push(planned);
        }
        if is_whole {
            plan.only_there = there.into_values().collect();
            plan.only_there.sort_by(|one, other| one.slug.cmp(&other.slug));
        }
        Ok(plan)
    }

    /// How many prompts there is something to do for.
    pub(super) fn to_do(&self, label: Option<&str>, prune: bool) -> usize {
        let writes = self.prompts.iter().filter(|planned| planned.needs(label)).count();
        writes + if prune { self.only_there.len() } else { 0 }
    }

    pub(super) fn show(&self, session: &Session, prune: bool) -> Result<(), Failure> {
        let output = session.output;
        if output.quiet {
            return Ok(());
        }
        for planned in &self.prompts {
            let (slug, version) = (planned.slug(), &planned.version);
            match planned.doing {
                Doing::Create => output.line(&format!("{GOOD}+ {slug}{GOOD:#} new"))?,
                Doing::Publish => {
                    output
                        .line(&format!("{CHANGED}~ {slug}{CHANGED:#} changed since {version}"))?;
                    output.text(&coloured_diff(&planned.diff))?;
                }
                Doing::Nothing | Doing::Delete => {}
            }
        }
        for there in &self.only_there {
            let (slug, version) = (&there.slug, &there.version);
            if prune {
                output.line(&format!("{BAD}- {slug}{BAD:#} {version} is deleted"))?;
            } else {
                output.line(&format!("{FAINT}? {slug} {version} has no file{FAINT:#}"))?;
            }
        }
        Ok(())
    }
}

impl Planned {
    /// What differs between the latest version and the file.
    async fn compare(&mut self, session: &Session) -> Result<(), Failure> {
        let request = session.client.get_prompt(self.slug()).project(session.project());
        let fetched = request.fetch().await?;
        let (prompt, file) = (fetched.value, self.read()?);
        let name = format!("{}@{}", prompt.slug, prompt.version);
        let path = self.entry.path.display().to_string();
        self.diff = unified((&name, &write(&prompt)), (&path, file.source()));
        (self.doing, self.etag) = (Doing::Publish, fetched.etag);
        self.version.clone_from(&prompt.version);
        Ok(())
    }
}

/// What the registry has in the project, as little of each prompt as is needed.
async fn all_there(session: &Session) -> Result<HashMap<String, There>, Failure> {
    let mut there = HashMap::new();
    session
        .each_prompt(|prompt| {
            let found = There {
                slug: prompt.slug.clone(),
                version: prompt.version.clone(),
                labels: prompt.labels.clone(),
                fingerprint: fingerprint(&NewPrompt::from(prompt)),
            };
            there.insert(found.slug.clone(), found);
            Ok(())
        })
        .await?;
    Ok(there)
}
