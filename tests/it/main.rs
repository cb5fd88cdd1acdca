//! Tests of the whole, a module per subject.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_input;
mod cache;
mod calls;
mod chaos;
mod contract;
mod embedded;
mod examples;
mod faults;
mod over_http;
mod postgres;
mod redis;
mod rest_contract;
mod server;
mod transports;
mod vectors;
