use promptops_types::{
    CompatibilityReport, CompatibilityRequest, Error, ModelCompatibility, ModelProvider, ModelRef,
};

use super::selection::checked_selector;
use super::{awaitable, project, project_setter};
use crate::PromptOpsClient;
use crate::call::Call;
use crate::operation::COMPATIBILITY;

/// A request that checks a prompt against a model.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct GetModelCompatibility {
    client: PromptOpsClient,
    id: String,
    project: Option<String>,
    version: Option<String>,
    model: ModelRef,
}

impl GetModelCompatibility {
    pub(crate) fn new(
        client: &PromptOpsClient,
        id: String,
        provider: ModelProvider,
        model: String,
    ) -> Self {
        let model = ModelRef::new(provider, model);
        Self { client: client.clone(), id, project: None, version: None, model }
    }

    project_setter!();

    /// Selects a version: `1.2.0`, `1.2`, a label, or a chain.
    pub fn version(mut self, selector: impl Into<String>) -> Self {
        self.version = Some(selector.into());
        self
    }

    /// Says how well it fits, what stands against it and what would make it fit better.
    ///
    /// # Errors
    /// [`Error::PromptNotFound`], and whatever keeps the registry from answering.
    pub async fn report(self) -> Result<ModelCompatibility, Error> {
        checked_selector(&self.client, COMPATIBILITY.name, self.version.as_deref())?;
        let mut body = CompatibilityRequest::default();
        let call = Call::new(&COMPATIBILITY).segment("models").segment("compatibility");
        let call = call.about_prompt(&self.id).about_model(self.model.clone());
        body.prompt_id = Some(self.id);
        body.version = self.version;
        body.project_id = project(&self.client, self.project);
        body.models = vec![self.model];
        let call = call.about_project(body.project_id.as_ref());
        let mut answer = call.json(&body)?.send::<CompatibilityReport>(&self.client).await?;
        let first = std::mem::take(&mut answer.data.models).into_iter().next();
        first.ok_or_else(|| answer.refuse("it reports on no model"))
    }

    async fn send(self) -> Result<bool, Error> {
        self.report().await.map(|report| report.compatible)
    }
}

awaitable!(GetModelCompatibility => bool);
