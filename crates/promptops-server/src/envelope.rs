//! Around every answer: the request id, the envelope, the ETag and 304.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use promptops_types::{Failure, ResponseMetadata};
use tracing::Instrument;

use crate::reply::Payload;
use crate::{App, etag};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest request id that is echoed.
const MAX_REQUEST_ID: usize = 128;

pub(crate) async fn wrap(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = app.time.monotonic();
    app.requests.count(started);
    let method = request.method().clone();
    let id = request_id(&request);
    let is_get = request.method() == Method::GET;
    let known = request.headers().clone();
    let request_line = format!("{} {}", request.method(), request.uri().path());
    // Whatever is logged inside carries the id that the answer tells.
    let span = tracing::error_span!("request", request_id = %id);
    let mut response = next.run(request).instrument(span.clone()).await;
    let took = app.time.monotonic().saturating_sub(started);
    log(&span, &request_line, response.status(), took);
    app.metrics.answered(&method, response.status(), took);
    let metadata = || ResponseMetadata {
        request_id: id.clone(),
        processing_time_ms: Some(app.time.monotonic().saturating_sub(started).as_secs_f64() * 1e3),
        cache_hit: Some(false),
        timestamp: app.time.now(),
    };
    match response.extensions_mut().remove::<Payload>() {
        Some(Payload::Data { data, etag }) => {
            let etag = match etag {
                Some(etag) => Some(etag),
                None => is_get.then(|| etag::of_data(&data)),
            };
            let unchanged =
                is_get && etag.as_deref().is_some_and(|tag| etag::is_known(&known, tag));
            if let Some(value) = etag.and_then(|etag| HeaderValue::try_from(etag).ok()) {
                response.headers_mut().insert(ETAG, value);
            }
            if unchanged {
                *response.status_mut() = StatusCode::NOT_MODIFIED;
            } else {
                set_body(&mut response, enveloped(&data, &metadata()));
            }
        }
        Some(Payload::Error(error)) => {
            let failure = Failure { success: false, error, metadata: metadata() };
            set_body(&mut response, serde_json::to_vec(&failure).unwrap_or_default());
        }
        None => {}
    }
    if let Ok(value) = HeaderValue::try_from(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// One line of the access log. What is asked for is told without its query: it may hold what is
/// searched for.
fn log(span: &tracing::Span, request: &str, status: StatusCode, took: Duration) {
    let _entered = span.enter();
    let status = status.as_u16();
    let milliseconds = took.as_secs_f64() * 1e3;
    tracing::info!(target: "promptops::access", request, status, milliseconds);
}

/// The caller's request id, or a new one where there is none or it is not plain text.
fn request_id(request: &Request) -> String {
    let given = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = |id: &&str| {
        (1..=MAX_REQUEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match given.filter(plain) {
        Some(id) => id.to_owned(),
        None => uuid::Uuid::new_v4().to_string(),
    }
}

/// The data is JSON already, so it is set between the other fields as it is.
fn enveloped(data: &[u8], metadata: &ResponseMetadata) -> Vec<u8> {
    let metadata = serde_json::to_vec(metadata).unwrap_or_else(|_| b"{}".to_vec());
    [br#"{"success":true,"data":"#, data, br#","metadata":"#, &metadata, b"}"].concat()
}

fn set_body(response: &mut Response, body: Vec<u8>) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    *response.body_mut() = Bytes::from(body).into();
}
