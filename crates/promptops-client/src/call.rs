//! One call: the request from an operation and its parts, the deadline, and the answer.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use promptops_cache::CacheKey;
use promptops_transport::{
    Deadline, Idempotent, RetryRule, Transport, TransportError, TransportErrorKind,
};
use promptops_types::{Error, ErrorCode, ErrorContext, ModelRef, PromptResponse};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::PromptOpsClient;
use crate::cache::Cacheable;
use crate::decode::{Origin, attempts, decode, told_request_id, undecodable};
use crate::observer::Call as Observed;
use crate::operation::{Operation, Repeat};
use crate::span::CallSpan;
use crate::written::{Written, named};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Room for the headers of a request, those of the pipeline included.
const HEADERS: usize = 12;

pub(crate) const AGENT: &str = concat!("promptops-client-rust/", env!("CARGO_PKG_VERSION"));

/// Everything but what RFC 3986 (2.3) calls unreserved, and slashes: one segment stays one.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A request in the making.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    operation: &'static Operation,
    path: String,
    query: String,
    if_match: Option<String>,
    if_none_match: Option<String>,
    idempotency_key: Option<String>,
    body: Option<Bytes>,
    /// What an error about a missing prompt names.
    prompt_id: Option<String>,
    /// A segment that names something else than it says: nothing is sent.
    misleading: Option<String>,
    /// For those who are told of the call.
    project: Option<String>,
    model: Option<ModelRef>,
    /// Whether it goes past the circuit breaker, once.
    is_direct: bool,
    /// How many requests were sent; a clone counts with it.
    sent: Arc<AtomicU32>,
}

/// What a conditional request gives.
#[derive(Debug)]
pub(crate) enum Answered<T> {
    /// The thing is in the state that was said.
    NotModified,
    New {
        data: T,
        etag: Option<String>,
    },
    /// There is no such thing; the error that says so, and the answer.
    Missing {
        error: Error,
        body: Bytes,
    },
}

/// A decoded answer.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    pub(crate) data: T,
    response: Response<Bytes>,
    request_id: String,
}

impl Answer<PromptResponse> {
    /// The prompt, if it is one: every prompt has an id.
    pub(crate) fn prompt(self) -> Result<Arc<PromptResponse>, Error> {
        if self.data.id.is_empty() {
            return Err(self.refuse("the prompt has no `id`"));
        }
        Ok(Arc::new(self.data))
    }
}

impl<T> Answer<T> {
    /// What the next page of a list that is an array begins after, where there is one.
    pub(crate) fn next_cursor(&self) -> Option<&str> {
        self.response.headers().get("x-next-cursor")?.to_str().ok()
    }

    /// The error for data that decodes but cannot be what was asked for.
    pub(crate) fn refuse(&self, reason: &str) -> Error {
        undecodable(&self.response, &self.request_id, &reason)
    }
}

impl Call {
    /// A call below `/client`.
    pub(crate) fn new(operation: &'static Operation) -> Self {
        Self {
            operation,
            path: "/client".to_owned(),
            query: String::new(),
            if_match: None,
            if_none_match: None,
            idempotency_key: None,
            body: None,
            prompt_id: None,
            misleading: None,
            project: None,
            model: None,
            is_direct: false,
            sent: Arc::default(),
        }
    }

    /// A call below `/client/prompts/{id}`.
    pub(crate) fn prompt(operation: &'static Operation, id: &str) -> Self {
        let mut call = Self::new(operation).segment("prompts").segment(id);
        call.prompt_id = Some(id.to_owned());
        call
    }

    /// Adds a path segment, encoded. What URLs drop, encoded or not, would name another thing.
    pub(crate) fn segment(mut self, segment: &str) -> Self {
        if matches!(segment, "" | "." | "..") {
            self.misleading.get_or_insert_with(|| segment.to_owned());
        }
        self.path.push('/');
        self.path.extend(utf8_percent_encode(segment, SEGMENT));
        self
    }

