use std::sync::Arc;

use promptops_types::{Error, PromptResponse};

use super::{awaitable, project, project_setter};
use crate::PromptOpsClient;
use crate::call::Call;
use crate::operation::PROMPT_VERSIONS;

/// A request for all versions of a prompt, the one published last first: of very many, in several pages
/// of at most 1000 versions or 8 MiB, each a call of its own.
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
        let project = project(&self.client, self.project);
        let mut all: Vec<Arc<PromptResponse>> = Vec::new();
        let mut cursor = None;
        loop {
            let call = Call::prompt(&PROMPT_VERSIONS, &self.id)
                .segment("versions")
                .query("cursor", cursor.take())
                .in_project(project.as_ref());
            let mut page = call.send::<Vec<Arc<PromptResponse>>>(&self.client).await?;
            let is_last = page.data.is_empty();
            all.append(&mut page.data);
            cursor = page.next_cursor().filter(|_| !is_last).map(str::to_owned);
            if cursor.is_none() {
                return Ok(all);
            }
        }
    }
}

awaitable!(PromptVersions => Vec<Arc<PromptResponse>>);
