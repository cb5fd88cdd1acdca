//! What is sent again, when and how often.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use promptops_transport::test_util::ScriptedTransport;
use promptops_transport::{Attempts, Pipeline, Transport, TransportErrorKind};
use promptops_types::RetryConfig;

use crate::{Longest, clock, milliseconds, pipeline, request, within};

fn throttled(wait: &str) -> Response<Bytes> {
    Response::builder().status(429).header("retry-after", wait).body(Bytes::new()).unwrap()
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
