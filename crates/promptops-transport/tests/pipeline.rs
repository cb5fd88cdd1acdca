//! The pipeline: what is retried, when, how often, and in what order everything runs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use promptops_transport::test_util::{ManualClock, ScriptedTransport};
use promptops_transport::{
    Attempts, CircuitState, Middleware, Next, Pipeline, Random, Transport, TransportError,
    TransportErrorKind, from_fn,
};
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

fn throttled(wait: &str) -> Response<Bytes> {
    Response::builder().status(429).header("retry-after", wait).body(Bytes::new()).unwrap()
}

fn milliseconds(clock: &ManualClock) -> Vec<u128> {
    clock.sleeps().iter().map(Duration::as_millis).collect()
}

#[tokio::test]
async fn an_idempotent_call_is_retried_until_it_succeeds() {
    let clock = clock();
    let script = ScriptedTransport::new()
        .then_error(TransportErrorKind::Interrupted)
        .then_status(StatusCode::BAD_GATEWAY)
        .then_status(StatusCode::OK);
    let response = pipeline(script.clone(), &clock).send(request(Method::GET)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.extensions().get(), Some(&Attempts(3)));
    assert_eq!(milliseconds(&clock), [50, 100]);
    assert_eq!(script.requests().len(), 3);
}

#[tokio::test]
async fn a_write_without_a_key_is_sent_once_unless_it_never_arrived() {
    let clock = clock();
    let script = ScriptedTransport::new().then_status(StatusCode::SERVICE_UNAVAILABLE);
    let response = pipeline(script.clone(), &clock).send(request(Method::POST)).await.unwrap();
    assert_eq!((response.status().as_u16(), script.requests().len()), (503, 1));

    let script = ScriptedTransport::new()
        .then_error(TransportErrorKind::Connect)
        .then_status(StatusCode::CREATED);
    let response = pipeline(script, &clock).send(request(Method::POST)).await.unwrap();
    assert_eq!(response.extensions().get(), Some(&Attempts(2)));

    let mut keyed = request(Method::POST);
    keyed.headers_mut().insert("idempotency-key", "k".parse().unwrap());
    let script = ScriptedTransport::new()
        .then_error(TransportErrorKind::Timeout)
        .then_status(StatusCode::CREATED);
    pipeline(script.clone(), &clock).send(keyed).await.unwrap();
    let requests = script.requests();
    let keys: Vec<_> = requests.iter().map(|sent| &sent.headers()["idempotency-key"]).collect();
    assert_eq!(keys, ["k", "k"], "both attempts carry the same key");
}

#[tokio::test]
async fn it_gives_up_after_three_attempts_and_says_so() {
    let clock = clock();
    let script = ScriptedTransport::new();
    let error = pipeline(script.clone(), &clock).send(request(Method::GET)).await.unwrap_err();
    assert_eq!((error.attempts(), script.requests().len()), (3, 3));
    let script = ScriptedTransport::new().then_status(StatusCode::NOT_FOUND);
    pipeline(script.clone(), &clock).send(request(Method::GET)).await.unwrap();
    assert_eq!(script.requests().len(), 1, "a 404 is an answer");
}

#[tokio::test]
async fn retry_after_is_the_least_delay_and_has_to_fit_the_deadline() {
    let clock = clock();
    let script = ScriptedTransport::new().then(throttled("3")).then_status(StatusCode::OK);
    let stages = pipeline(script, &clock);
    stages.send(within(&stages, Duration::from_secs(30))).await.unwrap();
    assert_eq!(clock.sleeps(), [Duration::from_secs(3)]);

    let script = ScriptedTransport::new().then(throttled("Sun, 06 Nov 1994 09:49:00 GMT"));
    let stages = pipeline(script.clone(), &clock);
    let response = stages.send(within(&stages, Duration::from_secs(30))).await.unwrap();
    assert_eq!((response.status().as_u16(), script.requests().len()), (429, 1), "told at once");
}

#[tokio::test]
async fn an_outage_costs_at_most_35_retries_in_all() {
    let clock = clock();
    let script = ScriptedTransport::new();
    let stages = pipeline(script.clone(), &clock);
    for _ in 0..200 {
        stages.clone().send(request(Method::GET)).await.unwrap_err();
    }
    assert_eq!(script.requests().len(), 200 + 35, "the budget is shared by clones");
}

