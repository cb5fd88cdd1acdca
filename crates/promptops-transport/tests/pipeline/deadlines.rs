//! No call and no attempt outlasts its time limit.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use promptops_transport::test_util::ScriptedTransport;
use promptops_transport::{
    Attempts, Middleware, Next, Pipeline, Transport, TransportError, TransportErrorKind, from_fn,
};
use promptops_types::RetryConfig;

use crate::{clock, pipeline, request, within};

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
    for (stages, sent) in [(hanging, 0), (silent, 1)] {
        let started = tokio::time::Instant::now();
        let error = stages.send(within(&stages, Duration::from_secs(3))).await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (TransportErrorKind::Timeout, sent));
        assert_eq!(started.elapsed().as_secs(), 3);
        let started = tokio::time::Instant::now();
        stages.send(request(Method::GET)).await.unwrap_err();
        assert_eq!(started.elapsed().as_secs(), 30, "a deadline nobody gave");
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
