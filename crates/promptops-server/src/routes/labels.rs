use std::collections::BTreeMap;

use axum::extract::State;
use http::HeaderMap;
use promptops_types::{Label, LabelName, LabelTarget, Success, Version};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::extract::{Caller, InProject, Json, Path, Query, label, one_project, prompt};
use crate::reply::Reply;
use crate::{App, etag};

/// The labels of a prompt.
#[utoipa::path(
    get,
    path = "/prompts/{id}/labels",
    tag = "labels",
    params(("id" = String, Path, description = "UUID or slug"), InProject),
    responses((status = 200, description = "The labels, by name", body = Success<LabelList>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Caller(access): Caller,
    Path(id): Path<String>,
    Query(query): Query<InProject>,
) -> Result<Reply, ApiError> {
    let (labels, revision) = app.registry.labels(&access, &prompt(id, query.project_id)).await?;
    Ok(Reply::ok(&LabelList { labels })?.etag(etag::of_revision(revision, "labels")))
}

/// Labels by name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LabelList {
    labels: Vec<Label>,
}

/// A label that is no more.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RemovedLabel {
    label: LabelName,
    removed: bool,
}

/// Where to point a label: exactly one of `version`, `weights` and `undo`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = MoveLabel)]
pub(crate) struct Set {
    /// The prompt's project.
    project_id: Option<String>,
    /// One version.
    version: Option<Version>,
    /// Several, with weights: `{"1.2.0": 90, "1.3.0": 10}`.
    weights: Option<BTreeMap<Version, u32>>,
    /// Back to where it pointed before.
    #[serde(default)]
    undo: bool,
}

/// Points a label at a version, at several with weights, or back at where it pointed before.
#[utoipa::path(
    put,
    path = "/prompts/{id}/labels/{label}",
    tag = "labels",
    params(("id" = String, Path, description = "UUID or slug"), ("label" = String, Path, description = "The label"), InProject),
    request_body = Set,
    responses((status = 200, description = "The label; null if undoing has taken it away", body = Success<Option<Label>>)),
)]
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

/// Removes a label.
#[utoipa::path(
    delete,
    path = "/prompts/{id}/labels/{label}",
    tag = "labels",
    params(("id" = String, Path, description = "UUID or slug"), ("label" = String, Path, description = "The label"), InProject),
    responses((status = 200, description = "The label that was removed", body = Success<RemovedLabel>)),
)]
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
    let reply = Reply::ok(&RemovedLabel { label: name, removed: true })?;
    Ok(reply.etag(etag::of_revision(moved.revision, "labels")))
}
