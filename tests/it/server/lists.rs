//! Lists, a page at a time.

use std::collections::BTreeSet;

use promptops_client::{NewPrompt, PromptUpdate};
use serde_json::Value;

use super::{Running, all, start};

/// The names on all pages of a path, by a field of each item.
async fn walk(server: &Running, path: &str, list: &str, field: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut next = path.to_owned();
    loop {
        let answer = server.get(&next, &server.admin).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let data = &answer.body["data"];
        let (items, cursor) = if let Value::Array(items) = data {
            (items, answer.header("x-next-cursor").map(str::to_owned))
        } else {
            let cursor = data["next_cursor"].as_str().map(str::to_owned);
            assert_eq!(data["has_more"], cursor.is_some(), "{data}");
            (data[list].as_array().unwrap(), cursor)
        };
        assert!(items.len() <= 2, "{data}");
        found.extend(items.iter().map(|item| item[field].as_str().unwrap().to_owned()));
        let Some(cursor) = cursor else { return found };
        next = format!("{path}&cursor={cursor}");
    }
}

#[tokio::test]
async fn every_list_goes_on_from_a_cursor() {
    let server = start().await;
    let client = server.client(&server.admin);
    for number in 0..5 {
        client.create_prompt(NewPrompt::new(format!("P {number}"), "x")).await.unwrap();
        let content = format!("{number}");
        client.update_prompt("p-0", PromptUpdate::new().content(content)).await.unwrap();
        server.key(all()).await;
    }
    let slugs = walk(&server, "/v1/client/prompts?limit=2&sort_by=name", "prompts", "slug").await;
    assert_eq!(slugs, ["p-4", "p-3", "p-2", "p-1", "p-0"]);
    let numbers = walk(&server, "/v1/client/prompts/p-0/versions?limit=2", "", "version").await;
    assert_eq!(numbers, ["1.5.0", "1.4.0", "1.3.0", "1.2.0", "1.1.0", "1.0.0"]);
    let keys = walk(&server, "/v1/client/auth/api-keys?limit=2", "api_keys", "id").await;
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 6);
}

#[tokio::test]
async fn a_cursor_says_where_the_page_begins() {
    let server = start().await;
    let client = server.client(&server.admin);
    for number in 0..6 {
        client.create_prompt(NewPrompt::new(format!("P {number}"), "x")).await.unwrap();
    }
    let path = "/v1/client/prompts?limit=2&skip=1&sort_by=name";
    let slugs = walk(&server, path, "prompts", "slug").await;
    assert_eq!(slugs, ["p-4", "p-3", "p-2", "p-1", "p-0"], "skipped once");
}

#[tokio::test]
async fn a_cursor_is_of_one_list() {
    let server = start().await;
    let client = server.client(&server.admin);
    for name in ["A", "B", "C"] {
        client.create_prompt(NewPrompt::new(name, "x")).await.unwrap();
    }
    let page = server.get("/v1/client/prompts?limit=1", &server.admin).await;
    let cursor = page.body["data"]["next_cursor"].as_str().unwrap().to_owned();
    for path in [
        format!("prompts?limit=1&sort_by=name&cursor={cursor}"),
        format!("prompts?limit=1&project_id=default&cursor={cursor}"),
        format!("prompts/a/versions?cursor={cursor}"),
        format!("auth/api-keys?cursor={cursor}"),
        "prompts?cursor=x".to_owned(),
    ] {
        let answer = server.get(&format!("/v1/client/{path}"), &server.admin).await;
        assert_eq!(answer.status, 422, "{path}: {answer:?}");
        assert_eq!(answer.body["error"]["details"]["errors"][0]["field"], "cursor");
    }
}
