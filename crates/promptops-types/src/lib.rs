#![doc = include_str!("../README.md")]

mod api_key;
mod change;
mod clock;
mod code;
mod compatibility;
mod config;
mod config_patch;
mod diff;
mod driver;
mod envelope;
mod error;
mod health;
mod label;
mod list;
mod model;
mod open_enum;
#[cfg(feature = "openapi")]
mod openapi;
mod prompt;
mod prompt_write;
mod provider_request;
mod render;
mod secret;
mod selector;
mod signature;
mod source;
mod stats;
mod timestamp;
mod tokens;
mod usage;
mod validation_issue;
mod variables;
mod version;

pub use api_key::{ApiKey, ApiKeyPage, CreatedKey, NewKey, RateLimits, Scope};
pub use change::{Action, AuditEntry, ChangePage};
#[cfg(feature = "test-util")]
pub use clock::ManualTime;
pub use clock::{SystemTime, TimeSource};
pub use code::ErrorCode;
pub use compatibility::{CompatibilityReport, CompatibilityRequest, ModelCompatibility, ModelRef};
pub use config::{
    CacheConfig, CacheLevel, ClientConfig, DEFAULT_BASE_URL, RetryConfig, TelemetryConfig,
};
pub use config_patch::ConfigPatch;
pub use diff::PromptDiff;
pub use driver::{Driver, Task};
pub use envelope::{ErrorBody, Failure, ResponseMetadata, Success};
pub use error::{Error, ErrorContext, ErrorKind};
pub use health::{DependencyHealth, HealthState, HealthStatus};
pub use label::{Label, LabelName, LabelTarget};
pub use list::{BatchEntry, BatchRequest, BatchResponse, PromptPage, SortBy, SortOrder};
pub use model::{ModelCatalogue, ModelInfo, ModelProvider};
pub use prompt::{DEFAULT_PROJECT, Message, ModelSpecificPrompt, PromptResponse, TemplateFormat};
pub use prompt_write::{Bump, Deleted, NewPrompt, PromptUpdate};
pub use render::{BodyChoice, BodyKind, RenderRequest, RenderResponse};
pub use secret::Secret;
pub use selector::{Selector, SelectorError};
pub use signature::SignedParts;
pub use source::Source;
pub use stats::{CacheStats, ClientStats, TelemetrySummary};
pub use timestamp::{Timestamp, TimestampError};
pub use tokens::estimate_tokens;
pub use usage::{Granularity, PromptUsage, UsageEvent, UsagePeriod, UsageStats, UsageTotals};
pub use validation_issue::ValidationIssue;
pub use variables::PromptVariables;
pub use version::{Version, VersionError};

#[doc(hidden)]
pub use serde_json as __serde_json;
