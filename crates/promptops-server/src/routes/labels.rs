use std::collections::BTreeMap;

use axum::extract::State;
use http::HeaderMap;
use promptops_types::{LabelTarget, Version};
use serde::Deserialize;
use serde_json::json;

use crate::error::ApiError;
use crate::extract::{Caller, InProject, Json, Path, Query, label, one_project, prompt};
use crate::reply::Reply;
use crate::{App, etag};

pub(crate) async fn list(
    State(app): State<App>,
    Caller(access): Caller,
    Path(id): Path<String>,
    Query(query): Query<InProject>,
) -> Result<Reply, ApiError> {
    let (labels, revision) = app.registry.labels(&access, &prompt(id, query.project_id)).await?;
    Ok(Reply::ok(&json!({ "labels": labels }))?.etag(etag::of_revision(revision, "labels")))
}

/// Where to point a label: exactly one of `version`, `weights` and `undo`.
#[derive(Debug, Deserialize)]
pub(crate) struct Set {
    project_id: Option<String>,
    version: Option<Version>,
    weights: Option<BTreeMap<Version, u32>>,
    #[serde(default)]
    undo: bool,
}

pub(crate) async fn set(
    State(app): State<App>,
    Caller(access): Caller,
    Path((id, name)): Path<(String, String)>,
    Query(query): Query<InProject>,
    headers: HeaderMap,
    Json(body): Json<Set>,
) -> Result<Reply, ApiError> {
    let (name, if_revision) = (label(&name)?, etag::if_match(&headers));
    let prompt = prompt(id, one_project(query.project_id, body.project_id)?);
    let target = match (body.version, body.weights, body.undo) {
        (Some(version), None, false) => LabelTarget::Version(version),
        (None, Some(weights), false) => LabelTarget::Weights(weights),
        (None, None, true) => {
            let moved = app.registry.undo_label(&access, &prompt, &name, if_revision).await?;
            return Ok(Reply::ok(&moved.label)?.etag(etag::of_revision(moved.revision, "labels")));
        }
        _ => {
            let message = "give exactly one of `version`, `weights` and `undo`";
            return Err(ApiError::invalid("version", "conflict", message));
        }
    };
    let moved = app.registry.set_label(&access, &prompt, &name, target, if_revision).await?;
    Ok(Reply::ok(&moved.label)?.etag(etag::of_revision(moved.revision, "labels")))
}

pub(crate) async fn remove(
    State(app): State<App>,
    Caller(access): Caller,
    Path((id, name)): Path<(String, String)>,
    Query(query): Query<InProject>,
    headers: HeaderMap,
) -> Result<Reply, ApiError> {
    let (name, if_revision) = (label(&name)?, etag::if_match(&headers));
    let prompt = prompt(id, query.project_id);
    let moved = app.registry.remove_label(&access, &prompt, &name, if_revision).await?;
    let reply = Reply::ok(&json!({ "label": name, "removed": true }))?;
    Ok(reply.etag(etag::of_revision(moved.revision, "labels")))
}
