use std::sync::Arc;

use promptops_types::{Error, PromptResponse};

use super::{awaitable, project, project_setter};
use crate::PromptOpsClient;
use crate::call::Call;
use crate::operation::PROMPT_VERSIONS;

/// A request for the versions of a prompt.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct PromptVersions {
    client: PromptOpsClient,
    id: String,
    project: Option<String>,
}

impl PromptVersions {
    pub(crate) fn new(client: &PromptOpsClient, id: String) -> Self {
        Self { client: client.clone(), id, project: None }
    }

    project_setter!();

    async fn send(self) -> Result<Vec<Arc<PromptResponse>>, Error> {
        let call = Call::prompt(&PROMPT_VERSIONS, &self.id)
            .segment("versions")
            .in_project(project(&self.client, self.project).as_ref());
        call.send(&self.client).await.map(|answer| answer.data)
    }
}

awaitable!(PromptVersions => Vec<Arc<PromptResponse>>);
