//! What was used: events in, statistics out, and what is left of the caller's limits.

use axum::Extension;
use axum::extract::State;
use http::{HeaderMap, HeaderName};
use promptops_registry::StatsQuery;
use promptops_types::{Granularity, Timestamp, UsageEvent};
use serde::Deserialize;
use serde_json::json;

use crate::App;
use crate::error::ApiError;
use crate::extract::{Caller, Json, Query};
use crate::rates::Remaining;
use crate::reply::Reply;

/// What tells a batch that is sent again from another.
const BATCH_ID: HeaderName = HeaderName::from_static("x-promptops-batch-id");

/// Longest id of a batch.
const MAX_BATCH_ID: usize = 255;

/// One event, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Events {
    Several(Vec<UsageEvent>),
    One(Box<UsageEvent>),
}

pub(crate) async fn log(
    State(app): State<App>,
    Caller(access): Caller,
    headers: HeaderMap,
    Json(events): Json<Events>,
) -> Result<Reply, ApiError> {
    let batch = headers.get(&BATCH_ID).map(|id| id.to_str().unwrap_or_default());
    if batch.is_some_and(|id| !(1..=MAX_BATCH_ID).contains(&id.len())) {
        let message = format!("`{BATCH_ID}` must be 1 to {MAX_BATCH_ID} visible ASCII characters");
        return Err(ApiError::bad_request(message));
    }
    let events = match events {
        Events::Several(events) => events,
        Events::One(event) => vec![*event],
    };
    if events.len() > UsageEvent::MAX {
        let message = format!("has {} events; send at most {}", events.len(), UsageEvent::MAX);
        return Err(ApiError::invalid("body", "too_many", message));
    }
    let logged = app.registry.log_usage(&access, batch, &events).await?;
    let refused = logged.refused.iter().map(|(at, issue)| json!({ "index": at, "error": issue }));
    Reply::ok(&json!({
        "accepted": logged.accepted,
        "duplicate": logged.duplicate,
        "refused": refused.collect::<Vec<_>>(),
    }))
}

#[derive(Debug, Deserialize)]
pub(crate) struct Stats {
    start_date: Option<String>,
    end_date: Option<String>,
    prompt_id: Option<String>,
    project_id: Option<String>,
    granularity: Option<Granularity>,
}

pub(crate) async fn stats(
    State(app): State<App>,
    Caller(access): Caller,
    Query(query): Query<Stats>,
) -> Result<Reply, ApiError> {
    let wanted = StatsQuery {
        start: query.start_date.map(|text| moment("start_date", &text)).transpose()?,
        end: query.end_date.map(|text| moment("end_date", &text)).transpose()?,
        prompt: query.prompt_id,
        project: query.project_id,
        granularity: query.granularity.unwrap_or_default(),
    };
    Reply::ok(&app.registry.usage_stats(&access, &wanted).await?)
}

/// A date, which begins at midnight UTC, or a moment.
fn moment(field: &str, text: &str) -> Result<Timestamp, ApiError> {
    let midnight = format!("{text}T00:00:00Z");
    text.parse().or_else(|_| midnight.parse()).map_err(|_| {
        let message = "is no date such as 2026-11-25, and no time such as 2026-11-25T12:00:00Z";
        ApiError::invalid(field, "invalid", message)
    })
}

/// What is left of the caller's limits.
pub(crate) async fn limits(
    Caller(_): Caller,
    remaining: Option<Extension<Remaining>>,
) -> Result<Reply, ApiError> {
    let Some(Extension(Remaining([minute, hour, day]))) = remaining else {
        return Reply::ok(&json!({}));
    };
    Reply::ok(&json!({ "minute": minute, "hour": hour, "day": day }))
}
