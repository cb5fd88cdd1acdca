use std::fmt;
use std::sync::Arc;

use opentelemetry::metrics::{Counter, Histogram, Meter};
use opentelemetry::{InstrumentationScope, KeyValue, global};

use super::SCOPE;
use crate::CallEvent;

/// The bounds that the semantic conventions of HTTP advise for durations, in seconds, with two below
/// them: a registry in the process answers within a millisecond.
const BOUNDS: [f64; 16] = [
    0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

fn meter() -> Meter {
    let scope = InstrumentationScope::builder(SCOPE).with_version(env!("CARGO_PKG_VERSION"));
    global::meter_with_scope(scope.build())
}

/// What is measured with every call that the memory of the process does not answer at once.
pub struct Instruments {
    duration: Histogram<f64>,
    attempts: Counter<u64>,
}

impl Instruments {
    /// Instruments of the global meter provider there is now.
    pub fn new() -> Self {
        let meter = meter();
        let duration = meter
            .f64_histogram("promptops.client.call.duration")
            .with_unit("s")
            .with_description("How long calls took, retries included")
            .with_boundaries(BOUNDS.to_vec())
            .build();
        let attempts = meter
            .u64_counter("promptops.client.attempts")
            .with_unit("{attempt}")
            .with_description("Requests that calls sent")
            .build();
        Self { duration, attempts }
    }

    /// Measures a call that has ended.
    pub fn call(&self, call: &CallEvent) {
        let mut attributes = vec![KeyValue::new("promptops.operation", call.operation())];
        if call.attempts() > 0 {
            self.attempts.add(call.attempts().into(), &attributes);
        }
        if let Some(source) = call.source() {
            attributes.push(KeyValue::new("promptops.source", source.as_str()));
        }
        if let Some(code) = call.error() {
            attributes.push(KeyValue::new("error.type", code.as_str().to_owned()));
        }
        self.duration.record(call.duration().as_secs_f64(), &attributes);
    }
}

impl Default for Instruments {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Instruments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instruments").finish_non_exhaustive()
    }
}

/// What is read when metrics are collected, so that a hit of the cache costs nothing.
#[derive(Debug, Clone, Default)]
pub struct Readings {
    /// Answers so far, by the name of their [`Source`](promptops_types::Source).
    pub answers: Vec<(&'static str, u64)>,
    /// Events that wait to be sent.
    pub queue_depth: u64,
    /// Events so far, by what became of them.
    pub events: Vec<(&'static str, u64)>,
    /// 0 while calls are made, 1 while one of them probes, 2 while none are.
    pub circuit: u64,
}

/// Reports readings with each collection from now on, to the global meter provider there is now.
/// `client` tells those of several clients in a process apart. `None` is for one that is no more.
pub fn observe(client: &str, read: impl Fn() -> Option<Readings> + Send + Sync + 'static) {
    let meter = meter();
    let client = KeyValue::new("promptops.client.id", client.to_owned());
    let read = Arc::new(read);
    let by = |name: &'static str, pick: fn(Readings) -> Vec<(&'static str, u64)>| {
        let (read, client) = (Arc::clone(&read), client.clone());
        move |observer: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
            for (value, count) in read().map(pick).unwrap_or_default() {
                observer.observe(count, &[client.clone(), KeyValue::new(name, value)]);
            }
        }
    };
    let one = |pick: fn(&Readings) -> u64| {
        let (read, client) = (Arc::clone(&read), client.clone());
        move |observer: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
            if let Some(readings) = read() {
                observer.observe(pick(&readings), std::slice::from_ref(&client));
            }
        }
    };
    meter
        .u64_observable_counter("promptops.client.answers")
        .with_unit("{answer}")
        .with_description("Answers to reads, by where they came from")
        .with_callback(by("promptops.source", |readings| readings.answers))
        .build();
    meter
        .u64_observable_counter("promptops.client.telemetry.events")
        .with_unit("{event}")
        .with_description("Telemetry events, by what became of them")
        .with_callback(by("promptops.outcome", |readings| readings.events))
        .build();
    meter
        .u64_observable_gauge("promptops.client.telemetry.queue")
        .with_unit("{event}")
        .with_description("Telemetry events that wait to be sent")
        .with_callback(one(|readings| readings.queue_depth))
        .build();
    meter
        .u64_observable_gauge("promptops.client.circuit")
        .with_description("0: calls are made, 1: one call probes, 2: none are")
        .with_callback(one(|readings| readings.circuit))
        .build();
}