    /// Adds a parameter, if it has a value.
    pub(crate) fn query(mut self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        if let Some(value) = value {
            self.query.push(if self.query.is_empty() { '?' } else { '&' });
            self.query.push_str(name);
            self.query.push('=');
            self.query.extend(utf8_percent_encode(value.as_ref(), SEGMENT));
        }
        self
    }

    /// Looks in a project.
    pub(crate) fn in_project(self, project: Option<&String>) -> Self {
        self.query("project_id", project).about_project(project)
    }

    /// The project that the body names.
    pub(crate) fn about_project(mut self, project: Option<&String>) -> Self {
        self.project = project.cloned();
        self
    }

    /// Goes past the circuit breaker, once.
    pub(crate) fn direct(mut self) -> Self {
        self.is_direct = true;
        self
    }

    /// The prompt that the body names.
    pub(crate) fn about_prompt(mut self, id: &str) -> Self {
        self.prompt_id = Some(id.to_owned());
        self
    }

    /// The model that the body names.
    pub(crate) fn about_model(mut self, model: ModelRef) -> Self {
        self.model = Some(model);
        self
    }

    /// How many requests were sent for it and its clones.
    pub(crate) fn attempts(&self) -> u32 {
        self.sent.load(Relaxed)
    }

    /// The same call, to be made by itself.
    pub(crate) fn anew(&self) -> Self {
        Self { sent: Arc::default(), ..self.clone() }
    }

    /// Makes the write conditional on an ETag.
    pub(crate) fn if_match(mut self, etag: Option<String>) -> Self {
        self.if_match = etag;
        self
    }

    /// Asks for an answer only if the thing is no longer in this state.
    pub(crate) fn if_none_match(mut self, etag: Option<String>) -> Self {
        self.if_none_match = etag;
        self
    }

    /// Sets the key by which the registry knows the write again; one of its own unless given.
    pub(crate) fn idempotency_key(mut self, key: Option<String>) -> Self {
        self.idempotency_key = key;
        self
    }

