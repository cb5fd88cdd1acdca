//! The tiers of a configuration. Another configuration is other tiers; calls under way go on with those
//! they began with.

use std::sync::Arc;
use std::time::Duration;

use promptops_cache::{
    Aged, CacheBackend, CacheFailure, CacheScope, EntryKind, Freshness, Invalidation, Listener,
    SharedCache, SingleFlight, Subscription, Use,
};
use promptops_transport::{Random, SystemRandom};
use promptops_types::{CacheConfig, CacheLevel, Error, TimeSource};

use super::Landed;
use super::near::Near;

/// While what other processes invalidate is not heard, an entry in this process is fresh no longer
/// than this.
const UNHEARD_TTL: Duration = Duration::from_secs(5);

/// Where entries are kept, and how long they may be used.
pub(crate) struct Tiers {
    config: CacheConfig,
    pub(super) near: Option<Near>,
    pub(crate) far: Option<SharedCache>,
    freshness: Freshness,
    /// For entries that may have been invalidated unheard.
    unheard: Freshness,
    /// Forgets in the near tier what other processes invalidate; the far one holds it weakly.
    _listener: Option<Arc<Listener>>,
}

impl std::fmt::Debug for Tiers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tiers")
            .field("near", &self.near)
            .field("far", &self.far)
            .finish_non_exhaustive()
    }
}

/// What tiers are made from, besides a configuration.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) scope: CacheScope,
    /// A backend of the caller's own: it is the far tier.
    pub(crate) own: Option<SharedCache>,
    pub(crate) time: Arc<dyn TimeSource>,
}

impl Tiers {
    /// The tiers of a configuration; those of the one before it that stay are kept, with what is in
    /// them.
    ///
    /// # Errors
    /// [`Error::Config`] that names the setting.
    pub(super) fn new(
        config: &CacheConfig,
        parts: &Parts,
        flights: &SingleFlight<Landed>,
        before: Option<&Self>,
    ) -> Result<Self, Error> {
        // It may be refused; then nothing has been changed yet.
        let far = far(config, parts, before)?;
        let has_near = matches!(config.level, CacheLevel::Memory | CacheLevel::Hybrid);
        let near = match before.and_then(|before| before.near.clone()) {
            Some(near) if has_near => {
                near.resize(config);
                Some(near)
            }
            _ if has_near => Near::new(config, &parts.time),
            _ => None,
        };
        let listener = match (&near, &far) {
            (Some(near), Some(far)) => {
                let (near, flights) = (near.clone(), flights.clone());
                let listener: Arc<Listener> = Arc::new(move |what: &Invalidation| {
                    near.forget(what);
                    flights.forget();
                });
                far.listen(&parts.scope, Arc::downgrade(&listener));
                Some(listener)
            }
            _ => None,
        };
        let mut unheard = config.clone();
        unheard.ttl = config.ttl.min(UNHEARD_TTL);
        unheard.negative_ttl = config.negative_ttl.min(UNHEARD_TTL);
        Ok(Self {
            config: config.clone(),
            near,
            far,
            freshness: Freshness::new(config),
            unheard: Freshness::new(&unheard),
            _listener: listener,
        })
    }

    /// Whether nothing is kept.
    pub(crate) fn is_none(&self) -> bool {
        self.near.is_none() && self.far.is_none()
    }

    /// What may be done with an entry of the far tier.
    pub(super) fn judge(&self, found: &Aged) -> Use {
        self.freshness.judge(found, || SystemRandom.unit())
    }

    /// What may be done with an entry of the near tier. One that has been there for longer than the
    /// subscription to invalidations may have been invalidated unheard. `random` is as for
    /// [`Freshness::judge`].
    pub(super) fn judge_near(&self, found: &Aged, random: impl FnOnce() -> f64) -> Use {
        let is_unheard = found.held > UNHEARD_TTL
            && self.far.as_ref().is_some_and(|far| match far.subscription() {
                Subscription::Down => true,
                Subscription::Up(time) => found.held > time,
                _ => false,
            });
        match (is_unheard, found.entry.kind()) {
            (false, _) => self.freshness.judge(found, random),
            // It never ends by its age; whether it was deleted is asked.
            (true, EntryKind::Frozen) => Use::OnlyOnError,
            (true, _) => self.unheard.judge(found, random),
        }
    }

    /// Forgets in this process.
    pub(super) fn forget_near(&self, what: &[Invalidation]) {
        for one in what {
            if let Some(near) = &self.near {
                near.forget(one);
            }
        }
    }

    /// Forgets in every tier. It is done in this process when the future is first polled, and again at
    /// the end: what is read from the far tier meanwhile may be old.
    pub(super) async fn forget(&self, what: &[Invalidation]) -> Result<(), CacheFailure> {
        self.forget_near(what);
        let Some(far) = &self.far else { return Ok(()) };
        let mut outcome = Ok(());
        for one in what {
            outcome = far.invalidate(one).await.and(outcome);
        }
        self.forget_near(what);
        outcome
    }
}

/// The far tier: the caller's own, or Redis.
fn far(
    config: &CacheConfig,
    parts: &Parts,
    before: Option<&Tiers>,
) -> Result<Option<SharedCache>, Error> {
    match (config.level, &parts.own) {
        (CacheLevel::None, _) | (CacheLevel::Memory, None) => Ok(None),
        (_, Some(own)) => Ok(Some(own.clone())),
        (CacheLevel::Redis | CacheLevel::Hybrid, None) => {
            let place =
                |config: &CacheConfig| (config.redis_url.clone(), config.redis_prefix.clone());
            let same = before.filter(|before| place(&before.config) == place(config));
            match same.and_then(|before| before.far.clone()) {
                // It stays connected. How long Redis keeps an entry stays as it was, too.
                Some(far) => Ok(Some(far)),
                None => redis(config, &parts.time).map(Some),
            }
        }
    }
}

#[cfg(feature = "redis")]
fn redis(config: &CacheConfig, time: &Arc<dyn TimeSource>) -> Result<SharedCache, Error> {
    let Some(url) = &config.redis_url else {
        return Err(Error::config("cache.redis_url", "is needed for this level"));
    };
    let builder = promptops_cache::RedisCache::builder(url.clone()).config(config);
    builder.time_source(Arc::clone(time)).build().map(SharedCache::new)
}

#[cfg(not(feature = "redis"))]
fn redis(_: &CacheConfig, _: &Arc<dyn TimeSource>) -> Result<SharedCache, Error> {
    Err(Error::config(
        "cache.level",
        "a cache in Redis needs the cargo feature `redis`; enable it, or give a backend of your own \
         with `.cache_backend(…)`",
    ))
}
