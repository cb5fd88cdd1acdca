//! Middleware around a transport, without the client: one adds a header once a call, one measures
//! each attempt.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use promptops_transport::test_util::ScriptedTransport;
use promptops_transport::{
    Attempts, Middleware, Next, Pipeline, TokioClock, Transport, TransportError,
};
use promptops_types::{RetryConfig, TimeSource};

/// Says which application calls.
#[derive(Debug)]
struct Application(&'static str);

impl Middleware for Application {
    async fn handle(
        &self,
        mut request: Request<Bytes>,
        next: Next<'_>,
    ) -> Result<Response<Bytes>, TransportError> {
        request.headers_mut().insert("x-application", HeaderValue::from_static(self.0));
        next.run(request).await
    }
}

/// Prints how long each attempt took and how it ended.
#[derive(Debug)]
struct Measure;

impl Middleware for Measure {
    async fn handle(
        &self,
        request: Request<Bytes>,
        next: Next<'_>,
    ) -> Result<Response<Bytes>, TransportError> {
        let started = TokioClock.monotonic();
        let outcome = next.run(request).await;
        let took = TokioClock.monotonic().saturating_sub(started);
        match &outcome {
            Ok(response) => println!("attempt: {} in {took:?}", response.status()),
            Err(error) => println!("attempt: {error} in {took:?}"),
        }
        outcome
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Stands for a registry that fails once.
    let flaky = ScriptedTransport::new()
        .then_status(StatusCode::SERVICE_UNAVAILABLE)
        .then_status(StatusCode::OK);
    let pipeline = Pipeline::new(flaky.clone(), &RetryConfig::default())
        .per_call(Application("billing"))
        .per_attempt(Measure);

    let request =
        Request::get("https://prompts.example.com/v1/client/prompts").body(Bytes::new())?;
    let response = pipeline.send(request).await?;
    println!("answer: {} after {:?}", response.status(), response.extensions().get::<Attempts>());
    for request in flaky.requests() {
        println!("sent with x-application: {:?}", request.headers()["x-application"]);
    }
    Ok(())
}
