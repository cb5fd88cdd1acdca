//! From a call to its answer: the request is made, sent and decoded under a deadline.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use promptops_transport::{Deadline, Idempotent, Transport};
use promptops_types::{Error, ErrorCode, ErrorContext, PromptResponse};
use serde::de::DeserializeOwned;

use super::{AGENT, Call};
use crate::PromptOpsClient;
use crate::cache::Cacheable;
use crate::decode::{Origin, attempts, decode, told_request_id, undecodable};
use crate::operation::Repeat;
use crate::span::CallSpan;
use crate::written::{Written, named};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Room for the headers of a request, those of the pipeline included.
const HEADERS: usize = 12;

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
}
