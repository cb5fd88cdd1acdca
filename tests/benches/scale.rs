//! Growth: a registry of a thousand to a million prompts of five versions, a client with up to a hundred
//! thousand prompts in its cache, and up to a thousand callers at once.
//!
//! Each size is measured in a process of its own, which is told the file by an environment variable:
//! memory is the whole process's.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints and may panic")]

#[path = "../it/generator.rs"]
mod generator;
mod row;
mod timed;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use promptops_cache::{CacheBackend, CacheKey, CacheScope, Entry, EntryKind, MemoryCache};
use promptops_client::{PromptOpsClient, PromptUpdate, TelemetryConfig};
use promptops_registry::{Access, ListQuery, PromptRef, Registry, UpdateOptions};
use promptops_types::{PromptResponse, Selector, SortBy, SystemTime};
use tempfile::TempDir;

use crate::generator::{generate, project, slug};
use crate::row::{Target, compare, fact, is_wanted, median, point};
use crate::timed::{count, now, of_many, seconds_since};

const SIZES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
const CACHED: [usize; 3] = [1_000, 10_000, 100_000];
const CALLERS: [usize; 4] = [1, 10, 100, 1_000];
const ROUNDS: usize = 9;
const PAGE: u64 = 50;

/// What a process of its own is to measure.
const ASKED: &str = "PROMPTOPS_SCALE";

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Ok(asked) = std::env::var(ASKED) {
        let (size, what) = asked.split_once(' ').unwrap();
        if what == "cache" {
            return cached(size.parse().unwrap());
        }
        return runtime.block_on(registry(Path::new(what), size.parse().unwrap()));
    }
    if is_wanted("registry") {
        registries(&runtime);
    }
    if is_wanted("client") {
        for entries in CACHED {
            in_a_process(&format!("{entries} cache"));
        }
        // In a task: what `block_on` runs is no part of the runtime's threads.
        runtime.block_on(runtime.spawn(callers())).unwrap();
    }
}

fn registries(runtime: &tokio::runtime::Runtime) {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let told = |what: &str, unit: &str, size: u64, value: f64| {
        point("prompts in the registry", what, unit, size_of(size), &[value]);
    };
    for size in SIZES {
        let path = folder.path().join("prompts.db");
        let started = now();
        runtime.block_on(generate(&path, size));
        let each = of_many(seconds_since(started), size_of(size));
        told("import, each", "µs", size, each / 1e3);
        let bytes = std::fs::metadata(&path).unwrap().len();
        told("file", "MiB", size, count(size_of(bytes)) / MIB);
        in_a_process(&format!("{size} {}", path.display()));
        std::fs::remove_file(&path).unwrap();
    }
}

const MIB: f64 = 1_048_576.0;

fn size_of(prompts: u64) -> usize {
    prompts.try_into().unwrap()
}

fn in_a_process(what: &str) {
    let this = std::env::current_exe().unwrap();
    assert!(Command::new(this).env(ASKED, what).status().unwrap().success(), "{what}");
}

/// MiB of memory of this process: now, or at most.
fn memory(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    count(kib) / 1024.0
}

/// Microseconds of one, the median of so many, in several rounds.
async fn rounds<T>(times: usize, mut run: impl AsyncFnMut(usize) -> T) -> Vec<f64> {
    let mut medians = Vec::new();
    for round in 0..ROUNDS {
        medians.push(of_one(times, async |number| run(round * times + number).await).await);
    }
    medians
}

/// Microseconds of one, the median of so many.
async fn of_one<T>(times: usize, mut run: impl AsyncFnMut(usize) -> T) -> f64 {
    let mut taken = Vec::new();
    for number in 0..times {
        let started = now();
        std::hint::black_box(run(number).await);
        taken.push(seconds_since(started) * 1e6);
    }
    median(taken)
}

