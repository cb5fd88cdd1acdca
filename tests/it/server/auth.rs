use promptops_client::{ErrorKind, NewPrompt, PromptOpsClient, PromptUpdate, Signed};
use promptops_server::{NewKey, Scope};
use promptops_types::{Secret, SignedParts, SystemTime, TimeSource, Timestamp};
use serde_json::json;

use super::matrix::{Needs, ROUTES};
use super::{Running, all, start};

const MINUTE: i64 = 60 * 1_000_000;

#[tokio::test]
async fn every_path_but_those_for_all_asks_for_a_key() {
    let server = start().await;
    let closed = ROUTES.iter().filter(|route| route.needs != Needs::Nobody);
    let paths: Vec<String> = closed.map(|route| route.line("a", "")).collect();
    let mut bodies = Vec::new();
    let wrong = "po_0123456789012345678901234567890";
    for headers in [
        String::new(),
        "authorization: Bearer\r\n".to_owned(),
        "authorization: Basic dXNlcjpwYXNz\r\n".to_owned(),
        format!("authorization: Bearer {wrong}\r\n"),
        format!(
            "authorization: Bearer {0}\r\nauthorization: Bearer {0}\r\n",
            server.admin.expose()
        ),
    ] {
        for path in &paths {
            let answer = server.send(path, &headers, "{}").await;
            // After so many failures they are told to wait.
            assert!(matches!(answer.status, 401 | 429), "{path} {headers}: {answer:?}");
            bodies.push((answer.status, answer.body["error"]["message"].clone()));
        }
    }
    bodies.sort_by_key(|(status, _)| *status);
    bodies.dedup();
    assert_eq!(bodies.len(), 2, "the same for everybody: {bodies:?}");
    assert_eq!(server.get("/v1/client/prompts", &server.admin).await.status, 200, "nobody else");
    for path in ["GET /v1/client/health", "GET /livez", "GET /readyz"] {
        assert_eq!(server.send(path, "", "").await.status, 200, "{path}");
    }
    let metrics = server.text("/metrics").await;
    let counted = "promptops_requests_total{method=\"GET\",status=\"401\"}";
    assert!(metrics.contains(counted) && metrics.ends_with("# EOF\n"), "{metrics}");
    assert!(!metrics.contains("po_") && !metrics.contains("/v1/"), "{metrics}");
    let health = server.send("GET /v1/client/health", "", "").await.body;
    assert_eq!(health["data"]["status"], "healthy");
    assert!(health["data"]["requests_last_minute"].as_u64().unwrap() > 20, "{health}");
}

#[tokio::test]
async fn a_key_does_what_its_scopes_and_projects_allow() {
    let server = start().await;
    let admin = server.client(&server.admin);
    for project in ["support", "sales"] {
        let new = NewPrompt::new("Greeting", "Hi");
        admin.create_prompt(new).project(project).await.unwrap();
    }
    let new = NewKey {
        name: "reader".to_owned(),
        projects: Some(["support".to_owned()].into()),
        ..NewKey::default()
    };
    let reader = server.client(&server.key(new.clone()).await.1);
    reader.get_prompt("greeting").project("support").await.unwrap();
    let missing = reader.get_prompt("nothing").project("support").await.unwrap_err();
    let hidden = reader.get_prompt("greeting").project("sales").await.unwrap_err();
    assert_eq!((hidden.kind(), hidden.status()), (missing.kind(), missing.status()));
    let error =
        reader.create_prompt(NewPrompt::new("N", "x")).project("support").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authorization);
    assert!(error.message().contains("scope `write`"), "{error}");
    let scopes = Some([Scope::Write].into());
    let writer = server.client(&server.key(NewKey { scopes, ..new }).await.1);
    writer.create_prompt(NewPrompt::new("N", "x")).project("support").await.unwrap();
    writer.get_prompt("n").project("support").await.unwrap();
    let error = writer.create_prompt(NewPrompt::new("N", "x")).project("sales").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authorization);
}

