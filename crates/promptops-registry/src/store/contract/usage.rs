//! What was used is counted once.

use super::at;
use crate::{Histogram, SharedStore, Store, Usage, UsageBatch, UsageQuery, UsageRow};

fn row(project: &str, prompt: &str, hour: i64, milliseconds: f64) -> UsageRow {
    let mut durations = Histogram::default();
    durations.count(milliseconds);
    UsageRow {
        hour: at(hour * 3_600_000_000),
        project: project.to_owned(),
        prompt: prompt.to_owned(),
        operation: "get_prompt".to_owned(),
        usage: Usage { requests: 1, micros: 2, durations, ..Usage::default() },
    }
}

pub(super) async fn counts_what_was_used_once(store: &SharedStore) {
    let batch = |id: Option<u8>, rows: Vec<UsageRow>| UsageBatch {
        id: id.map(|id| [id; 32]),
        at: at(5),
        rows,
    };
    let one = batch(Some(1), vec![row("p", "", 1, 1.0), row("p", "a", 1, 1.0)]);
    assert!(store.log_usage(&one).await.unwrap());
    assert!(!store.log_usage(&one).await.unwrap(), "sent again");
    let more = vec![row("p", "", 1, 9.0), row("p", "", 2, 1.0), row("q", "", 1, 1.0)];
    assert!(store.log_usage(&batch(Some(2), more)).await.unwrap());
    for _ in 0..2 {
        let rows = vec![row("p", "b", 2, 1.0)];
        assert!(store.log_usage(&batch(None, rows)).await.unwrap(), "without an id each counts");
    }
    let query = |prompt: &str, from: i64, to: i64| UsageQuery {
        projects: Some(vec!["p".to_owned()]),
        prompt: prompt.to_owned(),
        from: at(from * 3_600_000_000),
        to: at(to * 3_600_000_000),
    };
    let sums = async |query: &UsageQuery| {
        let mut found = Vec::new();
        let mut each = |row: UsageRow| {
            found.push((row.hour.unix_micros() / 3_600_000_000, row.usage));
            Ok(())
        };
        store.usage(query, &mut each).await.unwrap();
        found.sort_by_key(|(hour, _)| *hour);
        found
    };
    let found = sums(&query("", 0, 9)).await;
    let told: Vec<_> = found.iter().map(|(hour, u)| (*hour, u.requests, u.micros)).collect();
    assert_eq!(told, [(1, 2, 4), (2, 1, 2)]);
    assert!(found[0].1.durations.quantile(1.0) > 8.0, "classes are added up");
    assert_eq!(sums(&query("", 2, 3)).await.len(), 1);
    assert_eq!(sums(&query("a", 0, 9)).await.len(), 1);
    let everywhere = UsageQuery { projects: None, ..query("", 0, 9) };
    assert_eq!(sums(&everywhere).await.len(), 3);
    let top = store.top_prompts(&query("", 0, 9), 9).await.unwrap();
    let top: Vec<_> = top.iter().map(|top| (top.prompt.as_str(), top.requests)).collect();
    assert_eq!(top, [("b", 2), ("a", 1)]);
    assert_eq!(store.forget_usage(at(2 * 3_600_000_000)).await.unwrap(), 3);
    assert!(sums(&query("a", 0, 9)).await.is_empty());
}
