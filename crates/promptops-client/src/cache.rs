//! Reading through the caches: near, then far, then the registry.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use promptops_cache::{
    CacheBackend, CacheFailure, CacheKey, CacheScope, Entry, EntryKind, Found, Freshness,
    Invalidation, Names, Role, SharedCache, SingleFlight, Ticket, Use,
};
use promptops_transport::{Deadline, Random, SystemRandom};
use promptops_types::{
    CacheConfig, CacheLevel, CacheStats, Error, ErrorCode, ErrorContext, ModelCatalogue,
    PromptPage, PromptResponse, Selector,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::call::{Answered, Call};
use crate::weight::{Weight, weigh};
use crate::{Fetched, PromptOpsClient, Source};

/// What remembering an error costs, about.
const ERROR_WEIGHT: usize = 600;

/// Something that is kept between calls.
pub(crate) trait Cacheable:
    DeserializeOwned + Serialize + Weight + Send + Sync + 'static
{
    /// Why it cannot be what was asked for, though it decodes.
    fn flaw(&self) -> Option<&'static str> {
        None
    }

    /// What it is called.
    fn names(&self) -> Option<Names> {
        None
    }

    /// Whether what a selector gave never changes.
    fn is_frozen(&self, _selector: Option<&str>) -> bool {
        false
    }
}

impl Cacheable for PromptResponse {
    fn flaw(&self) -> Option<&'static str> {
        self.id.is_empty().then_some("the prompt has no `id`")
    }

    fn names(&self) -> Option<Names> {
        let (id, slug, version) = (self.id.clone(), self.slug.clone(), self.version.clone());
        Some(Names { id, slug, version })
    }

    /// A version that a label points at cannot be edited.
    fn is_frozen(&self, selector: Option<&str>) -> bool {
        let selector = selector.and_then(|selector| selector.parse().ok());
        matches!(selector, Some(Selector::Exact(_))) && !self.labels.is_empty()
    }
}

impl Cacheable for PromptPage {}
impl Cacheable for ModelCatalogue {}

/// What a flight brings: an entry, where it came from and how old it is.
type Landed = Result<(Entry, Source, Duration), Error>;

/// The caches of a client.
#[derive(Debug)]
pub(crate) struct Cache {
    scope: CacheScope,
    near: Option<SharedCache>,
    far: Option<SharedCache>,
    freshness: Freshness,
    flights: SingleFlight<Landed>,
    random: SystemRandom,
    hits: AtomicU64,
    misses: AtomicU64,
    failures: AtomicU64,
}

impl Cache {
    pub(crate) fn new(
        scope: CacheScope,
        config: &CacheConfig,
        near: Option<SharedCache>,
        far: Option<SharedCache>,
    ) -> Self {
        Self {
            scope,
            near,
            far,
            freshness: Freshness::new(config),
            flights: SingleFlight::new(),
            random: SystemRandom,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }

    /// The key of an operation's answer; its other parts are the caller's.
    pub(crate) fn key(&self, operation: &'static str) -> CacheKey {
        CacheKey::new(self.scope.clone(), operation)
    }

    pub(crate) fn stats(&self) -> CacheStats {
        let near = self.near.as_ref().or(self.far.as_ref());
        let mut stats = near.map(CacheBackend::stats).unwrap_or_default();
        stats.hits = self.hits.load(Ordering::Relaxed);
        stats.misses = self.misses.load(Ordering::Relaxed);
        let asked = stats.hits.saturating_add(stats.misses);
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let rate = if asked == 0 { 0.0 } else { stats.hits as f64 / asked as f64 };
        stats.hit_rate = rate;
        stats
    }

    fn tiers(&self) -> impl Iterator<Item = &SharedCache> {
        self.near.iter().chain(&self.far)
    }

    fn judge(&self, found: &Found) -> Use {
        self.freshness.judge(found, || self.random.unit())
    }

    /// A failure of a cache is a miss, and counted.
    fn missed<T: Default>(&self, outcome: Result<T, CacheFailure>) -> T {
        outcome.unwrap_or_else(|failure| {
            self.failures.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%failure, "a cache failed; the call goes on without it");
            T::default()
        })
    }

