use promptops_types::{Deleted, Error};

use super::{awaitable, if_match_setter, project, project_setter};
use crate::PromptOpsClient;
use crate::call::Call;
use crate::operation::DELETE_PROMPT;

/// A request that deletes a prompt, or one version of it.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct DeletePrompt {
    client: PromptOpsClient,
    id: String,
    project: Option<String>,
    version: Option<String>,
    force: bool,
    if_match: Option<String>,
}

impl DeletePrompt {
    pub(crate) fn new(client: &PromptOpsClient, id: String) -> Self {
        let (project, version, if_match) = (None, None, None);
        Self { client: client.clone(), id, project, version, force: false, if_match }
    }

    project_setter!();

    /// Deletes only this version. The prompt goes with its last one.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Deletes what labels point at too; false.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    if_match_setter!();

    /// Deletes, and says what is gone.
    ///
    /// # Errors
    /// [`Error::PromptNotFound`]; [`Error::Conflict`] while a label points at what would go,
    /// unless forced.
    pub async fn report(self) -> Result<Deleted, Error> {
        let call = Call::prompt(&DELETE_PROMPT, &self.id)
            .query("version", self.version)
            .in_project(project(&self.client, self.project).as_ref())
            .query("force", self.force.then_some("true"))
            .if_match(self.if_match);
        call.send(&self.client).await.map(|answer| answer.data)
    }

    async fn send(self) -> Result<bool, Error> {
        self.report().await.map(|_| true)
    }
}

awaitable!(DeletePrompt => bool);
