//! Cursors of the change feed, of prompts, of versions and of keys: one that is taken gives the rest of
//! its list from some place on, and one of the feed is given back as it was.
#![no_main]

mod served;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use served::{Answer, SERVED, encoded};

/// Lists, and where in their answers the items are.
const LISTS: [(&str, &str); 5] = [
    ("/prompts?sort_by=created_at&limit=", "/data/prompts"),
    ("/prompts?sort_by=name&sort_order=asc&limit=", "/data/prompts"),
    ("/prompts?tags=t0&limit=", "/data/prompts"),
    ("/prompts/greeting/versions?limit=", "/data"),
    ("/auth/api-keys?limit=", "/data/api_keys"),
];

// The first line.
fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let cursor = text.lines().next().unwrap_or_default();
    changes(cursor);
    for list in &*KNOWN {
        rest(list, cursor);
        // What a cursor says of its list cannot be guessed: with it, the rest is read.
        if let (Some((of_list, _)), Some((_, place))) =
            (list.cursor.split_once('.'), cursor.split_once('.'))
            && !of_list.starts_with('k')
        {
            rest(list, &format!("{of_list}.{place}"));
        }
    }
});

/// A list as it is: nothing changes it.
struct Known {
    asked: &'static str,
    items: &'static str,
    /// What its second item begins after.
    cursor: String,
    all: Vec<Value>,
}

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let known = LISTS.map(|(asked, items)| {
        let first = SERVED.get(&format!("{asked}1"));
        let cursor = first.next_cursor.expect("more than one page");
        let all = ids(&SERVED.get(&format!("{asked}1000")), items);
        Known { asked, items, cursor, all }
    });
    for list in &known {
        for other in known.iter().filter(|other| other.asked != list.asked) {
            let Known { asked, cursor, .. } = other;
            let answer = SERVED.get(&format!("{}1000&cursor={}", list.asked, encoded(cursor)));
            assert!(!answer.status.is_success(), "{} takes a cursor of {asked}", list.asked);
        }
        let Known { asked, items, cursor, all } = list;
        let answer = SERVED.get(&format!("{asked}1000&cursor={}", encoded(cursor)));
        assert_eq!(ids(&answer, items), all[1..], "{asked} goes on elsewhere");
    }
    known.into()
});

/// The change feed from a cursor on.
fn changes(cursor: &str) {
    let answer = SERVED.get(&format!("/changes?limit=2&since={}", encoded(cursor)));
    if !answer.status.is_success() {
        return;
    }
    let data = &answer.body["data"];
    let next = data["next_cursor"].as_str().expect("a cursor");
    let number = |text: &str| text.strip_prefix('c').and_then(|seq| seq.parse::<u64>().ok());
    let seqs = data["changes"].as_array().expect("a list").iter();
    let seqs: Vec<u64> = seqs.map(|change| change["seq"].as_u64().expect("a number")).collect();
    if cursor != "now" {
        let since = number(cursor).expect("what was taken is a cursor");
        assert_eq!(cursor, format!("c{since}"), "a cursor is written in one way");
        assert!(seqs.iter().all(|seq| *seq > since), "{cursor} gives {seqs:?}");
    }
    match seqs.last() {
        Some(last) => assert_eq!(number(next), Some(*last)),
        None if cursor == "now" => assert!(number(next).is_some()),
        None => assert_eq!(next, cursor),
    }
}

/// A cursor that is taken gives the end of its list, which is whole.
fn rest(Known { asked, items, all, .. }: &Known, cursor: &str) {
    let answer = SERVED.get(&format!("{asked}1000&cursor={}", encoded(cursor)));
    if !answer.status.is_success() {
        return assert!(answer.status.is_client_error(), "{answer:?}");
    }
    let rest = ids(&answer, items);
    assert!(all.ends_with(&rest), "{cursor:?} of {asked}: {rest:?} is not the end of {all:?}");
    assert_eq!(answer.next_cursor, None, "the end is the end");
}

/// What tells the items of an answer apart.
fn ids(answer: &Answer, items: &str) -> Vec<Value> {
    let all = answer.body.pointer(items).and_then(Value::as_array).expect("a list");
    all.iter().map(|item| json!([item["id"], item["version"]])).collect()
}
