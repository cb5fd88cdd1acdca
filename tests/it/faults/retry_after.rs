//! Row 16: whatever `Retry-After` says, no attempt is early, and none is past the deadline.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http::{Request, Response};
use promptops_transport::{Pipeline, TokioClock, Transport, from_fn};
use promptops_types::{RetryConfig, TimeSource, Timestamp};

use super::{row, runs, seed, since};

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// A moment as the header of an answer has it; only days of November 2026.
fn http_date(at: Timestamp) -> String {
    let text = at.to_string();
    let day: usize = text[8..10].parse().unwrap();
    // 1970-01-01 was a Thursday.
    let weekday = DAYS[usize::try_from(at.unix_micros() / 86_400_000_000).unwrap() % 7];
    assert!(text.starts_with("2026-11-"), "{text}");
    format!("{weekday}, {day:02} Nov 2026 {} GMT", &text[11..19])
}

/// A header, and the wait that it asks for, if it is one.
fn header(chance: &mut Rng, now: Timestamp) -> (String, Option<Duration>) {
    let seconds = chance.u64(..40);
    match chance.u32(..8) {
        0 | 1 => (seconds.to_string(), Some(Duration::from_secs(seconds))),
        2 | 3 => {
            let whole = now.unix_micros() / 1_000_000 + i64::try_from(seconds).unwrap();
            let at = Timestamp::from_unix_micros(whole * 1_000_000);
            (http_date(at), Some(Duration::from_secs(seconds)))
        }
        4 => ("9".repeat(chance.usize(6..300)), Some(Duration::from_hours(1))),
        5 => (format!("-{seconds}"), None),
        6 => {
            let past = Timestamp::from_unix_micros(now.unix_micros() - 3_600_000_000);
            (http_date(past), None)
        }
        _ => (std::iter::repeat_with(|| chance.alphanumeric()).take(9).collect(), None),
    }
}

#[tokio::test(start_paused = true)]
async fn row_16_no_attempt_is_early_or_past_the_deadline() {
    let mut chance = Rng::with_seed(seed());
    let now: Timestamp = "2026-11-15T12:00:00Z".parse().unwrap();
    let (cases, mut retried, mut refused) = (runs(1000).max(1000), 0, 0);
    for case in 0..cases {
        let (text, asked) = header(&mut chance, now);
        let status = *chance.choice(&[429, 503]).unwrap();
        let deadline = Duration::from_millis(chance.u64(10..60_000));
        let sent = Arc::new(Mutex::new(Vec::new()));
        let answered = Arc::clone(&sent);
        let transport = from_fn(move |_: Request<Bytes>| {
            let mut sent = answered.lock().unwrap();
            sent.push(TokioClock.monotonic());
            let response = Response::builder().header("date", http_date(now));
            let response = match sent.len() {
                1 => response.status(status).header("retry-after", &text),
                _ => response.status(200),
            };
            let response = response.body(Bytes::new()).unwrap();
            async { Ok(response) }
        });
        let stages = Pipeline::new(transport, &RetryConfig::default());
        let mut request = Request::get("http://h/").body(Bytes::new()).unwrap();
        request.extensions_mut().insert(stages.deadline(deadline));
        let started = TokioClock.monotonic();
        let response = stages.send(request).await.unwrap();
        assert!(since(started) <= deadline, "case {case}: past its deadline");
        let sent = sent.lock().unwrap();
        match sent[..] {
            [_] => {
                assert_eq!(response.status(), status, "case {case}: the answer is told");
                refused += 1;
            }
            [first, second] => {
                let waited = second.saturating_sub(first);
                assert!(waited >= asked.unwrap_or_default(), "case {case}: early by {waited:?}");
                retried += 1;
            }
            _ => panic!("case {case}: {} attempts", sent.len()),
        }
    }
    assert!(retried > cases / 4 && refused > cases / 10, "{retried} retried, {refused} told");
    let measured =
        format!("0 panics, 0 early, 0 late in {cases}; {retried} retried, {refused} told at once");
    row(16, "Retry-After in every form", "0 panics, 0 early in 1 000", measured, true);
}
