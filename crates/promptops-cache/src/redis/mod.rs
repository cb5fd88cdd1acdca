//! Entries in Redis, which processes share.

mod clock;
mod fields;
mod link;
mod message;
mod names;
mod shared;
mod tasks;
mod value;

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use deadpool_redis::redis::{Value, cmd};
use promptops_types::{CacheConfig, CacheStats, Error, Secret, SystemTime, TimeSource};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use self::link::{Address, Link};
use self::names::Names;
use self::shared::{Owed, Shared, failure};
use self::tasks::{Queue, Running, Write, new_generation};
use self::value::{Flaw, Times};
use crate::{
    Aged, CacheBackend, CacheFailure, CacheKey, CacheScope, EntryKind, Invalidation, Listener,
    Reading, Subscription, Ticket,
};

/// How long a frozen version is kept: nothing ends it but that.
const FROZEN: Duration = Duration::from_hours(30 * 24);

/// Entries in Redis, or in a Redis cluster (feature `redis-cluster`), which processes share.
///
/// - A read is one command. A call waits at most 80 ms for any step; after three failures in a row
///   Redis is left alone, and tried beside the calls, every 100 ms to 1 s, until it answers.
/// - A write is done beside the call, through a queue of at most 1024 entries and 32 MiB.
/// - An invalidation is done before it returns: the scope, the prompt or the lists get a new
///   generation, and entries of another one are misses. One that fails is done before Redis is read
///   again. Other processes hear of it by a channel.
/// - A value that is not ours, damaged, of another key or format is a miss, is deleted, and counted.
///
/// Whoever can write to Redis can change what the processes read from it: keep it as safe as the
/// registry.
///
/// It needs a tokio runtime, which it is used in first, and its tasks end with that one or with it.
pub struct RedisCache {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    lives: Lives,
    is_running: Arc<AtomicBool>,
    task: Mutex<Option<AbortHandle>>,
}

/// How long entries are kept.
#[derive(Debug, Clone, Copy)]
struct Lives {
    moving: Duration,
    missing: Duration,
}

/// Builds a [`RedisCache`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct RedisCacheBuilder {
    url: Secret,
    prefix: String,
    lives: Lives,
    connections: usize,
    ca_certificate: Option<Vec<u8>>,
    time: Arc<dyn TimeSource>,
}

impl RedisCacheBuilder {
    /// What every name in Redis begins with; `promptops:`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The prefix and the times of a configuration: an entry is kept as long as it may be served.
    pub fn config(mut self, config: &CacheConfig) -> Self {
        self.prefix.clone_from(&config.redis_prefix);
        self.lives = Lives::of(config);
        self
    }

    /// How many connections are held, each shared by many calls; 1.
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// The authority that a `rediss:` server's certificate is from, in PEM, in the place of the
    /// machine's own.
    pub fn ca_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_certificate = Some(pem.into());
        self
    }

    /// Tells ages by another time. For tests.
    pub fn time_source(mut self, time: Arc<dyn TimeSource>) -> Self {
        self.time = time;
        self
    }

    /// Checks the settings. Connects when it is used first.
    ///
    /// # Errors
    /// [`Error::Config`] that names the wrong setting, and never shows the URL.
    pub fn build(self) -> Result<RedisCache, Error> {
        let names = Names::new(&self.prefix)?;
        let address = Address::parse(&self.url, self.ca_certificate.as_deref(), self.connections)?;
        Ok(RedisCache {
            shared: Arc::new(Shared::new(names, address, self.time)),
            queue: Arc::new(Queue::new()),
            lives: self.lives,
            is_running: Arc::default(),
            task: Mutex::default(),
        })
    }
}

impl Lives {
    fn of(config: &CacheConfig) -> Self {
        let over = config.stale_while_revalidate.max(config.stale_if_error);
        Self { moving: config.ttl.saturating_add(over).min(FROZEN), missing: config.negative_ttl }
    }

    fn of_kind(self, kind: EntryKind) -> Duration {
        match kind {
            EntryKind::Moving => self.moving,
            EntryKind::Frozen => FROZEN,
            EntryKind::Missing => self.missing,
        }
    }
}

impl RedisCache {
    /// A cache in the Redis of a URL: `redis://[USER:PASSWORD@]HOST[:PORT][/DB]`, `rediss://…` with TLS
    /// (feature `redis-tls`), `unix:///PATH[?db=DB&user=USER&pass=PASSWORD]`, or
    /// `redis-cluster://HOST:PORT,HOST:PORT` and `rediss-cluster://…` (feature `redis-cluster`).
    pub fn builder(url: impl Into<Secret>) -> RedisCacheBuilder {
        let config = CacheConfig::default();
        RedisCacheBuilder {
            url: url.into(),
            prefix: config.redis_prefix.clone(),
            lives: Lives::of(&config),
            connections: 1,
            ca_certificate: None,
            time: Arc::new(SystemTime),
        }
    }

    /// Sees to it that the tasks run, in the runtime of this call if they do not.
    fn run(&self) -> Result<(), CacheFailure> {
        if self.is_running.load(Relaxed) {
            return Ok(());
        }
        let runtime = Handle::try_current().map_err(|_| failure("needs a tokio runtime"))?;
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_running.swap(true, Relaxed) {
            let (shared, queue) = (Arc::clone(&self.shared), Arc::clone(&self.queue));
            let running = Running::new(&shared, &self.is_running);
            *task = Some(runtime.spawn(tasks::run(shared, queue, running)).abort_handle());
        }
        Ok(())
    }

