//! What travels with a call, and what a failed one tells: over real sockets, by the client.

use std::time::Duration;

use promptops_client::{
    CircuitState, ClientBuilder, Error, ErrorKind, HyperTransport, NewPrompt, PromptOpsClient,
    PromptUpdate, RetryConfig, Signed,
};
use promptops_transport::test_util::{RawServer, RecordingTransport, Step};
use promptops_types::{Secret, SignedParts};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::quiet;

fn builder(url: &str) -> ClientBuilder {
    quiet().base_url(format!("{url}/v1")).api_key("po_test")
}

/// Waits that a test does not feel.
fn quick() -> RetryConfig {
    let mut retry = RetryConfig::default();
    retry.base_delay = Duration::from_millis(1);
    retry.throttle_delay = Duration::from_millis(1);
    retry
}

fn prompt() -> Value {
    json!({"id": "p-1", "slug": "a", "content": "Hi", "version": "1.0.0"})
}

/// A server that fails twice and then answers.
async fn recovers(answer: Value) -> MockServer {
    let server = MockServer::start().await;
    let failing = ResponseTemplate::new(503);
    Mock::given(any()).respond_with(failing).up_to_n_times(2).mount(&server).await;
    let answer = ResponseTemplate::new(200).set_body_json(answer);
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

fn header(request: &Request, name: &str) -> Option<String> {
    request.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_write_is_sent_again_under_the_same_key_and_id() {
    let server = recovers(prompt()).await;
    let client = builder(&server.uri()).retry(quick()).build().unwrap();
    client.create_prompt(NewPrompt::new("N", "x")).await.unwrap();
    let sent = server.received_requests().await.unwrap();
    assert_eq!(sent.len(), 3);
    for name in ["idempotency-key", "x-request-id"] {
        let told: Vec<_> = sent.iter().map(|request| header(request, name).unwrap()).collect();
        assert!(told.iter().all(|one| *one == told[0]), "{name}: {told:?}");
    }
    server.reset().await;
    let answer = ResponseTemplate::new(200).set_body_json(prompt());
    Mock::given(any()).respond_with(answer).mount(&server).await;
    let update = PromptUpdate::new().content("y");
    client.update_prompt("a", update).idempotency_key("mine").await.unwrap();
    let sent = server.received_requests().await.unwrap();
    assert_eq!(header(&sent[0], "idempotency-key").as_deref(), Some("mine"));
}

#[tokio::test]
async fn what_only_reads_is_sent_again_though_it_is_a_post() {
    let found = json!({"prompts": {"a": prompt()}, "total_found": 1});
    let server = recovers(found).await;
    let client = builder(&server.uri()).retry(quick()).build().unwrap();
    assert_eq!(client.get_prompts(["a"]).await.unwrap().total_found, 1);
    let server = recovers(json!({"models": [
        {"provider": "openai", "name": "gpt-4", "compatible": true}]}))
    .await;
    let client = builder(&server.uri()).retry(quick()).build().unwrap();
    assert!(client.get_model_compatibility("a", "openai", "gpt-4").await.unwrap());
    let sent = server.received_requests().await.unwrap();
    assert_eq!((sent.len(), header(&sent[0], "idempotency-key")), (3, None), "nothing to remember");
}

#[tokio::test]
async fn a_secret_key_signs_every_request_whole() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200).set_body_json(prompt());
    Mock::given(any()).respond_with(answer).mount(&server).await;
    let client = builder(&server.uri()).secret_key("s3cret").build().unwrap();
    client.get_prompt("größe/1").version("v1").project("p").await.unwrap();
    client.create_prompt(NewPrompt::new("N", "x")).await.unwrap();
    for request in server.received_requests().await.unwrap() {
        let text = |name| header(&request, name).unwrap();
        let (timestamp, nonce) = (text("x-promptops-timestamp"), text("x-promptops-nonce"));
        let parts = SignedParts {
            api_key: "po_test",
            timestamp: &timestamp,
            nonce: &nonce,
            method: request.method.as_str(),
            host: &text("host"),
            path: request.url.path(),
            query: request.url.query().unwrap_or_default(),
            body: &request.body,
        };
        let expected = parts.second_form(&Secret::new("s3cret"));
        assert_eq!(text("x-promptops-signature-v2"), expected);
        assert_eq!(text("authorization"), "Bearer po_test");
    }
    let first = Signed::first_form(&"po_test".into(), &"s3cret".into()).unwrap();
    let client = builder(&server.uri()).credential(first).build().unwrap();
    client.get_prompt("a").await.unwrap();
    let sent = server.received_requests().await.unwrap().pop().unwrap();
    assert!(header(&sent, "x-promptops-signature").is_some());
    assert_eq!(header(&sent, "x-promptops-signature-v2"), None);

    let without = || PromptOpsClient::builder().base_url("https://h/v1").secret_key("s3cret");
    let error = without().build().unwrap_err();
    assert!(error.message().starts_with("`secret_key`") && error.message().contains("api_key"));
    let signed = Signed::new(&"po_test".into(), &"s3cret".into()).unwrap();
    without().credential(signed.clone()).build().unwrap();
    without().base_url("sqlite::memory:").build().unwrap();
    let error = without().base_url("sqlite::memory:").credential(signed).build().unwrap_err();
    assert!(error.message().starts_with("`credential`"), "{error}");
}

