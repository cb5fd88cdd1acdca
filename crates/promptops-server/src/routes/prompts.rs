use axum::extract::State;
use http::HeaderMap;
use promptops_registry::{DeleteOptions, ListQuery, UpdateOptions};
use promptops_types::{Bump, NewPrompt, PromptUpdate, SortBy, SortOrder};
use serde::Deserialize;

use crate::error::ApiError;
use crate::extract::{Caller, InProject, Json, Path, Query, one_project, prompt, selector};
use crate::reply::Reply;
use crate::{App, etag};

/// Prompts on a page unless said otherwise.
const PAGE: u64 = 50;

#[derive(Debug, Deserialize)]
pub(crate) struct Get {
    version: Option<String>,
    project_id: Option<String>,
    key: Option<String>,
}

pub(crate) async fn get(
    State(app): State<App>,
    Caller(access): Caller,
    Path(id): Path<String>,
    Query(query): Query<Get>,
) -> Result<Reply, ApiError> {
    let selector = selector(query.version.as_deref())?;
    let prompt = prompt(id, query.project_id);
    let found = app.registry.get(&access, &prompt, &selector, query.key.as_deref()).await?;
    Ok(Reply::ok(&found.prompt)?.etag(etag::of_prompt(&found)))
}

#[derive(Debug, Deserialize)]
pub(crate) struct List {
    query: Option<String>,
    project_id: Option<String>,
    module_id: Option<String>,
    tags: Option<String>,
    limit: Option<u64>,
    offset: Option<u64>,
    skip: Option<u64>,
    cursor: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
}

pub(crate) async fn list(
    State(app): State<App>,
    Caller(access): Caller,
    Query(query): Query<List>,
) -> Result<Reply, ApiError> {
    let sort_by: Option<SortBy> = parsed("sort_by", query.sort_by)?;
    let sort_order: Option<SortOrder> = parsed("sort_order", query.sort_order)?;
    let tags = query.tags.unwrap_or_default();
    let tags = tags.split(',').map(str::trim).filter(|tag| !tag.is_empty());
    let wanted = ListQuery {
        projects: query.project_id.map(|project| vec![project]),
        module: query.module_id,
        tags: tags.map(str::to_owned).collect(),
        text: query.query,
        sort_by: sort_by.unwrap_or_default(),
        sort_order: sort_order.unwrap_or_default(),
        after: None,
        offset: query.offset.or(query.skip).unwrap_or(0),
        limit: query.limit.unwrap_or(PAGE),
    };
    let page = app.registry.list(&access, wanted, query.cursor.as_deref()).await?;
    Reply::ok(&page)
}

fn parsed<T>(field: &str, text: Option<String>) -> Result<Option<T>, ApiError>
where
    T: std::str::FromStr<Err = String>,
{
    text.map(|text| text.parse())
        .transpose()
        .map_err(|reason: String| ApiError::invalid(field, "unknown_value", reason))
}

#[derive(Debug, Deserialize)]
pub(crate) struct Create {
    project_id: Option<String>,
    #[serde(flatten)]
    new: NewPrompt,
}

pub(crate) async fn create(
    State(app): State<App>,
    Caller(access): Caller,
    Query(query): Query<InProject>,
    Json(body): Json<Create>,
) -> Result<Reply, ApiError> {
    let project = one_project(query.project_id, body.project_id)?;
    let found = app.registry.create(&access, project.as_deref(), body.new).await?;
    Ok(Reply::created(&found.prompt)?.etag(etag::of_prompt(&found)))
}

#[derive(Debug, Deserialize)]
pub(crate) struct Update {
    project_id: Option<String>,
    version: Option<String>,
    create_new_version: Option<bool>,
    #[serde(default)]
    bump: Bump,
    message: Option<String>,
    #[serde(default)]
    force: bool,
    #[serde(flatten)]
    changes: PromptUpdate,
}

pub(crate) async fn update(
    State(app): State<App>,
    Caller(access): Caller,
    Path(id): Path<String>,
    Query(query): Query<InProject>,
    headers: HeaderMap,
    Json(body): Json<Update>,
) -> Result<Reply, ApiError> {
    let options = UpdateOptions {
        version: body.version,
        create_new_version: body.create_new_version,
        bump: body.bump,
        message: body.message,
        force: body.force,
        if_revision: etag::if_match(&headers),
    };
    let prompt = prompt(id, one_project(query.project_id, body.project_id)?);
    let found = app.registry.update(&access, &prompt, body.changes, options).await?;
    Ok(Reply::ok(&found.prompt)?.etag(etag::of_prompt(&found)))
}

#[derive(Debug, Deserialize)]
pub(crate) struct Delete {
    version: Option<String>,
    project_id: Option<String>,
    #[serde(default)]
    force: bool,
}

pub(crate) async fn delete(
    State(app): State<App>,
    Caller(access): Caller,
    Path(id): Path<String>,
    Query(query): Query<Delete>,
    headers: HeaderMap,
) -> Result<Reply, ApiError> {
    let options = DeleteOptions {
        version: query.version,
        force: query.force,
        if_revision: etag::if_match(&headers),
    };
    let prompt = prompt(id, query.project_id);
    Reply::ok(&app.registry.delete(&access, &prompt, options).await?)
}
