//! What handlers take from a request; what cannot be taken is an error of the contract.

use axum::extract::{FromRequest, FromRequestParts};
use http::request::Parts;
use promptops_registry::{Access, PromptRef};
use promptops_types::{LabelName, Selector};
use serde::Deserialize;

use crate::App;
use crate::auth::refused;
use crate::error::ApiError;

/// A JSON body.
#[derive(Debug, FromRequest)]
#[from_request(via(axum::Json), rejection(ApiError))]
pub(crate) struct Json<T>(pub(crate) T);

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

/// The project of a request.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct InProject {
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