    async fn evict(&self, what: &[Invalidation]) -> Result<(), CacheFailure> {
        let mut outcome = Ok(());
        for one in what {
            for tier in self.tiers() {
                outcome = tier.invalidate(one).await.and(outcome);
            }
        }
        outcome
    }

    /// Forgets what a write may have changed, in every tier; nobody who comes from now on waits for
    /// what is being fetched.
    async fn forget(&self, what: &[Invalidation]) -> Result<(), CacheFailure> {
        let outcome = self.evict(what).await;
        self.flights.forget();
        outcome
    }

    /// Forgets what a write to a prompt, or of a new one, may have changed.
    pub(crate) async fn forget_written(&self, prompt: Option<&str>) {
        let prompt = prompt.map(|prompt| self.of_prompt(prompt, None));
        let lists = Invalidation::Lists(self.scope.clone());
        let what: Vec<_> = prompt.into_iter().chain([lists]).collect();
        let outcome = self.forget(&what).await;
        self.missed(outcome);
    }

    fn of_prompt(&self, prompt: &str, version: Option<String>) -> Invalidation {
        let (scope, prompt) = (self.scope.clone(), prompt.to_owned());
        Invalidation::Prompt { scope, prompt, version }
    }

    /// What `clear_cache` forgets.
    ///
    /// # Errors
    /// [`Error::Cache`] where a cache could not be reached.
    pub(crate) async fn clear(
        &self,
        prompt: Option<String>,
        version: Option<String>,
    ) -> Result<(), Error> {
        let what = match &prompt {
            Some(prompt) => self.of_prompt(prompt, version),
            None => Invalidation::Everything(self.scope.clone()),
        };
        self.forget(&[what]).await.map_err(|failure| Error::Cache {
            cache_type: failure.cache().to_owned(),
            context: ErrorContext::new(ErrorCode::Cache, failure.to_string())
                .source(failure)
                .into(),
        })
    }

    /// What each tier had been told to forget, before something is fetched.
    async fn tickets(&self, key: &CacheKey) -> Tickets {
        let mut tickets = Tickets::default();
        if let Some(near) = &self.near {
            tickets.near = self.missed(near.get(key).await).ticket;
        }
        if let Some(far) = &self.far {
            tickets.far = self.missed(far.get(key).await).ticket;
        }
        tickets
    }

    async fn keep(&self, key: &CacheKey, near: &Entry, far: Option<&Entry>, tickets: Tickets) {
        if let Some(tier) = &self.near {
            self.missed(tier.put(key, near, tickets.near).await);
        }
        if let (Some(tier), Some(entry)) = (&self.far, far) {
            self.missed(tier.put(key, entry, tickets.far).await);
        }
    }

    /// Keeps a prompt that came with others.
    pub(crate) async fn keep_prompt(&self, key: &CacheKey, prompt: &Arc<PromptResponse>) {
        let tickets = self.tickets(key).await;
        self.keep_value(key, prompt, None, Duration::ZERO, tickets).await;
    }

    /// Keeps what was fetched, and gives it as the near tier has it.
    async fn keep_value<T: Cacheable>(
        &self,
        key: &CacheKey,
        value: &Arc<T>,
        etag: Option<String>,
        cost: Duration,
        tickets: Tickets,
    ) -> Entry {
        let is_frozen = value.is_frozen(key.selector.as_deref());
        let kind = if is_frozen { EntryKind::Frozen } else { EntryKind::Moving };
        let dressed =
            |entry: Entry| entry.with_etag(etag.clone()).with_names(value.names()).with_cost(cost);
        let near = dressed(Entry::decoded(kind, Arc::clone(value), weigh(&**value)));
        // Only a cache outside the process needs it written out.
        let body = self.far.as_ref().and_then(|_| serde_json::to_vec(&**value).ok());
        let far = body.map(|body| dressed(Entry::new(kind, body)));
        self.keep(key, &near, far.as_ref(), tickets).await;
        near
    }
}

/// One of each tier.
#[derive(Debug, Clone, Copy, Default)]
struct Tickets {
    near: Ticket,
    far: Ticket,
}

