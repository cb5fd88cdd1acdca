//! The pipeline: what is retried, when, how often, and in what order everything runs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use promptops_transport::test_util::{ManualClock, RecordingTransport, ScriptedTransport};
use promptops_transport::{
    Attempt, Attempts, CircuitState, Clock, Middleware, Next, Pipeline, Random, Signed, TokioClock,
    Transport, TransportError, TransportErrorKind, from_fn,
};
use promptops_types::{RetryConfig, TimeSource, Timestamp};

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
    assert_eq!(
        milliseconds(&clock),
        [4000],
        "3 s, and the longest delay of a throttled call on top"
    );
    let script = ScriptedTransport::new().then(throttled("3")).then_status(StatusCode::OK);
    let stages = pipeline(script, &clock);
    stages.send(within(&stages, Duration::from_millis(3500))).await.unwrap();
    assert_eq!(milliseconds(&clock), [4000, 3000], "what is asked for fits, chance does not");

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
        CircuitState::Open { remaining: Duration::from_secs(4) }
    );
    switch.sent();
    send_all(&stages, 50).await;
    assert_eq!(switch.sent(), 0);
    let error = stages.send(request(Method::GET)).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (TransportErrorKind::CircuitOpen, 0));
    assert!(error.to_string().contains("4.0 s more"), "{error}");

    assert_eq!(error.retry_after(), Some(Duration::from_secs(4)));

    for open in [8, 16, 32, 48, 48] {
        let CircuitState::Open { remaining } = stages.circuit_state(&uri) else { panic!("closed") };
        clock.advance(remaining);
        send_all(&stages, 5).await;
        assert_eq!(switch.sent(), 1, "one probe, and its failure opens the circuit again");
        let remaining = Duration::from_secs(open);
        assert_eq!(stages.circuit_state(&uri), CircuitState::Open { remaining });
    }
    switch.answer(200);
    clock.advance(Duration::from_secs(48));
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

/// A transport that answers after this long, as told from outside.
fn slow(switch: &Switch, by: Duration) -> impl Transport {
    let switch = switch.clone();
    from_fn(move |request| {
        let switch = switch.clone();
        async move {
            TokioClock.sleep(by).await;
            switch.send(request).await
        }
    })
}

/// A pipeline on tokio's clock, which a test pauses, whose circuit is open.
async fn open_circuit(switch: &Switch, by: Duration) -> Pipeline {
    let stages =
        Pipeline::new(slow(switch, by), &RetryConfig::default()).random(Longest).circuit_breaker();
    switch.answer(500);
    send_all(&stages, 30).await;
    switch.sent();
    stages
}

/// Begins a call, and drops it after this long.
async fn drop_after(stages: &Pipeline, wait: Duration) {
    tokio::select! {
        outcome = stages.send(request(Method::GET)) => panic!("it is over: {outcome:?}"),
        () = TokioClock.sleep(wait) => {}
    }
}

fn state(stages: &Pipeline) -> CircuitState {
    stages.circuit_state(&"http://h/v1".parse().unwrap())
}

