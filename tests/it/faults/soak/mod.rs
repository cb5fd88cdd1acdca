//! Everything at once, for as long as wanted: every operation by several tenants, over a network that is good
//! and bad by turns, while Redis and the server are killed and come back. No answer may be wrong, and
//! neither memory nor descriptors may grow.

mod tenant;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fastrand::Rng;
use promptops_client::{CacheConfig, PromptOpsClient, RetryConfig};
use promptops_transport::{Clock, TokioClock};
use promptops_types::{NewKey, Scope, Secret, TimeSource};

use self::tenant::{Tally, Tenant};
use super::{Size, row, seed, since, size};
use crate::chaos::{ChaosProxy, Odds};
use crate::redis::server::Server as Redis;
use crate::server::process::Process;

/// Tenants: each has a project of its own, a key for it alone, and the same slugs as the others.
const TENANTS: usize = 4;

const ROUGH: Odds = Odds { refused: 20, reset: 20, cut: 10, stalled: 2, delayed: 100, split: 200 };

fn client(
    address: impl std::fmt::Display,
    key: &Secret,
    redis: &Redis,
    project: &str,
) -> PromptOpsClient {
    let cache = CacheConfig::hybrid(redis.url())
        .ttl(Duration::from_secs(1))
        .stale_while_revalidate(Duration::from_secs(5))
        .stale_if_error(Duration::from_secs(30))
        .max_size(100);
    PromptOpsClient::builder()
        .base_url(format!("http://{address}/v1"))
        .api_key(key.clone())
        .project(project)
        .timeout(Duration::from_secs(2))
        .retry(RetryConfig::default().base_delay(Duration::from_millis(5)))
        .cache(cache)
        .build()
        .unwrap()
}

/// Memory in MiB and open descriptors of this process.
fn held() -> (f64, usize) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: f64 = line.trim().split(' ').next().unwrap().parse().unwrap();
    (kib / 1024.0, std::fs::read_dir("/proc/self/fd").unwrap().count())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A port that no other socket is given by chance while the server is down for a moment.
fn free_port() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let lowest: u16 = range.split_whitespace().next().unwrap().parse().unwrap();
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let from = lowest / 2 + fastrand::u16(..lowest / 4);
    (from..lowest).find(is_free).unwrap()
}

/// How often what was restarted, and the most memory that a server had, in MiB.
#[derive(Default)]
struct Disturbed {
    redis: u32,
    server: u32,
    peak: u64,
}

