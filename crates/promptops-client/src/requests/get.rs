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
use crate::cache::{Landing, Read};
use crate::call::Call;
use crate::observer::{Began, Call as Observed};
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
        if let Getting::Begins(request) = &self.0 {
            let began = match request.look() {
                Ok(value) => {
                    self.0 = Getting::Ended;
                    return Poll::Ready(value);
                }
                Err(began) => began,
            };
            if let Getting::Begins(request) = std::mem::replace(&mut self.0, Getting::Ended) {
                self.0 = request.getting(began);
            }
        }
        match std::mem::replace(&mut self.0, Getting::Ended) {
            Getting::Waits(mut waiting) => {
                let polled = waiting.as_mut().poll(context);
                if polled.is_pending() {
                    self.0 = Getting::Waits(waiting);
                }
                polled
            }
            // As an `async fn` does.
            #[expect(clippy::panic, reason = "a future is not polled after its end")]
            Getting::Begins(_) | Getting::Ended => {
                panic!("`GettingPrompt` polled after it was ready")
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

/// What came of a request.
pub(super) struct Got {
    pub(super) fetched: Result<Fetched<PromptResponse>, Error>,
    /// Why it is the fallback.
    failure: Option<Error>,
    attempts: u32,
}

impl Got {
    /// Why the fallback was given, if it was.
    pub(super) fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// How the request went, for those who are told of it.
    pub(super) fn observed<'a>(&'a self, request: &'a GetPrompt) -> Observed<'a> {
        let fetched = self.fetched.as_ref();
        Observed {
            version: fetched.ok().map(|fetched| fetched.value.version.as_str()),
            error: fetched.err().or(self.failure.as_ref()),
            source: fetched.ok().map(|fetched| fetched.source),
            attempts: self.attempts,
            ..request.observed()
        }
    }
}

/// What the memory of the process has of a prompt, if it may be given as it is.
pub(crate) fn cached(
    client: &PromptOpsClient,
    id: &str,
    version: Option<&str>,
    project: Option<&str>,
    key: Option<&str>,
) -> Option<Arc<PromptResponse>> {
    let key = CacheKeyRef {
        scope: client.cache().scope(),
        operation: GET_PROMPT.name,
        prompt: Some(id),
        project: project.or(client.project()),
        selector: version,
        rest: key,
    };
    let value = client.cache().fresh(key)?.value::<PromptResponse>().ok()?;
    let observer = client.observer();
    observer.hit(observer.draw(), || Observed {
        prompt: Some(id),
        project: key.project,
        version: Some(value.version.as_str()),
        source: Some(Source::Near),
        ..Observed::new(GET_PROMPT.name)
    });
    Some(value)
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

    fn observed(&self) -> Observed<'_> {
        let key = self.cache_key();
        Observed { prompt: key.prompt, project: key.project, ..Observed::new(GET_PROMPT.name) }
    }

    /// What the memory of the process has: given at once, without a runtime. Otherwise the call has
    /// begun, and is still to be awaited. For callers that have to know before they wait, such as
    /// bindings to other languages; awaiting does the same.
    ///
    /// # Errors
    /// The call to await. What is inside is as awaiting gives it.
    #[expect(clippy::result_large_err, reason = "it is no error, and a hit does not make one")]
    pub fn at_once(self) -> Result<Result<Arc<PromptResponse>, Error>, GettingPrompt> {
        match self.look() {
            Ok(value) => Ok(value),
            Err(began) => Err(GettingPrompt(self.getting(began))),
        }
    }

    /// What the memory of the process answers, and tells of it. Otherwise the call has begun.
    fn look(&self) -> Result<Result<Arc<PromptResponse>, Error>, Began> {
        let observer = self.client.observer();
        let is_sampled = observer.draw();
        let Some(landing) = self.fresh() else { return Err(observer.begin_drawn(is_sampled)) };
        let value = landing.value::<PromptResponse>();
        observer.hit(is_sampled, || Observed {
            version: value.as_ref().ok().map(|prompt| prompt.version.as_str()),
            source: Some(Source::Near),
            ..self.observed()
        });
        Ok(value)
    }

    fn getting(self, began: Began) -> Getting {
        let getting = async move { self.told(began).await.map(|fetched| fetched.value) };
        Getting::Waits(Box::pin(getting))
    }

    /// The same as a part of another call, which tells of it.
    pub(super) fn part_at_once(&self) -> Option<Got> {
        let landing = self.fresh()?;
        self.client.cache().is_part_of_a_call();
        Some(Got { fetched: landing.fetched(), failure: None, attempts: 0 })
    }

    /// Gives what is asked for, as a part of another call, which tells of it.
    pub(super) async fn get(&mut self) -> Got {
        if let Some(got) = self.part_at_once() {
            return got;
        }
        let (landed, attempts) = match self.read() {
            Ok(read) => {
                let client = self.client.clone();
                let landed = Box::pin(read.run::<PromptResponse>(&client)).await;
                (landed, read.call.attempts())
            }
            Err(error) => (Err(error), 0),
        };
        match (landed.and_then(|landing| landing.fetched()), self.fallback.take()) {
            (Err(error), Some(fallback)) => {
                let (value, source) = (fallback.prompt(&error), Source::Fallback);
                let fetched = Fetched { value, source, age: Duration::ZERO, etag: None };
                Got { fetched: Ok(fetched), failure: Some(error), attempts }
            }
            (fetched, _) => Got { fetched, failure: None, attempts },
        }
    }

    /// What is to be asked for, where it is not fresh in the cache of this process.
    fn read(&self) -> Result<Read, Error> {
        let Self { client, id, selection, .. } = self;
        let call = Call::prompt(&GET_PROMPT, id.as_str());
        let call = selection.clone().apply(client, call)?;
        let (key, use_cache) = (self.cache_key().to_key(), selection.use_cache);
        Ok(Read { key, call, use_cache, is_drawn: true })
    }

    /// Gives what is asked for, and tells of it.
    async fn told(mut self, began: Began) -> Result<Fetched<PromptResponse>, Error> {
        let got = self.get().await;
        self.client.observer().ended(began, &got.observed(&self));
        got.fetched
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
        let began = self.client.observer().begin();
        self.told(began).await
    }

    pub(super) fn client(&self) -> &PromptOpsClient {
        &self.client
    }
}