fn is_open(stages: &Pipeline) -> bool {
    matches!(state(stages), CircuitState::Open { .. })
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_dropped_at_once_passes_to_the_next_call() {
    let switch = Switch::default();
    let stages = open_circuit(&switch, Duration::from_millis(100)).await;
    assert!(is_open(&stages));
    tokio::time::advance(Duration::from_secs(5)).await;
    {
        let mut probe = Box::pin(stages.send(request(Method::GET)));
        std::future::poll_fn(|context| {
            assert!(probe.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        assert_eq!(state(&stages), CircuitState::HalfOpen);
    }
    switch.answer(200);
    send_all(&stages, 1).await;
    assert_eq!(state(&stages), CircuitState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_could_wait_for_has_failed() {
    let stages = Pipeline::new(from_fn(|_| std::future::pending()), &RetryConfig::default());
    let stages = stages.circuit_breaker();
    for _ in 0..20 {
        assert!(!is_open(&stages));
        drop_after(&stages, Duration::from_millis(1100)).await;
    }
    assert!(is_open(&stages), "callers with time limits of their own open the circuit too");
    tokio::time::advance(Duration::from_secs(5)).await;
    drop_after(&stages, Duration::from_secs(2)).await;
    assert!(is_open(&stages), "the probe was given up: the circuit opens again");
}

#[tokio::test(start_paused = true)]
async fn a_probe_is_one_request_and_what_began_before_says_nothing_after() {
    let switch = Switch::default();
    let stages = open_circuit(&switch, Duration::from_millis(100)).await;
    let budget = stages.budget().tokens();
    tokio::time::advance(Duration::from_secs(5)).await;
    send_all(&stages, 1).await;
    assert_eq!((switch.sent(), stages.budget().tokens()), (1, budget), "a probe is not retried");

    // Calls that begin while all is well, and fail long after the circuit closed again.
    let late = Switch::default();
    late.answer(500);
    let (slow, failing) = (slow(&late, Duration::from_secs(25)), switch.clone());
    let slow = Arc::new(slow);
    let both = from_fn(move |request: Request<Bytes>| {
        let (slow, failing) = (Arc::clone(&slow), failing.clone());
        async move {
            if request.uri().path() == "/slow" {
                slow.send(request).await
            } else {
                failing.send(request).await
            }
        }
    });
    let stages = Pipeline::new(both, &RetryConfig::none()).random(Longest).circuit_breaker();
    let slow_calls: Vec<_> = (0..40)
        .map(|_| {
            let stages = stages.clone();
            tokio::spawn(async move {
                let request = Request::get("http://h/slow").body(Bytes::new()).unwrap();
                stages.send(request).await
            })
        })
        .collect();
    tokio::task::yield_now().await;
    send_all(&stages, 20).await;
    assert!(is_open(&stages));
    tokio::time::advance(Duration::from_secs(5)).await;
    switch.answer(200);
    send_all(&stages, 1).await;
    assert_eq!(state(&stages), CircuitState::Closed);
    for call in slow_calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 500);
    }
    assert_eq!(state(&stages), CircuitState::Closed, "they belong to the outage that is over");
}

#[tokio::test(start_paused = true)]
async fn a_middleware_that_hangs_is_left_at_the_deadline() {
    #[derive(Debug)]
    struct Hangs;
    impl Middleware for Hangs {
        async fn handle(
            &self,
            _: Request<Bytes>,
            _: Next<'_>,
        ) -> Result<Response<Bytes>, TransportError> {
            std::future::pending().await
        }
    }
    #[derive(Debug)]
    struct Rebuilds;
    impl Middleware for Rebuilds {
        async fn handle(
            &self,
            request: Request<Bytes>,
            next: Next<'_>,
        ) -> Result<Response<Bytes>, TransportError> {
            let uri = request.uri().clone();
            next.run(Request::get(uri).body(Bytes::new()).unwrap()).await
        }
    }
    let hanging = Pipeline::new(ScriptedTransport::new(), &RetryConfig::default()).per_call(Hangs);
    let silent = Pipeline::new(from_fn(|_| std::future::pending()), &RetryConfig::default())
        .per_call(Rebuilds);
    for stages in [hanging, silent] {
        let started = tokio::time::Instant::now();
        let error = stages.send(within(&stages, Duration::from_secs(3))).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Timeout);
        assert_eq!(started.elapsed(), Duration::from_secs(3));
        let started = tokio::time::Instant::now();
        stages.send(request(Method::GET)).await.unwrap_err();
        assert_eq!(started.elapsed(), Duration::from_secs(30), "a deadline nobody gave");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_with_a_time_limit_leaves_time_for_another() {
    let hangs_once = Arc::new(Mutex::new(false));
    let transport = from_fn(move |_| {
        let is_first = !std::mem::replace(&mut *hangs_once.lock().unwrap(), true);
        async move {
            if is_first {
                std::future::pending::<()>().await;
            }
            Ok(Response::new(Bytes::new()))
        }
    });
    let config = RetryConfig::default().attempt_timeout(Duration::from_secs(2));
    let stages = Pipeline::new(transport, &config);
    let response = stages.send(within(&stages, Duration::from_secs(10))).await.unwrap();
    assert_eq!(response.extensions().get(), Some(&Attempts(2)));

    let silent = Pipeline::new(from_fn(|_| std::future::pending()), &config);
    let error = silent.send(within(&silent, Duration::from_secs(5))).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (TransportErrorKind::Timeout, 3));
}

#[tokio::test]
async fn a_retry_that_was_dropped_while_it_waited_costs_nothing() {
    let script = ScriptedTransport::new().then_status(StatusCode::SERVICE_UNAVAILABLE);
    let stages = Pipeline::new(script.clone(), &RetryConfig::default()).random(Longest);
    let mut call = Box::pin(stages.send(request(Method::GET)));
    std::future::poll_fn(|context| {
        assert!(call.as_mut().poll(context).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    assert_eq!((script.requests().len(), stages.budget().tokens()), (1, 500 - 14));
    drop(call);
    assert_eq!(stages.budget().tokens(), 500);
}

#[tokio::test]
async fn each_attempt_is_authorized_anew_and_knows_its_number() {
    let script = ScriptedTransport::new()
        .then_status(StatusCode::SERVICE_UNAVAILABLE)
        .then_status(StatusCode::OK);
    let recording = RecordingTransport::new(script);
    let signed = Signed::new(&"po_key".into(), &"secret".into()).unwrap();
    pipeline(recording.clone(), &clock())
        .credential(signed)
        .send(request(Method::GET))
        .await
        .unwrap();
    let exchanges = recording.exchanges();
    let header = |number: usize, name: &str| exchanges[number].request.headers()[name].clone();
    assert_eq!(header(0, "authorization"), "Bearer po_key");
    assert_ne!(header(0, "x-promptops-nonce"), header(1, "x-promptops-nonce"));
    assert_ne!(header(0, "x-promptops-signature-v2"), header(1, "x-promptops-signature-v2"));
    let numbers: Vec<_> =
        exchanges.iter().map(|exchange| exchange.request.extensions().get::<Attempt>()).collect();
    assert_eq!(numbers, [Some(&Attempt(1)), Some(&Attempt(2))]);
    let statuses = exchanges.iter().map(|e| e.outcome.as_ref().unwrap().as_ref().unwrap().status());
    assert_eq!(statuses.collect::<Vec<_>>(), [503, 200]);
}

/// A registry that takes signatures whose time is at most 300 s from its own clock.
fn strict(registry: &ManualClock) -> impl Transport {
    let registry = registry.clone();
    from_fn(move |request: Request<Bytes>| {
        let told = request.headers()["x-promptops-timestamp"].to_str().unwrap().parse();
        let told: Timestamp = told.unwrap();
        let off = told.unix_micros() - registry.now().unix_micros();
        let status = if off.abs() <= 300_000_000 { 200 } else { 401 };
        let date = registry.now().to_string();
        let date = http_date(&date);
        let response = Response::builder().status(status).header("date", date);
        async move { Ok(response.body(Bytes::new()).unwrap()) }
    })
}

/// `1994-11-06T08:49:37Z` as `Sun, 06 Nov 1994 08:49:37 GMT`; every date of this test is that day.
fn http_date(rfc3339: &str) -> String {
    let (day, time) = rfc3339.split_once('T').unwrap();
    assert_eq!(day, "1994-11-06");
    format!("Sun, 06 Nov 1994 {} GMT", &time[..8])
}

#[tokio::test]
async fn a_clock_that_is_off_is_corrected_once_by_the_registrys() {
    let registry = clock();
    let own = clock();
    let signed = || Signed::new(&"po_key".into(), &"secret".into()).unwrap();
    let stages = Pipeline::new(strict(&registry), &RetryConfig::none())
        .clock(own.clone())
        .credential(signed());
    let attempts = async |stages: &Pipeline| {
        let response = stages.send(request(Method::POST)).await.unwrap();
        (response.status().as_u16(), response.extensions().get::<Attempts>().unwrap().0)
    };
    own.set("1994-11-06T12:00:00Z".parse().unwrap());
    assert_eq!(attempts(&stages).await, (200, 2), "one attempt more, even without retries");
    assert_eq!(attempts(&stages.clone()).await, (200, 1), "and none from then on");
    own.set("1994-11-06T02:00:00Z".parse().unwrap());
    assert_eq!(attempts(&stages).await, (200, 2), "the clock was set again");

    let refuses = ScriptedTransport::new().then(
        Response::builder()
            .status(401)
            .header("date", "Sun, 06 Nov 1994 08:49:01 GMT")
            .body(Bytes::new())
            .unwrap(),
    );
    let stages = pipeline(refuses.clone(), &clock()).credential(signed());
    assert_eq!(attempts(&stages).await, (401, 1), "a wrong key is not a wrong clock");
}
