use std::sync::Arc;
use std::time::Duration;

use promptops_types::{Error, PromptResponse};

use super::awaitable;
use super::selection::{Selection, selection_setters};
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
    fallback: Option<Arc<PromptResponse>>,
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
        self.fallback = Some(prompt.into());
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
        let fetched = async {
            let call = selection.apply(&client, Call::prompt(&GET_PROMPT, &id))?;
            let mut answer = call.send::<PromptResponse>(&client).await?;
            let (source, age, etag) = (Source::Network, Duration::ZERO, answer.etag.take());
            Ok(Fetched { value: answer.prompt()?, source, age, etag })
        };
        match (fetched.await, fallback) {
            (Err(_), Some(value)) => {
                Ok(Fetched { value, source: Source::Fallback, age: Duration::ZERO, etag: None })
            }
            (fetched, _) => fetched,
        }
    }

    pub(super) fn client(&self) -> &PromptOpsClient {
        &self.client
    }

    pub(super) async fn send(self) -> Result<Arc<PromptResponse>, Error> {
        self.fetch().await.map(|fetched| fetched.value)
    }
}

awaitable!(GetPrompt => Arc<PromptResponse>);
