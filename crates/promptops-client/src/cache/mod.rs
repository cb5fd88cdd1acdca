//! The caches of a client: what is kept in them, and what is forgotten.

mod read;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use promptops_cache::{
    CacheBackend, CacheFailure, CacheKey, CacheScope, Entry, EntryKind, Found, Freshness,
    Invalidation, Names, SharedCache, SingleFlight, Ticket, Use,
};
use promptops_transport::{Random, SystemRandom};
use promptops_types::{
    CacheConfig, CacheLevel, CacheStats, Error, ErrorCode, ErrorContext, ModelCatalogue,
    PromptPage, PromptResponse, Selector,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use self::read::{Read, fetch_alone, fresh};
use crate::Source;
use crate::weight::{Weight, weigh};

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