/// What happens, step after step, each for as long as it takes or a little while.
async fn disturb(
    tally: &Tally,
    process: &mut Process,
    redis: &mut Redis,
    step: Duration,
    start: impl Fn() -> Process,
) -> Disturbed {
    let mut disturbed = Disturbed::default();
    let time = TokioClock;
    for number in 0.. {
        if tally.has_ended() {
            break;
        }
        tally.is_rough.store(number % 2 == 1, Ordering::SeqCst);
        time.sleep(step).await;
        assert_eq!(process.ended(), None, "the server ended by itself");
        disturbed.peak = disturbed.peak.max(process.peak_memory() / 1024);
        match number % 4 {
            1 => {
                redis.kill();
                time.sleep(step / 4).await;
                redis.restart().await;
                disturbed.redis += 1;
            }
            2 => {
                process.kill();
                time.sleep(step / 4).await;
                *process = tokio::task::block_in_place(&start);
                disturbed.server += 1;
            }
            3 => {
                process.terminate();
                let told = time.monotonic();
                while process.ended().is_none() {
                    assert!(since(told) < Duration::from_secs(30), "the server does not end");
                    time.sleep(Duration::from_millis(10)).await;
                }
                assert_eq!(process.ended(), Some(true), "the server ends well when told to");
                *process = tokio::task::block_in_place(&start);
                disturbed.server += 1;
            }
            _ => {}
        }
    }
    disturbed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_no_answer_is_wrong_and_nothing_grows() {
    let (length, step) = match size() {
        Size::Small => (Duration::from_secs(6), Duration::from_millis(600)),
        Size::Table => (Duration::from_secs(40), Duration::from_secs(2)),
        Size::Long => (Duration::from_mins(10), Duration::from_secs(5)),
    };
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("prompts.db");
    let port = free_port();
    let start = || Process::start_on(&db, port);
    let mut process = start();
    let mut redis = Redis::start().await;
    let proxy = ChaosProxy::start(process.address, seed(), ROUGH).await;
    let admin = process.client(&process.admin.clone().unwrap());
    let tally = Arc::new(Tally::default());
    let mut tenants = Vec::new();
    for number in 0..TENANTS {
        let project = format!("tenant-{number}");
        let new = NewKey {
            name: project.clone(),
            scopes: Some([Scope::Read, Scope::Write].into()),
            projects: Some([project.clone()].into()),
            per_minute: Some(u32::MAX),
            per_hour: Some(u32::MAX),
            per_day: Some(u32::MAX),
            ..NewKey::default()
        };
        let key = admin.create_api_key(new).await.unwrap().api_key;
        let clients = [
            client(process.address, &key, &redis, &project),
            client(proxy.address, &key, &redis, &project),
        ];
        let chance = Rng::with_seed(seed() + u64::try_from(number).unwrap());
        tenants.push(Tenant::new(project, clients, chance, Arc::clone(&tally)).await);
    }
    let running: Vec<_> = tenants.into_iter().map(|tenant| tokio::spawn(tenant.run())).collect();
    let samples = tokio::spawn({
        let tally = Arc::clone(&tally);
        async move {
            let (mut samples, started) = (Vec::new(), TokioClock.monotonic());
            while since(started) < length {
                TokioClock.sleep(length / 100).await;
                samples.push(held());
            }
            tally.ends.store(true, Ordering::SeqCst);
            samples
        }
    });
    let disturbed = disturb(&tally, &mut process, &mut redis, step, start).await;
    let samples = samples.await.unwrap();
    let mut tenants_left = Vec::new();
    for tenant in running {
        tenants_left.push(tenant.await.unwrap());
    }
    // Everything is there again: what is late once circuits have closed, which takes a minute at most, and
    // a ttl has passed would be late for ever.
    let (mut settled, mut late, calm) = (0, 0, TokioClock.monotonic());
    tally.is_rough.store(false, Ordering::SeqCst);
    for tenant in &mut tenants_left {
        loop {
            TokioClock.sleep(Duration::from_millis(500)).await;
            let (now, still) = tenant.settled().await;
            if still == 0 || since(calm) > Duration::from_secs(75) {
                settled += now;
                late += still;
                break;
            }
        }
    }
    let (calls, failed, wrong) = (&tally.calls, &tally.failed, &tally.wrong);
    let [calls, failed, wrong] = [calls, failed, wrong].map(|count| count.load(Ordering::SeqCst));
    assert_eq!((wrong, late), (0, 0), "wrong answers, late ones, of {calls}");
    assert!(
        settled > 0 && calls > failed + 100,
        "{settled} settled; {calls} calls, {failed} failed"
    );
    let half = |from: usize, to: usize| {
        let within = || samples[from..to].iter();
        #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
        let descriptors = median(within().map(|sample| sample.1 as f64));
        (median(within().map(|sample| sample.0)), descriptors)
    };
    let quarter = samples.len() / 4;
    let (before, after) = (half(quarter, 2 * quarter), half(3 * quarter, samples.len()));
    let is_flat = after.0 <= before.0 * 1.1 + 4.0 && after.1 <= before.1 + 16.0;
    let measured = format!(
        "0 wrong of {calls} answers in {} s ({failed} errors told, {} faults of the network, {} \
         restarts of Redis, {} of the server; {settled} prompts then as written last); memory {:.0} MiB, then \
         {:.0}, the server's at most {}; descriptors {:.0}, then {:.0}",
        length.as_secs(),
        proxy.faults(),
        disturbed.redis,
        disturbed.server,
        before.0,
        after.0,
        disturbed.peak,
        before.1,
        after.1,
    );
    let promised = "0 wrong answers; memory and descriptors flat";
    row("soak", "all operations, faults on and off", promised, measured, is_flat);
    // In six seconds nothing has come to rest yet.
    assert!(is_flat || size() == Size::Small, "what is held grows: {before:?}, then {after:?}");
}
