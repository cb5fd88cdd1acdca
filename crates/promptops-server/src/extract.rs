//! What handlers take from a request; what cannot be taken is an error of the contract.

use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use promptops_registry::{Access, PromptRef};
use promptops_types::{LabelName, Selector};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::App;
use crate::auth::refused;
use crate::error::ApiError;

/// Any JSON body.
#[derive(Debug, FromRequest)]
#[from_request(via(axum::Json), rejection(ApiError))]
pub(crate) struct AnyJson<T>(pub(crate) T);

/// A JSON object.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let body = request.extensions().get::<Bytes>().cloned().unwrap_or_default();
        let AnyJson(value) = AnyJson::from_request(request, app).await?;
        // The values of a list would be taken for those of the fields, in their order.
        if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            return Err(ApiError::invalid("body", "invalid_type", "is a list; send an object"));
        }
        Ok(Self(value))
    }
}

/// A query string.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub(crate) struct Query<T>(pub(crate) T);

/// Path segments, decoded.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub(crate) struct Path<T>(pub(crate) T);

/// Who asks.
#[derive(Debug)]
pub(crate) struct Caller(pub(crate) Access);

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        parts.extensions.get::<Access>().cloned().map(Self).ok_or_else(refused)
    }
}

/// Longest word of a caller's own that a request is known by.
const MAX_OWN_ID: usize = 255;

/// A header that is a word of the caller's own, if it is there.
pub(crate) fn own_id<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'h str>, ApiError> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let is_word = |text: &&str| {
        (1..=MAX_OWN_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    value.to_str().ok().filter(is_word).map(Some).ok_or_else(|| {
        let message = format!("`{name}` must be 1 to {MAX_OWN_ID} visible ASCII characters");
        ApiError::bad_request(message)
    })
}

/// The project of a request.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InProject {
    /// The project; `default` for a slug unless given.
    pub(crate) project_id: Option<String>,
}

/// The project of a write, which may be in the query or in the body.
pub(crate) fn one_project(
    query: Option<String>,
    body: Option<String>,
) -> Result<Option<String>, ApiError> {
    match (query, body) {
        (Some(query), Some(body)) if query != body => {
            let message = format!("is `{query}` in the query and `{body}` in the body");
            Err(ApiError::invalid("project_id", "conflict", message))
        }
        (query, body) => Ok(body.or(query)),
    }
}

/// A prompt of a project, from a path's id.
pub(crate) fn prompt(id: String, project: Option<String>) -> PromptRef {
    PromptRef::new(id).in_project(project)
}

/// A selector; none selects the latest.
pub(crate) fn selector(text: Option<&str>) -> Result<Selector, ApiError> {
    Ok(text.map(str::parse).transpose()?.unwrap_or_default())
}

/// A label's name.
pub(crate) fn label(text: &str) -> Result<LabelName, ApiError> {
    Ok(text.parse()?)
}
