//! `promptops label`.

use clap::{Args, Subcommand};
use promptops_client::{Label as Pointer, PromptOpsClient, Version};

use crate::block_on;
use crate::failure::Failure;
use crate::output::moment;
use crate::settings::{Global, Registry, Session};

/// Points labels at versions, and back
#[derive(Debug, Args)]
pub(crate) struct Label {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Points a label at a version, or at several with weights
    Set {
        /// Slug or UUID
        prompt: String,
        /// The label
        label: String,
        /// A version, or several with weights: `1.2.0=90 1.3.0=10`; a range or another label gives where
        /// it is now
        #[arg(required = true, value_name = "VERSION")]
        target: Vec<String>,
    },
    /// Takes the last move of a label back; twice brings it back again
    Undo {
        /// Slug or UUID
        prompt: String,
        /// The label
        label: String,
    },
    /// Takes a label away
    Remove {
        /// Slug or UUID
        prompt: String,
        /// The label
        label: String,
    },
    /// Lists the labels of a prompt
    List {
        /// Slug or UUID
        prompt: String,
    },
}

impl Label {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let session = global.session(Registry::IsThere)?;
        block_on(async {
            let client = &session.client;
            match self.action {
                Action::Set { prompt, label, target } => {
                    let pointer = set(client, &prompt, &label, &target).await?;
                    moved(&session, &prompt, &label, pointer)
                }
                Action::Undo { prompt, label } => {
                    let pointer = client.undo_label(&prompt, &label).await?;
                    moved(&session, &prompt, &label, pointer)
                }
                Action::Remove { prompt, label } => {
                    client.remove_label(&prompt, &label).await?;
                    moved(&session, &prompt, &label, None)
                }
                Action::List { prompt } => list(&session, &prompt).await,
            }
        })
    }
}

async fn set(
    client: &PromptOpsClient,
    prompt: &str,
    label: &str,
    target: &[String],
) -> Result<Option<Pointer>, Failure> {
    if let [selector] = target
        && !selector.contains('=')
    {
        let version = exact(client, prompt, selector).await?;
        return Ok(client.set_label(prompt, label, version).await?);
    }
    let mut weights = Vec::new();
    for part in target {
        let parts = part.rsplit_once('=').map(|(version, weight)| (version, weight.parse::<u32>()));
        let Some((version, Ok(weight))) = parts else {
            return Err(Failure::usage(format!("`{part}` is no version with a weight"))
                .help("write VERSION=WEIGHT, such as 1.2.0=90"));
        };
        weights.push((exact(client, prompt, version).await?, weight));
    }
    Ok(client.set_label_weights(prompt, label, weights).await?)
}

/// The version that a selector selects now.
async fn exact(client: &PromptOpsClient, prompt: &str, selector: &str) -> Result<String, Failure> {
    if selector.parse::<Version>().is_ok() {
        return Ok(selector.to_owned());
    }
    Ok(client.get_prompt(prompt).version(selector).await?.version.clone())
}

fn moved(
    session: &Session,
    prompt: &str,
    name: &str,
    pointer: Option<Pointer>,
) -> Result<(), Failure> {
    let output = session.output;
    if output.json {
        return output.data(&pointer);
    }
    match pointer {
        Some(label) => output.line(&format!("{prompt}: {name} is {}", label.target)),
        None => output.line(&format!("{prompt}: {name} is gone")),
    }
}

async fn list(session: &Session, prompt: &str) -> Result<(), Failure> {
    let labels = session.client.labels(prompt).await?;
    if session.output.json {
        return session.output.data(&labels);
    }
    if labels.is_empty() {
        session.output.note("no labels");
    }
    let rows = labels.into_iter().map(|label| {
        let (at, by) = (moment(label.updated_at), label.updated_by);
        vec![label.label.to_string(), label.target.to_string(), at, by]
    });
    session.output.table(&["LABEL", "VERSION", "MOVED", "BY"], rows.collect())
}
