//! The circuit breaker: when calls are made, and which of them say something.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use promptops_transport::test_util::ManualClock;
use promptops_transport::{
    CircuitState, Clock, Pipeline, TokioClock, Transport, TransportError, TransportErrorKind,
    from_fn,
};
use promptops_types::RetryConfig;

use crate::{Longest, clock, request};

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
