//! One call: the request from an operation and its parts, the deadline, and the answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use promptops_transport::{RetryRule, Transport, TransportError, TransportErrorKind};
use promptops_types::{ClientConfig, Error, ErrorCode, ErrorContext, PromptResponse};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::PromptOpsClient;
use crate::decode::{Origin, decode, undecodable};
use crate::operation::Operation;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const AGENT: &str = concat!("promptops-client-rust/", env!("CARGO_PKG_VERSION"));

/// Everything but what RFC 3986 (2.3) calls unreserved, and slashes: one segment stays one.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A request in the making.
#[derive(Debug)]
pub(crate) struct Call {
    operation: &'static Operation,
    path: String,
    query: String,
    if_match: Option<String>,
    body: Option<Vec<u8>>,
    /// What an error about a missing prompt names.
    prompt_id: Option<String>,
}

/// A decoded answer.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    pub(crate) data: T,
    pub(crate) etag: Option<String>,
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
    /// The error for data that decodes but cannot be what was asked for.
    pub(crate) fn refuse(&self, reason: &str) -> Error {
        undecodable(&self.response, &self.request_id, &reason)
    }
}

impl Call {
    /// A call below `/client`.
    pub(crate) fn new(operation: &'static Operation) -> Self {
        let path = "/client".to_owned();
        let (query, if_match, body, prompt_id) = (String::new(), None, None, None);
        Self { operation, path, query, if_match, body, prompt_id }
    }

    /// A call below `/client/prompts/{id}`.
    pub(crate) fn prompt(operation: &'static Operation, id: &str) -> Self {
        let mut call = Self::new(operation).segment("prompts").segment(id);
        call.prompt_id = Some(id.to_owned());
        call
    }

    /// Adds a path segment, encoded. `.` and `..` too, which a URL would drop.
    pub(crate) fn segment(mut self, segment: &str) -> Self {
        self.path.push('/');
        if matches!(segment, "." | "..") {
            self.path.push_str(&segment.replace('.', "%2E"));
        } else {
            self.path.extend(utf8_percent_encode(segment, SEGMENT));
        }
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

    /// Makes the write conditional on an ETag.
    pub(crate) fn if_match(mut self, etag: Option<String>) -> Self {
        self.if_match = etag;
        self
    }

    /// Sets the body.
    pub(crate) fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(body).map_err(|error| {
            let context = ErrorContext::new(ErrorCode::BadRequest, "the request is not JSON");
            let context = context.source(error).into();
            Error::Validation { validation_errors: Vec::new(), context }
        })?;
        self.body = Some(body);
        Ok(self)
    }

    /// Sends the request under the call's deadline and decodes the answer.
    pub(crate) async fn send<T: DeserializeOwned>(
        self,
        client: &PromptOpsClient,
    ) -> Result<Answer<T>, Error> {
        if let Some(id) = self.prompt_id.as_deref().filter(|id| matches!(*id, "" | "." | "..")) {
            return Err(no_such_prompt(id));
        }
        let id = uuid::Uuid::new_v4().to_string();
        let config = client.config();
        let request = self.request(client, &config, &id)?;
        let sent = client.pipeline().send(request).await;
        let response = sent.map_err(|error| self.failed(error, config.timeout, &id))?;
        let etag = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok());
        let etag = etag.map(str::to_owned);
        let origin = Origin {
            request_id: &id,
            prompt_id: self.prompt_id.as_deref(),
            now: client.time().now(),
        };
        let data = decode(&response, &origin)?;
        Ok(Answer { data, etag, response, request_id: id })
    }

    /// The error of a call that got no answer.
    fn failed(&self, error: TransportError, timeout: Duration, id: &str) -> Error {
        let operation = self.operation.name;
        let attempts = error.attempts();
        let context = |code, message| {
            ErrorContext::new(code, message).request_id(Some(id.to_owned())).attempts(attempts)
        };
        if error.kind() == TransportErrorKind::Timeout {
            let message = format!("{operation} did not finish within {timeout:?}: {error}");
            let context = context(ErrorCode::Timeout, message).retryable(true).source(error);
            return Error::Timeout { timeout, context: context.into() };
        }
        let retryable = error.kind().retry_rule() != RetryRule::Never
            || error.kind() == TransportErrorKind::CircuitOpen;
        let message = format!("{operation} failed: {error}");
        let context = context(ErrorCode::Network, message).retryable(retryable).source(error);
        Error::Network { context: context.into() }
    }

    fn request(
        &self,
        client: &PromptOpsClient,
        config: &ClientConfig,
        id: &str,
    ) -> Result<Request<Bytes>, Error> {
        let uri = format!("{}{}{}", client.base(), self.path, self.query);
        let mut request = Request::builder()
            .method(self.operation.method.clone())
            .uri(uri)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, AGENT)
            .header(REQUEST_ID, id);
        if let Some(key) = &config.api_key {
            // Marked sensitive, so that no log of headers shows it.
            if let Ok(mut value) = HeaderValue::try_from(format!("Bearer {}", key.expose())) {
                value.set_sensitive(true);
                request = request.header(AUTHORIZATION, value);
            }
        }
        if let Some(etag) = &self.if_match {
            request = request.header(IF_MATCH, etag);
        }
        if self.operation.has_idempotency_key {
            request = request.header(IDEMPOTENCY_KEY, uuid::Uuid::new_v4().to_string());
        }
        if self.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request = request.extension(client.pipeline().deadline(config.timeout));
        let body = self.body.clone().map(Bytes::from).unwrap_or_default();
        request.body(body).map_err(|error| {
            let message = "the request cannot be sent: a header or the path is not valid";
            let context = ErrorContext::new(ErrorCode::BadRequest, message).source(error);
            Error::Validation { validation_errors: Vec::new(), context: context.into() }
        })
    }
}

/// No prompt can have this id, and as a path segment it would name something else.
fn no_such_prompt(id: &str) -> Error {
    let context = ErrorContext::new(ErrorCode::PromptNotFound, format!("no prompt can be `{id}`"));
    Error::PromptNotFound {
        prompt_id: id.to_owned(),
        suggested_prompts: Vec::new(),
        context: context.into(),
    }
}
