//! The body of a request: read whole, within a size and a time, before anything is made of it.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use promptops_types::ErrorCode;

use crate::error::{ApiError, too_large};
use crate::{App, MAX_REQUEST_BYTES};

/// Longest time that a body may take.
const MOST_TIME: Duration = Duration::from_secs(10);

/// Reads the body; what is inside finds it in the extensions too.
pub(crate) async fn read(State(_): State<App>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let told = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let told = told.and_then(|text| text.parse::<u64>().ok());
    if told.is_some_and(|length| length > MAX_REQUEST_BYTES as u64) {
        return closing(too_large().into_response());
    }
    let limited = Limited::new(body, MAX_REQUEST_BYTES).collect();
    let bytes: Bytes = match crate::clock::within(MOST_TIME, limited).await {
        Some(Ok(collected)) => collected.to_bytes(),
        Some(Err(error)) if error.is::<LengthLimitError>() => {
            return closing(too_large().into_response());
        }
        Some(Err(_)) => {
            return closing(ApiError::bad_request("the body ended early").into_response());
        }
        None => {
            let message = format!("the body took longer than {MOST_TIME:?}");
            let mut response = ApiError::new(ErrorCode::BadRequest, message).into_response();
            *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
            return closing(response);
        }
    };
    let mut request = Request::from_parts(parts, Body::from(bytes.clone()));
    request.extensions_mut().insert(bytes);
    next.run(request).await
}

/// What is left of the body is not read.
fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, http::HeaderValue::from_static("close"));
    response
}
