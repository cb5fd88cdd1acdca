//! Row 15: a registry that only fails is not stormed, and is found again when it heals.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http::{Request, Response, StatusCode};

use promptops_transport::test_util::{RawServer, Step};
use promptops_transport::{
    Attempts, Clock, HyperTransport, Pipeline, TokioClock, Transport, from_fn,
};
use promptops_types::{RetryConfig, TimeSource};

use super::{row, runs, seed, since};

use crate::quiet;

fn quick() -> RetryConfig {
    let mut retry = RetryConfig::default();
    retry.base_delay = Duration::from_millis(2);
    retry
}

async fn failing() -> RawServer {
    let script = |_| {
        let failing = [Step::Read, Step::answer("500 Internal Server Error", "{}")];
        failing.into_iter().cycle().take(10_000).collect()
    };
    RawServer::start(script).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn row_15_an_outage_is_not_amplified() {
    let calls = runs(1000);
    // Without the circuit breaker, which would hide what the budget does.
    let server = failing().await;
    let stages = Pipeline::new(HyperTransport::new().unwrap(), &quick());
    let mut most = 0;
    for _ in 0..calls {
        let request = Request::get(server.url("/")).body(Bytes::new()).unwrap();
        let response = stages.send(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        most = most.max(response.extensions().get::<Attempts>().unwrap().0);
    }
    let sent = server.requests().len();
    assert!(most <= 3 && sent <= calls + 35, "{most} a call, {sent} in all");
    let measured = format!("at most {most} a call; {sent} requests of {calls} calls");
    row(
        15,
        "the server only answers 500",
        "at most 3 a call, at most calls + 35 in all",
        measured,
        true,
    );

    // With it, and many callers at once.
    let server = failing().await;
    let url = server.url("/v1");
    let client = quiet().base_url(url).retry(quick()).build().unwrap();
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                for _ in 0..calls / 8 {
                    client.get_prompt("a").await.unwrap_err();
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let (calls, sent) = (calls / 8 * 8, server.requests().len());
    assert!(sent <= 20 + 8 + 35, "{sent} requests: the circuit opens after 20 calls");
    let measured = format!("{sent} requests of {calls} calls");
    row(15, "the same, with the circuit breaker", "at most calls + 35 in all", measured, true);
}

#[tokio::test(start_paused = true)]
async fn row_15_a_share_of_failures_is_amplified_by_a_tenth_at_most() {
    let calls = runs(100_000);
    let mut worst = 0.0_f64;
    for share in [0.05, 0.1, 0.2, 0.3, 0.5, 0.8] {
        let (sent, is_down) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(true)));
        let (counted, down) = (Arc::clone(&sent), Arc::clone(&is_down));
        let chance = Mutex::new(Rng::with_seed(seed()));
        let transport = from_fn(move |_: Request<Bytes>| {
            counted.fetch_add(1, Ordering::SeqCst);
            let failed = down.load(Ordering::SeqCst) || chance.lock().unwrap().f64() < share;
            let response = Response::builder().status(if failed { 500 } else { 200 });
            let response = response.body(Bytes::new()).unwrap();
            async { Ok(response) }
        });
        let stages = Pipeline::new(transport, &RetryConfig::default());
        // The bucket is emptied first: what it holds at the start is the other figure.
        while stages.budget().tokens() >= 14 {
            let _ = stages.send(Request::get("http://h/").body(Bytes::new()).unwrap()).await;
        }
        is_down.store(false, Ordering::SeqCst);
        sent.store(0, Ordering::SeqCst);
        for _ in 0..calls {
            let _ = stages.send(Request::get("http://h/").body(Bytes::new()).unwrap()).await;
        }
        #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
        let amplified = sent.load(Ordering::SeqCst) as f64 / calls as f64;
        worst = worst.max(amplified);
    }
    assert!(worst <= 1.1, "{worst}");
    let measured = format!("{worst:.3} times at worst, for 5 to 80 % of failures");
    row(15, "then, while a share of requests fails", "at most 1.1 times", measured, true);
}

/// How often somebody calls.
const STEP: Duration = Duration::from_millis(20);

/// How long after the registry has healed the first call succeeds, when it failed for so long.
async fn heals_after(outage: Duration) -> Duration {
    let healed = TokioClock.monotonic() + outage;
    let transport = from_fn(move |_: Request<Bytes>| {
        let is_well = TokioClock.monotonic() >= healed;
        let response = Response::builder().status(if is_well { 200 } else { 500 });
        let response = response.body(Bytes::new()).unwrap();
        async { Ok(response) }
    });
    let stages = Pipeline::new(transport, &RetryConfig::default()).circuit_breaker();
    loop {
        let outcome = stages.send(Request::get("http://h/").body(Bytes::new()).unwrap()).await;
        if outcome.is_ok_and(|response| response.status() == 200) {
            return since(healed);
        }
        TokioClock.sleep(STEP).await;
    }
}

#[tokio::test(start_paused = true)]
async fn row_15_a_registry_that_heals_is_found() {
    // Virtual time: it is exact, and asks nothing of the machine.
    let mut chance = Rng::with_seed(seed());
    let mut short = Duration::ZERO;
    for _ in 0..runs(200) {
        short = short.max(heals_after(Duration::from_millis(chance.u64(100..5000))).await);
    }
    let mut long = Duration::ZERO;
    for _ in 0..runs(200) {
        long = long.max(heals_after(Duration::from_secs(chance.u64(5..600))).await);
    }
    // The call that finds it is the next one after the pause.
    assert!(short <= Duration::from_secs(5) + STEP, "{short:?}");
    assert!(long <= Duration::from_mins(1) + STEP, "{long:?}");
    let measured = format!("{:.1} s at most after an outage of up to 5 s", short.as_secs_f64());
    row(15, "healing, outage of up to 5 s", "normal within 5 s", measured, true);
    let measured = format!("{:.1} s at most after one of up to 10 min", long.as_secs_f64());
    // The circuit breaker's pauses grow to a minute: docs/adr/0004 says why that stays.
    let met = long <= Duration::from_secs(5);
    row(15, "healing, outage of up to 10 min", "normal within 5 s", measured, met);
}
