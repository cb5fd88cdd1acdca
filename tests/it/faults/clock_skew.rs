//! Row 34: a clock that is off, or is set, costs one attempt.

use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http::{Request, Response};
use promptops_transport::test_util::ManualClock;
use promptops_transport::{Attempts, Pipeline, Signed, Transport, from_fn};
use promptops_types::{RetryConfig, TimeSource, Timestamp};

use super::{row, runs, seed};

const DATE: &str = "Sun, 15 Nov 2026 12:00:00 GMT";

/// A registry whose clock stands at noon, and which takes signatures up to 300 s off.
fn registry() -> impl Transport {
    let noon: Timestamp = "2026-11-15T12:00:00Z".parse().unwrap();
    from_fn(move |request: Request<Bytes>| {
        let told = request.headers()["x-promptops-timestamp"].to_str().unwrap();
        let told: Timestamp = told.parse().unwrap();
        let off = (told.unix_micros() - noon.unix_micros()).abs();
        let status = if off <= 300_000_000 { 200 } else { 401 };
        let response = Response::builder().status(status).header("date", DATE).body(Bytes::new());
        async { Ok(response.unwrap()) }
    })
}

#[tokio::test]
async fn row_34_a_clock_that_is_off_costs_one_attempt() {
    let mut chance = Rng::with_seed(seed());
    let noon: i64 = 1_794_744_000_000_000;
    let cases = runs(1000);
    let (mut most, mut corrected) = (0, 0);
    for _ in 0..cases {
        let clock = ManualClock::new(Timestamp::from_unix_micros(noon));
        let signed = Signed::new(&"po_key".into(), &"secret".into()).unwrap();
        let stages = Pipeline::new(registry(), &RetryConfig::none()).clock(clock.clone());
        let stages = stages.credential(signed);
        for _ in 0..4 {
            // From seconds to ten years, before or after.
            let off = 10_f64.powf(chance.f64() * 8.5) * 1e6;
            #[expect(clippy::cast_possible_truncation, reason = "below ten years")]
            let off = if chance.bool() { off as i64 } else { -(off as i64) };
            clock.set(Timestamp::from_unix_micros(noon + off));
            for call in 0..3 {
                let request = Request::post("http://h/").body(Bytes::new()).unwrap();
                let response = stages.send(request).await.unwrap();
                assert_eq!(response.status(), 200, "{off} µs off");
                let attempts = response.extensions().get::<Attempts>().unwrap().0;
                assert!(call == 0 || attempts == 1, "it knows by now");
                most = most.max(attempts);
                corrected += usize::from(attempts > 1);
            }
        }
        clock.advance(Duration::from_secs(1));
        assert!(clock.monotonic() >= Duration::from_secs(1), "no step of the clock is time");
    }
    assert!(most <= 2 && corrected > 0);
    let measured =
        format!("at most {} extra in {} calls; {corrected} corrections", most - 1, cases * 12);
    row(34, "clock skew and steps: signatures", "at most one extra attempt", measured, true);
}
