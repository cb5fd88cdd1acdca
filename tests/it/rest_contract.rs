//! The REST contract from the client's side: what every operation sends, and what it makes of every
//! answer.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use promptops_client::{
    Error, ErrorKind, Granularity, NewKey, NewPrompt, PromptOpsClient, PromptUpdate, RetryConfig,
    Scope, SortBy, vars,
};
use serde_json::{Value, json};
use wiremock::matchers::{
    any, body_partial_json, header, header_exists, method, path, query_param,
};
use wiremock::{Mock, MockBuilder, MockServer, ResponseTemplate};

use crate::quiet;

type Called = Pin<Box<dyn Future<Output = Result<Value, Error>>>>;

/// One operation: how it is called, what it has to send, and an answer it understands.
struct Operation {
    name: &'static str,
    call: fn(&PromptOpsClient) -> Called,
    expects: fn() -> MockBuilder,
    answer: fn() -> Value,
    gives: Value,
}

fn called<T: serde::Serialize>(
    request: impl IntoFuture<Output = Result<T, Error>> + 'static,
) -> Called {
    Box::pin(async { Ok(serde_json::to_value(request.await?).unwrap()) })
}

fn given(verb: &str, route: &str) -> MockBuilder {
    Mock::given(method(verb)).and(path(format!("/v1/client{route}")))
}

fn prompt() -> Value {
    json!({"id": "p-1", "slug": "a/b", "content": "Hi {{ n }}", "version": "1.0.0"})
}

fn key() -> Value {
    json!({
        "id": "k/1", "prefix": "po_abcde", "name": "ci", "allowed_scopes": ["read"],
        "created_at": "2026-11-25T12:00:00Z", "created_by": "ann",
    })
}

