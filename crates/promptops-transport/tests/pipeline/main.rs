//! The pipeline: what is retried, when, how often, and in what order everything runs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod circuit;
mod credentials;
mod deadlines;
mod retries;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use promptops_transport::test_util::{ManualClock, ScriptedTransport};
use promptops_transport::{Middleware, Next, Pipeline, Random, Transport, TransportError};
use promptops_types::{RetryConfig, Timestamp};

/// The longest delay each time.
#[derive(Debug)]
struct Longest;

impl Random for Longest {
    fn unit(&self) -> f64 {
        1.0
    }
}

fn clock() -> ManualClock {
    ManualClock::new(Timestamp::from_http_date("Sun, 06 Nov 1994 08:49:00 GMT").unwrap())
}

fn pipeline(transport: impl Transport, clock: &ManualClock) -> Pipeline {
    Pipeline::new(transport, &RetryConfig::default()).clock(clock.clone()).random(Longest)
}

fn request(method: Method) -> Request<Bytes> {
    Request::builder().method(method).uri("http://h/v1").body(Bytes::new()).unwrap()
}

fn within(pipeline: &Pipeline, timeout: Duration) -> Request<Bytes> {
    let mut request = request(Method::GET);
    request.extensions_mut().insert(pipeline.deadline(timeout));
    request
}

fn milliseconds(clock: &ManualClock) -> Vec<u128> {
    clock.sleeps().iter().map(Duration::as_millis).collect()
}

#[derive(Debug)]
struct Note(&'static str, Arc<Mutex<Vec<String>>>);

impl Middleware for Note {
    async fn handle(
        &self,
        request: Request<Bytes>,
        next: Next<'_>,
    ) -> Result<Response<Bytes>, TransportError> {
        self.1.lock().unwrap().push(format!("{} in", self.0));
        let outcome = next.run(request).await;
        self.1.lock().unwrap().push(format!("{} out", self.0));
        outcome
    }
}

#[tokio::test]
async fn middleware_runs_in_its_slots_in_order() {
    let notes = Arc::default();
    let note = |name| Note(name, Arc::clone(&notes));
    let script = ScriptedTransport::new()
        .then_status(StatusCode::SERVICE_UNAVAILABLE)
        .then_status(StatusCode::OK);
    let stages = pipeline(script, &clock())
        .per_call(note("call 1"))
        .per_call(note("call 2"))
        .per_attempt(note("attempt"));
    stages.send(request(Method::GET)).await.unwrap();
    let expected = "call 1 in, call 2 in, attempt in, attempt out, attempt in, attempt out, \
                    call 2 out, call 1 out";
    assert_eq!(notes.lock().unwrap().join(", "), expected);
}
