use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use promptops_cache::CacheKeyRef;
use promptops_types::{Error, PromptResponse};

use super::prompt_id::PromptId;
use super::selection::{Selection, selection_setters};
use crate::cache::{Landed, Landing, Read};
use crate::call::Call;
use crate::operation::GET_PROMPT;
use crate::{Fetched, PromptOpsClient, Source};

/// A request for one prompt.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct GetPrompt {
    client: PromptOpsClient,
    id: PromptId,
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

/// A prompt that is being fetched. What is in the cache of this process is given at once: that neither
/// allocates nor waits.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct GettingPrompt(Getting);

enum Getting {
    Begins(GetPrompt),
    Waits(Pin<Box<dyn Future<Output = Result<Arc<PromptResponse>, Error>> + Send>>),
    Ended,
}

impl fmt::Debug for Getting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begins(_) => "Begins",
            Self::Waits(_) => "Waits",
            Self::Ended => "Ended",
        })
    }
}

impl Future for GettingPrompt {
    type Output = Result<Arc<PromptResponse>, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let landing = match &self.0 {
            Getting::Begins(request) => request.fresh(),
            _ => None,
        };
        if let Some(landing) = landing
            && let Getting::Begins(request) = std::mem::replace(&mut self.0, Getting::Ended)
        {
            return Poll::Ready(settle(Ok(landing), request.fallback));
        }
        loop {
            match std::mem::replace(&mut self.0, Getting::Ended) {
                Getting::Begins(request) => {
                    let landing = async move {
                        let (landed, fallback) = request.land_otherwise().await;
                        settle(landed, fallback)
                    };
                    self.0 = Getting::Waits(Box::pin(landing));
                }
                Getting::Waits(mut waiting) => {
                    let polled = waiting.as_mut().poll(context);
                    if polled.is_pending() {
                        self.0 = Getting::Waits(waiting);
                    }
                    return polled;
                }
                // As an `async fn` does.
                #[expect(clippy::panic, reason = "a future is not polled after its end")]
                Getting::Ended => panic!("`GettingPrompt` polled after it was ready"),
            }
        }
    }
}

impl IntoFuture for GetPrompt {
    type Output = Result<Arc<PromptResponse>, Error>;
    type IntoFuture = GettingPrompt;

    fn into_future(self) -> GettingPrompt {
        GettingPrompt(Getting::Begins(self))
    }
}

/// The prompt, or the fallback in its place.
fn settle(landed: Landed, fallback: Option<Fallback>) -> Result<Arc<PromptResponse>, Error> {
    match (landed.and_then(|landing| landing.value()), fallback) {
        (Err(error), Some(fallback)) => Ok(fallback.prompt(&error)),
        (value, _) => value,
    }
}

impl GetPrompt {
    pub(crate) fn new(client: &PromptOpsClient, id: &str) -> Self {
        let (selection, fallback) = (Selection::default(), None);
        Self { client: client.clone(), id: PromptId::new(id), selection, fallback }
    }

    /// The key of what is asked for.
    fn cache_key(&self) -> CacheKeyRef<'_> {
        let Self { client, id, selection, .. } = self;
        CacheKeyRef {
            scope: client.cache().scope(),
            operation: GET_PROMPT.name,
            prompt: Some(id.as_str()),
            project: selection.project.as_deref().or(client.project()),
            selector: selection.version.as_deref(),
            rest: selection.key.as_deref(),
        }
    }

    /// What the cache of this process has, if it may be given as it is.
    fn fresh(&self) -> Option<Landing> {
        self.selection.use_cache.then(|| self.client.cache().fresh(self.cache_key())).flatten()
    }

    /// Gives what is asked for, and the fallback.
    async fn land(self) -> (Landed, Option<Fallback>) {
        match self.fresh() {
            Some(landing) => (Ok(landing), self.fallback),
            None => self.land_otherwise().await,
        }
    }

    /// The same, where it is not fresh in the cache of this process.
    async fn land_otherwise(self) -> (Landed, Option<Fallback>) {
        let key = self.cache_key().to_key();
        let Self { client, id, selection, fallback } = self;
        let use_cache = selection.use_cache;
        let landed = async {
            let call = selection.apply(&client, Call::prompt(&GET_PROMPT, id.as_str()))?;
            Read { key, call, use_cache, is_drawn: true }.run::<PromptResponse>(&client).await
        };
        (Box::pin(landed).await, fallback)
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
        let (landed, fallback) = self.land().await;
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
        let (landed, fallback) = self.land().await;
        settle(landed, fallback)
    }
}
