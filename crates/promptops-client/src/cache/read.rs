//! Reading through the caches: near, then far, then the registry.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use promptops_cache::{
    Aged, CacheBackend, CacheKey, CacheKeyRef, Entry, EntryKind, Invalidation, Role, Use,
};
use promptops_transport::{Deadline, Random, SystemRandom};
use promptops_types::{Error, ErrorCode, ErrorContext};

use super::{Cache, Cacheable, Tickets, Tiers, decoded};
use crate::call::{Answered, Call};
use crate::decode::missing;
use crate::{Fetched, PromptOpsClient, Source};

/// What remembering an error costs, about.
const ERROR_WEIGHT: usize = 600;

/// How much younger an entry of the far tier has to be than the one at hand to be another: the two
/// tell their ages by different clocks.
const YOUNGER: Duration = Duration::from_millis(500);

/// An answer: an entry, where it came from and how old it is.
#[derive(Debug, Clone)]
pub(crate) struct Landing {
    entry: Entry,
    source: Source,
    age: Duration,
    /// Whether it should be refreshed beside that.
    wants_refresh: bool,
}

/// What a flight brings.
pub(crate) type Landed = Result<Landing, Error>;

impl Landing {
    fn new(entry: Entry, source: Source) -> Self {
        Self { entry, source, age: Duration::ZERO, wants_refresh: false }
    }

    fn aged(found: Aged, source: Source) -> Self {
        Self { entry: found.entry, source, age: found.age, wants_refresh: false }
    }

    /// The value; what is missing is an error again.
    pub(crate) fn value<T: Cacheable>(&self) -> Result<Arc<T>, Error> {
        if self.entry.kind() == EntryKind::Missing {
            let error = self.entry.value::<Error, ()>(|_| Err(())).ok().flatten();
            return Err(error.map_or_else(not_decoded, |error| (*error).clone()));
        }
        let value = self.entry.value::<T, ()>(|_| Err(()));
        value.ok().flatten().ok_or_else(not_decoded)
    }

    /// The value, and where it came from.
    pub(crate) fn fetched<T: Cacheable>(&self) -> Result<Fetched<T>, Error> {
        let (value, etag) = (self.value()?, self.entry.etag().map(str::to_owned));
        Ok(Fetched { value, source: self.source, age: self.age, etag })
    }
}

fn not_decoded() -> Error {
    let message = "an entry of the cache is not what its key says";
    Error::Decode { context: ErrorContext::new(ErrorCode::Decode, message).into() }
}

/// A call whose answer may come from a cache.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) key: CacheKey,
    pub(crate) call: Call,
    pub(crate) use_cache: bool,
    /// Whether chance was asked already, by [`Cache::fresh`], and did not leave it at what is there.
    pub(crate) is_drawn: bool,
}

impl Read {
    fn chance(&self) -> f64 {
        if self.is_drawn { 0.0 } else { SystemRandom.unit() }
    }

    /// The answer, from wherever it is nearest, told as a call of its own.
    pub(crate) async fn run_observed<T: Cacheable>(
        &self,
        client: &PromptOpsClient,
    ) -> Result<Fetched<T>, Error> {
        let began = client.observer().begin();
        let landed = self.run::<T>(client).await;
        let fetched = landed.and_then(|landing| landing.fetched::<T>());
        let mut call = self.call.observed().error(fetched.as_ref().err());
        call.source = fetched.as_ref().ok().map(|fetched| fetched.source);
        client.observer().ended(began, &call);
        fetched
    }

    /// The answer, from wherever it is nearest.
    pub(crate) async fn run<T: Cacheable>(&self, client: &PromptOpsClient) -> Landed {
        let cache = client.cache();
        let tiers = Arc::clone(&cache.tiers());
        if tiers.is_none() {
            return fetch_alone::<T>(client, self.call.clone()).await;
        }
        let deadline = client.deadline();
        if !self.use_cache {
            return Fetch { client, cache, tiers: &tiers, read: self, is_refresh: true }
                .run::<T>(None, deadline)
                .await;
        }
        let last = match tiers.near.as_ref().and_then(|near| near.read(&self.key).0) {
            None => None,
            Some(found) => {
                let landing = match tiers.judge_near(&found, || self.chance()) {
                    Use::Fresh => Ok(Source::Near),
                    Use::ServeAndRefresh { is_stale } => {
                        self.refresh::<T>(client);
                        Ok(if is_stale { Source::Stale } else { Source::Near })
                    }
                    is_used => Err(is_used == Use::OnlyOnError),
                };
                match landing {
                    Ok(source) => {
                        cache.counters.hits.fetch_add(1, Relaxed);
                        return Ok(Landing::aged(found, source));
                    }
                    Err(is_last) => is_last.then_some(found),
                }
            }
        };
        let fetch = Fetch { client, cache, tiers: &tiers, read: self, is_refresh: false };
        let flight = cache.flights.run(&self.key, is_for_all, || fetch.run::<T>(last, deadline));
        let settings = client.settings();
        let (landed, role) = match settings.pipeline.by(deadline, flight).await {
            Ok(landed) => landed,
            Err(error) => {
                cache.counters.misses.fetch_add(1, Relaxed);
                return Err(self.call.failed(error, settings.config.timeout, true, None));
            }
        };
        let landing = landed.as_ref().ok();
        let is_hit = landing.is_some_and(|l| role == Role::Follower || l.source != Source::Network);
        let counter = if is_hit { &cache.counters.hits } else { &cache.counters.misses };
        counter.fetch_add(1, Relaxed);
        if role == Role::Leader && landing.is_some_and(|landing| landing.wants_refresh) {
            self.refresh::<T>(client);
        }
        landed
    }

