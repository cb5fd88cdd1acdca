//! API keys, and whether credentials are valid.

use axum::extract::State;
use std::collections::BTreeSet;

use promptops_types::{ApiKey, ApiKeyPage, NewKey, RateLimits, Scope, Success, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::auth::{FirstForm, is_first_form};
use crate::error::ApiError;
use crate::extract::{Caller, Json, Path, Query};
use crate::reply::Reply;

/// Makes an API key, which may do no more than the one that makes it. Its text and its secret are told
/// this once.
#[utoipa::path(
    post,
    path = "/auth/api-keys",
    tag = "keys",
    request_body = NewKey,
    responses((status = 201, description = "The key", body = Success<MadeKey>)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    Caller(access): Caller,
    Json(new): Json<NewKey>,
) -> Result<Reply, ApiError> {
    let (key, text) = app.registry.create_key(&access, new).await?;
    let secret_key = app.master.secret(&key.id).expose().to_owned();
    Reply::created(&MadeKey { api_key: text.expose().to_owned(), secret_key, key })
}

/// A new key. It is not kept anywhere, and has no `Debug`.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeKey {
    #[serde(flatten)]
    key: ApiKey,
    /// What requests are made with.
    api_key: String,
    /// What requests may be signed with.
    secret_key: String,
}

/// The keys that may do no more than the caller's, the newest first.
#[utoipa::path(
    get,
    path = "/auth/api-keys",
    tag = "keys",
    params(List),
    responses((status = 200, description = "One page of keys", body = Success<ApiKeyPage>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Caller(access): Caller,
    Query(query): Query<List>,
) -> Result<Reply, ApiError> {
    let after = query.cursor.as_deref().map(parsed).transpose()?;
    let limit = query.limit.unwrap_or(PAGE);
    let (keys, next) = app.registry.keys(&access, after, limit).await?;
    let next = next.map(|(at, id)| format!("k{}.{id}", at.unix_micros()));
    Reply::ok(&ApiKeyPage::new(keys, next))
}

/// Keys on a page unless said otherwise.
const PAGE: u64 = 100;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct List {
    /// Most keys of the page; 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// `next_cursor` of the page before.
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

/// Ends a key: it is refused from the next request on.
#[utoipa::path(
    delete,
    path = "/auth/api-keys/{id}",
    tag = "keys",
    params(("id" = String, Path, description = "The key's id")),
    responses((status = 200, description = "The key", body = Success<ApiKey>)),
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    Caller(access): Caller,
    Path(id): Path<String>,
) -> Result<Reply, ApiError> {
    Reply::ok(&app.registry.revoke_key(&access, &id).await?)
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ValidateKey)]
pub(crate) struct Validate {
    /// The key.
    api_key: String,
    /// A signature of the first form, with what it is of.
    signature: Option<String>,
    timestamp: Option<String>,
    method: Option<String>,
    endpoint: Option<String>,
}

/// What a key may do, if it is valid.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = KeyValidity)]
pub(crate) struct Validity {
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_scopes: Option<BTreeSet<Scope>>,
    /// Every project without.
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_projects: Option<BTreeSet<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<RateLimits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

/// Tells of a key what whoever holds it could find out by using it.
#[utoipa::path(
    post,
    path = "/auth/validate",
    tag = "keys",
    request_body = Validate,
    responses((status = 200, description = "Whether it is valid", body = Success<Validity>)),
)]
pub(crate) async fn validate(
    State(app): State<App>,
    Json(asked): Json<Validate>,
) -> Result<Reply, ApiError> {
    let invalid = Validity::default();
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
    Reply::ok(&Validity {
        valid: true,
        key_id: Some(key.id),
        allowed_scopes: Some(key.scopes),
        allowed_projects: key.projects,
        limits: Some(key.limits),
        expires_at: key.expires_at,
    })
}