async fn registry(path: &Path, size: u64) {
    let access = Access::full("bench");
    let at = size_of(size);
    let told = |operation: &str, values: &[f64]| {
        point("prompts in the registry", operation, "µs", at, values);
    };
    let open = rounds(1, async |_| drop(Registry::open(path).unwrap())).await;
    told("open", &open);
    let registry = Registry::open(path).unwrap();
    let opened = memory("VmRSS");

    // All over the registry: 7919 is prime.
    let spread = |number: usize| u64::try_from(number).unwrap() * 7919 % size;
    let prompt = |number: u64| PromptRef::new(slug(number)).in_project(Some(project(number)));
    let get = rounds(500, async |number| {
        let prompt = prompt(spread(number));
        registry.get(&access, &prompt, &Selector::Latest, None).await.unwrap()
    });
    told("get", &get.await);

    let list = |offset: u64| ListQuery {
        limit: PAGE,
        offset,
        sort_by: SortBy::CreatedAt,
        ..ListQuery::default()
    };
    let before = registry.list(&access, list(size * 9 / 10 - PAGE), None).await.unwrap();
    let cursor = before.next_cursor.unwrap();
    let is_largest = size == 1_000_000;
    let (mut first, mut deep, mut by_offset) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let page = async |list, cursor| registry.list(&access, list, cursor).await.unwrap();
        first.push(of_one(50, async |_| page(list(0), None).await).await);
        deep.push(of_one(50, async |_| page(list(0), Some(&cursor)).await).await);
        if is_largest {
            by_offset.push(of_one(3, async |_| page(list(size * 9 / 10), None).await).await);
        }
    }
    told("list, the first page", &first);
    told("list, at nine tenths, by cursor", &deep);
    if is_largest {
        let what = "list page at 900 000 of 1 000 000, by cursor";
        compare(what, ("page 0", &first), (&deep, "µs"), Some(Target::AtMost(1.2)));
        compare("the same by offset", ("page 0", &first), (&by_offset, "µs"), None);
        let open = median(open) / 1e3;
        let what = "opening a registry of 1 000 000 prompts and 5 000 000 versions";
        fact(what, "", &format!("{open:.2} ms"), "within a second", open < 1_000.0);
    }
    let search = |text: String| ListQuery { text: Some(text), ..list(0) };
    let rare = rounds(20, async |number| {
        let query = search(slug(spread(number)));
        let found = registry.list(&access, query, None).await.unwrap();
        assert!(found.total > 0);
    });
    told("search, a slug", &rare.await);
    let common = rounds(1, async |_| {
        let found = registry.list(&access, search("refund".to_owned()), None).await.unwrap();
        assert!(found.total >= size / 12);
    });
    told("search, a word of each twelfth", &common.await);

    let mut next = 0;
    let publish = rounds(100, async |number| {
        next += 1;
        let update = PromptUpdate::new().content(format!("Hello {{{{ name }}}}, again {next}"));
        let prompt = prompt(spread(number));
        registry.update(&access, &prompt, update, UpdateOptions::default()).await.unwrap()
    });
    told("publish, durable", &publish.await);
    let unit = "MiB";
    point("prompts in the registry", "memory, opened", unit, at, &[opened]);
    point("prompts in the registry", "memory, after all of this", unit, at, &[memory("VmRSS")]);
}

/// So many prompts of 1 KB, each under one key.
fn cached(entries: usize) {
    let scope = CacheScope::new("https://registry.example/v1", Some(&"po_key".into()));
    // With room: of a cache that is as large as what is put into it, some parts are full before others.
    let cache = MemoryCache::new(2 * entries, usize::MAX >> 1, Arc::new(SystemTime));
    let key = |number: usize| {
        let mut key = CacheKey::new(scope.clone(), "get_prompt");
        key.prompt = Some(slug(u64::try_from(number).unwrap()));
        key
    };
    let prompt = || {
        let mut prompt = PromptResponse::default();
        prompt.content = "Dear {{ name }}, ".repeat(60);
        Arc::new(prompt)
    };
    let before = memory("VmRSS");
    for number in 0..entries {
        let key = key(number);
        let entry = Entry::decoded(EntryKind::Moving, prompt(), 1100);
        cache.keep(&key, &entry.into(), cache.read(&key).1);
    }
    let taken = memory("VmRSS") - before;
    let sizes = "prompts in the cache";
    let bytes = taken * MIB / count(entries);
    point(sizes, "memory, an entry with a prompt of 1 KB", "bytes", entries, &[bytes]);
    let keys: Vec<_> = (0..1000).map(|number| key(number * 7919 % entries)).collect();
    let each: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let started = now();
            for _ in 0..100 {
                for key in &keys {
                    assert!(std::hint::black_box(cache.look_up(key)).is_some());
                }
            }
            of_many(seconds_since(started), 100 * keys.len())
        })
        .collect();
    point(sizes, "get, of a thousand of them", "ns", entries, &each);
    if entries == 100_000 {
        let what = "100 000 prompts of 1 KB in a client's cache";
        let measured = format!("{taken:.0} MiB, {bytes:.0} bytes each");
        fact(
            what,
            "the prompts' own text: 97 MiB",
            &measured,
            "at most 2 KB each",
            bytes <= 2048.0,
        );
    }
}

/// Callers at once, of a prompt that is in the cache.
async fn callers() {
    const CALLS: usize = 200_000;
    let client = PromptOpsClient::builder()
        .base_url("sqlite::memory:")
        .telemetry(TelemetryConfig::disabled())
        .build()
        .unwrap();
    let new = promptops_client::NewPrompt::new("Greeting", "Hello {{ name }}");
    client.create_prompt(new).await.unwrap();
    for callers in CALLERS {
        let mut each = Vec::new();
        for _ in 0..ROUNDS {
            let started = now();
            let tasks: Vec<_> = (0..callers)
                .map(|_| {
                    let client = client.clone();
                    tokio::spawn(async move {
                        for call in 0..CALLS / callers {
                            client.get_prompt("greeting").await.unwrap();
                            // As a caller does who does something else between.
                            if call % 64 == 0 {
                                tokio::task::yield_now().await;
                            }
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            each.push(of_many(seconds_since(started), CALLS));
        }
        let sizes = "callers at once";
        point(sizes, "a cached get, by the clock of all", "ns a call", callers, &each);
    }
}