    /// Fetches beside the calls, once for all of them.
    fn refresh<T: Cacheable>(&self, client: &PromptOpsClient) {
        if client.cache().flights.is_under_way(&self.key) {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (client, read) = (client.clone(), Self { call: self.call.anew(), ..self.clone() });
        runtime.spawn(async move {
            let cache = client.cache();
            let tiers = Arc::clone(&cache.tiers());
            let deadline = client.deadline();
            let fetch =
                Fetch { client: &client, cache, tiers: &tiers, read: &read, is_refresh: true };
            // Its outcome is in the caches, or it is tried again by the next caller.
            let run = || fetch.run::<T>(None, deadline);
            let _ = cache.flights.run(&read.key, is_for_all, run).await;
        });
    }
}

/// What the registry says, past every cache.
pub(crate) async fn fetch_alone<T: Cacheable>(client: &PromptOpsClient, call: Call) -> Landed {
    match call.send_conditional::<T>(client, client.deadline()).await? {
        Answered::New { data, etag } => {
            let entry = decoded(EntryKind::Moving, Arc::new(data), etag, Duration::ZERO);
            Ok(Landing::new(entry, Source::Network))
        }
        Answered::Missing { error, .. } => Err(error),
        Answered::NotModified => Err(not_decoded()),
    }
}

impl Cache {
    /// A fresh entry of the near tier: the usual hit, which needs neither a call nor a future.
    pub(crate) fn fresh(&self, key: CacheKeyRef<'_>) -> Option<Landing> {
        let tiers = self.tiers();
        let found = tiers.near.as_ref()?.find(key)?;
        let is_fresh = tiers.judge_near(&found, || SystemRandom.unit()) == Use::Fresh;
        // That there is nothing is an error, and told as one.
        if is_fresh && found.entry.kind() != EntryKind::Missing {
            return Some(Landing::aged(found, Source::Near));
        }
        self.counters.unserved.fetch_add(1, Relaxed);
        None
    }
}

/// Whether an outcome is every waiting caller's. That one's time was over is not.
fn is_for_all(landed: &Landed) -> bool {
    !matches!(landed, Err(Error::Timeout { .. }))
}

/// One fetch: the far tier, then the registry, then what there was.
struct Fetch<'c> {
    client: &'c PromptOpsClient,
    cache: &'c Cache,
    tiers: &'c Tiers,
    read: &'c Read,
    /// Whether what is in the far tier is what is to be refreshed, unless it is younger.
    is_refresh: bool,
}