async fn failed(answer: Step) -> Error {
    let server = RawServer::start(move |_| vec![Step::Read, answer.clone()]).await.unwrap();
    let client = builder(&server.url("")).retry(RetryConfig::none()).build().unwrap();
    client.get_prompt("a").await.unwrap_err()
}

#[tokio::test]
async fn an_answer_that_is_none_is_a_typed_error_that_shows_how_it_begins() {
    let huge = "HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n{\"id\": ";
    let short = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"id\": ";
    let html = "<html>\n<h1>Sign in</h1>".to_owned() + &" ".repeat(100_000) + "</html>";
    for (answer, kind, retryable, said) in [
        (Step::write(huge), ErrorKind::Decode, false, "larger than 12582912 bytes; it begins `{"),
        (Step::write(short), ErrorKind::Network, true, "broke off after 7 bytes"),
        (Step::answer("200 OK", ""), ErrorKind::Decode, false, "it begins ``"),
        (Step::answer("200 OK", &html), ErrorKind::Decode, false, "`<html> <h1>Sign in</h1>"),
        (Step::answer("200 OK", "[1]"), ErrorKind::Decode, false, "it begins `[1]`"),
        (Step::answer("200 OK", r#"{"id": 7}"#), ErrorKind::Decode, false, "begins `{\"id\": 7}`"),
        (
            Step::answer("502 Bad Gateway", &html),
            ErrorKind::Server,
            true,
            "502 Bad Gateway: <html>",
        ),
        (Step::answer("404 Not Found", &html), ErrorKind::PromptNotFound, false, "404 Not Found"),
    ] {
        let error = failed(answer).await;
        assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{error}");
        assert!(error.to_string().contains(said), "{error}");
        assert!(error.to_string().len() < 500, "{error}");
        assert_eq!(error.attempts(), 1);
        assert!(error.request_id().is_some());
    }
}

#[tokio::test]
async fn a_registrys_words_are_bounded_and_rule_no_terminal() {
    let long = format!("\u{1b}[2J{}", "x".repeat(50_000));
    let body = json!({"error": {"code": long, "message": long, "details": {"errors": [
        {"field": "f\u{1b}", "code": "c", "message": long}, {"field": null, "message": "odd"}, 7]}}});
    let error = failed(Step::answer("422 Unprocessable", &body.to_string())).await;
    assert!(error.message().len() <= 2000 && error.code().len() <= 2000);
    assert!(!error.to_string().contains('\u{1b}'));
    let Error::Validation { validation_errors, .. } = &error else { panic!("{error:?}") };
    let read: Vec<_> = validation_errors.iter().map(|issue| issue.message.as_str()).collect();
    assert_eq!(read[1..], ["odd", "7"], "one that is odd does not hide the others");
    assert!(read[0].len() <= 2000 && !read[0].contains('\u{1b}'), "{}", read[0].len());

    let wrong = json!({"success": true, "data": {"id": ["p"], "created_at": long}});
    let error = failed(Step::answer("200 OK", &wrong.to_string())).await;
    assert!(error.message().len() < 600 && !error.message().contains('\u{1b}'), "{error}");
    let quoted = json!({"success": true, "data": long}).to_string();
    let error = failed(Step::answer("200 OK", &quoted)).await;
    assert!(error.message().len() < 600 && !error.message().contains('\u{1b}'), "{error}");

    let huge = json!({"error": {"message": "x".repeat(1_000_000)}}).to_string();
    let error = failed(Step::answer("500 Internal Server Error", &huge)).await;
    assert!(error.message().len() < 300, "{}", error.message().len());
}

#[tokio::test]
async fn the_registrys_own_id_and_wait_are_told() {
    let answer = "HTTP/1.1 503 Service Unavailable\r\nx-request-id: theirs\r\nretry-after: 7\r\n\
                  content-length: 0\r\n\r\n";
    let error = failed(Step::write(answer)).await;
    assert_eq!(error.request_id(), Some("theirs"));
    assert_eq!(
        (error.kind(), error.retry_after()),
        (ErrorKind::Server, Some(Duration::from_secs(7)))
    );
    let told = json!({"success": false, "error": {"code": "RATE_LIMIT_ERROR", "message": "slow",
        "details": {"retry_after": 3}}});
    let error = failed(Step::answer("200 OK", &told.to_string())).await;
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::RateLimit, true));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));
}

