//! A cached get, beside caches that do less: `lru` behind a lock, which is the floor, `quick_cache` and
//! `moka`. All of them in turn, in one process.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints and may panic")]

mod row;
mod timed;

use std::hint::black_box;
use std::sync::{Arc, LazyLock};

use lru::LruCache;
use parking_lot::Mutex;
use promptops_cache::{
    CacheBackend, CacheKey, CacheScope, Entry, EntryKind, Freshness, MemoryCache, Use,
};
use promptops_client::{CacheConfig, NewPrompt, PromptOpsClient, PromptResponse, TelemetryConfig};
use promptops_types::SystemTime;

use crate::row::{Target, compare, is_wanted};
use crate::timed::{each, now, of_many, seconds_since};

const ROUNDS: usize = 25;
const GETS: usize = 200_000;
const ENTRIES: usize = 1000;

fn main() {
    for (part, run) in
        [("hot_key", hot_key as fn()), ("two_threads", two_threads), ("insert", insert)]
    {
        if is_wanted(part) {
            run();
        }
    }
}

fn name(number: usize) -> String {
    format!("customer-service-greeting-{number}")
}

fn prompt() -> Arc<PromptResponse> {
    let mut prompt = PromptResponse::default();
    prompt.content = "Dear {{ name }}, ".repeat(60);
    Arc::new(prompt)
}

fn key(number: usize) -> CacheKey {
    // Shared by all keys, as a client has it.
    static SCOPE: LazyLock<CacheScope> =
        LazyLock::new(|| CacheScope::new("https://registry.example/v1", Some(&"po_key".into())));
    let mut key = CacheKey::new(SCOPE.clone(), "get_prompt");
    key.prompt = Some(name(number));
    key
}

fn memory(entries: usize) -> MemoryCache {
    MemoryCache::new(entries, 1 << 30, Arc::new(SystemTime))
}

fn put(memory: &MemoryCache, key: &CacheKey) {
    let entry = Entry::decoded(EntryKind::Moving, prompt(), 2000);
    memory.keep(key, &entry.into(), memory.read(key).1);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// One key, one thread.
fn hot_key() {
    let runtime = runtime();
    let floor = Mutex::new(LruCache::new(ENTRIES.try_into().unwrap()));
    let by_key = Mutex::new(LruCache::new(ENTRIES.try_into().unwrap()));
    let (quick, moka) = (quick_cache::sync::Cache::new(ENTRIES), moka::sync::Cache::new(1000));
    let (ours, freshness) = (memory(ENTRIES), Freshness::new(&CacheConfig::default()));
    for number in 0..500 {
        floor.lock().put(name(number), prompt());
        by_key.lock().put(key(number), prompt());
        quick.insert(name(number), prompt());
        moka.insert(name(number), prompt());
        put(&ours, &key(number));
    }
    let client = PromptOpsClient::builder()
        .base_url("sqlite::memory:")
        .telemetry(TelemetryConfig::disabled())
        .build()
        .unwrap();
    runtime.block_on(async {
        client.create_prompt(NewPrompt::new("Greeting", "Hello {{ name }}!")).await.unwrap();
    });
    let (hot, hot_key) = (name(7), key(7));
    let mut rounds: [Vec<f64>; 6] = Default::default();
    for _ in 0..ROUNDS {
        rounds[0].push(each(GETS, |_| drop(black_box(floor.lock().get(hot.as_str()).cloned()))));
        rounds[1].push(each(GETS, |_| drop(black_box(quick.get(hot.as_str())))));
        rounds[2].push(each(GETS, |_| drop(black_box(moka.get(hot.as_str())))));
        rounds[5].push(each(GETS, |_| drop(black_box(by_key.lock().get(&hot_key).cloned()))));
        rounds[3].push(each(GETS, |_| {
            let found = ours.look_up(&hot_key).unwrap();
            assert_eq!(freshness.judge(&found, || 0.5), Use::Fresh);
            black_box(found);
        }));
        let client = &client;
        rounds[4].push(runtime.block_on(async {
            let started = now();
            for _ in 0..GETS / 10 {
                black_box(client.get_prompt("greeting").await.unwrap());
            }
            of_many(seconds_since(started), GETS / 10)
        }));
    }
    let peer = ("lru behind a parking_lot Mutex", &rounds[0][..]);
    for (what, ours, target) in [
        ("cached get, hot key, 1 thread: quick_cache", 1, None),
        ("cached get, hot key, 1 thread: moka", 2, None),
        ("cached get, hot key, 1 thread: lru with our keys, behind the same Mutex", 5, None),
        ("cached get, hot key, 1 thread: MemoryCache, with ttl and counters", 3, Some(1.5)),
        ("cached get, hot key, 1 thread: client.get_prompt(…).await", 4, Some(1.5)),
    ] {
        compare(what, peer, (&rounds[ours], "ns"), target.map(Target::AtMost));
    }
}

/// The same by two threads at once: the same key, and the same done with what is found.
fn two_threads() {
    let floor = Mutex::new(LruCache::new(ENTRIES.try_into().unwrap()));
    let (ours, freshness) = (memory(ENTRIES), Freshness::new(&CacheConfig::default()));
    for number in 0..500 {
        floor.lock().put(name(number), prompt());
        put(&ours, &key(number));
    }
    let by_two = |get: &(dyn Fn() + Sync)| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..2).map(|_| scope.spawn(|| each(GETS, |_| get()))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<f64>() / 2.0
        })
    };
    let (hot, hot_key) = (name(7), key(7));
    let (mut theirs, mut own) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(by_two(&|| drop(black_box(floor.lock().get(hot.as_str()).cloned()))));
        own.push(by_two(&|| {
            let found = ours.look_up(&hot_key).unwrap();
            assert_eq!(freshness.judge(&found, || 0.5), Use::Fresh);
            black_box(found);
        }));
    }
    let peer = ("one Mutex around one lru", &theirs[..]);
    compare("the same, 2 threads: MemoryCache", peer, (&own, "ns"), Some(Target::AtMost(0.5)));
}

/// A new key each time, in a cache that is full.
fn insert() {
    let (mut theirs, mut own) = (Vec::new(), Vec::new());
    let value = prompt();
    for _ in 0..ROUNDS {
        let mut floor = LruCache::new(ENTRIES.try_into().unwrap());
        let names: Vec<_> = (0..20_000).map(name).collect();
        theirs.push(each(names.len(), |number| {
            floor.push(names[number].clone(), Arc::clone(&value));
        }));
        let ours = memory(ENTRIES);
        let keys: Vec<_> = (0..20_000).map(key).collect();
        let entry = Entry::decoded(EntryKind::Moving, Arc::clone(&value), 2000);
        let (entry, ticket) = (entry.into(), ours.read(&keys[0]).1);
        own.push(each(keys.len(), |number| ours.keep(&keys[number], &entry, ticket)));
    }
    let target = Some(Target::AtMost(1.5));
    compare("insert with eviction: MemoryCache", ("lru", &theirs), (&own, "ns"), target);
}
