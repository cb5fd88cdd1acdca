//! The body of a request: read whole, within a size and a time, before anything is made of it.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use promptops_types::ErrorCode;

use crate::error::{ApiError, too_large};
use crate::{App, MAX_REQUEST_BYTES, auth};

/// Most bytes that are read for somebody who has no key.
const MAX_OPEN_BYTES: usize = 16 * 1024;

/// Reads the body; what is inside finds it in the extensions too.
pub(crate) async fn read(State(app): State<App>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        let mut request = request;
        request.extensions_mut().insert(Bytes::new());
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    // Of a body in pieces it is not known: it may be as large as any.
    let length = content_length(&parts.headers).unwrap_or(MAX_REQUEST_BYTES);
    if length > MAX_REQUEST_BYTES {
        return closing(too_large().into_response());
    }
    let limited = Limited::new(body, MAX_REQUEST_BYTES).collect();
    let (read, room) = match &app.limits {
        Some(limits) => {
            if length > MAX_OPEN_BYTES {
                match auth::has_key(&app, &parts.headers).await {
                    Ok(true) => {}
                    Ok(false) => return closing(auth::failed(&app, &parts)),
                    Err(error) => return closing(ApiError::from(error).into_response()),
                }
            }
            let room = match limits.body(length) {
                Ok(room) => room,
                Err(error) => return closing(error.into_response()),
            };
            (crate::clock::within(limits.body_time, limited).await, Some(room))
        }
        None => (Some(limited.await), None),
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
    let response = next.run(request).await;
    drop(room);
    response
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What is left of the body is not read.
fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
