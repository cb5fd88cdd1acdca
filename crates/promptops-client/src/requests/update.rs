use std::sync::Arc;

use promptops_types::{Bump, Error, PromptResponse, PromptUpdate};
use serde::Serialize;

use super::{awaitable, idempotency_key_setter, if_match_setter, project, project_setter};
use crate::PromptOpsClient;
use crate::call::Call;
use crate::operation::UPDATE_PROMPT;

/// A request that publishes a version of a prompt, or edits one.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct UpdatePrompt {
    client: PromptOpsClient,
    id: String,
    project: Option<String>,
    if_match: Option<String>,
    idempotency_key: Option<String>,
    body: Body,
}

#[derive(Debug, Serialize)]
struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    create_new_version: Option<bool>,
    bump: Bump,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    force: bool,
    #[serde(flatten)]
    update: PromptUpdate,
}

impl UpdatePrompt {
    pub(crate) fn new(client: &PromptOpsClient, id: String, update: PromptUpdate) -> Self {
        let body = Body {
            project_id: None,
            version: None,
            create_new_version: None,
            bump: Bump::default(),
            message: None,
            force: false,
            update,
        };
        let (project, if_match, idempotency_key) = (None, None, None);
        Self { client: client.clone(), id, project, if_match, idempotency_key, body }
    }

    project_setter!();

    /// Edits this version in place, which works while no label points at it. Without it, a new
    /// version is published.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.body.version = Some(version.into());
        self
    }

    /// Publishes the version given, as a new one, and does not edit it.
    pub fn create_new_version(mut self, create: bool) -> Self {
        self.body.create_new_version = Some(create);
        self
    }

    /// Which number a new version raises; the minor one.
    pub fn bump(mut self, bump: Bump) -> Self {
        self.body.bump = bump;
        self
    }

    /// Why, for the audit trail.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.body.message = Some(message.into());
        self
    }

    /// Publishes even if nothing changes; false.
    pub fn force(mut self, force: bool) -> Self {
        self.body.force = force;
        self
    }

    if_match_setter!();
    idempotency_key_setter!();

    async fn send(mut self) -> Result<Arc<PromptResponse>, Error> {
        self.body.project_id = project(&self.client, self.project);
        let call = Call::prompt(&UPDATE_PROMPT, &self.id)
            .if_match(self.if_match)
            .idempotency_key(self.idempotency_key);
        let call = call.about_project(self.body.project_id.as_ref());
        call.json(&self.body)?.send(&self.client).await?.prompt()
    }
}

awaitable!(UpdatePrompt => Arc<PromptResponse>);