#[tokio::test]
async fn a_key_is_told_once_and_mints_only_narrower_ones() {
    let server = start().await;
    let post = async |key: &Secret, body: serde_json::Value| {
        let header = format!("authorization: Bearer {}\r\n", key.expose());
        server.send("POST /v1/client/auth/api-keys", &header, &body.to_string()).await
    };
    let narrow = json!({
        "name": "narrow", "allowed_scopes": ["read", "admin"], "allowed_projects": ["a", "b"],
        "rate_limit_per_minute": 100, "expires_at": "2999-01-01T00:00:00Z",
    });
    let made = post(&server.admin, narrow).await;
    assert_eq!(made.status, 201, "{made:?}");
    let narrow = Secret::new(made.body["data"]["api_key"].as_str().unwrap());
    assert_eq!(made.body["data"]["secret_key"].as_str().unwrap().len(), 64);
    for (wider, field) in [
        (json!({"name": "x", "allowed_scopes": ["write"]}), "allowed_scopes"),
        (json!({"name": "x", "allowed_projects": ["a", "c"]}), "allowed_projects"),
        (json!({"name": "x", "rate_limit_per_minute": 101}), "rate_limit_per_minute"),
        (json!({"name": "x", "expires_at": "2999-01-01T00:00:01Z"}), "expires_at"),
    ] {
        let answer = post(&narrow, wider).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        assert_eq!(answer.body["error"]["details"]["errors"][0]["field"], field);
    }
    let unknown = post(&narrow, json!({"name": "x", "scopes": ["write"]})).await;
    assert_eq!(unknown.status, 422, "a field that is not known: {unknown:?}");
    let child = post(&narrow, json!({"name": "child"})).await.body["data"].clone();
    assert_eq!(child["allowed_projects"], json!(["a", "b"]), "what its maker has");
    assert_eq!(child["rate_limit_per_minute"], 100);
    let listed = server.get("/v1/client/auth/api-keys", &narrow).await;
    let seen = listed.body["data"]["api_keys"].as_array().unwrap().len();
    assert_eq!(seen, 2, "those that are no wider");
    let text = listed.body.to_string();
    assert!(!text.contains(narrow.expose()) && !text.contains("secret_key"), "{text}");
    let child_key = Secret::new(child["api_key"].as_str().unwrap());
    assert_eq!(server.get("/v1/client/prompts", &child_key).await.status, 200);
    let header = format!("authorization: Bearer {}\r\n", narrow.expose());
    let path = format!("DELETE /v1/client/auth/api-keys/{}", child["id"].as_str().unwrap());
    assert_eq!(server.send(&path, &header, "").await.status, 200);
    assert_eq!(server.get("/v1/client/prompts", &child_key).await.status, 401, "from now on");
    let wider = NewKey { projects: Some(["a".to_owned()].into()), ..all() };
    let (wider, _) = server.key(wider).await;
    let path = format!("DELETE /v1/client/auth/api-keys/{}", wider.id);
    assert_eq!(server.send(&path, &header, "").await.status, 404, "it may write, too");
    let path = "DELETE /v1/client/auth/api-keys/of-somebody-else";
    assert_eq!(server.send(path, &header, "").await.status, 404);
    let reader = post(&narrow, json!({"name": "reader"})).await;
    let reader = Secret::new(reader.body["data"]["api_key"].as_str().unwrap());
    assert_eq!(post(&reader, json!({"name": "x"})).await.status, 403);
}

/// A client that signs.
fn signing(server: &Running, key: &Secret, secret: &Secret) -> PromptOpsClient {
    PromptOpsClient::builder()
        .base_url(format!("http://{}/v1", server.address))
        .api_key(key.clone())
        .secret_key(secret.clone())
        .build()
        .unwrap()
}

#[tokio::test]
async fn our_client_signs_what_our_server_checks() {
    let server = start().await;
    let (known, key) = server.key(all()).await;
    let secret = server.master.secret(&known.id);
    let client = signing(&server, &key, &secret);
    client.create_prompt(NewPrompt::new("Größe", "Hi")).await.unwrap();
    let update = PromptUpdate::new().content("Ho");
    client.update_prompt("größe", update).await.unwrap();
    assert_eq!(client.list_prompts().query("größe").tags(["b", "a"]).await.unwrap().len(), 0);
    let first = PromptOpsClient::builder()
        .base_url(format!("http://{}/v1", server.address))
        .credential(Signed::first_form(&key, &secret).unwrap())
        .build()
        .unwrap();
    first.create_prompt(NewPrompt::new("Other", "Hi")).await.unwrap();
    let other = server.master.secret("another key");
    let error = signing(&server, &key, &other).get_prompt("other").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
}

