//! The body of a request: read whole, within a size and a time, before anything is made of it.

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

/// Reads the body; what is inside finds it in the extensions too.
pub(crate) async fn read(State(app): State<App>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let told = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let told = told.and_then(|text| text.parse::<u64>().ok());
    if told.is_some_and(|length| length > MAX_REQUEST_BYTES as u64) {
        return closing(too_large().into_response());
    }
    let limited = Limited::new(body, MAX_REQUEST_BYTES).collect();
    let read = match app.body_time {
        Some(time) => crate::clock::within(time, limited).await,
        None => Some(limited.await),
    };
    let bytes: Bytes = match read {
        Some(Ok(collected)) => collected.to_bytes(),
        Some(Err(error)) if error.is::<LengthLimitError>() => {
            return closing(too_large().into_response());
        }
        Some(Err(_)) => {
            return closing(ApiError::bad_request("the body ended early").into_response());
        }
        None => {
            let message = "the body took too long";
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