#[tokio::test]
async fn each_attempt_tells_what_is_left_of_the_deadline() {
    let clock = clock();
    let script = ScriptedTransport::new()
        .then_status(StatusCode::SERVICE_UNAVAILABLE)
        .then_status(StatusCode::OK);
    let stages = pipeline(script.clone(), &clock);
    stages.send(within(&stages, Duration::from_secs(2))).await.unwrap();
    let requests = script.requests();
    let told: Vec<_> = requests.iter().map(|r| &r.headers()["x-promptops-deadline-ms"]).collect();
    assert_eq!(told, ["2000", "1950"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_at_its_deadline_whatever_the_transport_does() {
    let silent = from_fn(|_| std::future::pending());
    let stages = Pipeline::new(silent, &RetryConfig::default());
    let started = tokio::time::Instant::now();
    let error = stages.send(within(&stages, Duration::from_secs(7))).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Timeout);
    assert_eq!(started.elapsed(), Duration::from_secs(7));
    assert_eq!(error.attempts(), 1, "nothing is left for another");
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

/// A transport whose answer is set from outside, and which counts what it is sent.
#[derive(Debug, Clone, Default)]
struct Switch(Arc<Mutex<(u16, u32)>>);

impl Switch {
    fn answer(&self, status: u16) {
        self.0.lock().unwrap().0 = status;
    }

    fn sent(&self) -> u32 {
        std::mem::take(&mut self.0.lock().unwrap().1)
    }
}

impl Transport for Switch {
    async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let mut state = self.0.lock().unwrap();
        state.1 += 1;
        Ok(Response::builder().status(state.0).body(Bytes::new()).unwrap())
    }
}

fn guarded(switch: &Switch, clock: &ManualClock) -> Pipeline {
    Pipeline::new(switch.clone(), &RetryConfig::none())
        .clock(clock.clone())
        .random(Longest)
        .circuit_breaker()
}

async fn send_all(pipeline: &Pipeline, calls: u32) {
    for _ in 0..calls {
        let _ = pipeline.send(request(Method::GET)).await;
    }
}

#[tokio::test]
async fn a_failing_registry_is_left_alone_and_probed_by_exactly_one_call() {
    let (switch, clock) = (Switch::default(), clock());
    let stages = guarded(&switch, &clock);
    let uri = "http://h/v1".parse().unwrap();
    switch.answer(200);
    send_all(&stages, 10).await;
    switch.answer(500);
    send_all(&stages, 9).await;
    assert_eq!(stages.circuit_state(&uri), CircuitState::Closed, "19 calls say nothing");
    send_all(&stages, 1).await;
    assert_eq!(
        stages.circuit_state(&uri),
        CircuitState::Open { remaining: Duration::from_secs(6) }
    );
    switch.sent();
    send_all(&stages, 50).await;
    assert_eq!(switch.sent(), 0);
    let error = stages.send(request(Method::GET)).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (TransportErrorKind::CircuitOpen, 0));
    assert!(error.to_string().contains("6.0 s more"), "{error}");

    for open in [12, 24, 48, 72, 72] {
        let CircuitState::Open { remaining } = stages.circuit_state(&uri) else { panic!("closed") };
        clock.advance(remaining);
        send_all(&stages, 5).await;
        assert_eq!(switch.sent(), 1, "one probe, and its failure opens the circuit again");
        let remaining = Duration::from_secs(open);
        assert_eq!(stages.circuit_state(&uri), CircuitState::Open { remaining });
    }
    switch.answer(200);
    clock.advance(Duration::from_secs(72));
    send_all(&stages, 5).await;
    assert_eq!((switch.sent(), stages.circuit_state(&uri)), (5, CircuitState::Closed));
}

#[tokio::test]
async fn old_failures_refusals_and_other_origins_do_not_count() {
    let (switch, clock) = (Switch::default(), clock());
    let stages = guarded(&switch, &clock);
    let uri = "http://h/v1".parse().unwrap();
    switch.answer(500);
    send_all(&stages, 19).await;
    clock.advance(Duration::from_secs(31));
    send_all(&stages, 19).await;
    assert_eq!(stages.circuit_state(&uri), CircuitState::Closed);
    clock.advance(Duration::from_secs(31));
    for refusal in [404, 429] {
        switch.answer(refusal);
        send_all(&stages, 100).await;
    }
    assert_eq!(stages.circuit_state(&uri), CircuitState::Closed);
    switch.answer(500);
    send_all(&stages, 400).await;
    assert_ne!(stages.circuit_state(&uri), CircuitState::Closed);
    let elsewhere = "http://other/v1".parse().unwrap();
    assert_eq!(stages.circuit_state(&elsewhere), CircuitState::Closed);
}

#[tokio::test]
async fn a_probe_that_is_dropped_passes_to_the_next_call() {
    let (switch, clock) = (Switch::default(), clock());
    let waits = from_fn({
        let switch = switch.clone();
        move |request| {
            let switch = switch.clone();
            async move {
                tokio::task::yield_now().await;
                switch.send(request).await
            }
        }
    });
    let stages = Pipeline::new(waits, &RetryConfig::none())
        .clock(clock.clone())
        .random(Longest)
        .circuit_breaker();
    switch.answer(500);
    send_all(&stages, 20).await;
    clock.advance(Duration::from_secs(6));
    let mut probe = Box::pin(stages.send(request(Method::GET)));
    std::future::poll_fn(|context| {
        assert!(probe.as_mut().poll(context).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    let uri = "http://h/v1".parse().unwrap();
    assert_eq!(stages.circuit_state(&uri), CircuitState::HalfOpen);
    drop(probe);
    switch.answer(200);
    send_all(&stages, 1).await;
    assert_eq!(stages.circuit_state(&uri), CircuitState::Closed);
}
