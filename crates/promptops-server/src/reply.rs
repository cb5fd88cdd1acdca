use axum::response::{IntoResponse, Response};
use http::StatusCode;
use promptops_types::ErrorBody;
use serde::Serialize;

use crate::error::ApiError;

/// What a handler gives; the envelope around it is put on in one place.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    data: Vec<u8>,
    etag: Option<String>,
}

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
        Ok(Self { status: StatusCode::OK, data, etag: None })
    }

    /// An answer that was given before.
    pub(crate) fn again(status: StatusCode, data: Vec<u8>, etag: Option<String>) -> Self {
        Self { status, data, etag }
    }

    /// 201 with data.
    pub(crate) fn created(data: &impl Serialize) -> Result<Self, ApiError> {
        Ok(Self { status: StatusCode::CREATED, ..Self::ok(data)? })
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
        response.extensions_mut().insert(Payload::Data { data: self.data, etag: self.etag });
        response
    }
}