#[expect(clippy::too_many_lines, reason = "a table, one entry an operation")]
fn operations() -> Vec<Operation> {
    vec![
        Operation {
            name: "get_prompt",
            call: |c| {
                let request = c.get_prompt("a/b").version("v1").project("p").use_cache(false);
                called(async { Ok(request.await?.id.clone()) })
            },
            expects: || {
                given("GET", "/prompts/a%2Fb")
                    .and(query_param("version", "v1"))
                    .and(query_param("project_id", "p"))
                    .and(query_param("use_cache", "false"))
            },
            answer: prompt,
            gives: json!("p-1"),
        },
        Operation {
            name: "render_prompt",
            call: |c| {
                let request = c.render_prompt("a/b", vars! { "n" => "Ann" });
                called(async { Ok(request.await?.rendered_content) })
            },
            expects: || given("GET", "/prompts/a%2Fb"),
            answer: prompt,
            gives: json!("Hi Ann"),
        },
        Operation {
            name: "validate_prompt",
            call: |c| called(c.validate_prompt("a/b").version("v1")),
            expects: || given("GET", "/prompts/a%2Fb").and(query_param("version", "v1")),
            answer: || json!({"id": "p-1", "content": "Hi {{ n }}", "variables": ["n"]}),
            gives: json!(true),
        },
        Operation {
            name: "list_prompts",
            call: |c| {
                let request = c.list_prompts().module("m").skip(2).limit(3).sort_by(SortBy::Name);
                called(async { Ok(request.tags(["x", "y"]).await?.len()) })
            },
            expects: || {
                given("GET", "/prompts")
                    .and(query_param("module_id", "m"))
                    .and(query_param("offset", "2"))
                    .and(query_param("limit", "3"))
                    .and(query_param("sort_by", "name"))
                    .and(query_param("sort_order", "desc"))
                    .and(query_param("tags", "x,y"))
            },
            answer: || json!({"prompts": [prompt()], "total": 9}),
            gives: json!(1),
        },
        Operation {
            name: "create_prompt",
            call: |c| {
                let request = c.create_prompt(NewPrompt::new("N", "x").tags(["t"])).project("p");
                called(async { Ok(request.await?.id.clone()) })
            },
            expects: || {
                given("POST", "/prompts").and(header_exists("idempotency-key")).and(
                    body_partial_json(
                        json!({"name": "N", "content": "x", "tags": ["t"], "project_id": "p"}),
                    ),
                )
            },
            answer: prompt,
            gives: json!("p-1"),
        },
        Operation {
            name: "update_prompt",
            call: |c| {
                let update = PromptUpdate::new().content("y");
                let request = c.update_prompt("a/b", update).message("why").if_match("\"4-1.0.0\"");
                called(async { Ok(request.await?.id.clone()) })
            },
            expects: || {
                given("PUT", "/prompts/a%2Fb")
                    .and(header("if-match", "\"4-1.0.0\""))
                    .and(header_exists("idempotency-key"))
                    .and(body_partial_json(
                        json!({"content": "y", "message": "why", "bump": "minor"}),
                    ))
            },
            answer: prompt,
            gives: json!("p-1"),
        },
        Operation {
            name: "delete_prompt",
            call: |c| called(c.delete_prompt("a/b").version("1.0.0").force(true)),
            expects: || {
                given("DELETE", "/prompts/a%2Fb")
                    .and(query_param("version", "1.0.0"))
                    .and(query_param("force", "true"))
            },
            answer: || json!({"id": "p-1", "versions": ["1.0.0"]}),
            gives: json!(true),
        },
        Operation {
            name: "prompt_versions",
            call: |c| {
                let request = c.prompt_versions("a/b");
                called(async { Ok(request.await?.len()) })
            },
            expects: || given("GET", "/prompts/a%2Fb/versions"),
            answer: || json!([prompt(), prompt()]),
            gives: json!(2),
        },
        Operation {
            name: "diff_prompt",
            call: |c| {
                let request = c.diff_prompt("a/b", "v1", "latest");
                called(async { Ok(request.await?.unified) })
            },
            expects: || {
                given("GET", "/prompts/a%2Fb/diff")
                    .and(query_param("from", "v1"))
                    .and(query_param("to", "latest"))
            },
            answer: || json!({"from": "1.0.0", "to": "1.1.0", "unified": "-a"}),
            gives: json!("-a"),
        },
        Operation {
            name: "labels",
            call: |c| {
                let request = c.labels("a/b");
                called(async { Ok(request.await?.len()) })
            },
            expects: || given("GET", "/prompts/a%2Fb/labels"),
            answer: || json!({"labels": [{"label": "l", "version": "1.0.0"}]}),
            gives: json!(1),
        },
        Operation {
            name: "set_label",
            call: |c| {
                let request = c.set_label("a/b", "eu/west", "1.0.0");
                called(async { Ok(request.await?.map(|label| label.label)) })
            },
            expects: || {
                given("PUT", "/prompts/a%2Fb/labels/eu%2Fwest")
                    .and(body_partial_json(json!({"version": "1.0.0"})))
            },
            answer: || json!({"label": "eu/west", "version": "1.0.0"}),
            gives: json!("eu/west"),
        },
        Operation {
            name: "set_label_weights",
            call: |c| {
                let request = c.set_label_weights("a/b", "l", [("1.0.0", 9), ("1.1.0", 1)]);
                called(async { Ok(request.await?.map(|label| label.label)) })
            },
            expects: || {
                given("PUT", "/prompts/a%2Fb/labels/l")
                    .and(header_exists("idempotency-key"))
                    .and(body_partial_json(json!({"weights": {"1.0.0": 9, "1.1.0": 1}})))
            },
            answer: || json!({"label": "l", "weights": {"1.0.0": 9, "1.1.0": 1}}),
            gives: json!("l"),
        },
        Operation {
            name: "undo_label",
            call: |c| {
                let request = c.undo_label("a/b", "l");
                called(async { Ok(request.await?.map(|label| label.label)) })
            },
            expects: || {
                given("PUT", "/prompts/a%2Fb/labels/l")
                    .and(body_partial_json(json!({"undo": true})))
            },
            answer: || json!({"label": "l", "version": "1.0.0"}),
            gives: json!("l"),
        },
        Operation {
            name: "remove_label",
            call: |c| called(c.remove_label("a/b", "l")),
            expects: || given("DELETE", "/prompts/a%2Fb/labels/l"),
            answer: || json!({"label": "l", "removed": true}),
            gives: json!(true),
        },
        Operation {
            name: "get_prompts",
            call: |c| {
                let request = c.get_prompts(["a/b"]);
                called(async { Ok(request.await?.total_found) })
            },
            expects: || {
                given("POST", "/prompts/batch")
                    .and(body_partial_json(json!({"prompt_ids": ["a/b"]})))
            },
            answer: || json!({"prompts": {"a/b": prompt()}, "total_found": 1}),
            gives: json!(1),
        },
        Operation {
            name: "list_models",
            call: |c| {
                let request = c.list_models().provider("openai");
                called(async { Ok(request.await?.len()) })
            },
            expects: || given("GET", "/models").and(query_param("provider", "openai")),
            answer: || json!({"models": [{"provider": "openai", "name": "m", "novel": 1}]}),
            gives: json!(1),
        },
        Operation {
            name: "get_model_compatibility",
            call: |c| called(c.get_model_compatibility("a/b", "openai", "gpt-4")),
            expects: || {
                given("POST", "/models/compatibility").and(body_partial_json(
                    json!({"prompt_id": "a/b", "models": [{"provider": "openai", "name": "gpt-4"}]}),
                ))
            },
            answer: || json!({"models": [{"provider": "openai", "name": "gpt-4", "compatible": true}]}),
            gives: json!(true),
        },
        Operation {
            name: "changes",
            call: |c| {
                let request = c.changes().project("p").since("c0").limit(2);
                called(async { Ok(!request.wait(Duration::from_secs(1)).await?.has_more) })
            },
            expects: || {
                given("GET", "/changes")
                    .and(query_param("project_id", "p"))
                    .and(query_param("since", "c0"))
                    .and(query_param("limit", "2"))
                    .and(query_param("wait", "1"))
            },
            answer: || json!({"changes": [], "next_cursor": "c3"}),
            gives: json!(true),
        },
        Operation {
            name: "get_usage_stats",
            call: |c| {
                let request = c.get_usage_stats().prompt("a/b").start("2026-11-01");
                called(async { Ok(request.granularity(Granularity::Hour).await?.totals.requests) })
            },
            expects: || {
                given("GET", "/usage/stats")
                    .and(query_param("prompt_id", "a/b"))
                    .and(query_param("start_date", "2026-11-01"))
                    .and(query_param("granularity", "hour"))
            },
            answer: || json!({"end_date": "2026-11-02T00:00:00Z", "totals": {"requests": 0}}),
            gives: json!(0),
        },
        Operation {
            name: "list_api_keys",
            call: |c| {
                let request = c.list_api_keys().limit(7);
                called(async { Ok(request.await?.api_keys.len() < 8) })
            },
            expects: || given("GET", "/auth/api-keys").and(query_param("limit", "7")),
            answer: || json!({"api_keys": [key()]}),
            gives: json!(true),
        },
        Operation {
            name: "create_api_key",
            call: |c| {
                let new = NewKey {
                    name: "ci".to_owned(),
                    scopes: Some([Scope::Read].into()),
                    ..NewKey::default()
                };
                let request = c.create_api_key(new);
                called(async { Ok(request.await?.key.name) })
            },
            expects: || {
                let body = json!({"name": "ci", "allowed_scopes": ["read"]});
                given("POST", "/auth/api-keys").and(body_partial_json(body))
            },
            answer: || {
                let mut made = key();
                made["api_key"] = json!("po_x");
                made["secret_key"] = json!("s");
                made
            },
            gives: json!("ci"),
        },
        Operation {
            name: "revoke_api_key",
            call: |c| {
                let request = c.revoke_api_key("k/1");
                called(async { Ok(request.await?.id) })
            },
            expects: || given("DELETE", "/auth/api-keys/k%2F1"),
            answer: key,
            gives: json!("k/1"),
        },
    ]
}

