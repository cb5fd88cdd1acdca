use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use promptops_types::{Error, PromptResponse};

use super::awaitable;
use super::selection::{Selection, selection_setters};
use crate::cache::{Landed, Read, fresh};
use crate::call::Call;
use crate::operation::GET_PROMPT;
use crate::{Fetched, PromptOpsClient, Source};

/// A request for one prompt.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct GetPrompt {
    client: PromptOpsClient,
    id: String,
    selection: Selection,
    fallback: Option<Fallback>,
}

/// What is given if the call fails.
enum Fallback {
    Prompt(Arc<PromptResponse>),
    Make(Box<MakePrompt>),
}

type MakePrompt = dyn FnOnce(&Error) -> Arc<PromptResponse> + Send;

impl Fallback {
    fn prompt(self, error: &Error) -> Arc<PromptResponse> {
        match self {
            Self::Prompt(prompt) => prompt,
            Self::Make(make) => make(error),
        }
    }
}

impl fmt::Debug for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fallback")
    }
}

/// What is in the near tier is given at once. The rest is boxed: it is large, and a hit does not pay
/// for moving it.
async fn land(client: PromptOpsClient, id: String, selection: Selection) -> Landed {
    let mut key = client.cache().key(GET_PROMPT.name);
    key.prompt = Some(id);
    key.project.clone_from(&selection.project);
    if key.project.is_none() {
        key.project.clone_from(&client.config().project);
    }
    key.selector.clone_from(&selection.version);
    key.rest.clone_from(&selection.key);
    if selection.use_cache
        && let Some(fresh) = fresh(&client.cache().tiers(), &client, &key)
    {
        return Ok(fresh);
    }
    Box::pin(async move {
        let use_cache = selection.use_cache;
        let id = key.prompt.as_deref().unwrap_or_default();
        let call = selection.apply(&client, Call::prompt(&GET_PROMPT, id))?;
        Read { key, call, use_cache }.run::<PromptResponse>(&client).await
    })
    .await
}

impl GetPrompt {
    pub(crate) fn new(client: &PromptOpsClient, id: String) -> Self {
        let (selection, fallback) = (Selection::default(), None);
        Self { client: client.clone(), id, selection, fallback }
    }

    pub(super) fn selection_mut(&mut self) -> &mut Selection {
        &mut self.selection
    }

    selection_setters!();

    /// What to give if the call fails, for whatever reason.
    pub fn fallback(mut self, prompt: impl Into<Arc<PromptResponse>>) -> Self {
        self.fallback = Some(Fallback::Prompt(prompt.into()));
        self
    }

    /// What to give if the call fails, made only then.
    pub fn fallback_with<P: Into<Arc<PromptResponse>>>(
        mut self,
        make: impl FnOnce(&Error) -> P + Send + 'static,
    ) -> Self {
        self.fallback = Some(Fallback::Make(Box::new(|error| make(error).into())));
        self
    }

    /// Fetches the prompt and says where it came from.
    ///
    /// # Errors
    /// [`Error::PromptNotFound`] with suggestions, [`Error::Validation`] for a bad selector, and
    /// whatever keeps the registry from answering; none of them with a fallback.
    ///
    /// # Cancel safety
    /// It reads, so it can be dropped at any await.
    pub async fn fetch(self) -> Result<Fetched<PromptResponse>, Error> {
        let Self { client, id, selection, fallback } = self;
        let landed = land(client, id, selection).await;
        match (landed.and_then(|landing| landing.fetched()), fallback) {
            (Err(error), Some(fallback)) => {
                let (value, source) = (fallback.prompt(&error), Source::Fallback);
                Ok(Fetched { value, source, age: Duration::ZERO, etag: None })
            }
            (fetched, _) => fetched,
        }
    }

    pub(super) fn client(&self) -> &PromptOpsClient {
        &self.client
    }

    pub(super) async fn send(self) -> Result<Arc<PromptResponse>, Error> {
        let Self { client, id, selection, fallback } = self;
        let landed = land(client, id, selection).await;
        match (landed.and_then(|landing| landing.value()), fallback) {
            (Err(error), Some(fallback)) => Ok(fallback.prompt(&error)),
            (value, _) => value,
        }
    }
}

awaitable!(GetPrompt => Arc<PromptResponse>);
