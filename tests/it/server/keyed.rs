//! Writes that are sent again.

use std::sync::Arc;

use promptops_client::{NewPrompt, PromptUpdate};
use serde_json::json;

use super::start;

#[tokio::test]
async fn the_same_key_and_request_is_the_same_answer() {
    let server = start().await;
    let key = |key: &str| {
        format!("authorization: Bearer {}\r\nidempotency-key: {key}\r\n", server.admin.expose())
    };
    let body = json!({"name": "Once", "content": "x"}).to_string();
    let create = "POST /v1/client/prompts";
    let first = server.send(create, &key("k-1"), &body).await;
    assert_eq!(first.status, 201, "{first:?}");
    let again = server.send(create, &key("k-1"), &body).await;
    assert_eq!((again.status, &again.body["data"]), (201, &first.body["data"]));
    assert_eq!(again.header("etag"), first.header("etag"));
    let other = json!({"name": "Other", "content": "x"}).to_string();
    let mismatch = server.send(create, &key("k-1"), &other).await;
    assert_eq!(mismatch.status, 422);
    assert_eq!(mismatch.body["error"]["code"], "IDEMPOTENCY_MISMATCH");
    assert_eq!(server.send(create, &key("k-2"), &body).await.status, 409, "another write");
    let wrong = server.send(create, &key(&"x".repeat(256)), &body).await;
    assert_eq!(wrong.status, 400);
    // An update, and a label.
    let update = json!({"content": "y"}).to_string();
    let put = "PUT /v1/client/prompts/once";
    let first = server.send(put, &key("k-3"), &update).await;
    assert_eq!((first.status, &first.body["data"]["version"]), (200, &json!("1.1.0")));
    let again = server.send(put, &key("k-3"), &update).await;
    assert_eq!(again.body["data"], first.body["data"]);
    let label = "PUT /v1/client/prompts/once/labels/eu%2Fwest";
    let to = json!({"version": "1.0.0"}).to_string();
    let first = server.send(label, &key("k-4"), &to).await;
    let moved = json!({"version": "1.1.0"}).to_string();
    server.send(label, &key("k-5"), &moved).await;
    let again = server.send(label, &key("k-4"), &to).await;
    assert_eq!((again.status, &again.body["data"]), (200, &first.body["data"]), "not moved back");
    let labels = server.get("/v1/client/prompts/once/labels", &server.admin).await;
    assert_eq!(labels.body["data"]["labels"][0]["version"], "1.1.0");
    // What was refused is not remembered.
    let refused = server.send(create, &key("k-6"), &json!({"name": ""}).to_string()).await;
    assert_eq!(refused.status, 422);
    assert_eq!(server.send(create, &key("k-6"), &other).await.status, 201);
}

#[tokio::test]
async fn many_at_once_with_one_key_are_one_write() {
    let server = Arc::new(start().await);
    let client = server.client(&server.admin);
    for round in 0..20 {
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let (client, key) = (client.clone(), format!("round-{round}"));
                tokio::spawn(async move {
                    let new = NewPrompt::new("Same", "x");
                    let call = client.create_prompt(new.slug(format!("same-{key}")));
                    call.idempotency_key(key).await.unwrap().id.clone()
                })
            })
            .collect();
        let mut ids = Vec::new();
        for call in calls {
            ids.push(call.await.unwrap());
        }
        ids.dedup();
        assert_eq!(ids.len(), 1, "{ids:?}");
    }
    let update = PromptUpdate::new().content("y");
    client.update_prompt("same-round-0", update).idempotency_key("u").await.unwrap();
    assert_eq!(client.prompt_versions("same-round-0").await.unwrap().len(), 2);
}
