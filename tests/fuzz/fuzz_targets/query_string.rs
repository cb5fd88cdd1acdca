//! Paths and query strings of the contract's reads: no text of them is a fault of the registry's, answers
//! are bounded, and a list is walked page by page without losing or repeating anything.
#![no_main]

mod served;

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use served::{SERVED, encoded};

/// Most prompts and changes of one answer.
const MOST: u64 = 1000;

// The first line, below `/v1/client`: `/prompts?limit=2&tags=t0`.
fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let line = text.lines().next().unwrap_or_default();
    let asked = if line.starts_with('/') { line.to_owned() } else { format!("/{line}") };
    let answer = SERVED.get(&asked);
    if !answer.status.is_success() {
        let error = &answer.body["error"];
        assert!(error["code"].as_str().is_some_and(|code| !code.is_empty()), "{error}");
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
        return;
    }
    let data = &answer.body["data"];
    match asked.split_once('?').map_or(&*asked, |(path, _)| path) {
        "/prompts" => {
            let (number, limit) = (count(&data["prompts"]), data["limit"].as_u64().expect("one"));
            assert!((1..=MOST).contains(&limit) && number <= limit, "{data}");
            assert!(number <= data["total"].as_u64().expect("a total"), "{data}");
            assert_eq!(data["has_more"], data["next_cursor"].is_string(), "{data}");
            walked(&asked, number);
        }
        "/changes" => {
            let numbers = data["changes"].as_array().expect("a list").iter();
            let numbers: Vec<u64> = numbers.map(|one| one["seq"].as_u64().expect("it")).collect();
            assert!(numbers.is_sorted_by(|one, next| one < next) && numbers.len() <= 1000);
        }
        _ => {}
    }
});

/// Follows the cursors to the end.
fn walked(asked: &str, on_first_page: u64) {
    // A cursor that is there already would be given twice.
    let query = asked.split_once('?').map_or("", |(_, query)| query);
    let is_other = ["%", "+", "cursor"].iter().any(|part| query.contains(part));
    if is_other || on_first_page == 0 {
        return;
    }
    // What is skipped is skipped once.
    let is_skipped = ["offset", "skip"].iter().any(|part| query.contains(part));
    let mut seen = HashSet::new();
    let mut page = SERVED.get(asked);
    loop {
        let data = &page.body["data"];
        for prompt in data["prompts"].as_array().expect("a list") {
            assert!(seen.insert(prompt["id"].to_string()), "{asked:?} repeats {prompt}");
        }
        let Some(next) = &page.next_cursor else {
            let all = data["total"].as_u64().expect("a total");
            return assert!(is_skipped || seen.len() as u64 == all, "{asked:?} loses some");
        };
        let is_empty = count(&data["prompts"]) == 0;
        assert!(!is_empty, "{asked:?} goes on after nothing");
        let separator = if asked.contains('?') { '&' } else { '?' };
        page = SERVED.get(&format!("{asked}{separator}cursor={}", encoded(next)));
        assert!(page.status.is_success(), "{asked:?} refuses its own cursor: {page:?}");
    }
}

fn count(list: &serde_json::Value) -> u64 {
    list.as_array().expect("a list").len() as u64
}
