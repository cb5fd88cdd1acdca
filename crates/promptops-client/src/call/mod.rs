//! One call: the operation and its parts, put together.

mod exchange;
mod failure;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use promptops_cache::CacheKey;
use promptops_types::{Error, ErrorCode, ErrorContext, ModelRef};
use serde::Serialize;

pub(crate) use self::exchange::Answered;
use crate::PromptOpsClient;
use crate::observer::Call as Observed;
use crate::operation::Operation;

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
}

#[cfg(test)]
mod tests {
    use http::Uri;
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
