//! Rows 12, 17 and 37: what a Redis that fails, lies, or is shared does to those who read through it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_redis::redis::{self, Value};
use fastrand::Rng;
use promptops_cache::{CacheBackend, CacheKey, CacheScope, Entry, EntryKind, RedisCache};
use promptops_client::{CacheConfig, CacheLevel, PromptOpsClient, PromptUpdate, Source};
use promptops_transport::{Clock, TokioClock};
use promptops_types::TimeSource;

use super::{row, runs, seed, since};
use crate::cache::{Registry, Time, builder};
use crate::redis::server::Server;
use crate::redis::{comes, subscribers};

fn client(registry: &Registry, server: &Server, level: CacheLevel) -> PromptOpsClient {
    let mut config = CacheConfig::hybrid(server.url());
    config.level = level;
    builder(registry, &Time::new()).cache(config).build().unwrap()
}

/// Whether Redis is in use: an entry that is not in this process comes from it.
async fn is_used(client: &PromptOpsClient) -> bool {
    let _ = client.get_prompt("probe").await;
    TokioClock.sleep(Duration::from_millis(5)).await;
    client.get_prompt("probe").fetch().await.unwrap().source == Source::Far
}

/// What is done to a Redis, and undone.
enum Fault {
    Stopped,
    Killed,
    Paused,
    OutOfMemory,
    ReadOnly,
    NoConnections,
}

impl Fault {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Stopped, "stopped"),
        (Self::Killed, "killed"),
        (Self::Paused, "paused"),
        (Self::OutOfMemory, "out of memory"),
        (Self::ReadOnly, "read-only"),
        (Self::NoConnections, "no connections"),
    ];

    fn begin(&self, server: &mut Server, master: &Server) {
        match self {
            Self::Stopped => server.stop(),
            Self::Killed => server.kill(),
            Self::Paused => drop(server.ask::<Value>(&["CLIENT", "PAUSE", "600000", "ALL"])),
            Self::OutOfMemory => {
                server.ask::<Value>(&["CONFIG", "SET", "maxmemory", "1"]);
            }
            Self::ReadOnly => {
                server.ask::<Value>(&["REPLICAOF", "127.0.0.1", &master.port.to_string()]);
            }
            Self::NoConnections => {
                let mut connection = server.connection();
                redis::cmd("CONFIG")
                    .arg("SET")
                    .arg("maxclients")
                    .arg(1)
                    .exec(&mut connection)
                    .unwrap();
                let kill = redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").to_owned();
                // It may be told by a connection that ends with it.
                let _ = kill.exec(&mut connection);
                // It is taken by this one.
                std::mem::forget(connection);
            }
        }
    }

    async fn end(&self, server: &mut Server) {
        match self {
            Self::Stopped => server.go_on(),
            Self::Killed => server.restart().await,
            // A paused server hears nobody: it is started anew.
            Self::Paused | Self::NoConnections => {
                server.kill();
                server.restart().await;
            }
            Self::OutOfMemory => {
                server.ask::<Value>(&["CONFIG", "SET", "maxmemory", "0"]);
            }
            Self::ReadOnly => drop(server.ask::<Value>(&["REPLICAOF", "NO", "ONE"])),
        }
    }
}

