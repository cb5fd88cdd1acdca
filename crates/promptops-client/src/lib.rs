#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod base_url;
#[cfg(feature = "blocking")]
pub mod blocking;
mod builder;
mod cache;
mod call;
mod client;
mod decode;
#[cfg(feature = "embedded")]
mod embedded;
mod fetched;
mod health;
mod observer;
mod operation;
pub mod requests;
mod span;
mod templates;
#[cfg(feature = "test-util")]
pub mod test_util;
mod usage_exporter;
mod weight;
mod written;

pub use builder::ClientBuilder;
pub use client::PromptOpsClient;
#[cfg(feature = "embedded")]
pub use embedded::EmbeddedTransport;
pub use fetched::Fetched;
pub use promptops_cache::{
    Aged, CacheBackend, CacheFailure, CacheKey, CacheScope, Entry, EntryKind, Invalidation,
    Listener, Names, Reading, SharedCache, Subscription, Ticket,
};
#[cfg(feature = "redis")]
pub use promptops_cache::{RedisCache, RedisCacheBuilder};
pub use promptops_telemetry::{
    Batch, Batcher, CallEvent, ExportFailure, Exported, Flushing, Ledger, SharedExporter,
    TelemetryExporter, TelemetryFailure, TelemetrySink,
};
#[cfg(feature = "rustls")]
pub use promptops_transport::Roots;
pub use promptops_transport::{
    Bearer, CircuitState, Credential, Middleware, Next, RetryRule, SharedTransport, Signed,
    Transport, TransportError, TransportErrorKind, from_fn,
};
#[cfg(feature = "hyper")]
pub use promptops_transport::{HyperTransport, HyperTransportBuilder, Resolver};
pub use promptops_types::{
    Action, ApiKey, ApiKeyPage, AuditEntry, BatchEntry, BatchResponse, BodyChoice, BodyKind, Bump,
    CacheConfig, CacheLevel, CacheStats, ChangePage, ClientConfig, ClientStats, ConfigPatch,
    CreatedKey, DEFAULT_BASE_URL, DEFAULT_PROJECT, Deleted, DependencyHealth, Driver, Error,
    ErrorBody, ErrorCode, ErrorContext, ErrorKind, Granularity, HealthState, HealthStatus, Label,
    LabelName, LabelTarget, Message, ModelCompatibility, ModelInfo, ModelProvider,
    ModelSpecificPrompt, NewKey, NewPrompt, PromptDiff, PromptPage, PromptResponse, PromptUpdate,
    PromptUsage, PromptVariables, RateLimits, RenderResponse, RetryConfig, Scope, Secret, Selector,
    SelectorError, SortBy, SortOrder, Source, Task, TelemetryConfig, TelemetrySummary,
    TemplateFormat, Timestamp, UsagePeriod, UsageStats, UsageTotals, ValidationIssue, Version,
    estimate_tokens, vars,
};
