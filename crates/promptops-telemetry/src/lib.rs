#![doc = include_str!("../README.md")]

mod batcher;
mod clock;
#[cfg(feature = "test-util")]
pub mod contract;
mod event;
mod exporter;
mod ledger;
#[cfg(feature = "otel")]
pub mod otel;
mod queue;
mod sampler;
mod sink;

pub use batcher::Batcher;
pub use event::CallEvent;
pub use exporter::{Batch, ExportFailure, Exported, SharedExporter, TelemetryExporter};
pub use ledger::Ledger;
pub use sampler::Sampler;
pub use sink::{Flushing, TelemetryFailure, TelemetrySink};