    /// Sets the body.
    pub(crate) fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(body).map_err(|error| {
            let context = ErrorContext::new(ErrorCode::BadRequest, "the request is not JSON");
            let context = context.source(error).into();
            Error::Validation { validation_errors: Vec::new(), context }
        })?;
        self.body = Some(body.into());
        Ok(self)
    }

    /// The key of an answer that depends on the operation and the query so far alone.
    pub(crate) fn key_by_query(&self, client: &PromptOpsClient) -> CacheKey {
        let mut key = client.cache().key(self.operation.name);
        key.rest = Some(self.query.clone());
        key
    }

    /// What it is, for those who are told of it.
    pub(crate) fn observed(&self) -> Observed<'_> {
        let model = self.model.as_ref();
        Observed {
            prompt: self.prompt_id.as_deref(),
            project: self.project.as_deref(),
            model: model.map(|model| (&model.provider, Some(model.name.as_str()))),
            attempts: self.attempts(),
            ..Observed::new(self.operation.name)
        }
    }

    /// The prompt that is asked for.
    pub(crate) fn prompt_id(&self) -> Option<&str> {
        self.prompt_id.as_deref()
    }

    /// Sends the request under the client's deadline and decodes the answer.
    pub(crate) async fn send<T: DeserializeOwned>(
        self,
        client: &PromptOpsClient,
    ) -> Result<Answer<T>, Error> {
        let deadline = client.deadline();
        self.send_by(client, deadline).await
    }

    /// The same, under a deadline that several requests share.
    pub(crate) async fn send_by<T: DeserializeOwned>(
        mut self,
        client: &PromptOpsClient,
        deadline: Deadline,
    ) -> Result<Answer<T>, Error> {
        let began = client.observer().begin();
        let answered = self.send_unobserved(client, deadline).await;
        client.observer().ended(began, &self.observed().error(answered.as_ref().err()));
        answered
    }

    /// The same, told to nobody.
    pub(crate) async fn send_unobserved<T: DeserializeOwned>(
        &mut self,
        client: &PromptOpsClient,
        deadline: Deadline,
    ) -> Result<Answer<T>, Error> {
        let (response, id, span) = self.exchange(client, deadline).await?;
        let decoded = decode(&response, &self.origin(client, &id));
        span.end(decoded.as_ref().err().map(Error::code), self.attempts());
        let data = decoded?;
        let request_id = told_request_id(response.headers()).unwrap_or(id);
        Ok(Answer { data, response, request_id })
    }

    /// Sends the request and decodes the answer, if the thing is in another state than was said.
    pub(crate) async fn send_conditional<T: Cacheable>(
        mut self,
        client: &PromptOpsClient,
        deadline: Deadline,
    ) -> Result<Answered<T>, Error> {
        let (response, id, span) = self.exchange(client, deadline).await?;
        if response.status() == StatusCode::NOT_MODIFIED && self.if_none_match.is_some() {
            span.end(None, self.attempts());
            return Ok(Answered::NotModified);
        }
        let etag = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok());
        let decoded = decode::<T>(&response, &self.origin(client, &id));
        let decoded = decoded.and_then(|data| match data.flaw() {
            Some(flaw) => Err(undecodable(&response, &id, &flaw)),
            None => Ok(data),
        });
        if let Some(names) = decoded.as_ref().ok().and_then(Cacheable::names) {
            span.set_version(&names.version);
        }
        span.end(decoded.as_ref().err().map(Error::code), self.attempts());
        let data = match decoded {
            Ok(data) => data,
            Err(error) if matches!(error.status(), Some(404 | 410)) => {
                return Ok(Answered::Missing { error, body: response.into_body() });
            }
            Err(error) => return Err(error),
        };
        Ok(Answered::New { data, etag: etag.map(str::to_owned) })
    }

    fn origin<'c>(&'c self, client: &PromptOpsClient, request_id: &'c str) -> Origin<'c> {
        let now = client.time().now();
        Origin { request_id, prompt_id: self.prompt_id.as_deref(), now }
    }

    /// Sends the request; gives the answer, the id of the request and its span. What a write may have changed
    /// is forgotten before the answer is told, whatever it is: the write may have been carried out.
    async fn exchange(
        &mut self,
        client: &PromptOpsClient,
        deadline: Deadline,
    ) -> Result<(Response<Bytes>, String, CallSpan), Error> {
        if let Some(segment) = &self.misleading {
            return Err(self.no_such_thing(segment));
        }
        let id = uuid::Uuid::new_v4().to_string();
        let settings = client.settings();
        // Before the body goes into the request.
        let written = self
            .operation
            .writes()
            .then(|| Written::new(client, self.prompt_id.as_deref(), self.body.as_deref()));
        let request = self.request(client, deadline, &id)?;
        let (prompt, project) = (self.prompt_id.as_deref(), self.project.as_deref());
        let span = CallSpan::start(self.operation.name, prompt, project);
        let pipeline = if self.is_direct { client.direct() } else { &settings.pipeline };
        let sent = span.scope(pipeline.send(request)).await;
        let attempts = match &sent {
            Ok(response) => attempts(response),
            Err(error) => error.attempts(),
        };
        self.sent.fetch_add(attempts, Relaxed);
        if let Some(mut written) = written {
            written.add(sent.iter().flat_map(|response| named(response.body())));
            written.forget().await;
        }
        match sent {
            Ok(response) => Ok((response, id, span)),
            Err(error) => {
                let is_over = settings.pipeline.is_over(deadline);
                let error = self.failed(error, settings.config.timeout, is_over, Some(&id));
                span.end(Some(error.code()), attempts);
                Err(error)
            }
        }
    }

    /// The error of a call that got no answer.
    pub(crate) fn failed(
        &self,
        error: TransportError,
        timeout: Duration,
        is_over: bool,
        id: Option<&str>,
    ) -> Error {
        let operation = self.operation.name;
        let attempts = error.attempts();
        let context = |code, message, error: TransportError| {
            let kind = error.kind();
            let retryable =
                kind.retry_rule() != RetryRule::Never || kind == TransportErrorKind::CircuitOpen;
            let context = ErrorContext::new(code, message).retryable(retryable);
            let context = context.retry_after(error.retry_after()).source(error);
            Box::new(context.request_id(id.map(str::to_owned)).attempts(attempts))
        };
        let message = format!("{operation} failed: {error}");
        match error.kind() {
            TransportErrorKind::Timeout => {
                // An attempt may have a limit of its own, and so may a transport.
                let message = if is_over {
                    format!("{operation} did not finish within {timeout:?}: {error}")
                } else {
                    message
                };
                Error::Timeout { timeout, context: context(ErrorCode::Timeout, message, error) }
            }
            TransportErrorKind::InvalidResponse => {
                Error::Decode { context: context(ErrorCode::Decode, message, error) }
            }
            TransportErrorKind::InvalidRequest => {
                Error::Config { context: context(ErrorCode::Config, message, error) }
            }
            _ => Error::Network { context: context(ErrorCode::Network, message, error) },
        }
    }

    fn request(
        &mut self,
        client: &PromptOpsClient,
        deadline: Deadline,
        id: &str,
    ) -> Result<Request<Bytes>, Error> {
        let refused = |error: http::Error| {
            let message = "the request cannot be sent: a header or the path is not valid";
            let context = ErrorContext::new(ErrorCode::BadRequest, message).source(error);
            Error::Validation { validation_errors: Vec::new(), context: context.into() }
        };
        let text =
            |value: &str| HeaderValue::from_str(value).map_err(|error| refused(error.into()));
        let uri = [client.base(), &self.path, &self.query].concat();
        let mut request = Request::new(self.body.take().unwrap_or_default());
        *request.method_mut() = self.operation.method.clone();
        *request.uri_mut() = Uri::try_from(uri).map_err(|error| refused(error.into()))?;
        request.extensions_mut().insert(deadline);
        let is_json = !request.body().is_empty();
        let headers = request.headers_mut();
        headers.reserve(HEADERS);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(REQUEST_ID, text(id)?);
        for (name, etag) in [(IF_MATCH, &self.if_match), (IF_NONE_MATCH, &self.if_none_match)] {
            if let Some(etag) = etag {
                headers.insert(name, text(etag)?);
            }
        }
        if is_json {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        match self.operation.repeat {
            Repeat::ByMethod => {}
            Repeat::Reads => _ = request.extensions_mut().insert(Idempotent),
            Repeat::Keyed => {
                let key = self.idempotency_key.take();
                let key = key.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
                headers.insert(IDEMPOTENCY_KEY, text(&key)?);
            }
        }
        Ok(request)
    }

    /// Nothing can have this name, and as a path segment it would name something else.
    fn no_such_thing(&self, name: &str) -> Error {
        if self.prompt_id.as_deref() == Some(name) {
            let message = format!("no prompt can be `{name}`");
            return Error::PromptNotFound {
                prompt_id: name.to_owned(),
                suggested_prompts: Vec::new(),
                context: ErrorContext::new(ErrorCode::PromptNotFound, message).into(),
            };
        }
        let message = format!("nothing can be named `{name}`");
        Error::NotFound { context: ErrorContext::new(ErrorCode::NotFound, message).into() }
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;
    use crate::operation::GET_PROMPT;

    fn decoded(text: &str) -> String {
        percent_decode_str(text).decode_utf8().unwrap().into_owned()
    }

    proptest! {
        /// Read back as a server does: split at what separates, then decoded.
        #[test]
        fn paths_and_queries_come_back_as_they_were(
            id in ".{1,20}",
            pairs in prop::collection::vec(("[a-z_]{1,8}", ".{0,20}"), 0..5),
        ) {
            prop_assume!(id != "." && id != "..");
            let call = Call::prompt(&GET_PROMPT, &id);
            let call = pairs.iter().fold(call, |call, (name, value)| call.query(name, Some(value)));
            let uri: Uri = format!("https://h/v1{}{}", call.path, call.query).parse().unwrap();
            let segments: Vec<_> = uri.path().split('/').map(decoded).collect();
            prop_assert_eq!(&segments[1..], ["v1", "client", "prompts", &id]);
            let query = uri.query().unwrap_or_default();
            let read: Vec<_> = query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (decoded(name), decoded(value)))
                .collect();
            prop_assert_eq!(read, pairs);
        }
    }
}