#[tokio::test]
async fn a_write_that_is_answered_with_nothing_is_done() {
    let nothing = || Step::write("HTTP/1.1 204 No Content\r\n\r\n");
    let server = RawServer::start(move |_| vec![Step::Read, nothing()]).await.unwrap();
    let client = builder(&server.url("")).build().unwrap();
    assert!(client.delete_prompt("a").await.unwrap());
    assert!(client.remove_label("a", "l").await.unwrap());
    let error = client.get_prompt("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode, "nothing is no prompt");
}

#[tokio::test]
async fn a_key_over_plain_http_needs_leave() {
    let elsewhere = || builder("http://prompts.example");
    let error = elsewhere().build().unwrap().get_prompt("a").await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Config, false));
    assert!(error.message().contains("allow plain http on the transport"), "{error}");

    let proxy =
        RawServer::start(|_| vec![Step::Read, Step::answer("200 OK", &prompt().to_string())]);
    let proxy = proxy.await.unwrap();
    let transport =
        HyperTransport::builder().allow_plain_http(true).proxy(proxy.url("")).build().unwrap();
    let client = elsewhere().transport(transport).build().unwrap();
    assert_eq!(client.get_prompt("a").await.unwrap().id, "p-1");
}

#[tokio::test]
async fn a_segment_that_would_name_something_else_is_not_sent() {
    let recording = RecordingTransport::new(HyperTransport::new().unwrap());
    let client = builder("http://127.0.0.1:1").transport(recording.clone()).build().unwrap();
    for name in ["", ".", ".."] {
        let error = client.get_prompt(name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PromptNotFound, "{name}");
        let error = client.remove_label("a", name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{name}");
        client.set_label("a", name, "1.0.0").await.unwrap_err();
    }
    assert_eq!(recording.exchanges().len(), 0);
}

#[tokio::test]
async fn a_registry_that_only_fails_is_left_alone_and_the_client_says_so() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(500)).mount(&server).await;
    let client = builder(&server.uri()).retry(RetryConfig::none()).build().unwrap();
    assert_eq!(client.circuit_state(), CircuitState::Closed);
    for _ in 0..20 {
        client.get_prompt("a").await.unwrap_err();
    }
    assert!(matches!(client.circuit_state(), CircuitState::Open { .. }));
    let error = client.get_prompt("a").await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Network, 0));
    assert!(error.is_retryable() && error.retry_after().is_some(), "{error}");
    assert_eq!(server.received_requests().await.unwrap().len(), 20);
}
