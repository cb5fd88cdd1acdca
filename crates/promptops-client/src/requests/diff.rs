use promptops_types::{Error, PromptDiff};

use super::selection::checked_selector;
use super::{awaitable, project, project_setter};
use crate::PromptOpsClient;
use crate::call::Call;
use crate::operation::DIFF_PROMPT;

/// A request for what changed between two versions of a prompt.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct DiffPrompt {
    client: PromptOpsClient,
    id: String,
    project: Option<String>,
    from: String,
    to: String,
}

impl DiffPrompt {
    pub(crate) fn new(client: &PromptOpsClient, id: String, from: String, to: String) -> Self {
        Self { client: client.clone(), id, project: None, from, to }
    }

    project_setter!();

    async fn send(self) -> Result<PromptDiff, Error> {
        for selector in [&self.from, &self.to] {
            checked_selector(&self.client, DIFF_PROMPT.name, Some(selector))?;
        }
        let call = Call::prompt(&DIFF_PROMPT, &self.id)
            .segment("diff")
            .query("from", Some(self.from))
            .query("to", Some(self.to))
            .in_project(project(&self.client, self.project).as_ref());
        call.send(&self.client).await.map(|answer| answer.data)
    }
}

awaitable!(DiffPrompt => PromptDiff);
