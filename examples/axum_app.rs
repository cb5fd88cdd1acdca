//! A web application that serves rendered prompts: one client in its state, errors as statuses, and an
//! orderly end. `cargo run --example axum_app serve` listens on 127.0.0.1:3000; without `serve` it asks
//! itself two questions and ends.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use promptops_client::{Error, ErrorKind, NewPrompt, PromptOpsClient};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// An error of the client as an answer of the application.
struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match self.0.kind() {
            ErrorKind::PromptNotFound => StatusCode::NOT_FOUND,
            ErrorKind::Validation => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::BAD_GATEWAY,
        };
        let body = json!({ "error": self.0.message(), "request_id": self.0.request_id() });
        (status, Json(body)).into_response()
    }
}

/// `GET /prompts/greeting?name=Ann`: what to send to the model.
async fn render(
    State(prompts): State<PromptOpsClient>,
    Path(id): Path<String>,
    Query(variables): Query<BTreeMap<String, String>>,
) -> Result<Json<Value>, Failure> {
    let render = prompts.render_prompt(id, variables).await?;
    Ok(Json(render.to_openai()))
}

async fn health(State(prompts): State<PromptOpsClient>) -> Result<Json<Value>, Failure> {
    Ok(Json(json!(prompts.health_check().await?)))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let prompts = PromptOpsClient::builder().base_url("sqlite::memory:").build()?;
    prompts.create_prompt(NewPrompt::new("Greeting", "Hello {{ name }}!")).await?;
    let application = Router::new()
        .route("/prompts/{id}", get(render))
        .route("/health", get(health))
        .with_state(prompts.clone());

    let is_to_serve = std::env::args().nth(1).is_some_and(|argument| argument == "serve");
    let port = if is_to_serve { 3000 } else { 0 };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    if is_to_serve {
        println!("http://{address}/prompts/greeting?name=Ann");
        axum::serve(listener, application).await?;
    } else {
        tokio::spawn(async move { axum::serve(listener, application).await });
        for path in ["/prompts/greeting?name=Ann", "/prompts/greeting"] {
            let mut connection = TcpStream::connect(address).await?;
            let request = format!("GET {path} HTTP/1.0\r\n\r\n");
            connection.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            connection.read_to_string(&mut answer).await?;
            let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
            println!("{path}\n  {}\n  {body}", head.lines().next().unwrap_or_default());
        }
    }
    // Telemetry that waits is sent before the program ends.
    prompts.shutdown().await?;
    Ok(())
}