async fn server() -> (MockServer, PromptOpsClient) {
    let server = MockServer::start().await;
    let client = client(&server);
    (server, client)
}

fn client(server: &MockServer) -> PromptOpsClient {
    let builder = quiet().base_url(format!("{}/v1", server.uri())).api_key("po_test");
    builder.retry(RetryConfig::none()).build().unwrap()
}

#[tokio::test]
async fn every_operation_sends_what_the_contract_says_and_reads_the_answer() {
    for operation in operations() {
        let data = (operation.answer)();
        let enveloped = json!({"success": true, "data": data, "metadata": {"request_id": "r"}});
        for body in [enveloped, data] {
            let (server, client) = server().await;
            (operation.expects)()
                .and(header("authorization", "Bearer po_test"))
                .and(header("accept", "application/json"))
                .and(header_exists("x-request-id"))
                .and(header_exists("x-promptops-deadline-ms"))
                .respond_with(ResponseTemplate::new(200).set_body_json(body))
                .expect(1)
                .mount(&server)
                .await;
            let given = (operation.call)(&client).await;
            let given = given.unwrap_or_else(|error| panic!("{}: {error}", operation.name));
            assert_eq!(given, operation.gives, "{}", operation.name);
        }
    }
}

#[tokio::test]
async fn every_operation_makes_the_right_error_of_every_status() {
    for (status, code, kind) in [
        (400, "BAD_REQUEST", ErrorKind::Validation),
        (401, "AUTHENTICATION_ERROR", ErrorKind::Authentication),
        (403, "AUTHORIZATION_ERROR", ErrorKind::Authorization),
        (404, "PROMPT_NOT_FOUND", ErrorKind::PromptNotFound),
        (404, "NOT_FOUND", ErrorKind::NotFound),
        (405, "METHOD_NOT_ALLOWED", ErrorKind::Validation),
        (408, "TIMEOUT", ErrorKind::Server),
        (409, "VERSION_EXISTS", ErrorKind::Conflict),
        (410, "NOT_FOUND", ErrorKind::NotFound),
        (412, "PRECONDITION_FAILED", ErrorKind::Conflict),
        (413, "PAYLOAD_TOO_LARGE", ErrorKind::Validation),
        (414, "URI_TOO_LONG", ErrorKind::Validation),
        (415, "UNSUPPORTED_MEDIA_TYPE", ErrorKind::Validation),
        (422, "VALIDATION_ERROR", ErrorKind::Validation),
        (422, "IDEMPOTENCY_MISMATCH", ErrorKind::Validation),
        (431, "HEADERS_TOO_LARGE", ErrorKind::Validation),
        (429, "RATE_LIMIT_ERROR", ErrorKind::RateLimit),
        (500, "INTERNAL_ERROR", ErrorKind::Server),
        (502, "BAD_GATEWAY", ErrorKind::Server),
        (503, "UNAVAILABLE", ErrorKind::Server),
        (504, "GATEWAY_TIMEOUT", ErrorKind::Server),
        (507, "STORAGE_FULL", ErrorKind::Server),
    ] {
        let (server, _) = server().await;
        let error = json!({"success": false, "metadata": {"request_id": "r-1"},
            "error": {"code": code, "message": "told", "details": {"more": 1}}});
        let answer = ResponseTemplate::new(status).set_body_json(error);
        Mock::given(any()).respond_with(answer).mount(&server).await;
        for operation in operations() {
            // One of its own: the circuit breaker would spare the registry after so many failures.
            let answered = (operation.call)(&client(&server)).await;
            // That a prompt is not there is what it was asked for.
            if operation.name == "validate_prompt" && kind == ErrorKind::PromptNotFound {
                assert_eq!(answered.unwrap(), json!(false));
                continue;
            }
            let error = answered.unwrap_err();
            let name = operation.name;
            assert_eq!(
                (error.kind(), error.code(), error.status()),
                (kind, code, Some(status)),
                "{name}"
            );
            assert_eq!((error.request_id(), error.message()), (Some("r-1"), "told"), "{name}");
            assert_eq!((&error.details()["more"], error.attempts()), (&json!(1), 1), "{name}");
        }
    }
}

