//! What was used: events in, statistics out.

use promptops_server::NewKey;
use promptops_types::Secret;
use serde_json::{Value, json};

use super::{Answer, Running, all, start};

async fn log(server: &Running, key: &Secret, batch: Option<&str>, events: &Value) -> Answer {
    let batch = batch.map(|id| format!("x-promptops-batch-id: {id}\r\n")).unwrap_or_default();
    let headers = format!("authorization: Bearer {}\r\n{batch}", key.expose());
    server.send("POST /v1/client/usage/log", &headers, &events.to_string()).await
}

fn event(prompt: &str, project: &str, milliseconds: f64) -> Value {
    json!({
        "operation": "render_prompt", "prompt_id": prompt, "project_id": project,
        "duration_ms": milliseconds, "success": milliseconds < 100.0, "cache_hit": true,
        "input_tokens": 3,
    })
}

#[tokio::test]
async fn a_batch_counts_once_and_is_seen_by_those_who_may() {
    let server = start().await;
    let new = NewKey { projects: Some(["sales".to_owned()].into()), ..all() };
    let (_, sales) = server.key(new).await;
    let mut events: Vec<Value> = (1..=99).map(|at| event("a", "support", f64::from(at))).collect();
    events.push(event("b", "sales", 200.0));
    for duplicate in [false, true] {
        let answer = log(&server, &server.admin, Some("batch-1"), &json!(events)).await;
        let expected = json!({ "accepted": 100, "duplicate": duplicate, "refused": [] });
        assert_eq!(answer.body["data"], expected);
    }
    let one = log(&server, &sales, None, &event("b", "sales", 1.0)).await;
    assert_eq!(one.body["data"]["accepted"], 1, "one event needs no list");

    let stats = server.get("/v1/client/usage/stats", &server.admin).await.body["data"].clone();
    let totals = &stats["totals"];
    assert_eq!((&totals["requests"], &totals["errors"]), (&json!(101), &json!(1)), "{stats}");
    assert_eq!((&totals["cache_hits"], &totals["input_tokens"]), (&json!(101), &json!(303)));
    let median = totals["p50_duration_ms"].as_f64().unwrap();
    assert!((45.0..=55.0).contains(&median), "{stats}");
    assert_eq!(stats["by_endpoint"]["render_prompt"]["requests"], 101);
    let periods = stats["by_period"].as_array().unwrap();
    let in_periods: u64 = periods.iter().map(|p| p["requests"].as_u64().unwrap()).sum();
    assert_eq!(in_periods, 101);
    assert_eq!(stats["top_prompts"][0]["prompt_id"], "a");
    assert_eq!(stats["top_prompts"][0]["requests"], 99);

    let of = async |path: &str, key: &Secret| {
        let path = format!("/v1/client/usage/stats?{path}");
        server.get(&path, key).await.body["data"]["totals"]["requests"].clone()
    };
    assert_eq!(of("", &sales).await, 2, "its own project alone");
    assert_eq!(of("project_id=support", &sales).await, 0);
    assert_eq!(of("prompt_id=a", &sales).await, 0);
    assert_eq!(of("prompt_id=a", &server.admin).await, 99);
    assert_eq!(of("start_date=2020-01-01&end_date=2020-02-01", &server.admin).await, 0);
}

#[tokio::test]
async fn a_wrong_event_is_told_and_leaves_the_others_alone() {
    let server = start().await;
    let new = NewKey { projects: Some(["sales".to_owned()].into()), ..all() };
    let (_, sales) = server.key(new).await;
    let mut late = event("a", "sales", 1.0);
    late["timestamp"] = json!("2020-01-01T00:00:00Z");
    let events = json!([
        event("a", "sales", 1.0),
        event("a", "support", 1.0),
        late,
        event("", "sales", 1.0)
    ]);
    let data = log(&server, &sales, None, &events).await.body["data"].clone();
    assert_eq!(data["accepted"], 1);
    let refused = data["refused"].as_array().unwrap();
    let told: Vec<_> = refused.iter().map(|r| (&r["index"], &r["error"]["field"])).collect();
    let expected = [(1, "project_id"), (2, "timestamp"), (3, "prompt_id")]
        .map(|(at, f)| (json!(at), json!(f)));
    assert_eq!(told, expected.iter().map(|(at, field)| (at, field)).collect::<Vec<_>>());

    let many = json!(vec![event("a", "sales", 1.0); 1001]);
    assert_eq!(log(&server, &sales, None, &many).await.status, 422);
    let long = "x".repeat(256);
    assert_eq!(log(&server, &sales, Some(&long), &json!([])).await.status, 400);
    for query in [
        "start_date=yesterday",
        "granularity=minute",
        "start_date=2026-01-02&end_date=2026-01-01",
        "start_date=2000-01-01",
    ] {
        let answer = server.get(&format!("/v1/client/usage/stats?{query}"), &sales).await;
        assert!(matches!(answer.status, 400 | 422), "{query}: {answer:?}");
    }
}
