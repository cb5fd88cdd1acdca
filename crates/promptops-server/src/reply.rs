use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode};
use promptops_types::ErrorBody;
use serde::Serialize;

use crate::error::ApiError;

/// What a handler gives; the envelope around it is put on in one place.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    data: Vec<u8>,
    etag: Option<String>,
    next_cursor: Option<String>,
}

/// Where a list that is an array says what its next page begins after.
const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

/// What the envelope is put around: carried from the handler in the response's extensions.
#[derive(Debug, Clone)]
pub(crate) enum Payload {
    Data {
        /// JSON.
        data: Vec<u8>,
        /// The handler's own ETag; otherwise one is made from the data.
        etag: Option<String>,
    },
    Error(ErrorBody),
}

impl Reply {
    /// 200 with data.
    pub(crate) fn ok(data: &impl Serialize) -> Result<Self, ApiError> {
        let data = serde_json::to_vec(data).map_err(|error| ApiError::internal(&error))?;
        Ok(Self { status: StatusCode::OK, data, etag: None, next_cursor: None })
    }

    /// An answer that was given before.
    pub(crate) fn again(status: StatusCode, data: Vec<u8>, etag: Option<String>) -> Self {
        Self { status, data, etag, next_cursor: None }
    }

    /// 201 with data.
    pub(crate) fn created(data: &impl Serialize) -> Result<Self, ApiError> {
        Ok(Self { status: StatusCode::CREATED, ..Self::ok(data)? })
    }

    /// Says what the next page begins after, where there is one.
    pub(crate) fn next_cursor(mut self, cursor: Option<String>) -> Self {
        self.next_cursor = cursor;
        self
    }

    /// Says which state of the thing this is.
    pub(crate) fn etag(mut self, etag: String) -> Self {
        self.etag = Some(etag);
        self
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(Ok(cursor)) = self.next_cursor.map(HeaderValue::try_from) {
            response.headers_mut().insert(NEXT_CURSOR, cursor);
        }
        response.extensions_mut().insert(Payload::Data { data: self.data, etag: self.etag });
        response
    }
}