#[tokio::test]
async fn no_operation_takes_an_empty_envelope_for_an_answer() {
    for body in ["", "{}", "null", "<html>login</html>", r#"{"success": true}"#] {
        let (server, client) = server().await;
        let answer = ResponseTemplate::new(200).set_body_string(body);
        Mock::given(any()).respond_with(answer).mount(&server).await;
        for operation in operations() {
            let answered = (operation.call)(&client).await;
            // What only says that it was done has nothing to read.
            let says_nothing = match operation.name {
                "delete_prompt" => body == "{}",
                "undo_label" => body == "null",
                "remove_label" => matches!(body, "{}" | "null"),
                _ => false,
            };
            if !says_nothing {
                let error = answered.expect_err(operation.name);
                assert_eq!(error.kind(), ErrorKind::Decode, "{}: {body}", operation.name);
            }
        }
    }
}

/// The same operations, by our own client against our own server over a real socket, by a key alone and
/// signed.
#[tokio::test]
async fn every_operation_is_answered_by_our_server() {
    let server = crate::server::start().await;
    let header = format!("authorization: Bearer {}\r\n", server.admin.expose());
    let made = server.send("POST /v1/client/auth/api-keys", &header, ALL_SCOPES).await.body;
    let [key, secret] =
        ["api_key", "secret_key"].map(|field| made["data"][field].as_str().unwrap());
    let admin = server.client(&server.admin);
    let builder = || {
        quiet()
            .base_url(format!("http://{}/v1", server.address))
            .api_key(key)
            .retry(RetryConfig::none())
    };
    for client in [builder().build().unwrap(), builder().secret_key(secret).build().unwrap()] {
        for Operation { name, call, .. } in operations() {
            for project in ["default", "p"] {
                // Whatever the operation before has left.
                for slug in ["a/b", "n"] {
                    let _ = admin.delete_prompt(slug).project(project).force(true).await;
                }
                let new =
                    NewPrompt::new("A", "Hi {{ n }}").slug("a/b").module("m").tags(["x", "y"]);
                admin.create_prompt(new).project(project).await.unwrap();
                let update = PromptUpdate::new().content("Hello {{ n }}");
                admin.update_prompt("a/b", update).project(project).await.unwrap();
                for version in ["1.0.0", "1.1.0"] {
                    admin.set_label("a/b", "l", version).project(project).await.unwrap();
                }
            }
            match call(&client).await {
                Ok(_) => {}
                // Another revision than that which the operation names.
                Err(error) if name == "update_prompt" => assert_eq!(error.status(), Some(412)),
                // There is no such key.
                Err(error) if name == "revoke_api_key" => assert_eq!(error.status(), Some(404)),
                Err(error) => panic!("{name}: {error}"),
            }
        }
    }
}

const ALL_SCOPES: &str = r#"{"name": "all", "allowed_scopes": ["read", "write", "admin"]}"#;
