//! Rows 10, 11, 18 and 19: what the cache promises when the registry fails, refuses, or everybody
//! wants the same.

use std::collections::HashSet;
use std::time::Duration;

use fastrand::Rng;
use promptops_cache::{CacheKey, CacheScope};
use promptops_client::{ErrorKind, Source};
use promptops_transport::TokioClock;
use promptops_types::TimeSource;

use super::{row, runs, seed, since};
use crate::cache::{Registry, builder, set_up};

/// How the registry fails, besides by a status: nobody is there, no answer ever comes, the transport panics.
const REFUSED: u64 = 1;
const BLACK_HOLE: u64 = 2;
const PANICS_ONCE: u64 = 3;

#[tokio::test]
async fn row_10_a_warm_read_is_served_through_an_outage() {
    let reads = runs(1000);
    let mut served = 0;
    let (mut undisturbed, mut open) = (Vec::new(), Vec::new());
    for failure in [REFUSED, BLACK_HOLE, 500, 503] {
        let (registry, time, _) = set_up();
        // What never answers is waited for so long, until the circuit opens.
        let client = builder(&registry, &time).timeout(Duration::from_millis(20)).build().unwrap();
        for read in 0..2 * reads {
            let fails = read >= reads;
            if fails {
                registry.fail(failure);
                // Past every time but `stale_if_error`: each read asks the registry first.
                time.pass(if read == reads { 600 } else { 1 });
            }
            let started = TokioClock.monotonic();
            let fetched = client.get_prompt("a").fetch().await.unwrap();
            let took = since(started);
            assert_eq!(fetched.source == Source::Stale, fails);
            served += usize::from(fails);
            // The circuit opens after twenty failures.
            match read.checked_sub(reads) {
                None => undisturbed.push(took),
                Some(failed) if failed >= 20 => open.push(took),
                Some(_) => {}
            }
        }
    }
    let p99 = |times: &mut Vec<Duration>| {
        times.sort();
        times.get(times.len() * 99 / 100).copied().unwrap_or_default()
    };
    let more = p99(&mut open).saturating_sub(p99(&mut undisturbed));
    let measured = format!(
        "{served} of {served} served stale; {:.3} ms more at p99",
        more.as_secs_f64() * 1e3
    );
    let promised = "100 % of warm reads; with the breaker open at most 1 ms more at p99";
    row(
        10,
        "server refused, black-holed, 500 or 503, warm cache",
        promised,
        measured,
        more <= Duration::from_millis(1),
    );
}

#[tokio::test]
async fn row_11_a_refusal_on_revalidation_is_told() {
    let cases = runs(1000);
    let mut chance = Rng::with_seed(seed());
    let mut right = 0;
    for _ in 0..cases {
        let (status, kind) = *chance
            .choice(&[
                (404, ErrorKind::PromptNotFound),
                (410, ErrorKind::PromptNotFound),
                (401, ErrorKind::Authentication),
                (403, ErrorKind::Authorization),
            ])
            .unwrap();
        let (registry, time, client) = set_up();
        client.get_prompt("a").await.unwrap();
        registry.fail(status);
        time.pass(chance.u64(300..86_000));
        let mut stale = 0;
        let error = loop {
            match client.get_prompt("a").fetch().await {
                Ok(fetched) => {
                    assert_eq!(fetched.source, Source::Stale);
                    stale += 1;
                }
                Err(error) => break error,
            }
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        };
        assert!(stale <= 1, "{stale} stale answers after {status}");
        right += usize::from(error.kind() == kind);
        // And a failure evicts nothing.
        let (registry, time, client) = set_up();
        client.get_prompt("a").await.unwrap();
        registry.fail(chance.u64(500..505));
        time.pass(600);
        assert_eq!(client.get_prompt("a").fetch().await.unwrap().source, Source::Stale);
        registry.fail(0);
    }
    assert_eq!(right, cases);
    let promised = "at most one stale answer after ttl, then the right error, 1 000 of 1 000";
    row(11, "404, 410, 401 or 403 on revalidation", promised, format!("{right} of {cases}"), true);
}

#[test]
fn row_18_keys_that_differ_are_different_entries() {
    let keys = runs(1_000_000);
    let mut chance = Rng::with_seed(seed());
    let scopes: Vec<_> = ["https://a", "https://a/", "https://A", "https://a:443"]
        .iter()
        .flat_map(|url| ["", "a", "b"].map(|key| CacheScope::new(*url, Some(&key.into()))))
        .collect();
    // Delimiters, case, composed and decomposed letters, and what joins to the same text.
    let pieces = ["a", "A", ":", "/", "-", "\0", "\u{e9}", "e\u{301}", "", " ", "%2F", "v1"];
    let text = |chance: &mut Rng| -> Option<String> {
        let length = chance.usize(..6);
        (length > 0).then(|| (1..length).map(|_| *chance.choice(&pieces).unwrap()).collect())
    };
    let (mut distinct, mut fingerprints) = (HashSet::new(), HashSet::new());
    while distinct.len() < keys {
        let scope = chance.choice(&scopes).unwrap().clone();
        let operation = if chance.bool() { "get_prompt" } else { "list_prompts" };
        let mut key = CacheKey::new(scope, operation);
        key.prompt = text(&mut chance);
        key.project = text(&mut chance);
        key.selector = text(&mut chance);
        key.rest = text(&mut chance);
        fingerprints.insert(key.fingerprint());
        distinct.insert(key);
    }
    assert_eq!(distinct.len(), fingerprints.len());
    let measured = format!("0 collisions among {} distinct keys", distinct.len());
    row(18, "keys that differ only a little", "0 collisions in 1 000 000", measured, true);
}

/// So many callers of one cold key, over a registry that fails in some way; the first `cancelled` of them
/// are dropped while they fetch.
async fn herd(callers: usize, cancelled: usize, failure: u64) -> (usize, usize) {
    let (registry, _, client): (Registry, _, _) = set_up();
    registry.fail(failure);
    let calls: Vec<_> = (0..callers)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.get_prompt("a").await.is_ok() })
        })
        .collect();
    for call in calls.iter().take(cancelled) {
        tokio::task::yield_now().await;
        call.abort();
    }
    let mut live = 0;
    for call in calls {
        live += usize::from(call.await.is_ok_and(|is_ok| is_ok));
    }
    (registry.requests(), live)
}

#[tokio::test]
async fn row_19_a_herd_on_a_cold_key_is_one_request() {
    let callers = 1000;
    let (requests, live) = herd(callers, 0, 0).await;
    assert_eq!((requests, live), (1, callers));
    let (after, left) = herd(callers, 1, 0).await;
    assert!(after <= 2 && left >= callers - 1, "{after} requests, {left} live");
    let (panicked, left) = herd(callers, 0, PANICS_ONCE).await;
    assert_eq!((panicked, left), (2, callers - 1), "requests, and who lived after a panic");
    let measured = format!(
        "{requests} request, {after} after a cancel, {panicked} after a panic, 0 of {callers} hung"
    );
    row(
        19,
        "herd on a cold key; the leader cancelled, or panicking",
        "1 request, 2 after a cancel or a panic",
        measured,
        true,
    );
}
