//! What was used: events in, statistics out, and what is left of the caller's limits.

use axum::Extension;
use axum::extract::State;
use http::{HeaderMap, HeaderName};
use promptops_registry::StatsQuery;
use promptops_types::{Granularity, Success, Timestamp, UsageEvent, UsageStats, ValidationIssue};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::error::ApiError;
use crate::extract::{AnyJson, Caller, Query, own_id};
use crate::rates::{Left, Remaining};
use crate::reply::Reply;

/// What tells a batch that is sent again from another.
const BATCH_ID: HeaderName = HeaderName::from_static("x-promptops-batch-id");

/// One event, or several.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, try_from = "Value")]
#[schema(as = UsageEvents)]
pub(crate) enum Events {
    Several(Vec<UsageEvent>),
    One(Box<UsageEvent>),
}

impl TryFrom<Value> for Events {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let event = |value: Value| match value {
            Value::Object(_) => serde_json::from_value(value).map_err(|error| error.to_string()),
            _ => Err("an event is no object".to_owned()),
        };
        match value {
            Value::Array(values) => {
                values.into_iter().map(event).collect::<Result<_, _>>().map(Self::Several)
            }
            value => event(value).map(|event| Self::One(Box::new(event))),
        }
    }
}

/// Counts events. A batch with an id in `X-PromptOps-Batch-Id` is counted once.
#[utoipa::path(
    post,
    path = "/usage/log",
    tag = "usage",
    request_body = Events,
    responses((status = 200, description = "How many were counted", body = Success<Logged>)),
)]
pub(crate) async fn log(
    State(app): State<App>,
    Caller(access): Caller,
    headers: HeaderMap,
    AnyJson(events): AnyJson<Events>,
) -> Result<Reply, ApiError> {
    let batch = own_id(&headers, &BATCH_ID)?;
    let events = match events {
        Events::Several(events) => events,
        Events::One(event) => vec![*event],
    };
    if events.len() > UsageEvent::MAX {
        let message = format!("has {} events; send at most {}", events.len(), UsageEvent::MAX);
        return Err(ApiError::invalid("body", "too_many", message));
    }
    let logged = app.registry.log_usage(&access, batch, &events).await?;
    let refused = logged.refused.into_iter().map(|(index, error)| Refused { index, error });
    Reply::ok(&Logged {
        accepted: logged.accepted,
        duplicate: logged.duplicate,
        refused: refused.collect(),
    })
}

/// What became of events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LoggedUsage)]
pub(crate) struct Logged {
    /// Events that are counted.
    accepted: usize,
    /// Whether the batch was counted before.
    duplicate: bool,
    /// Those that are not.
    refused: Vec<Refused>,
}

/// An event that is not counted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RefusedEvent)]
pub(crate) struct Refused {
    /// Its place among the events.
    index: usize,
    /// Why.
    error: ValidationIssue,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Stats {
    /// From this date or moment on; 30 days before the end unless given.
    start_date: Option<String>,
    /// Until then; now unless given.
    end_date: Option<String>,
    /// Only this prompt, as it was asked for.
    prompt_id: Option<String>,
    /// Only this project.
    project_id: Option<String>,
    /// How long the periods are; a day unless given.
    #[param(inline)]
    granularity: Option<Granularity>,
}

/// What was used, in sum, by operation and by period.
#[utoipa::path(
    get,
    path = "/usage/stats",
    tag = "usage",
    params(Stats),
    responses((status = 200, description = "The statistics", body = Success<UsageStats>)),
)]
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
#[utoipa::path(
    get,
    path = "/usage/limits",
    tag = "usage",
    responses((status = 200, description = "What is left", body = Success<Limits>)),
)]
pub(crate) async fn limits(
    Caller(_): Caller,
    remaining: Option<Extension<Remaining>>,
) -> Result<Reply, ApiError> {
    let [minute, hour, day] = remaining.map_or([None; 3], |Extension(Remaining(left))| left);
    Reply::ok(&Limits { minute, hour, day })
}

/// What is left of the caller's limits; nothing in process, where there are none.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageLimits)]
pub(crate) struct Limits {
    minute: Option<Left>,
    hour: Option<Left>,
    day: Option<Left>,
}
