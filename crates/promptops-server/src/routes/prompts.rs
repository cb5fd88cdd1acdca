use axum::extract::State;
use http::HeaderMap;
use promptops_registry::{DeleteOptions, ListQuery, UpdateOptions};
use promptops_types::{
    Bump, Deleted, NewPrompt, PromptPage, PromptResponse, PromptUpdate, SortBy, SortOrder, Success,
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::extract::{Caller, InProject, Json, Path, Query, one_project, prompt, selector};
use crate::reply::Reply;
use crate::{App, etag};

/// Prompts on a page unless said otherwise.
const PAGE: u64 = 50;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Get {
    /// Selector: a version, a range such as `1.x`, a label, or several with commas.
    version: Option<String>,
    /// The project; `default` for a slug unless given.
    project_id: Option<String>,
    /// Chooses the version behind a weighted label.
    key: Option<String>,
    /// Nothing here: a cache of the client's own is meant.
    #[serde(rename = "use_cache")]
    _use_cache: Option<String>,
}

/// The version of a prompt that a selector selects; the latest unless one is given.
#[utoipa::path(
    get,
    path = "/prompts/{id}",
    tag = "prompts",
    params(("id" = String, Path, description = "UUID or slug"), Get),
    responses((status = 200, description = "The prompt", body = Success<PromptResponse>)),
)]
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

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct List {
    /// Only prompts whose slug, name or description has this text in it, without regard to case.
    query: Option<String>,
    /// Only this project.
    project_id: Option<String>,
    /// Only this module.
    module_id: Option<String>,
    /// Only prompts with all of these tags, separated by commas.
    tags: Option<String>,
    /// Most prompts of the page; 50.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// How many to skip. A cursor does not become slower with each page.
    offset: Option<u64>,
    /// The same, as the document calls it.
    skip: Option<u64>,
    /// `next_cursor` of the page before, with the same filters.
    cursor: Option<String>,
    /// `created_at` unless given.
    #[param(inline, value_type = Option<SortBy>)]
    sort_by: Option<String>,
    /// `desc` unless given.
    #[param(inline, value_type = Option<SortOrder>)]
    sort_order: Option<String>,
}

/// One page of prompts, each at its latest version.
#[utoipa::path(
    get,
    path = "/prompts",
    tag = "prompts",
    params(List),
    responses((status = 200, description = "The page", body = Success<PromptPage>)),
)]
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

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreatePrompt)]
pub(crate) struct Create {
    /// Where; in `default` unless given here or in the query.
    project_id: Option<String>,
    #[serde(flatten)]
    new: NewPrompt,
}

/// Creates a prompt with its first version.
#[utoipa::path(
    post,
    path = "/prompts",
    tag = "prompts",
    params(InProject),
    request_body = Create,
    responses((status = 201, description = "The new prompt", body = Success<PromptResponse>)),
)]
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

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdatePrompt)]
pub(crate) struct Update {
    /// The prompt's project.
    project_id: Option<String>,
    /// The version to edit; with `create_new_version`, the number of the new one.
    version: Option<String>,
    /// True unless `version` is given.
    create_new_version: Option<bool>,
    /// Which number to raise.
    #[serde(default)]
    bump: Bump,
    /// Why, for the audit trail.
    message: Option<String>,
    /// Publishes even if nothing changes.
    #[serde(default)]
    force: bool,
    #[serde(flatten)]
    changes: PromptUpdate,
}

/// Publishes a version, or edits one.
#[utoipa::path(
    put,
    path = "/prompts/{id}",
    tag = "prompts",
    params(("id" = String, Path, description = "UUID or slug"), InProject),
    request_body = Update,
    responses((status = 200, description = "The version that was written", body = Success<PromptResponse>)),
)]
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

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Delete {
    /// Only this version.
    version: Option<String>,
    /// The prompt's project.
    project_id: Option<String>,
    /// Though a label points at it.
    #[serde(default)]
    force: bool,
}

/// Deletes a prompt, or one of its versions.
#[utoipa::path(
    delete,
    path = "/prompts/{id}",
    tag = "prompts",
    params(("id" = String, Path, description = "UUID or slug"), Delete),
    responses((status = 200, description = "What was deleted", body = Success<Deleted>)),
)]
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
