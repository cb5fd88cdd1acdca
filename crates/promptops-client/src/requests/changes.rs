use std::time::Duration;

use promptops_types::{ChangePage, Error};

use super::{awaitable, project, project_setter};
use crate::PromptOpsClient;
use crate::call::Call;
use crate::operation::CHANGES;

/// A request for what was published, labelled and deleted since a cursor.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct Changes {
    client: PromptOpsClient,
    project: Option<String>,
    since: Option<String>,
    limit: Option<u64>,
    wait: Duration,
}

impl Changes {
    pub(crate) fn new(client: &PromptOpsClient) -> Self {
        let (project, since, limit) = (None, None, None);
        Self { client: client.clone(), project, since, limit, wait: Duration::ZERO }
    }

    project_setter!();

    /// Begins after this [`next_cursor`](ChangePage::next_cursor); with the first change there was
    /// unless given.
    pub fn since(mut self, cursor: impl Into<String>) -> Self {
        self.since = Some(cursor.into());
        self
    }

    /// Begins with what has not happened yet: on its own, the answer is where the feed goes on.
    pub fn from_now(self) -> Self {
        self.since("now")
    }

    /// Gives at most this many, 1 to 1000; 100.
    pub fn limit(mut self, changes: u64) -> Self {
        self.limit = Some(changes);
        self
    }

    /// Waits so long for a change where there is none yet, in whole seconds, at most 60; does not wait.
    /// The client's timeout has to be longer.
    pub fn wait(mut self, time: Duration) -> Self {
        self.wait = time;
        self
    }

    async fn send(self) -> Result<ChangePage, Error> {
        let wait = self.wait.as_secs();
        let call = Call::new(&CHANGES)
            .segment("changes")
            .in_project(project(&self.client, self.project).as_ref())
            .query("since", self.since)
            .query("limit", self.limit.map(|limit| limit.to_string()))
            .query("wait", (wait > 0).then(|| wait.to_string()));
        let answer = call.send::<ChangePage>(&self.client).await?;
        if answer.data.next_cursor.is_empty() {
            return Err(answer.refuse("it does not say where the feed goes on"));
        }
        Ok(answer.data)
    }
}

awaitable!(Changes => ChangePage);
