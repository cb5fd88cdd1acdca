//! A transport of your own in the place of the socket: here an in-memory table of answers, as a
//! stand-in for another HTTP library. Retries, deadlines and errors stay the client's.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use promptops_client::{PromptOpsClient, Transport, TransportError, vars};

/// Prompts by path. Every second request fails, as networks do.
#[derive(Debug, Default)]
struct Table {
    prompts: HashMap<&'static str, &'static str>,
    requests: AtomicU32,
}

impl Transport for Table {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let mut response = match self.prompts.get(request.uri().path()) {
            _ if number.is_multiple_of(2) => status(StatusCode::SERVICE_UNAVAILABLE),
            Some(prompt) => Response::new(Bytes::from_static(prompt.as_bytes())),
            None => status(StatusCode::NOT_FOUND),
        };
        println!(
            "request {number}: {} {} gives {}",
            request.method(),
            request.uri().path(),
            response.status()
        );
        response
            .headers_mut()
            .insert("content-type", http::HeaderValue::from_static("application/json"));
        Ok(response)
    }
}

fn status(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let prompt = r#"{"id": "p-1", "slug": "greeting", "content": "Hello {{ name }}!"}"#;
    let table = Table {
        prompts: HashMap::from([("/v1/client/prompts/greeting", prompt)]),
        ..Table::default()
    };
    let client = PromptOpsClient::builder()
        .base_url("https://prompts.example.com/v1")
        .transport(table)
        .build()?;

    let render = client.render_prompt("greeting", vars! { "name" => "Ann" }).await?;
    println!("rendered: {}", render.rendered_content);
    if let Err(error) = client.get_prompt("missing").await {
        println!("missing: {error}");
    }
    Ok(())
}
