//! Writes that may be sent again: `Idempotency-Key`.
//!
//! A receipt is kept in the transaction of the write, so a write whose answer was lost is never made
//! twice; its answer is kept after it. Where that was lost too, it is made again from what was written.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderName, Method, StatusCode};
use promptops_registry::{Access, PromptRef, Receipt, Receipted};
use promptops_types::{ErrorCode, Selector};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::error::ApiError;
use crate::extract::own_id;
use crate::reply::{Payload, Reply};
use crate::{App, etag};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Where writes are that are made once: those of prompts and labels.
fn is_keyed(request: &Request) -> bool {
    let path = request.uri().path();
    match *request.method() {
        Method::POST => path.ends_with("/prompts"),
        Method::PUT => path.contains("/prompts/"),
        _ => false,
    }
}

pub(crate) async fn once(State(app): State<App>, mut request: Request, next: Next) -> Response {
    if !is_keyed(&request) {
        return next.run(request).await;
    }
    let key = match own_id(request.headers(), &IDEMPOTENCY_KEY) {
        Ok(Some(key)) => key.to_owned(),
        Ok(None) => return next.run(request).await,
        Err(error) => return error.into_response(),
    };
    let Some(access) = request.extensions().get::<Access>().cloned() else {
        return next.run(request).await;
    };
    let receipt = Receipt {
        id: digest(&[access.actor().as_bytes(), key.as_bytes()]),
        fingerprint: fingerprint(&request),
        at: app.time.now(),
    };
    let asked = Asked::new(&request);
    match app.registry.receipt(&receipt.id).await {
        Ok(Some(done)) => return answer(&app, &access, &asked, &receipt, done).await,
        Ok(None) => {}
        Err(error) => return ApiError::from(error).into_response(),
    }
    request.extensions_mut().insert(access.clone().with_receipt(receipt.clone()));
    let response = next.run(request).await;
    match response.extensions().get::<Payload>() {
        Some(Payload::Data { data, etag }) => {
            let answer = Given {
                app: app.clone(),
                receipt,
                status: response.status().as_u16(),
                etag: etag.clone(),
                data: data.clone(),
            };
            // The write is durable, and its receipt says so: nobody waits for one more sync. An answer
            // that is lost is made again from what was written.
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(answer.keep())),
                Err(_) => answer.keep().await,
            }
            response
        }
        // Another request with this key was quicker.
        Some(Payload::Error(error)) if error.code.as_str() == ALREADY_DONE => {
            match app.registry.receipt(&receipt.id).await {
                Ok(Some(done)) => answer(&app, &access, &asked, &receipt, done).await,
                Ok(None) => ApiError::internal(&"a receipt is gone").into_response(),
                Err(error) => ApiError::from(error).into_response(),
            }
        }
        _ => response,
    }
}

/// How a handler says that a receipt is there already; it never leaves this module.
pub(crate) const ALREADY_DONE: &str = "ALREADY_DONE";

/// An answer that was given, to be kept.
struct Given {
    app: App,
    receipt: Receipt,
    status: u16,
    etag: Option<String>,
    data: Vec<u8>,
}

impl Given {
    async fn keep(self) {
        let Self { app, receipt, status, etag, data } = self;
        let kept = app.registry.answered(&receipt.id, status, etag.as_deref(), &data).await;
        if let Err(error) = kept {
            tracing::warn!(%error, "the answer to a write was not kept");
        }
    }
}

/// What of a request tells how to answer it again.
struct Asked {
    is_post: bool,
    label: Option<String>,
}

impl Asked {
    fn new(request: &Request) -> Self {
        let path = request.uri().path();
        let label = path.rsplit_once("/labels/").map(|(_, label)| label);
        let label = label.and_then(|label| {
            percent_encoding::percent_decode_str(label).decode_utf8().ok().map(Into::into)
        });
        Self { is_post: request.method() == Method::POST, label }
    }
}

async fn answer(
    app: &App,
    access: &Access,
    asked: &Asked,
    receipt: &Receipt,
    done: Receipted,
) -> Response {
    if done.fingerprint != receipt.fingerprint {
        let code = ErrorCode::from("IDEMPOTENCY_MISMATCH".to_owned());
        let message = "this idempotency key was used for another request; use a new key for each";
        let mut response = ApiError::new(code, message).into_response();
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        return response;
    }
    if let Some((status, etag, data)) = done.answer {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        return Reply::again(status, data, etag).into_response();
    }
    match rebuilt(app, access, asked, &done).await {
        Ok(reply) => reply.into_response(),
        Err(error) => error.into_response(),
    }
}

/// The answer to what was written, as it is now.
async fn rebuilt(
    app: &App,
    access: &Access,
    asked: &Asked,
    done: &Receipted,
) -> Result<Reply, ApiError> {
    let prompt = PromptRef::new(done.prompt_id.clone());
    if let Some(label) = &asked.label {
        let (labels, revision) = app.registry.labels(access, &prompt).await?;
        let label = labels.into_iter().find(|known| known.label.as_str() == label);
        return Ok(Reply::ok(&json!(label))?.etag(etag::of_revision(revision, "labels")));
    }
    let selector = done.version.clone().map_or_else(Selector::default, Selector::Exact);
    let found = app.registry.get(access, &prompt, &selector, None).await?;
    let reply =
        if asked.is_post { Reply::created(&found.prompt)? } else { Reply::ok(&found.prompt)? };
    Ok(reply.etag(etag::of_prompt(&found)))
}

/// SHA-256 over parts with their lengths.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

fn fingerprint(request: &Request) -> [u8; 32] {
    let body = request.extensions().get::<Bytes>().cloned().unwrap_or_default();
    let uri = request.uri();
    digest(&[
        request.method().as_str().as_bytes(),
        uri.path().as_bytes(),
        uri.query().unwrap_or_default().as_bytes(),
        &body,
    ])
}