/// So many reads of different prompts at the same time: how many failed, and how long the slowest
/// took.
async fn reads(client: &PromptOpsClient, count: usize, from: usize) -> (usize, Duration) {
    let calls: Vec<_> = (from..from + count)
        .map(|number| {
            let client = client.clone();
            tokio::spawn(async move {
                let started = TokioClock.monotonic();
                let outcome = client.get_prompt(format!("p-{number}")).await;
                (outcome.is_ok(), since(started))
            })
        })
        .collect();
    let (mut failed, mut slowest) = (0, Duration::ZERO);
    for call in calls {
        let (is_ok, took) = call.await.unwrap();
        failed += usize::from(!is_ok);
        slowest = slowest.max(took);
    }
    (failed, slowest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_12_a_redis_that_fails_is_a_miss() {
    let (mut failed, mut slowest, mut back) = (0, Duration::ZERO, Duration::ZERO);
    let mut left_alone = Duration::ZERO;
    let mut undisturbed = Duration::ZERO;
    for (fault, name) in Fault::ALL {
        let (mut server, master) = (Server::start().await, Server::start().await);
        let client = client(&Registry::default(), &server, CacheLevel::Redis);
        assert!(comes(async || is_used(&client).await).await, "{name}");
        let (_, took) = reads(&client, 200, 0).await;
        undisturbed = undisturbed.max(took);
        fault.begin(&mut server, &master);
        let (errors, took) = reads(&client, 200, 1000).await;
        failed += errors;
        slowest = slowest.max(took);
        // After the first ones nobody waits.
        let (errors, took) = reads(&client, 200, 2000).await;
        failed += errors;
        left_alone = left_alone.max(took);
        fault.end(&mut server).await;
        let healed = TokioClock.monotonic();
        let is_back = comes(async || is_used(&client).await).await;
        assert!(is_back, "{name}: it is not used again");
        back = back.max(since(healed));
    }
    assert_eq!(failed, 0, "callers saw errors");
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let measured = format!(
        "0 caller errors in 6 x 400; slowest miss {:.0} ms ({:.0} undisturbed), then {:.0} ms; back \
         in use after {:.1} s at most",
        millis(slowest),
        millis(undisturbed),
        millis(left_alone),
        back.as_secs_f64()
    );
    let met = slowest <= Duration::from_millis(100) && back < Duration::from_secs(5);
    row(
        12,
        "Redis stopped, killed, paused, out of memory, read-only, no connections",
        "0 caller errors in 200 concurrent gets, a miss within 100 ms; back in use within 5 s",
        measured,
        met,
    );
}

fn key(tenant: usize, prompt: usize) -> CacheKey {
    let credential = format!("po_{tenant}").into();
    let mut key =
        CacheKey::new(CacheScope::new("https://r.example", Some(&credential)), "get_prompt");
    key.prompt = Some(format!("p-{prompt}"));
    key
}

fn body(tenant: usize, prompt: usize) -> String {
    format!("the text of prompt {prompt} of tenant {tenant}").repeat(8)
}

/// Ways to plant a value that is not what its name says.
const CORRUPTIONS: usize = 14;

fn corrupt(server: &mut redis::Connection, names: &[String], chance: &mut Rng) {
    let name = chance.choice(names).unwrap();
    let mut get =
        |name: &str| redis::cmd("GET").arg(name).query::<Vec<u8>>(server).unwrap_or_default();
    let mut value = get(name);
    let other = get(chance.choice(names).unwrap());
    if value.len() < 200 || other.len() < 200 {
        return;
    }
    let at = chance.usize(..value.len());
    let how = chance.usize(..CORRUPTIONS);
    match how {
        0 => value.clear(),
        1 => value = b"something that somebody else keeps here".to_vec(),
        2 => value.truncate(at),
        3 => drop(value.pop()),
        4 => value[at] ^= 1 << chance.u8(..8),
        5 => value[at..].fill(0),
        6 => value[..4].copy_from_slice(b"Gone"),
        7 => value[4] = 0,
        8 => value[4] = 9,
        9 => value.push(0),
        10 => value = other,
        // Half of one and half of another.
        11 => value.splice(100.., other[100..].iter().copied()).for_each(drop),
        12 => {
            redis::cmd("DEL").arg(name).exec(server).unwrap();
            // A reader may have been there in between.
            let _ = redis::cmd("LPUSH").arg(name).arg("x").exec(server);
            return;
        }
        _ => {
            // A generation that is none.
            let generation = format!("{}:s", name.split(":e:").next().unwrap());
            return redis::cmd("SET").arg(generation).arg("not a number").exec(server).unwrap();
        }
    }
    redis::cmd("SET").arg(name).arg(value).exec(server).unwrap();
}

/// What the readers of row 17 share.
#[derive(Default)]
struct Tally {
    wrong: AtomicUsize,
    found: AtomicUsize,
    cancelled: AtomicUsize,
}

/// One read, half of the time dropped somewhere on its way; what is missing is written again.
async fn read(cache: &RedisCache, tally: &Tally, chance: &mut Rng) {
    let (tenant, prompt) = (chance.usize(..2), chance.usize(..30));
    let key = key(tenant, prompt);
    let reading = cache.get(&key);
    let reading = if chance.bool() {
        let polls = chance.usize(..4);
        let mut reading = std::pin::pin!(reading);
        let mut left = polls;
        let cut = std::future::poll_fn(|context| {
            if left == 0 {
                return std::task::Poll::Ready(None);
            }
            left -= 1;
            let polled = reading.as_mut().poll(context).map(Some);
            if polled.is_pending() {
                context.waker().wake_by_ref();
            }
            polled
        });
        let Some(reading) = cut.await else {
            tally.cancelled.fetch_add(1, Ordering::Relaxed);
            return;
        };
        reading
    } else {
        reading.await
    };
    let Ok(reading) = reading else { return };
    if let Some(found) = reading.found {
        tally.found.fetch_add(1, Ordering::Relaxed);
        let is_right = found.entry.body() == body(tenant, prompt).as_bytes();
        tally.wrong.fetch_add(usize::from(!is_right), Ordering::Relaxed);
    } else {
        let entry = Entry::new(EntryKind::Moving, body(tenant, prompt));
        let _ = cache.put(&key, &entry.into(), reading.ticket).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_17_what_is_planted_is_never_believed() {
    let (server, count) = (Server::start().await, runs(100_000));
    let cache = Arc::new(RedisCache::builder(server.url()).build().unwrap());
    let tally = Arc::new(Tally::default());
    for tenant in 0..2 {
        for prompt in 0..30 {
            let key = key(tenant, prompt);
            let ticket = cache.get(&key).await.unwrap().ticket;
            let entry = Entry::new(EntryKind::Moving, body(tenant, prompt));
            cache.put(&key, &entry.into(), ticket).await.unwrap();
        }
    }
    cache.flush().await.unwrap();
    let names = server.names("promptops:*:e:*");
    assert_eq!(names.len(), 60);
    let readers: Vec<_> = (0..8)
        .map(|reader| {
            let (cache, tally) = (Arc::clone(&cache), Arc::clone(&tally));
            let mut chance = Rng::with_seed(seed() + reader);
            tokio::spawn(async move {
                for _ in 0..count / 8 {
                    read(&cache, &tally, &mut chance).await;
                }
            })
        })
        .collect();
    let mut planted = 0;
    let mut connection = server.connection();
    let mut chance = Rng::with_seed(seed());
    while readers.iter().any(|reader| !reader.is_finished()) {
        for _ in 0..5 {
            corrupt(&mut connection, &names, &mut chance);
            planted += 1;
        }
        TokioClock.sleep(Duration::from_millis(2)).await;
    }
    for reader in readers {
        reader.await.unwrap();
    }
    let stats = cache.stats();
    let [wrong, found, cancelled] =
        [&tally.wrong, &tally.found, &tally.cancelled].map(|number| number.load(Ordering::Relaxed));
    assert_eq!(wrong, 0, "of {found} values");
    assert!(found > count / 20 && cancelled > count / 10, "{found} found, {cancelled} cancelled");
    assert!(stats.discarded > 0, "{stats:?}");
    let measured = format!(
        "0 wrong in {count} reads ({cancelled} cancelled, {found} hits, {planted} planted, {} deleted)",
        stats.discarded
    );
    let promised = "a miss, deleted, counted; 0 wrong values in 100 000 reads";
    row(17, "poisoned, foreign, cut, old Redis values; 50 % cancelled", promised, measured, true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_37_what_one_process_publishes_another_sees() {
    let (server, registry, publishes) = (Server::start().await, Registry::default(), runs(1000));
    let one = client(&registry, &server, CacheLevel::Hybrid);
    let other = client(&registry, &server, CacheLevel::Hybrid);
    one.get_prompt("a").await.unwrap();
    other.get_prompt("a").await.unwrap();
    assert!(comes(async || subscribers(&server) == 2).await);
    let mut times = Vec::new();
    for number in 1..=publishes {
        registry.publish();
        one.update_prompt("a", PromptUpdate::new().content("x")).await.unwrap();
        let started = TokioClock.monotonic();
        let expected = format!("text {number}");
        while other.get_prompt("a").await.unwrap().content != expected {
            assert!(since(started) < Duration::from_secs(30), "never seen: {number}");
            tokio::task::yield_now().await;
        }
        times.push(since(started));
    }
    let late = times.iter().filter(|time| **time > Duration::from_secs(1)).count();
    // Without it, by ttl: two processes that share nothing.
    let time = Time::new();
    let mut by_ttl = BTreeMap::new();
    for ttl in [1, 5, 300] {
        let config = CacheConfig::memory().ttl(Duration::from_secs(ttl));
        let alone = builder(&registry, &time).cache(config).build().unwrap();
        let before = alone.get_prompt("a").await.unwrap();
        registry.publish();
        time.pass(ttl);
        let _ = alone.get_prompt("a").await;
        let seen = async || alone.get_prompt("a").await.unwrap().content != before.content;
        by_ttl.insert(ttl, comes(seen).await);
    }
    assert!(by_ttl.values().all(|seen| *seen), "{by_ttl:?}");
    times.sort();
    let measured = format!(
        "{} of {publishes} within 1 s through Redis ({:.1} ms at most), the rest by ttl",
        publishes - late,
        times.last().unwrap().as_secs_f64() * 1e3
    );
    let promised = "seen within 1 s, by ttl without a channel; 1 000 of 1 000";
    row(37, "published in one process, cached in another", promised, measured, late == 0);
}