/// A call whose answer may come from a cache.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    /// None where there is no cache.
    pub(crate) key: Option<CacheKey>,
    pub(crate) call: Call,
    pub(crate) use_cache: bool,
}

impl Read {
    /// The answer, from wherever it is nearest.
    pub(crate) async fn run<T: Cacheable>(
        self,
        client: &PromptOpsClient,
    ) -> Result<Fetched<T>, Error> {
        let (Some(cache), Some(key)) = (client.cache(), self.key) else {
            return fetch_alone(client, self.call).await;
        };
        let read = Keyed { key, call: self.call, use_cache: self.use_cache };
        if !read.use_cache {
            let landed = fetch::<T>(client, cache, &read, None, client.deadline()).await;
            return fetched(landed?);
        }
        let last = match cache.near.as_ref().and_then(|near| near.look_up(&read.key)) {
            None => None,
            Some(found) => match cache.judge(&found) {
                Use::Fresh => return hit(cache, found, Source::Near),
                Use::ServeAndRefresh { is_stale } => {
                    refresh::<T>(client, cache, &read);
                    let source = if is_stale { Source::Stale } else { Source::Near };
                    return hit(cache, found, source);
                }
                Use::OnlyOnError => Some(found),
                _ => None,
            },
        };
        let deadline = client.deadline();
        let flight = cache
            .flights
            .run(&read.key, is_for_all, || fetch::<T>(client, cache, &read, last, deadline));
        let (landed, role) = match client.pipeline().by(deadline, flight).await {
            Ok(landed) => landed,
            Err(error) => return Err(read.call.failed(error, client.config().timeout, true, None)),
        };
        let is_hit = role == Role::Follower
            || landed.as_ref().is_ok_and(|(_, source, _)| *source != Source::Network);
        let counter = if is_hit { &cache.hits } else { &cache.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        fetched(landed?)
    }
}

/// The same, where there is a cache.
#[derive(Debug, Clone)]
struct Keyed {
    key: CacheKey,
    call: Call,
    use_cache: bool,
}

pub(crate) async fn fetch_alone<T: Cacheable>(
    client: &PromptOpsClient,
    call: Call,
) -> Result<Fetched<T>, Error> {
    let answered = call.send_conditional::<T>(client, client.deadline()).await?;
    let Answered::New { data, etag } = answered else { return Err(not_decoded()) };
    let (source, age) = (Source::Network, Duration::ZERO);
    Ok(Fetched { value: Arc::new(data), source, age, etag })
}

/// A fresh entry of the near tier: the usual hit, which needs neither a call nor a future.
pub(crate) fn fresh<T: Cacheable>(
    client: &PromptOpsClient,
    key: &CacheKey,
) -> Option<Result<Fetched<T>, Error>> {
    let cache = client.cache()?;
    let found = cache.near.as_ref()?.look_up(key)?;
    (cache.judge(&found) == Use::Fresh).then(|| hit(cache, found, Source::Near))
}

/// Whether an outcome is every waiting caller's. That one's time was over is not.
fn is_for_all(landed: &Landed) -> bool {
    !matches!(landed, Err(Error::Timeout { .. }))
}

/// An entry of the near tier as an answer; what is missing is an error again.
fn hit<T: Cacheable>(cache: &Cache, found: Found, source: Source) -> Result<Fetched<T>, Error> {
    cache.hits.fetch_add(1, Ordering::Relaxed);
    fetched((found.entry, source, found.age))
}

fn fetched<T: Cacheable>(
    (entry, source, age): (Entry, Source, Duration),
) -> Result<Fetched<T>, Error> {
    if entry.kind() == EntryKind::Missing {
        let error = entry.value::<Error, ()>(|_| Err(())).ok().flatten();
        return Err(error.map_or_else(not_decoded, |error| (*error).clone()));
    }
    let value = entry.value::<T, _>(|body| serde_json::from_slice(body));
    let value = value.ok().flatten().ok_or_else(not_decoded)?;
    Ok(Fetched { value, source, age, etag: entry.etag().map(str::to_owned) })
}

fn not_decoded() -> Error {
    let message = "an entry of the cache is not what its key says";
    Error::Decode { context: ErrorContext::new(ErrorCode::Decode, message).into() }
}

/// Fetches beside the calls, once for all of them.
fn refresh<T: Cacheable>(client: &PromptOpsClient, cache: &Cache, read: &Keyed) {
    if cache.flights.is_under_way(&read.key) {
        return;
    }
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let (client, read) = (client.clone(), read.clone());
    runtime.spawn(async move {
        let Some(cache) = client.cache() else { return };
        let deadline = client.deadline();
        let fetch = || fetch::<T>(&client, cache, &read, None, deadline);
        // Its outcome is in the caches, or it is tried again by the next caller.
        let _ = cache.flights.run(&read.key, is_for_all, fetch).await;
    });
}

/// The far tier, then the registry, then what there was.
async fn fetch<T: Cacheable>(
    client: &PromptOpsClient,
    cache: &Cache,
    read: &Keyed,
    last: Option<Found>,
    deadline: Deadline,
) -> Landed {
    let key = &read.key;
    let mut tickets = Tickets::default();
    let mut last = last;
    if let Some(near) = &cache.near {
        let reading = cache.missed(near.get(key).await);
        tickets.near = reading.ticket;
        last = last.or(reading.found);
    }
    if let Some(far) = &cache.far {
        let reading = cache.missed(far.get(key).await);
        tickets.far = reading.ticket;
        if let Some(found) = reading.found.filter(|_| read.use_cache) {
            let younger = last.as_ref().is_none_or(|last| found.age < last.age);
            let far = (found.entry.clone(), Source::Far, found.age);
            // What cannot be read is no hit, whoever wrote it.
            if younger && fetched::<T>(far.clone()).is_ok() {
                if cache.judge(&found) == Use::Fresh {
                    return Ok(far);
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
    let landed = |entry: Entry| Ok((entry, Source::Network, Duration::ZERO));
    match answered {
        Ok(Answered::NotModified) => {
            let value = last.map(|last| fetched::<T>((last.entry, Source::Network, last.age)));
            let Some(Ok(Fetched { value, etag, .. })) = value else { return Err(not_decoded()) };
            landed(cache.keep_value(key, &value, etag, cost, tickets).await)
        }
        Ok(Answered::New { data, etag }) => {
            landed(cache.keep_value(key, &Arc::new(data), etag, cost, tickets).await)
        }
        Err(error) => {
            let is_gone = matches!(error.status(), Some(404 | 410));
            if is_gone || matches!(error.status(), Some(401 | 403)) {
                // The truth is told, and what was kept goes.
                let gone = cache.evict(&[Invalidation::Key(key.clone())]).await;
                cache.missed(gone);
            }
            if is_gone && read.use_cache {
                let tickets = cache.tickets(key).await;
                let missing = Entry::decoded(EntryKind::Missing, Arc::new(error), ERROR_WEIGHT);
                cache.keep(key, &missing, None, tickets).await;
                return landed(missing);
            }
            let serves = may_be_stale(&error) && read.use_cache;
            match last.filter(|last| serves && cache.judge(last) != Use::Never) {
                Some(last) => Ok((last.entry, Source::Stale, last.age)),
                None => Err(error),
            }
        }
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

/// The tiers of a level. A backend of the caller's own is the far one.
pub(crate) fn tiers(
    config: &CacheConfig,
    own: Option<SharedCache>,
    memory: impl FnOnce() -> Option<SharedCache>,
) -> Result<(Option<SharedCache>, Option<SharedCache>), Error> {
    match (config.level, own) {
        (CacheLevel::None, _) => Ok((None, None)),
        (CacheLevel::Memory | CacheLevel::Hybrid, Some(own)) => Ok((memory(), Some(own))),
        (CacheLevel::Memory, None) => Ok((memory(), None)),
        (CacheLevel::Redis, Some(own)) => Ok((None, Some(own))),
        (CacheLevel::Redis | CacheLevel::Hybrid, None) => Err(Error::config(
            "cache.level",
            "a cache in Redis is not part of this version; use the level `memory`, or give a \
             backend of your own with `.cache_backend(…)`",
        )),
    }
}