    fn now(&self) -> i64 {
        self.shared.time.now().unix_micros()
    }

    /// Deletes what is not what it should be.
    async fn discard(&self, link: &mut Link, names: &[&String]) {
        self.shared.counters.discarded.fetch_add(names.len() as u64, Relaxed);
        // Whether it works or not, it was a miss.
        let _ = self.shared.command(link, cmd("UNLINK").arg(names)).await;
    }
}

/// A generation as it was read. None where there is none; an error where there is something else.
fn generation(read: &Value) -> Result<Option<u64>, ()> {
    match read {
        Value::BulkString(text) => {
            let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
            number.map(Some).ok_or(())
        }
        _ => Ok(None),
    }
}

impl CacheBackend for RedisCache {
    async fn get(&self, key: &CacheKey) -> Result<Reading, CacheFailure> {
        self.run()?;
        let at = self.shared.micros();
        let (names, fingerprint) = (&self.shared.names, key.fingerprint());
        let group = names.group(&key.scope, key.prompt.as_deref());
        let asked = [names.entry(key, &fingerprint), names.scope(&key.scope), group];
        let mut link = self.shared.link().await?;
        let read = self.shared.command(&mut link, cmd("MGET").arg(&asked)).await?;
        let Value::Array(values) = read else { return Err(failure("an answer that is no list")) };
        let Ok([entry, scope, group]) = <[Value; 3]>::try_from(values) else {
            return Err(failure("an answer that is not as long as the question"));
        };
        let (scope, group) = (generation(&scope), generation(&group));
        let mut unusable = Vec::new();
        let mut found = None;
        if let Value::BulkString(value) = entry {
            match value::decode(&Bytes::from(value), &fingerprint, self.now()) {
                Ok(stored) => {
                    // An entry of another generation was invalidated.
                    let (of_scope, of_group) = stored.generations;
                    let is_valid = scope == Ok(Some(of_scope)) && group == Ok(Some(of_group));
                    found = is_valid.then_some(stored.aged);
                }
                Err(Flaw::Untimely) => {}
                Err(Flaw::Unusable) => unusable.push(&asked[0]),
            }
        }
        unusable.extend(scope.is_err().then_some(&asked[1]));
        unusable.extend(group.is_err().then_some(&asked[2]));
        if !unusable.is_empty() {
            self.discard(&mut link, &unusable).await;
        }
        let counters = &self.shared.counters;
        let counter = if found.is_some() { &counters.hits } else { &counters.misses };
        counter.fetch_add(1, Relaxed);
        let or_new =
            |read: Result<Option<u64>, ()>| read.ok().flatten().unwrap_or_else(new_generation);
        Ok(Reading { found, ticket: Ticket(or_new(scope), or_new(group), at) })
    }

    /// Takes the entry into the queue; that it was kept can be seen after [`flush`](Self::flush).
    async fn put(&self, key: &CacheKey, aged: &Aged, ticket: Ticket) -> Result<(), CacheFailure> {
        self.run()?;
        let life = self.lives.of_kind(aged.entry.kind()).saturating_sub(aged.age);
        if life.is_zero() || ticket == Ticket::default() {
            // Over, or what was read is not known.
            return Ok(());
        }
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let now = self.now();
        let times = Times {
            stored_at: now.saturating_sub(micros(aged.age)),
            expires_at: now.saturating_add(micros(life)),
        };
        let (key, fingerprint, entry) = (key.clone(), key.fingerprint(), aged.entry.clone());
        self.queue.push(Write { key, fingerprint, entry, ticket, times, life })
    }

    async fn flush(&self) -> Result<(), CacheFailure> {
        self.run()?;
        self.queue.flush().await
    }

    async fn invalidate(&self, what: &Invalidation) -> Result<(), CacheFailure> {
        // It is owed until it is done: also when this is dropped half-way.
        let owed = Owed::new(&self.shared, vec![what.clone()]);
        self.run()?;
        let mut link = self.shared.link().await?;
        tasks::invalidate(&self.shared, &mut link, what).await?;
        owed.settled();
        Ok(())
    }

    /// Hits, misses and failures of this process; how much Redis holds is not asked.
    fn stats(&self) -> CacheStats {
        let counters = &self.shared.counters;
        let mut stats = CacheStats::default();
        stats.hits = counters.hits.load(Relaxed);
        stats.misses = counters.misses.load(Relaxed);
        stats.failures = counters.failures.load(Relaxed);
        stats.discarded = counters.discarded.load(Relaxed);
        stats
    }

    async fn ping(&self) -> Result<(), CacheFailure> {
        self.run()?;
        let mut link = self.shared.link().await?;
        self.shared.command(&mut link, &cmd("PING")).await.map(drop)
    }

    fn listen(&self, scope: &CacheScope, listener: Weak<Listener>) {
        self.shared.listen(scope, listener);
        // Where there is no runtime yet, the first call sees to it.
        let _ = self.run();
    }

    fn subscription(&self) -> Subscription {
        match self.shared.subscribed_for() {
            Some(time) => Subscription::Up(time),
            None => Subscription::Down,
        }
    }
}

impl Drop for RedisCache {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

impl fmt::Debug for RedisCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCache").field("address", &self.shared.address).finish_non_exhaustive()
    }
}
