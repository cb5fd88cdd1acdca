use std::sync::Arc;

use promptops_types::{Error, NewPrompt, PromptResponse};
use serde::Serialize;

use super::{awaitable, idempotency_key_setter, project, project_setter};
use crate::PromptOpsClient;
use crate::call::Call;
use crate::operation::CREATE_PROMPT;

/// A request that creates a prompt.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct CreatePrompt {
    client: PromptOpsClient,
    project: Option<String>,
    idempotency_key: Option<String>,
    prompt: NewPrompt,
}

#[derive(Serialize)]
struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<String>,
    #[serde(flatten)]
    prompt: NewPrompt,
}

impl CreatePrompt {
    pub(crate) fn new(client: &PromptOpsClient, prompt: NewPrompt) -> Self {
        Self { client: client.clone(), project: None, idempotency_key: None, prompt }
    }

    project_setter!();
    idempotency_key_setter!();

    async fn send(self) -> Result<Arc<PromptResponse>, Error> {
        let project_id = project(&self.client, self.project);
        let call = Call::new(&CREATE_PROMPT).segment("prompts");
        let call = call.idempotency_key(self.idempotency_key).about_project(project_id.as_ref());
        let call = call.json(&Body { project_id, prompt: self.prompt })?;
        call.send(&self.client).await?.prompt()
    }
}

awaitable!(CreatePrompt => Arc<PromptResponse>);
