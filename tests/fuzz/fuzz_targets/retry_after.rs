//! `Retry-After`: never earlier than it says, never longer than a year.
#![no_main]

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, HeaderName, RETRY_AFTER};
use libfuzzer_sys::fuzz_target;
use promptops_transport::retry_after;
use promptops_types::Timestamp;

/// A year, as `retry_after` says.
const LONGEST: Duration = Duration::from_hours(365 * 24);

// Lines: `Retry-After`, the answer's own `Date`, and what time it is here.
fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    let wait = lines.next().unwrap_or_default();
    let has_wait = insert(&mut headers, RETRY_AFTER, wait);
    let date = lines.next().filter(|date| insert(&mut headers, DATE, date));
    let now = lines.next().and_then(|now| text(now)?.parse().ok()).unwrap_or_default();

    let told = retry_after(&headers, now);
    assert!(told.is_none_or(|wait| wait <= LONGEST), "{told:?}");
    let Some(wait) = text(wait).filter(|_| has_wait) else {
        return assert_eq!(told, None, "no text asks for nothing");
    };
    if !wait.is_empty() && wait.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = wait.trim_start_matches('0').parse().unwrap_or(u64::MAX);
        let seconds = if wait.bytes().all(|byte| byte == b'0') { 0 } else { seconds };
        let expected = Duration::from_secs(seconds.min(LONGEST.as_secs()));
        return assert_eq!(told, Some(expected), "seconds are what they say");
    }
    let Some(at) = Timestamp::from_http_date(wait) else {
        return assert_eq!(told, None, "what is neither is ignored");
    };
    let from = date.and_then(text).and_then(Timestamp::from_http_date).unwrap_or(now);
    let told = told.expect("a date is a wait");
    // Whoever waits that long comes no earlier than it says, unless that is more than a year.
    let waited = i128::from(from.unix_micros()) + i128::try_from(told.as_micros()).unwrap();
    assert!(waited >= i128::from(at.unix_micros()) || told == LONGEST, "{told:?} is too early");
    assert!(told.is_zero() || waited == i128::from(at.unix_micros()) || told == LONGEST);
});

/// Adds a header, if it is one.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &[u8]) -> bool {
    value.try_into().is_ok_and(|value: http::HeaderValue| headers.insert(name, value).is_none())
}

/// What can be read of a header.
fn text(value: &[u8]) -> Option<&str> {
    let is_text = value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    is_text.then(|| str::from_utf8(value).ok()).flatten().map(str::trim)
}
