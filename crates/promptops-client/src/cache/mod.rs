//! The caches of a client: what is kept in them, and what is forgotten.

mod near;
mod read;
mod tiers;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use promptops_cache::{
    CacheBackend, CacheFailure, CacheKey, CacheScope, Entry, EntryKind, Invalidation, Names,
    SingleFlight, Ticket,
};
use promptops_types::{
    CacheConfig, CacheStats, Error, ErrorCode, ErrorContext, ModelCatalogue, PromptPage,
    PromptResponse, Selector,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::near::Near;
pub(crate) use self::read::{Landed, Landing, Read};
pub(crate) use self::tiers::{Parts, Tiers};
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

/// The caches of a client.
#[derive(Debug)]
pub(crate) struct Cache {
    parts: Parts,
    tiers: ArcSwap<Tiers>,
    flights: SingleFlight<Landed>,
    counters: Counters,
}

/// What the near tier does not count itself.
#[derive(Debug, Default)]
struct Counters {
    /// Answers that were not given at once; those that were, the near tier counts.
    hits: AtomicU64,
    /// Look-ups of near tiers that are no more.
    quick: AtomicU64,
    /// Look-ups that found an entry which was not the answer.
    unserved: AtomicU64,
    /// Answers given at once that were a part of another call.
    in_part: AtomicU64,
    misses: AtomicU64,
    failures: AtomicU64,
}

impl Cache {
    /// # Errors
    /// [`Error::Config`] that names the setting.
    pub(crate) fn new(config: &CacheConfig, parts: Parts) -> Result<Self, Error> {
        let flights = SingleFlight::new();
        let tiers = ArcSwap::from_pointee(Tiers::new(config, &parts, &flights, None)?);
        Ok(Self { parts, tiers, flights, counters: Counters::default() })
    }

    /// Other tiers for the calls that begin from now on. One after the other.
    ///
    /// # Errors
    /// [`Error::Config`] that names the setting; nothing is changed then.
    pub(crate) fn configure(&self, config: &CacheConfig) -> Result<(), Error> {
        let before = self.tiers.load_full();
        let tiers = Tiers::new(config, &self.parts, &self.flights, Some(&before))?;
        if let (Some(near), None) = (&before.near, &tiers.near) {
            self.counters.quick.fetch_add(near.stats().hits, Relaxed);
        }
        self.tiers.store(Arc::new(tiers));
        Ok(())
    }

    /// The tiers in force, for a moment; see [`ArcSwap::load`].
    pub(crate) fn tiers(&self) -> Guard<Arc<Tiers>> {
        self.tiers.load()
    }

    /// Whose entries they are.
    pub(crate) fn scope(&self) -> &CacheScope {
        &self.parts.scope
    }

    /// The key of an operation's answer; its other parts are the caller's.
    pub(crate) fn key(&self, operation: &'static str) -> CacheKey {
        CacheKey::new(self.parts.scope.clone(), operation)
    }

    pub(crate) fn stats(&self) -> CacheStats {
        let tiers = self.tiers();
        let far = tiers.far.as_ref().map(CacheBackend::stats).unwrap_or_default();
        let mut stats = tiers.near.as_ref().map_or_else(|| far.clone(), Near::stats);
        let counters = &self.counters;
        // What the far tier has found is among what is counted here.
        stats.hits = self.quick(&tiers).saturating_add(counters.hits.load(Relaxed));
        stats.misses = counters.misses.load(Relaxed);
        // A cache knows of those beside the calls, and this of those that have no count.
        stats.failures = counters.failures.load(Relaxed).max(far.failures);
        stats.discarded = far.discarded;
        let asked = stats.hits.saturating_add(stats.misses);
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let rate = if asked == 0 { 0.0 } else { stats.hits as f64 / asked as f64 };
        stats.hit_rate = rate;
        stats
    }

    /// Look-ups that were answered at once.
    fn quick(&self, tiers: &Tiers) -> u64 {
        let near = tiers.near.as_ref().map_or(0, |near| near.stats().hits);
        let all = near.saturating_add(self.counters.quick.load(Relaxed));
        all.saturating_sub(self.counters.unserved.load(Relaxed))
    }

    /// Calls that were answered at once.
    pub(crate) fn quick_calls(&self) -> u64 {
        self.quick(&self.tiers()).saturating_sub(self.counters.in_part.load(Relaxed))
    }

    /// An answer that was given at once is a part of a call that is counted elsewhere.
    pub(crate) fn is_part_of_a_call(&self) {
        self.counters.in_part.fetch_add(1, Relaxed);
    }

    /// A failure of a cache is a miss, and counted.
    fn missed<T: Default>(&self, outcome: Result<T, CacheFailure>) -> T {
        outcome.unwrap_or_else(|failure| {
            self.counters.failures.fetch_add(1, Relaxed);
            tracing::debug!(%failure, "a cache failed; the call goes on without it");
            T::default()
        })
    }

    /// Forgets what a write may have changed, in every tier; nobody who comes from now on waits for
    /// what is being fetched.
    async fn forget(&self, what: &[Invalidation]) -> Result<(), CacheFailure> {
        let tiers = self.tiers.load_full();
        let outcome = tiers.forget(what).await;
        self.flights.forget();
        outcome
    }

    /// Forgets what a write to a prompt may have changed, by all of its names that are known.
    pub(crate) async fn forget_written(&self, names: &[String]) {
        let outcome = self.forget(&self.written(names)).await;
        self.missed(outcome);
    }

    /// The same in this process alone, at once.
    pub(crate) fn forget_written_near(&self, names: &[String]) {
        self.tiers().forget_near(&self.written(names));
        self.flights.forget();
    }

    fn written(&self, names: &[String]) -> Vec<Invalidation> {
        let prompts = names.iter().map(|name| self.of_prompt(name, None));
        prompts.chain([Invalidation::Lists(self.parts.scope.clone())]).collect()
    }

    fn of_prompt(&self, prompt: &str, version: Option<String>) -> Invalidation {
        let (scope, prompt) = (self.parts.scope.clone(), prompt.to_owned());
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
            None => Invalidation::Everything(self.parts.scope.clone()),
        };
        self.forget(&[what]).await.map_err(|failure| Error::Cache {
            cache_type: failure.cache().to_owned(),
            context: ErrorContext::new(ErrorCode::Cache, failure.to_string())
                .source(failure)
                .into(),
        })
    }

    /// What each tier had been told to forget, before something is fetched.
    pub(crate) async fn tickets(&self, tiers: &Tiers, key: &CacheKey) -> Tickets {
        let mut tickets = Tickets::default();
        if let Some(near) = &tiers.near {
            tickets.near = near.read(key).1;
        }
        if let Some(far) = &tiers.far {
            tickets.far = self.missed(far.get(key).await).ticket;
        }
        tickets
    }

    /// Keeps a prompt that came with others.
    pub(crate) async fn keep_prompt(
        &self,
        tiers: &Tiers,
        key: &CacheKey,
        prompt: &Arc<PromptResponse>,
        tickets: Tickets,
    ) {
        self.keep_value(tiers, key, prompt, None, Duration::ZERO, tickets).await;
    }

    /// Keeps what was fetched, and gives it as the near tier has it.
    async fn keep_value<T: Cacheable>(
        &self,
        tiers: &Tiers,
        key: &CacheKey,
        value: &Arc<T>,
        etag: Option<String>,
        cost: Duration,
        tickets: Tickets,
    ) -> Entry {
        let is_frozen = value.is_frozen(key.selector.as_deref());
        let kind = if is_frozen { EntryKind::Frozen } else { EntryKind::Moving };
        let entry = decoded(kind, Arc::clone(value), etag, cost);
        if let Some(near) = &tiers.near {
            near.keep(key, &entry.clone().into(), tickets.near);
        }
        // Only a cache outside the process needs it written out.
        if let Some(far) = &tiers.far
            && let Ok(body) = serde_json::to_vec(&**value)
        {
            let written = Entry::new(kind, body)
                .with_etag(entry.etag().map(str::to_owned))
                .with_names(entry.names().cloned())
                .with_cost(cost);
            self.missed(far.put(key, &written.into(), tickets.far).await);
        }
        entry
    }
}

/// An entry as the near tier has it.
fn decoded<T: Cacheable>(
    kind: EntryKind,
    value: Arc<T>,
    etag: Option<String>,
    cost: Duration,
) -> Entry {
    let (weight, names) = (weigh(&*value), value.names());
    Entry::decoded(kind, value, weight).with_etag(etag).with_names(names).with_cost(cost)
}

/// One of each tier.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tickets {
    near: Ticket,
    far: Ticket,
}
