//! The REST contract as it stands on the wire: envelope, codes, headers, every route.

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response};
use promptops_server::{Access, InProcess, Registry};
use serde_json::{Value, json};
use tower::ServiceExt;

struct Server(InProcess);

struct Answer {
    status: u16,
    headers: http::HeaderMap,
    body: Value,
}

impl Server {
    fn new() -> Self {
        Self::with_access(Access::full("test"))
    }

    fn with_access(access: Access) -> Self {
        Self(InProcess::new(Registry::in_memory().unwrap(), access))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/v1/client{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response: Response<Bytes> =
            self.0.call(request.body(Bytes::from(body.to_owned())).unwrap()).await;
        let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        Answer { status: response.status().as_u16(), headers: response.headers().clone(), body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    async fn json(&self, method: Method, path: &str, body: &Value) -> Answer {
        let json = [("content-type", "application/json")];
        self.send(method, path, &json, &body.to_string()).await
    }

    async fn with_greeting() -> Self {
        let server = Self::new();
        let body = json!({"name": "Greeting", "content": "Hello {{ name }}!", "tags": ["a"],
            "metadata": {"owner": "me"}, "unknown_field": 1});
        let created = server.json(Method::POST, "/prompts", &body).await;
        assert_eq!(created.status, 201, "{}", created.body);
        server
    }
}

fn etag(answer: &Answer) -> String {
    answer.headers["etag"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn success_and_error_have_their_envelopes() {
    let server = Server::with_greeting().await;
    let request_id = [("x-request-id", "my-id")];
    let answer = server.send(Method::GET, "/prompts/greeting", &request_id, "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["success"], true);
    assert_eq!(answer.body["data"]["slug"], "greeting");
    let metadata = &answer.body["metadata"];
    assert_eq!((&metadata["request_id"], &metadata["cache_hit"]), (&json!("my-id"), &json!(false)));
    assert!(metadata["processing_time_ms"].as_f64().is_some_and(|took| took >= 0.0));
    assert!(metadata["timestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(answer.headers["x-request-id"], "my-id");
    assert_eq!(answer.headers["content-type"], "application/json");

    let answer = server.get("/prompts/greetin").await;
    assert_eq!((answer.status, &answer.body["success"]), (404, &json!(false)));
    let error = &answer.body["error"];
    assert_eq!(error["code"], "PROMPT_NOT_FOUND");
    assert_eq!(error["details"]["prompt_id"], "greetin");
    assert_eq!(error["details"]["suggested_prompts"], json!(["greeting"]));
    let id = answer.body["metadata"]["request_id"].as_str().unwrap();
    assert_eq!(answer.headers["x-request-id"], id);
    let long = "x".repeat(200);
    let answer = server.send(Method::GET, "/prompts", &[("x-request-id", &long)], "").await;
    assert_ne!(answer.headers["x-request-id"], long, "an id of any length is not echoed");
}

#[tokio::test]
async fn a_prompt_on_the_wire_has_every_field() {
    let server = Server::with_greeting().await;
    let prompt = server.get("/prompts/greeting").await.body["data"].clone();
    let fields: Vec<_> = prompt.as_object().unwrap().keys().map(String::as_str).collect();
    for field in [
        "id",
        "slug",
        "name",
        "description",
        "content",
        "messages",
        "variables",
        "target_models",
        "model_specific_prompts",
        "version",
        "created_at",
        "updated_at",
        "created_by",
        "tags",
        "metadata",
        "module_id",
        "project_id",
        "template_format",
        "labels",
        "digest",
    ] {
        assert!(fields.contains(&field), "{field} is not in {fields:?}");
    }
}

#[tokio::test]
async fn gets_are_conditional() {
    let server = Server::with_greeting().await;
    for path in [
        "/prompts/greeting",
        "/prompts/greeting/versions",
        "/prompts/greeting/versions/1.0.0",
        "/prompts/greeting/labels",
        "/prompts/greeting/diff?from=1.0.0",
        "/prompts/greeting/model/openai/gpt-4",
        "/prompts",
        "/models",
    ] {
        let first = server.get(path).await;
        assert_eq!(first.status, 200, "{path}: {}", first.body);
        let tag = etag(&first);
        let again = server.send(Method::GET, path, &[("if-none-match", &tag)], "").await;
        assert_eq!((again.status, &again.body), (304, &Value::Null), "{path}");
        assert_eq!(etag(&again), tag);
        let listed = format!("\"other\", W/{tag}");
        let again = server.send(Method::GET, path, &[("if-none-match", &listed)], "").await;
        assert_eq!(again.status, 304, "{path}");
        let other = server.send(Method::GET, path, &[("if-none-match", "\"other\"")], "").await;
        assert_eq!(other.status, 200, "{path}");
    }
    let before = etag(&server.get("/prompts/greeting").await);
    let label = json!({"version": "1.0.0"});
    server.json(Method::PUT, "/prompts/greeting/labels/production", &label).await;
    assert_ne!(etag(&server.get("/prompts/greeting").await), before, "a label is part of it");
}

#[tokio::test]
async fn writes_are_conditional_on_the_revision() {
    let server = Server::with_greeting().await;
    let old = etag(&server.get("/prompts/greeting").await);
    let put = json!({"content": "two"});
    let updated = server.json(Method::PUT, "/prompts/greeting", &put).await;
    assert_eq!(updated.status, 200);
    let new = etag(&updated);
    let json_type = ("content-type", "application/json");
    for (method, path, body) in [
        (Method::PUT, "/prompts/greeting", r#"{"content": "three"}"#),
        (Method::PUT, "/prompts/greeting/labels/a", r#"{"version": "1.0.0"}"#),
        (Method::DELETE, "/prompts/greeting", ""),
    ] {
        let headers = [json_type, ("if-match", old.as_str())];
        let answer = server.send(method.clone(), path, &headers, body).await;
        assert_eq!(answer.status, 412, "{method} {path}");
        assert_eq!(answer.body["error"]["code"], "PRECONDITION_FAILED");
        let headers = [json_type, ("if-match", "nonsense")];
        assert_eq!(server.send(method, path, &headers, body).await.status, 412);
    }
    let headers = [json_type, ("if-match", new.as_str())];
    let answer =
        server.send(Method::PUT, "/prompts/greeting", &headers, r#"{"content": "three"}"#).await;
    assert_eq!((answer.status, &answer.body["data"]["version"]), (200, &json!("1.2.0")));
}

#[tokio::test]
async fn bad_requests_have_their_codes() {
    let server = Server::with_greeting().await;
    let json_type = [("content-type", "application/json")];
    for (method, path, headers, body, status, code) in [
        (Method::POST, "/prompts", &json_type[..], "{", 400, "BAD_REQUEST"),
        (Method::POST, "/prompts", &json_type, r#"{"name": 1}"#, 422, "VALIDATION_ERROR"),
        (Method::POST, "/prompts", &json_type, "{}", 422, "VALIDATION_ERROR"),
        (Method::POST, "/prompts", &[], "{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (Method::GET, "/prompts?limit=0", &[], "", 422, "VALIDATION_ERROR"),
        (Method::GET, "/prompts?limit=1001", &[], "", 422, "VALIDATION_ERROR"),
        (Method::GET, "/prompts?limit=x", &[], "", 400, "BAD_REQUEST"),
        (Method::GET, "/prompts?sort_by=size", &[], "", 422, "VALIDATION_ERROR"),
        (Method::GET, "/prompts/greeting?version=1.x", &[], "", 400, "BAD_REQUEST"),
        (Method::GET, "/prompts/greeting/versions/9.9.9", &[], "", 404, "PROMPT_NOT_FOUND"),
        (Method::GET, "/prompts/greeting/diff", &[], "", 422, "VALIDATION_ERROR"),
        (Method::GET, "/prompts/%FF", &[], "", 400, "BAD_REQUEST"),
        (Method::POST, "/prompts/greeting", &json_type, "{}", 405, "METHOD_NOT_ALLOWED"),
        (Method::PATCH, "/prompts/greeting", &json_type, "{}", 405, "METHOD_NOT_ALLOWED"),
        (Method::GET, "/nothing", &[], "", 404, "NOT_FOUND"),
        (Method::DELETE, "/prompts/greeting/labels/gone", &[], "", 404, "NOT_FOUND"),
        (Method::PUT, "/prompts/greeting/labels/a", &json_type, "{}", 422, "VALIDATION_ERROR"),
        (Method::POST, "/models/compatibility", &json_type, "{}", 422, "VALIDATION_ERROR"),
    ] {
        let answer = server.send(method.clone(), path, headers, body).await;
        let error = &answer.body["error"];
        assert_eq!(
            (answer.status, &error["code"]),
            (status, &json!(code)),
            "{method} {path} {body}"
        );
        assert!(error["message"].as_str().is_some_and(|text| text.len() > 10), "{error}");
        if status == 422 {
            let first = &error["details"]["errors"][0];
            assert!(first["field"].is_string() && first["code"].is_string(), "{error}");
        }
    }
}

#[tokio::test]
async fn render_batch_models_and_labels_answer() {
    let server = Server::with_greeting().await;
    let body = json!({"variables": {"name": "Ann"}, "model_provider": "openai"});
    let render = server.json(Method::POST, "/prompts/greeting/render", &body).await;
    assert_eq!(render.body["data"]["rendered_content"], "Hello Ann!");
    let missing = server.json(Method::POST, "/prompts/greeting/render", &json!({})).await;
    assert_eq!(missing.status, 422);
    let issue = &missing.body["error"]["details"]["errors"][0];
    assert_eq!((&issue["field"], &issue["column"]), (&json!("name"), &json!(7)));

    let ids = json!({"prompt_ids": ["greeting", {"id": "greeting", "version": "9"}],
        "include_metadata": false});
    let batch = server.json(Method::POST, "/prompts/batch", &ids).await.body["data"].clone();
    assert_eq!(batch["prompts"]["greeting"]["metadata"], json!({}));
    assert_eq!(batch["errors"]["greeting@9"]["code"], "PROMPT_NOT_FOUND");
    let too_many = json!({"prompt_ids": vec!["x"; 501]});
    assert_eq!(server.json(Method::POST, "/prompts/batch", &too_many).await.status, 422);

    let body = server.get("/prompts/greeting/model/openai/gpt-4").await;
    assert_eq!(body.body["data"]["is_model_specific"], false);
    let models = server.get("/models?provider=anthropic").await.body["data"]["models"].clone();
    assert!(models.as_array().unwrap().iter().all(|model| model["provider"] == "anthropic"));

    let weights = json!({"weights": {"1.0.0": 1}});
    let label = server.json(Method::PUT, "/prompts/greeting/labels/split%2Fa", &weights).await;
    assert_eq!(label.body["data"]["label"], "split/a");
    let labels = server.get("/prompts/greeting/labels").await.body["data"]["labels"].clone();
    assert_eq!(labels[0]["weights"], json!({"1.0.0": 1}));
}

#[tokio::test]
async fn without_credentials_there_is_one_answer() {
    let router = promptops_server::router(Registry::in_memory().unwrap());
    let paths = ["/prompts", "/prompts/a", "/prompts/a/labels", "/models"];
    for path in paths {
        let request = Request::get(format!("/v1/client{path}")).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 401, "{path}");
    }
}

#[tokio::test]
async fn another_project_is_answered_as_a_missing_prompt() {
    let registry = Registry::in_memory().unwrap();
    let owner = Server(InProcess::new(registry.clone(), Access::full("owner")));
    let body = json!({"name": "Secret", "content": "x", "project_id": "theirs"});
    let created = owner.json(Method::POST, "/prompts", &body).await.body["data"].clone();
    let id = created["id"].as_str().unwrap();
    let stranger = Server(InProcess::new(registry, Access::projects("stranger", ["mine"])));
    let nobody = "018f4e6a-7c1d-7000-8000-000000000000";
    for suffix in
        ["", "/versions", "/versions/1.0.0", "/labels", "/diff?from=1.0.0", "/model/openai/x"]
    {
        let theirs = stranger.get(&format!("/prompts/{id}{suffix}")).await;
        let missing = stranger.get(&format!("/prompts/{nobody}{suffix}")).await;
        assert_eq!((theirs.status, missing.status), (404, 404), "{suffix}");
        let same = |answer: &Answer| answer.body["error"].to_string().replace(id, nobody);
        assert_eq!(same(&theirs), same(&missing), "{suffix}");
    }
    let batch = json!({"prompt_ids": [id, "secret"], "project_id": "theirs"});
    let batch = stranger.json(Method::POST, "/prompts/batch", &batch).await;
    assert_eq!(batch.body["data"]["total_found"], 0);
    let compat = json!({"prompt_id": id, "models": [{"provider": "openai", "name": "gpt-4"}]});
    assert_eq!(stranger.json(Method::POST, "/models/compatibility", &compat).await.status, 404);
    let render = stranger.json(Method::POST, &format!("/prompts/{id}/render"), &json!({})).await;
    assert_eq!(render.status, 404);
    let list = stranger.get("/prompts?query=Secret&project_id=theirs").await;
    assert_eq!(list.body["data"]["total"], 0);
    let create = stranger.json(Method::POST, "/prompts", &body).await;
    assert_eq!(
        (create.status, &create.body["error"]["code"]),
        (403, &json!("AUTHORIZATION_ERROR"))
    );
}
