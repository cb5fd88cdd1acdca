//! Each attempt proves who asks, by a clock that the registry agrees with.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use promptops_transport::test_util::{ManualClock, RecordingTransport, ScriptedTransport};
use promptops_transport::{Attempt, Attempts, Pipeline, Signed, Transport, from_fn};
use promptops_types::{RetryConfig, TimeSource, Timestamp};

use crate::{clock, pipeline, request};

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
    let numbers: Vec<_> = exchanges
        .iter()
        .map(|e| e.request.extensions().get::<Attempt>().unwrap().number())
        .collect();
    assert_eq!(numbers, [1, 2]);
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
