//! What the calls and the tasks beside them share: whether Redis is used, and the steps with it.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use deadpool_redis::redis::{Cmd, Pipeline, RedisError, Value};
use promptops_types::TimeSource;
use tokio::sync::{Notify, watch};

use super::clock::{STEP, within};
use super::link::{Address, Link};
use super::names::Names;
use crate::{CacheFailure, CacheScope, Invalidation, Listener};

/// So many failures in a row, and Redis is left alone until it answers again.
const MOST_FAILURES: u32 = 3;

/// Most invalidations that wait for Redis to be back; beyond it, everything is forgotten then.
const MOST_OWED: usize = 1000;

/// Whether Redis is used.
pub(super) enum State {
    /// The first connection is being made.
    Connecting,
    Up(Vec<Link>),
    /// It is left alone, and tried beside the calls. Why.
    Away(String),
}

/// Numbers of what went wrong and of what was found.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) failures: AtomicU64,
    /// Values that were deleted because they were no entries.
    pub(super) discarded: AtomicU64,
}

pub(super) struct Shared {
    pub(super) names: Names,
    pub(super) address: Address,
    pub(super) time: Arc<dyn TimeSource>,
    pub(super) counters: Counters,
    pub(super) state: watch::Sender<State>,
    /// Says that connections should be replaced, though they answer.
    pub(super) doubted: Notify,
    next: AtomicUsize,
    failed_in_a_row: AtomicU32,
    /// What could not be invalidated yet.
    owed: Mutex<Vec<Invalidation>>,
    listeners: Mutex<Vec<(CacheScope, Weak<Listener>)>>,
    pub(super) listener_came: Notify,
    /// Since when the subscription stands, in microseconds of `time`; negative where it does not.
    subscribed_at: AtomicI64,
}

/// An answer, or why there is none.
pub(super) type Answer<T> = Result<T, CacheFailure>;

