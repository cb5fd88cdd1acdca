use promptops_template::{PromptTemplate, RenderOptions};
use promptops_types::{Error, ModelProvider, PromptResponse, PromptVariables, RenderResponse};

use super::selection::{Selection, selection_setters};
use super::{GetPrompt, awaitable};

/// A request for a prompt with its variables filled in.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct RenderPrompt {
    prompt: GetPrompt,
    variables: Result<PromptVariables, Error>,
    provider: Option<ModelProvider>,
    model: Option<String>,
    strict: bool,
}

impl RenderPrompt {
    pub(crate) fn new(prompt: GetPrompt, variables: Result<PromptVariables, Error>) -> Self {
        Self { prompt, variables, provider: None, model: None, strict: false }
    }

    fn selection_mut(&mut self) -> &mut Selection {
        self.prompt.selection_mut()
    }

    selection_setters!();

    /// Renders the body for a model: the one for exactly this model, else the provider's with the
    /// longest name that the model's name starts with, else the prompt's own content.
    pub fn model(mut self, provider: impl Into<ModelProvider>, model: impl Into<String>) -> Self {
        self.provider = Some(provider.into());
        self.model = Some(model.into());
        self
    }

    /// Renders the body for any model of a provider.
    pub fn provider(mut self, provider: impl Into<ModelProvider>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Makes variables that nothing uses an error; false.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// What to render if the prompt cannot be fetched.
    pub fn fallback(mut self, prompt: impl Into<std::sync::Arc<PromptResponse>>) -> Self {
        self.prompt = self.prompt.fallback(prompt);
        self
    }

    async fn send(self) -> Result<RenderResponse, Error> {
        let variables = self.variables?;
        let client = self.prompt.client().clone();
        let prompt = self.prompt.send().await?;
        let started = client.time().monotonic();
        let options = RenderOptions {
            provider: self.provider.as_ref(),
            model: self.model.as_deref(),
            strict: self.strict,
        };
        let rendered = PromptTemplate::parse(&prompt)?.render(&variables, &options)?;
        let took = client.time().monotonic().saturating_sub(started);
        Ok(rendered.into_response(&prompt, took))
    }
}

awaitable!(RenderPrompt => RenderResponse);
