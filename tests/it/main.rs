//! Tests of the whole, a module per subject.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_input;
mod blocking;
mod cache;
mod calls;
mod chaos;
mod collector;
mod configuration;
mod contract;
mod document;
mod embedded;
mod examples;
mod faults;
mod generator;
mod over_http;
mod parity;
mod postgres;
mod redis;
mod rest_contract;
mod scale;
mod server;
mod transports;
mod vectors;

use promptops_client::{ClientBuilder, PromptOpsClient, TelemetryConfig};

/// A client that tells nobody of its calls, so that requests can be counted.
pub(crate) fn quiet() -> ClientBuilder {
    PromptOpsClient::builder().telemetry(TelemetryConfig::disabled())
}
