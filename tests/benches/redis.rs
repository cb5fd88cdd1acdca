//! An entry from Redis, beside a plain GET of as many bytes over one multiplexed connection. In turn, in
//! one process, on a Redis that it starts.
#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints and may panic"
)]

mod row;
#[path = "../it/redis/server.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod server;
mod timed;

use std::sync::Arc;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{self, Client};
use promptops_cache::{CacheBackend, CacheKey, CacheScope, Entry, EntryKind, RedisCache};

use crate::row::{Target, compare, median};
use crate::server::Server;
use crate::timed::{count, now, seconds_since};

const ROUNDS: usize = 15;
const CALLS: usize = 3000;
/// As many bytes as the answer about a prompt of middle size.
const BYTES: usize = 3700;

/// Something that gets as many bytes.
#[derive(Clone)]
enum Subject {
    Plain(MultiplexedConnection),
    Ours(Arc<RedisCache>, CacheKey),
}

impl Subject {
    async fn get(&mut self) -> usize {
        match self {
            Self::Plain(connection) => {
                let value: Vec<u8> =
                    redis::cmd("GET").arg("plain").query_async(connection).await.unwrap();
                value.len()
            }
            Self::Ours(cache, key) => cache.get(key).await.unwrap().found.unwrap().entry.weight(),
        }
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Server::start().await;
        let subjects = subjects(&server).await;
        let mut latency: [Vec<f64>; 2] = Default::default();
        let mut rate: [Vec<f64>; 2] = Default::default();
        for _ in 0..ROUNDS {
            for (at, subject) in subjects.iter().enumerate() {
                latency[at].push(p50(subject.clone()).await);
            }
            for (at, subject) in subjects.iter().enumerate() {
                rate[at].push(per_second(subject, 16).await / 1e3);
            }
        }
        let peer = "one multiplexed connection, GET";
        compare(
            "Redis-level get, p50, 1 at a time: RedisCache",
            (peer, &latency[0]),
            (&latency[1], "µs"),
            Some(Target::AtMost(1.15)),
        );
        compare(
            "the same, throughput at 16",
            (peer, &rate[0]),
            (&rate[1], "k/s"),
            Some(Target::AtLeast(0.85)),
        );
    });
}

async fn subjects(server: &Server) -> [Subject; 2] {
    let body = "x".repeat(BYTES);
    server.ask::<redis::Value>(&["SET", "plain", &body]);
    let cache = RedisCache::builder(server.url()).build().unwrap();
    let mut key = CacheKey::new(CacheScope::new("https://registry.example/v1", None), "get_prompt");
    key.prompt = Some("customer-service-greeting".to_owned());
    let ticket = cache.get(&key).await.unwrap().ticket;
    cache.put(&key, &Entry::new(EntryKind::Moving, body).into(), ticket).await.unwrap();
    cache.flush().await.unwrap();
    let client = Client::open(server.url()).unwrap();
    let plain = client.get_multiplexed_async_connection().await.unwrap();
    [Subject::Plain(plain), Subject::Ours(Arc::new(cache), key)]
}

/// The median time of one call, in microseconds.
async fn p50(mut subject: Subject) -> f64 {
    let task = tokio::spawn(async move {
        let mut times = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let started = now();
            assert_eq!(subject.get().await, BYTES);
            times.push(seconds_since(started) * 1e6);
        }
        median(times)
    });
    task.await.unwrap()
}

/// Calls a second, so many at a time.
async fn per_second(subject: &Subject, at_a_time: usize) -> f64 {
    let started = now();
    let tasks: Vec<_> = (0..at_a_time)
        .map(|_| {
            let mut subject = subject.clone();
            tokio::spawn(async move {
                for _ in 0..CALLS {
                    assert_eq!(subject.get().await, BYTES);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    count(at_a_time * CALLS) / seconds_since(started)
}