pub(super) fn failure(message: impl Into<String>) -> CacheFailure {
    CacheFailure::new("redis", message)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(names: Names, address: Address, time: Arc<dyn TimeSource>) -> Self {
        Self {
            names,
            address,
            time,
            counters: Counters::default(),
            state: watch::channel(State::Connecting).0,
            doubted: Notify::new(),
            next: AtomicUsize::new(0),
            failed_in_a_row: AtomicU32::new(0),
            owed: Mutex::default(),
            listeners: Mutex::default(),
            listener_came: Notify::new(),
            subscribed_at: AtomicI64::new(-1),
        }
    }

    /// A connection. Only the first one is waited for, as long as for any step.
    pub(super) async fn link(&self) -> Answer<Link> {
        if let Some(known) = self.known_link() {
            return known;
        }
        let mut state = self.state.subscribe();
        let connected = state.wait_for(|state| !matches!(state, State::Connecting));
        // A closed channel is not possible here: the sender is ours.
        let _ = within(STEP, connected).await;
        self.known_link().unwrap_or_else(|| Err(failure(format!("no connection in {STEP:?}"))))
    }

    fn known_link(&self) -> Option<Answer<Link>> {
        match &*self.state.borrow() {
            State::Connecting => None,
            State::Up(links) => {
                let link = links.get(self.next.fetch_add(1, Relaxed) % links.len().max(1))?;
                Some(Ok(link.clone()))
            }
            State::Away(reason) => Some(Err(failure(format!("left alone for now: {reason}")))),
        }
    }

    pub(super) async fn command(&self, link: &mut Link, command: &Cmd) -> Answer<Value> {
        match within(STEP, link.command(command)).await {
            Some(Ok(Value::ServerError(error))) => Err(self.refused(&error.into())),
            Some(Ok(value)) => {
                self.succeeded();
                Ok(value)
            }
            Some(Err(error)) => Err(self.refused(&error)),
            None => Err(self.silent()),
        }
    }

    /// Tells others. That they are not to be told, as a user without rights to the channel, is counted
    /// and no failure of what is told: they see it by their ttl.
    pub(super) async fn tell(&self, link: &mut Link, command: &Cmd) -> Answer<()> {
        match within(STEP, link.command(command)).await {
            Some(Ok(Value::ServerError(error))) => self.untold(&error.into()),
            Some(Err(error)) if error.code().is_some() => self.untold(&error),
            Some(Err(error)) => return Err(self.refused(&error)),
            Some(Ok(_)) => self.succeeded(),
            None => return Err(self.silent()),
        }
        Ok(())
    }

    fn untold(&self, error: &RedisError) {
        self.counters.failures.fetch_add(1, Relaxed);
        tracing::warn!(%error, "other processes were not told what was invalidated");
    }

    /// The answers of a pipeline, if every one is good.
    pub(super) async fn pipeline(&self, link: &mut Link, pipe: &Pipeline) -> Answer<Vec<Value>> {
        match within(STEP, link.pipeline(pipe)).await {
            Some(Ok(values)) => {
                let refused = values.iter().find_map(|value| match value {
                    Value::ServerError(error) => Some(error.clone()),
                    _ => None,
                });
                if let Some(error) = refused {
                    return Err(self.refused(&error.into()));
                }
                self.succeeded();
                Ok(values)
            }
            Some(Err(error)) => Err(self.refused(&error)),
            None => Err(self.silent()),
        }
    }

    fn succeeded(&self) {
        if self.failed_in_a_row.load(Relaxed) != 0 {
            self.failed_in_a_row.store(0, Relaxed);
        }
    }

    /// Takes note that a step failed, and leaves Redis alone when it is time to.
    fn failed(&self, reason: String, is_broken: bool) -> CacheFailure {
        self.counters.failures.fetch_add(1, Relaxed);
        if is_broken || self.failed_in_a_row.fetch_add(1, Relaxed) + 1 >= MOST_FAILURES {
            self.leave_alone(&reason);
        }
        failure(reason)
    }

    fn silent(&self) -> CacheFailure {
        self.failed(format!("no answer in {STEP:?}"), false)
    }

    fn refused(&self, error: &RedisError) -> CacheFailure {
        let is_server = error.code().is_some();
        let reason = error.to_string();
        match error.code() {
            // It answers; what is refused is this one command. After a failover it may be another
            // server that ought to be talked to.
            Some("READONLY" | "MISCONF") => {
                self.counters.failures.fetch_add(1, Relaxed);
                self.doubted.notify_one();
                failure(reason)
            }
            Some("OOM" | "WRONGTYPE") => {
                self.counters.failures.fetch_add(1, Relaxed);
                failure(reason)
            }
            _ => self.failed(reason, !is_server),
        }
    }

    /// Uses Redis no more until it answers again.
    pub(super) fn leave_alone(&self, reason: &str) {
        self.failed_in_a_row.store(0, Relaxed);
        self.state.send_if_modified(|state| {
            let is_up = matches!(state, State::Up(_));
            if is_up {
                tracing::warn!(%reason, "the cache in redis is left alone until it answers again");
                *state = State::Away(reason.to_owned());
            }
            is_up
        });
    }

    /// Remembers what could not be invalidated: until it is, Redis is not read.
    fn owe(&self, what: &[Invalidation]) {
        let mut owed = lock(&self.owed);
        for one in what {
            if !owed.contains(one) {
                owed.push(one.clone());
            }
        }
        if owed.len() > MOST_OWED {
            let mut everything: Vec<Invalidation> = Vec::new();
            for one in owed.drain(..) {
                let one = Invalidation::Everything(one.scope().clone());
                if !everything.contains(&one) {
                    everything.push(one);
                }
            }
            *owed = everything;
        }
        // Under the lock: who says that Redis is used again looks at the list under it.
        self.leave_alone("something could not be invalidated");
    }

    /// Takes what could not be invalidated, to do it now. What is owed again meanwhile is in the list
    /// again.
    pub(super) fn take_owed(&self) -> Vec<Invalidation> {
        std::mem::take(&mut *lock(&self.owed))
    }

    /// The time, for ages; in microseconds.
    pub(super) fn micros(&self) -> u64 {
        u64::try_from(self.time.monotonic().as_micros()).unwrap_or(u64::MAX)
    }

    /// Uses these connections from now on, unless something is owed; gives whether it does.
    pub(super) fn use_links(&self, links: Vec<Link>) -> bool {
        let owed = lock(&self.owed);
        if owed.is_empty() {
            self.state.send_replace(State::Up(links));
        }
        owed.is_empty()
    }

    pub(super) fn listen(&self, scope: &CacheScope, listener: Weak<Listener>) {
        let mut listeners = lock(&self.listeners);
        listeners.retain(|(_, listener)| listener.strong_count() > 0);
        listeners.push((scope.clone(), listener));
        self.listener_came.notify_one();
    }

    pub(super) fn has_listener(&self) -> bool {
        lock(&self.listeners).iter().any(|(_, listener)| listener.strong_count() > 0)
    }

    /// The listeners of a scope, by its digest.
    pub(super) fn listeners(&self, digest: &[u8; 32]) -> Vec<(CacheScope, Arc<Listener>)> {
        let mut listeners = lock(&self.listeners);
        listeners.retain(|(_, listener)| listener.strong_count() > 0);
        let of_scope = listeners.iter().filter(|(scope, _)| scope.digest() == digest);
        of_scope.filter_map(|(scope, told)| Some((scope.clone(), told.upgrade()?))).collect()
    }

    pub(super) fn set_subscribed(&self, is_up: bool) {
        let now = i64::try_from(self.time.coarse().as_micros()).unwrap_or(i64::MAX);
        self.subscribed_at.store(if is_up { now } else { -1 }, Relaxed);
    }

    /// How long the subscription has stood, if it does.
    pub(super) fn subscribed_for(&self) -> Option<Duration> {
        let at = u64::try_from(self.subscribed_at.load(Relaxed)).ok()?;
        Some(self.time.coarse().saturating_sub(Duration::from_micros(at)))
    }
}

/// Invalidations that are being made. Dropped before they are, for whatever reason, they are owed.
pub(super) struct Owed<'s> {
    shared: &'s Shared,
    left: VecDeque<Invalidation>,
}

impl<'s> Owed<'s> {
    pub(super) fn new(shared: &'s Shared, what: Vec<Invalidation>) -> Self {
        Self { shared, left: what.into() }
    }

    /// The next one.
    pub(super) fn next(&self) -> Option<&Invalidation> {
        self.left.front()
    }

    /// The next one was made.
    pub(super) fn made(&mut self) {
        self.left.pop_front();
    }

    /// All were made.
    pub(super) fn settled(mut self) {
        self.left.clear();
    }
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        if !self.left.is_empty() {
            self.shared.owe(self.left.make_contiguous());
        }
    }
}
