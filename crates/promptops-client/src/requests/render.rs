use promptops_template::RenderOptions;
use promptops_types::{Error, ModelProvider, PromptResponse, PromptVariables, RenderResponse};

use super::get::Got;
use super::selection::{Selection, selection_setters};
use super::{GetPrompt, awaitable};
use crate::observer::Began;
use crate::operation::RENDER_PROMPT;
use crate::{Fetched, PromptOpsClient};

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

    /// Takes these variables, as they are, in the place of those given before.
    pub fn variables(mut self, variables: PromptVariables) -> Self {
        self.variables = Ok(variables);
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

    async fn send(mut self) -> Result<RenderResponse, Error> {
        let observer = self.prompt.client().observer();
        if let Err(error) = &self.variables {
            observer.refused(RENDER_PROMPT, error);
            return Err(error.clone());
        }
        let began = observer.begin();
        let got = self.prompt.get().await;
        self.render(began, &got)
    }

    /// The render, where the memory of the process has the prompt: given at once, without a runtime.
    /// Otherwise nothing has happened yet. For callers that have to know before they wait, such as
    /// bindings to other languages; awaiting does the same.
    pub fn at_once(&self) -> Option<Result<RenderResponse, Error>> {
        let began = self.prompt.client().observer().begin();
        let got = self.prompt.part_at_once()?;
        Some(self.render(began, &got))
    }

    /// Renders what came of the request for the prompt, and tells of it.
    fn render(&self, began: Began, got: &Got) -> Result<RenderResponse, Error> {
        let client = self.prompt.client();
        let options = RenderOptions {
            provider: self.provider.as_ref(),
            model: self.model.as_deref(),
            strict: self.strict,
        };
        let rendered = match (&got.fetched, &self.variables) {
            (Ok(fetched), Ok(variables)) => rendered(client, fetched, variables, &options),
            (Err(error), _) | (_, Err(error)) => Err(error.clone()),
        };
        let mut call = got.observed(&self.prompt).error(rendered.as_ref().err().or(got.failure()));
        call.operation = RENDER_PROMPT;
        call.model = self.provider.as_ref().map(|provider| (provider, self.model.as_deref()));
        client.observer().ended(began, &call);
        rendered
    }
}

fn rendered(
    client: &PromptOpsClient,
    fetched: &Fetched<PromptResponse>,
    variables: &PromptVariables,
    options: &RenderOptions<'_>,
) -> Result<RenderResponse, Error> {
    let started = client.time().monotonic();
    let rendered = client.templates().of(&fetched.value)?.render(variables, options)?;
    let took = client.time().monotonic().saturating_sub(started);
    let mut response = rendered.into_response(&fetched.value, took);
    response.cache_hit = fetched.source.is_cache();
    Ok(response)
}

awaitable!(RenderPrompt => RenderResponse);