impl Fetch<'_> {
    async fn run<T: Cacheable>(&self, last: Option<Aged>, deadline: Deadline) -> Landed {
        let Self { client, cache, tiers, read, .. } = *self;
        let key = &read.key;
        let mut tickets = Tickets::default();
        let mut last = last;
        let mut is_in_far = false;
        if let Some(near) = &tiers.near {
            let (found, ticket) = near.read(key);
            tickets.near = ticket;
            last = last.or(found);
        }
        if let Some(far) = &tiers.far {
            let reading = cache.missed(far.get(key).await);
            tickets.far = reading.ticket;
            is_in_far = reading.found.is_some();
            let found = reading.found.filter(|_| read.use_cache);
            // What cannot be read is no hit, whoever wrote it.
            if let Some(found) = found.and_then(|found| self.promoted::<T>(&found)) {
                // What is to be refreshed is not refreshed by itself.
                let is_younger = !self.is_refresh
                    || last.as_ref().is_none_or(|last| found.age + YOUNGER < last.age);
                if is_younger {
                    if let Some(landing) = self.served_from_far(&found, tickets) {
                        return Ok(landing);
                    }
                    last = Some(found);
                }
            }
        }
        // What is only there since nobody has been told otherwise is no ground for a conditional request.
        let last = last.filter(|last| last.entry.kind() != EntryKind::Missing);
        let etag = last.as_ref().and_then(|last| last.entry.etag()).filter(|_| read.use_cache);
        let call = read.call.clone().if_none_match(etag.map(str::to_owned));
        let started = client.time().monotonic();
        let answered = call.send_conditional::<T>(client, deadline).await;
        let cost = client.time().monotonic().saturating_sub(started);
        match answered {
            Ok(Answered::NotModified) => {
                let last = last.ok_or_else(not_decoded)?;
                let value = Landing::aged(last.clone(), Source::Network).value::<T>()?;
                let etag = last.entry.etag().map(str::to_owned);
                let entry = cache.keep_value(tiers, key, &value, etag, cost, tickets).await;
                Ok(Landing::new(entry, Source::Network))
            }
            Ok(Answered::New { data, etag }) => {
                let value = Arc::new(data);
                let entry = cache.keep_value(tiers, key, &value, etag, cost, tickets).await;
                Ok(Landing::new(entry, Source::Network))
            }
            Ok(Answered::Missing { error, body }) if read.use_cache => {
                let entry = self.keep_missing(error, body, tickets, is_in_far).await;
                Ok(Landing::new(entry, Source::Network))
            }
            Ok(Answered::Missing { error, .. }) => {
                self.forget_key().await;
                Err(error)
            }
            Err(error) => {
                if matches!(error.status(), Some(401 | 403)) {
                    // The truth is told, and what was kept goes.
                    self.forget_key().await;
                }
                let serves = may_be_stale(&error) && read.use_cache;
                match last.filter(|last| serves && tiers.judge(last) != Use::Never) {
                    Some(last) => {
                        client.observer().served_stale(read.call.prompt_id(), last.age, &error);
                        Ok(Landing::aged(last, Source::Stale))
                    }
                    None => Err(error),
                }
            }
        }
    }

    /// An entry of the far tier as the near tier has them: decoded.
    fn promoted<T: Cacheable>(&self, found: &Aged) -> Option<Aged> {
        let Aged { entry, age, .. } = found;
        if entry.kind() == EntryKind::Missing {
            let now = self.client.time().now();
            let error = missing(entry.body(), self.read.call.prompt_id(), now);
            let entry = Entry::decoded(EntryKind::Missing, Arc::new(error), ERROR_WEIGHT);
            return Some(Aged::new(entry, *age));
        }
        let value: T = serde_json::from_slice(entry.body()).ok()?;
        if value.flaw().is_some() {
            return None;
        }
        let etag = entry.etag().map(str::to_owned);
        let entry = decoded(entry.kind(), Arc::new(value), etag, entry.cost());
        Some(Aged::new(entry, *age))
    }

    /// An entry of the far tier as the answer, if it may be; it is kept in the near tier then.
    fn served_from_far(&self, found: &Aged, tickets: Tickets) -> Option<Landing> {
        let (source, wants_refresh) = match self.tiers.judge(found) {
            Use::Fresh => (Source::Far, false),
            Use::ServeAndRefresh { is_stale } if !self.is_refresh => {
                (if is_stale { Source::Stale } else { Source::Far }, true)
            }
            _ => return None,
        };
        if let Some(near) = &self.tiers.near {
            near.keep(&self.read.key, found, tickets.near);
        }
        Some(Landing { wants_refresh, ..Landing::aged(found.clone(), source) })
    }

    async fn forget_key(&self) {
        let gone = self.tiers.forget(&[Invalidation::Key(self.read.key.clone())]).await;
        self.cache.missed(gone);
    }

    /// Remembers for a moment that there is no such thing, in the place of what was kept.
    async fn keep_missing(
        &self,
        error: Error,
        body: bytes::Bytes,
        tickets: Tickets,
        is_in_far: bool,
    ) -> Entry {
        let Self { cache, tiers, read: Read { key, .. }, .. } = *self;
        let entry = Entry::decoded(EntryKind::Missing, Arc::new(error), ERROR_WEIGHT);
        let gone = Invalidation::Key(key.clone());
        if let Some(near) = &tiers.near {
            near.keep(key, &entry.clone().into(), tickets.near);
            if near.read(key).0.is_some_and(|found| found.entry.kind() != EntryKind::Missing) {
                near.forget(&gone);
            }
        }
        if let Some(far) = &tiers.far {
            if is_in_far {
                // Surely, and with it everything of the ticket at hand: the next one to ask keeps it.
                cache.missed(far.invalidate(&gone).await);
                return entry;
            }
            let written = Entry::new(EntryKind::Missing, body);
            cache.missed(far.put(key, &written.into(), tickets.far).await);
        }
        entry
    }
}

/// Whether the registry could not answer, rather than answered with a refusal.
fn may_be_stale(error: &Error) -> bool {
    matches!(
        error,
        Error::Network { .. }
            | Error::Timeout { .. }
            | Error::RateLimit { .. }
            | Error::Server { .. }
    )
}
