use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ModelProvider, Timestamp};

/// One use of the registry or of a prompt, as a client tells it: never a text, a variable or a key.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageEvent {
    /// The operation: `get_prompt`, `render_prompt` and so on.
    pub operation: String,
    /// UUID or slug of the prompt, where it was about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_id: Option<String>,
    /// The version that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The project; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// The model that the prompt was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_provider: Option<ModelProvider>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_name: Option<String>,
    /// When; when the event arrives, unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// How long it took, in milliseconds.
    #[serde(default)]
    pub duration_ms: f64,
    /// Whether it succeeded; unless told otherwise it did.
    #[serde(default = "yes")]
    pub success: bool,
    /// The code of the error, if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// Whether the answer came from a cache.
    #[serde(default)]
    pub cache_hit: bool,
    /// Tokens that went into the model.
    #[serde(default)]
    pub input_tokens: u64,
    /// Tokens that came out of it.
    #[serde(default)]
    pub output_tokens: u64,
}

fn yes() -> bool {
    true
}

impl UsageEvent {
    /// Most events of one request.
    pub const MAX: usize = 1000;

    /// A use that succeeded, now.
    pub fn new(operation: impl Into<String>) -> Self {
        Self { operation: operation.into(), success: true, ..Self::default() }
    }
}

/// How long the periods of a statistic are. Periods begin at midnight UTC, weeks on Mondays, months on
/// the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Granularity {
    /// An hour.
    Hour,
    /// A day.
    #[default]
    Day,
    /// A week.
    Week,
    /// A month.
    Month,
}

impl Granularity {
    /// The spelling on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

/// What was used, in sum.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageTotals {
    /// Uses.
    pub requests: u64,
    /// Uses that failed.
    pub errors: u64,
    /// Uses that a cache answered.
    pub cache_hits: u64,
    /// Tokens that went into models.
    pub input_tokens: u64,
    /// Tokens that came out of them.
    pub output_tokens: u64,
    /// Mean duration, in milliseconds; 0 without any use.
    pub avg_duration_ms: f64,
    /// Half of the uses took at most so many milliseconds, within 10 %.
    pub p50_duration_ms: f64,
    /// 95 of 100 did.
    pub p95_duration_ms: f64,
    /// 99 of 100 did.
    pub p99_duration_ms: f64,
}

/// What was used in a period.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsagePeriod {
    /// When it begins.
    pub start: Timestamp,
    /// What was used.
    #[serde(flatten)]
    pub totals: UsageTotals,
}

/// How much a prompt was used.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PromptUsage {
    /// As it was asked for: UUID or slug.
    pub prompt_id: String,
    /// Its project.
    pub project_id: String,
    /// Uses.
    pub requests: u64,
    /// Uses that failed.
    pub errors: u64,
}

/// What was used in a span of time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageStats {
    /// The first hour.
    pub start_date: Timestamp,
    /// The end, which is not in it.
    pub end_date: Timestamp,
    /// How long the periods are.
    pub granularity: Granularity,
    /// In sum.
    pub totals: UsageTotals,
    /// By operation.
    pub by_endpoint: BTreeMap<String, UsageTotals>,
    /// By period, the first first; periods without any use are left out.
    pub by_period: Vec<UsagePeriod>,
    /// The prompts that were used most, at most ten.
    pub top_prompts: Vec<PromptUsage>,
}
