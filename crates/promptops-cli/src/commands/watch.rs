//! `promptops watch`.

use std::time::Duration;

use clap::Args;
use promptops_client::{AuditEntry, ChangePage, Error};

use crate::block_on;
use crate::clock::pause;
use crate::failure::Failure;
use crate::output::{FAINT, STRONG, moment};
use crate::settings::{Global, Registry, Session};

/// How long a request waits for a change.
const WAIT: Duration = Duration::from_secs(25);

/// The shortest and the longest time between attempts to reach a registry that was there.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Follows what is published, labelled and deleted
///
/// Goes on when the registry was away, from where it had come to. With --json, a line a change.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Begin after this cursor, as --once tells it, or `start` for the first change there was [default: now]
    #[arg(long, value_name = "CURSOR")]
    since: Option<String>,

    /// Stop after so many changes
    #[arg(long, value_name = "COUNT")]
    count: Option<u64>,

    /// Tell what there is, and the cursor after it on standard error, and stop
    #[arg(long)]
    once: bool,
}

impl Watch {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let session = global.waiting(WAIT).session(Registry::IsThere)?;
        block_on(self.follow(&session))
    }

    async fn follow(&self, session: &Session) -> Result<(), Failure> {
        let mut cursor = match self.since.as_deref() {
            Some("start") => None,
            Some(cursor) => Some(cursor.to_owned()),
            None => Some(session.client.changes().from_now().await?.next_cursor),
        };
        let mut left = self.count.unwrap_or(u64::MAX);
        let mut pause_for = PAUSES.0;
        loop {
            let page = match self.page(session, cursor.as_deref()).await {
                Ok(page) => page,
                Err(error) if error.is_retryable() && !self.once => {
                    let seconds = pause_for.as_secs();
                    session.output.note(&format!("{error}; again in {seconds} s"));
                    pause(pause_for).await;
                    pause_for = (pause_for * 2).min(PAUSES.1);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            pause_for = PAUSES.0;
            for change in &page.changes {
                if left == 0 {
                    return Ok(());
                }
                left -= 1;
                if session.output.json {
                    session.output.data_line(change)?;
                } else {
                    session.output.line(&shown(change))?;
                }
            }
            if self.once && !page.has_more {
                session.output.note(&format!("--since {}", page.next_cursor));
                return Ok(());
            }
            if left == 0 {
                return Ok(());
            }
            cursor = Some(page.next_cursor);
        }
    }

    async fn page(&self, session: &Session, cursor: Option<&str>) -> Result<ChangePage, Error> {
        let mut request = session.client.changes().limit(1000);
        if let Some(cursor) = cursor {
            request = request.since(cursor);
        }
        if !self.once {
            request = request.wait(WAIT);
        }
        request.await
    }
}

fn shown(change: &AuditEntry) -> String {
    let (at, slug) = (moment(change.at), &change.slug);
    let mut text =
        format!("{FAINT}{at}{FAINT:#} {} {STRONG}{slug}{STRONG:#}", change.action.as_str());
    if let Some(label) = &change.label {
        text += &format!(" {label}");
        let place = |target: &Option<_>| match target {
            Some(target) => format!("{target}"),
            None::<promptops_client::LabelTarget> => "nowhere".to_owned(),
        };
        text += &format!(": {} → {}", place(&change.target_before), place(&change.target_after));
    } else if let Some(version) = &change.version {
        text += &format!(" {version}");
    }
    text += &format!(" {FAINT}by {}{FAINT:#}", change.actor);
    if let Some(message) = &change.message {
        text += &format!(" “{message}”");
    }
    text
}
