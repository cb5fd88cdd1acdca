//! `promptops push`.

mod plan;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use clap::Args;
use futures_util::{StreamExt, stream};
use promptops_client::PromptUpdate;
use serde::Serialize;
use serde_json::json;

use self::plan::{Doing, Plan, Planned};
use crate::block_on;
use crate::failure::{Exit, Failure, plural};
use crate::folder::{chosen, entries};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::settings::{Global, Registry, Session};
use crate::values::Raise;

/// How many prompts are written at a time.
const AT_A_TIME: usize = 8;

/// Publishes what prompt files say
///
/// Shows what is new, changed and only in the registry, then creates and publishes. Files with mistakes are told
/// before anything is written. A prompt that somebody else changes meanwhile is not overwritten.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct Push {
    /// Prompt files and folders [default: the whole folder]
    paths: Vec<PathBuf>,

    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,

    /// Do nothing, and exit with 6 if there is anything to do
    #[arg(long)]
    check: bool,

    /// Point this label at what was pushed, and at what was there already
    #[arg(long)]
    label: Option<String>,

    /// Delete the prompts of the project that have no file
    #[arg(long, conflicts_with = "paths")]
    prune: bool,

    /// Delete them though labels point at them
    #[arg(long, requires = "prune")]
    force: bool,

    /// Which number of a version is raised
    #[arg(long, value_enum, default_value = "minor", value_name = "NUMBER")]
    bump: Raise,

    /// Why, for the audit trail
    #[arg(long = "why", value_name = "TEXT")]
    why: Option<String>,
}

/// What was done with a prompt.
#[derive(Debug, Serialize)]
struct Done {
    slug: String,
    #[serde(flatten)]
    doing: Doing,
    version: String,
    labelled: bool,
}

impl Push {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let session = global.session(Registry::MayBeNew)?;
        let files = if self.paths.is_empty() {
            entries(&session.folder)?
        } else {
            chosen(&session.folder, &self.paths)?
        };
        block_on(async {
            let plan = Plan::make(&session, files, self.paths.is_empty()).await?;
            if !session.output.json {
                plan.show(&session, self.prune)?;
            }
            let to_do = plan.to_do(self.label.as_deref(), self.prune);
            if self.dry_run || self.check {
                if session.output.json {
                    session.output.data(&plan)?;
                }
                if self.check && to_do > 0 {
                    let message =
                        format!("the registry differs: {} to push", plural(to_do, "prompt"));
                    return Err(Failure::new(Exit::Conflict, message));
                }
                return Ok(());
            }
            self.carry_out(&session, plan).await
        })
    }

    async fn carry_out(&self, session: &Session, plan: Plan) -> Result<(), Failure> {
        let interrupt = Interrupt::listen();
        let Plan { prompts, only_there, unchanged, .. } = plan;
        let to_write: Vec<Planned> =
            prompts.into_iter().filter(|it| it.needs(self.label.as_deref())).collect();
        let only_there = if self.prune { only_there } else { Vec::new() };
        let total = to_write.len() + only_there.len();
        let progress = Progress::new(session.output, "pushing", total);
        let has_failed = AtomicBool::new(false);
        let go_on = || !has_failed.load(Relaxed) && !interrupt.is_wanted();
        let write = |planned: Planned| {
            let (go_on, has_failed, progress) = (&go_on, &has_failed, &progress);
            async move {
                if !go_on() {
                    return None;
                }
                let done = self.push(session, &planned).await;
                has_failed.fetch_or(done.is_err(), Relaxed);
                progress.step();
                Some(done)
            }
        };
        let mut writes = stream::iter(to_write).map(write).buffer_unordered(AT_A_TIME);
        let (mut done, mut failure) = (Vec::new(), None);
        while let Some(written) = writes.next().await {
            match written {
                Some(Ok(one)) => done.push(one),
                Some(Err(error)) => failure = failure.or(Some(error)),
                None => {}
            }
        }
        drop(writes);
        for there in only_there {
            if !go_on() || failure.is_some() {
                break;
            }
            let request = session.client.delete_prompt(&there.slug).project(session.project());
            match request.force(self.force).report().await {
                Ok(_) => done.push(Done {
                    slug: there.slug,
                    doing: Doing::Delete,
                    version: there.version,
                    labelled: false,
                }),
                Err(error) => failure = Some(error.into()),
            }
            progress.step();
        }
        drop(progress);
        done.sort_by(|one, other| one.slug.cmp(&other.slug));
        self.tell(session, &done, unchanged)?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        if done.len() < total {
            let message = format!("stopped: {} of {total} are done", done.len());
            return Err(Failure::new(Exit::Failed, message).help("push again to go on"));
        }
        Ok(())
    }

    /// Writes one prompt and its label.
    async fn push(&self, session: &Session, planned: &Planned) -> Result<Done, Failure> {
        let client = &session.client;
        let slug = planned.slug().to_owned();
        let version = match planned.doing {
            Doing::Create => {
                let request = client.create_prompt(planned.read()?.into_prompt());
                request.project(session.project()).await?.version.clone()
            }
            Doing::Publish => {
                let update = PromptUpdate::from(planned.read()?.into_prompt());
                let mut request = client
                    .update_prompt(&slug, update)
                    .project(session.project())
                    .bump(self.bump.into());
                if let Some(etag) = &planned.etag {
                    request = request.if_match(etag);
                }
                if let Some(why) = &self.why {
                    request = request.message(why);
                }
                request.await?.version.clone()
            }
            Doing::Nothing | Doing::Delete => planned.version.clone(),
        };
        if let Some(label) = &self.label {
            let request = client.set_label(&slug, label, &version).project(session.project());
            request.await?;
        }
        Ok(Done { slug, doing: planned.doing, version, labelled: self.label.is_some() })
    }

    fn tell(&self, session: &Session, done: &[Done], unchanged: usize) -> Result<(), Failure> {
        if session.output.json {
            return session.output.data(&json!({ "done": done, "unchanged": unchanged }));
        }
        let count = |doing: Doing| done.iter().filter(|one| one.doing == doing).count();
        let mut parts = vec![
            format!("{} created", count(Doing::Create)),
            format!("{} published", count(Doing::Publish)),
            format!("{unchanged} unchanged"),
        ];
        if self.prune {
            parts.push(format!("{} deleted", count(Doing::Delete)));
        }
        if let Some(label) = &self.label {
            let labelled = done.iter().filter(|one| one.labelled).count();
            parts.push(format!("{label} set on {labelled}"));
        }
        session.output.line(&parts.join(", "))
    }
}
