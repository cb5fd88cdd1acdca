//! API keys, and whether credentials are valid.

use axum::extract::State;
use promptops_registry::{ApiKey, NewKey};
use promptops_types::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::App;
use crate::auth::{FirstForm, is_first_form};
use crate::error::ApiError;
use crate::extract::{Caller, Json, Path, Query};
use crate::reply::Reply;

pub(crate) async fn create(
    State(app): State<App>,
    Caller(access): Caller,
    Json(new): Json<NewKey>,
) -> Result<Reply, ApiError> {
    let (key, text) = app.registry.create_key(&access, new).await?;
    let mut told = shown(&key)?;
    told["api_key"] = json!(text.expose());
    told["secret_key"] = json!(app.master.secret(&key.id).expose());
    Reply::created(&told)
}

fn shown(key: &ApiKey) -> Result<Value, ApiError> {
    serde_json::to_value(key).map_err(|error| ApiError::internal(&error))
}

pub(crate) async fn list(
    State(app): State<App>,
    Caller(access): Caller,
    Query(query): Query<List>,
) -> Result<Reply, ApiError> {
    let after = query.cursor.as_deref().map(parsed).transpose()?;
    let limit = query.limit.unwrap_or(PAGE);
    let (keys, next) = app.registry.keys(&access, after, limit).await?;
    let next = next.map(|(at, id)| format!("k{}.{id}", at.unix_micros()));
    Reply::ok(&json!({ "api_keys": keys, "has_more": next.is_some(), "next_cursor": next }))
}

/// Keys on a page unless said otherwise.
const PAGE: u64 = 100;

#[derive(Debug, Deserialize)]
pub(crate) struct List {
    limit: Option<u64>,
    cursor: Option<String>,
}

/// When the last key of a page was made, and its id.
fn parsed(cursor: &str) -> Result<(Timestamp, &str), ApiError> {
    let parts = cursor.strip_prefix('k').and_then(|rest| rest.split_once('.'));
    let place =
        parts.and_then(|(at, id)| Some((Timestamp::from_unix_micros(at.parse().ok()?), id)));
    place.ok_or_else(|| {
        ApiError::invalid("cursor", "invalid", "is no cursor; take one from `next_cursor`")
    })
}

pub(crate) async fn revoke(
    State(app): State<App>,
    Caller(access): Caller,
    Path(id): Path<String>,
) -> Result<Reply, ApiError> {
    Reply::ok(&app.registry.revoke_key(&access, &id).await?)
}

#[derive(Deserialize)]
pub(crate) struct Validate {
    api_key: String,
    signature: Option<String>,
    timestamp: Option<String>,
    method: Option<String>,
    endpoint: Option<String>,
}

/// Tells of a key what whoever holds it could find out by using it.
pub(crate) async fn validate(
    State(app): State<App>,
    Json(asked): Json<Validate>,
) -> Result<Reply, ApiError> {
    let invalid = json!({ "valid": false });
    let Some(key) = app.registry.authenticate(&asked.api_key).await? else {
        return Reply::ok(&invalid);
    };
    if let Some(signature) = &asked.signature {
        let of = FirstForm {
            signature,
            timestamp: asked.timestamp.as_deref().unwrap_or_default(),
            method: asked.method.as_deref().unwrap_or_default(),
            path: asked.endpoint.as_deref().unwrap_or_default(),
        };
        if !is_first_form(&app, &key, &asked.api_key, &of) {
            return Reply::ok(&invalid);
        }
    }
    Reply::ok(&json!({
        "valid": true,
        "key_id": key.id,
        "allowed_scopes": key.scopes,
        "allowed_projects": key.projects,
        "limits": key.limits,
        "expires_at": key.expires_at,
    }))
}
