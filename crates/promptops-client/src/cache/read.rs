//! Reading through the caches: near, then far, then the registry.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use promptops_cache::{CacheBackend, CacheKey, Entry, EntryKind, Found, Invalidation, Role, Use};
use promptops_transport::Deadline;
use promptops_types::{Error, ErrorCode, ErrorContext};

use super::{Cache, Cacheable, Landed, Tickets};
use crate::call::{Answered, Call};
use crate::{Fetched, PromptOpsClient, Source};

/// What remembering an error costs, about.
const ERROR_WEIGHT: usize = 600;

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