/// The headers of a request, signed in the second form.
fn headers(parts: &SignedParts<'_>, secret: &Secret) -> String {
    format!(
        "authorization: Bearer {}\r\nx-promptops-timestamp: {}\r\nx-promptops-nonce: {}\r\n\
         x-promptops-signature-v2: {}\r\n",
        parts.api_key,
        parts.timestamp,
        parts.nonce,
        parts.second_form(secret),
    )
}

#[tokio::test]
async fn what_is_signed_is_what_is_asked_once_and_now() {
    let server = start().await;
    let (known, key) = server.key(all()).await;
    let secret = server.master.secret(&known.id);
    let host = server.address.to_string();
    let now = SystemTime.now();
    let at = |minutes: i64| {
        Timestamp::from_unix_micros(now.unix_micros() + minutes * MINUTE).to_string()
    };
    let body = r#"{"name": "Signed", "content": "x"}"#;
    let (path, query) = ("/v1/client/prompts", "project_id=p");
    let timestamp = at(0);
    let parts = SignedParts {
        api_key: key.expose(),
        timestamp: &timestamp,
        nonce: "n-1",
        method: "POST",
        host: &host,
        path,
        query,
        body: body.as_bytes(),
    };
    let line = format!("POST {path}?{query}");
    let signed = headers(&parts, &secret);
    for (line, headers, body) in [
        (format!("PUT {path}?{query}"), signed.clone(), body),
        (format!("POST {path}/?{query}"), signed.clone(), body),
        (format!("POST {path}?project_id=q"), signed.clone(), body),
        (line.clone(), signed.clone(), r#"{"name": "Signed", "content": "y"}"#),
        (line.clone(), signed.replace("n-1", "n-2"), body),
        (line.clone(), signed.replace(&timestamp, &at(1)), body),
        (line.clone(), signed.replace("x-promptops-nonce", "x-other"), body),
        (line.clone(), format!("{signed}x-promptops-signature: 00\r\n"), body),
        (line.clone(), signed.replace("signature-v2", "signature"), body),
    ] {
        let answer = server.send(&line, &headers, body).await;
        assert!(matches!(answer.status, 401 | 404 | 405), "{line} {headers}: {answer:?}");
    }
    for minutes in [-6, 6] {
        let timestamp = at(minutes);
        let late = SignedParts { timestamp: &timestamp, ..parts };
        let answer = server.send(&line, &headers(&late, &secret), body).await;
        assert_eq!(answer.status, 401, "{minutes} minutes off");
    }
    assert_eq!(server.send(&line, &signed, body).await.status, 201);
    assert_eq!(server.send(&line, &signed, body).await.status, 401, "a second time");
    let validate = json!({"api_key": key.expose()}).to_string();
    let valid = server.send("POST /v1/client/auth/validate", "", &validate).await;
    assert_eq!(valid.body["data"]["valid"], true, "{valid:?}");
    let wrong = json!({"api_key": "po_wrong"}).to_string();
    let invalid = server.send("POST /v1/client/auth/validate", "", &wrong).await;
    assert_eq!(invalid.body["data"], json!({"valid": false}));
}

#[tokio::test]
async fn a_key_has_so_many_requests() {
    let server = start().await;
    let new = NewKey { per_minute: Some(5), ..all() };
    let (_, key) = server.key(new).await;
    for left in (0..5).rev() {
        let answer = server.get("/v1/client/usage/limits", &key).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-ratelimit-limit-minute"), Some("5"));
        assert_eq!(answer.header("x-ratelimit-remaining-minute"), Some(left.to_string().as_str()));
        assert_eq!(answer.body["data"]["minute"]["remaining"], left);
        assert!(answer.header("ratelimit").unwrap().starts_with(&format!("\"minute\";r={left}")));
    }
    let refused = server.get("/v1/client/prompts", &key).await;
    assert_eq!(
        (refused.status, refused.body["error"]["code"].as_str()),
        (429, Some("RATE_LIMIT_ERROR"))
    );
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=13).contains(&wait), "a fifth of a minute: {wait}");
    assert_eq!(server.get("/v1/client/prompts", &server.admin).await.status, 200, "another key");
}
