//! Calls and attempts as spans, and what the client counts as metrics, over the API of OpenTelemetry.
//! The SDK and the exporter are the application's: it sets the global providers before it builds a
//! client. Without them everything here does nothing.
//!
//! No type of OpenTelemetry is in these signatures, so that its releases do not break ours.

mod metrics;
mod span;

pub use metrics::{Instruments, Readings, observe};
pub use span::{AttemptSpan, CallSpan, in_current_context};

/// The scope of spans and metrics.
const SCOPE: &str = "promptops";
