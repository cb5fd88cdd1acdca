//! Entries in this process.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use foldhash::fast::RandomState;
use lru::LruCache;
use parking_lot::Mutex;
use promptops_types::{CacheStats, TimeSource};

use crate::{CacheBackend, CacheFailure, CacheKey, Entry, Found, Invalidation, Reading, Ticket};

/// Most parts; two threads seldom want the same one.
const SHARDS: usize = 16;

/// Least entries of a part: a part that is too small forgets while others have room.
const LEAST_PER_SHARD: usize = 64;

/// What an entry holds besides its value: the key, the links and the slot in the table.
const OVERHEAD: usize = 360;

/// Entries in this process, the least recently used forgotten first. Bounded by entries and by bytes.
///
/// It is made of up to 16 parts with a lock of their own. The bounds are those of all parts together,
/// shared out evenly, so a part may forget while another has room.
pub struct MemoryCache {
    shards: Box<[Shard]>,
    hasher: RandomState,
    max_entries: usize,
    max_bytes: usize,
    time: Arc<dyn TimeSource>,
    /// Raised with each invalidation, before it begins.
    invalidations: AtomicU64,
}

struct Shard {
    entries: Mutex<Entries>,
    hits: AtomicU64,
    misses: AtomicU64,
}

struct Entries {
    by_key: LruCache<Hashed, Kept, Passed>,
    bytes: usize,
}

/// A key and its hash, which finds the part and then the slot in it.
struct Hashed {
    hash: u64,
    key: CacheKey,
}

/// The same, of a key that is somebody else's.
#[derive(Clone, Copy)]
struct Asked<'k> {
    hash: u64,
    key: &'k CacheKey,
}

/// What both are compared by.
trait Sought {
    fn asked(&self) -> Asked<'_>;
}

impl Sought for Hashed {
    fn asked(&self) -> Asked<'_> {
        Asked { hash: self.hash, key: &self.key }
    }
}

impl Sought for Asked<'_> {
    fn asked(&self) -> Asked<'_> {
        *self
    }
}

impl Hash for dyn Sought + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.asked().hash);
    }
}

impl PartialEq for dyn Sought + '_ {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (self.asked(), other.asked());
        one.hash == other.hash && one.key == other.key
    }
}

impl Eq for dyn Sought + '_ {}

impl Hash for Hashed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl PartialEq for Hashed {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.key == other.key
    }
}

impl Eq for Hashed {}

impl<'s> Borrow<dyn Sought + 's> for Hashed {
    fn borrow(&self) -> &(dyn Sought + 's) {
        self
    }
}

/// Takes the hash that a key has already.
#[derive(Clone, Copy, Default)]
struct Passed(u64);

impl BuildHasher for Passed {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

impl Hasher for Passed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only a number is ever written.
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

struct Kept {
    entry: Entry,
    at: Duration,
    bytes: usize,
}

impl MemoryCache {
    /// A cache of at most so many entries and bytes, at least one entry. It tells ages by `time`.
    pub fn new(max_entries: usize, max_bytes: usize, time: Arc<dyn TimeSource>) -> Self {
        let max_entries = max_entries.max(1);
        let shards = (max_entries / LEAST_PER_SHARD).clamp(1, SHARDS);
        let of_one = NonZeroUsize::new(max_entries.div_ceil(shards)).unwrap_or(NonZeroUsize::MIN);
        let shards = (0..shards).map(|_| Shard {
            entries: Mutex::new(Entries {
                by_key: LruCache::with_hasher(of_one, Passed::default()),
                bytes: 0,
            }),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        });
        let invalidations = AtomicU64::new(0);
        let (shards, hasher) = (shards.collect(), RandomState::default());
        Self { shards, hasher, max_entries, max_bytes, time, invalidations }
    }

    /// The part of a key, and the key with its hash.
    fn shard<'k>(&self, key: &'k CacheKey) -> (&Shard, Asked<'k>) {
        let hash = self.hasher.hash_one(key);
        // Other bits than those that choose the slot.
        #[expect(clippy::cast_possible_truncation, reason = "the remainder is small")]
        let at = (hash.rotate_left(20) % self.shards.len() as u64) as usize;
        (&self.shards[at], Asked { hash, key })
    }

    fn max_bytes_of_shard(&self) -> usize {
        self.max_bytes / self.shards.len()
    }

    fn find(&self, key: &CacheKey) -> Option<Found> {
        let (shard, asked) = self.shard(key);
        let found = {
            let mut entries = shard.entries.lock();
            entries.by_key.get(&asked as &dyn Sought).map(|kept| (kept.entry.clone(), kept.at))
        };
        let Some((entry, at)) = found else {
            shard.misses.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        shard.hits.fetch_add(1, Ordering::Relaxed);
        Some(Found { entry, age: self.time.coarse().saturating_sub(at) })
    }

    fn ticket(&self) -> Ticket {
        Ticket(self.invalidations.load(Ordering::SeqCst), 0)
    }

    fn keep(&self, key: &CacheKey, entry: &Entry, ticket: Ticket) {
        let text = |part: &Option<String>| part.as_ref().map_or(0, String::len);
        let names = entry.names().map_or(0, |n| n.id.len() + n.slug.len() + n.version.len());
        let bytes = OVERHEAD
            + entry.weight()
            + names
            + entry.etag().map_or(0, str::len)
            + [&key.prompt, &key.project, &key.selector, &key.rest].map(text).iter().sum::<usize>();
        let most = self.max_bytes_of_shard();
        if bytes > most {
            return;
        }
        let kept = Kept { entry: entry.clone(), at: self.time.coarse(), bytes };
        let (shard, Asked { hash, .. }) = self.shard(key);
        let mut entries = shard.entries.lock();
        // Under the lock: an invalidation raises the number before it takes it.
        if self.ticket() != ticket {
            return;
        }
        entries.bytes += bytes;
        if let Some((_, old)) = entries.by_key.push(Hashed { hash, key: key.clone() }, kept) {
            entries.bytes -= old.bytes;
        }
        while entries.bytes > most
            && let Some((_, old)) = entries.by_key.pop_lru()
        {
            entries.bytes -= old.bytes;
        }
    }

    fn forget(&self, what: &Invalidation) {
        self.invalidations.fetch_add(1, Ordering::SeqCst);
        for shard in &self.shards {
            let mut entries = shard.entries.lock();
            let covered: Vec<Hashed> = entries
                .by_key
                .iter()
                .filter(|(hashed, kept)| what.covers(&hashed.key, &kept.entry))
                .map(|(hashed, _)| Hashed { hash: hashed.hash, key: hashed.key.clone() })
                .collect();
            for key in &covered {
                if let Some(old) = entries.by_key.pop(key) {
                    entries.bytes -= old.bytes;
                }
            }
        }
    }
}

impl CacheBackend for MemoryCache {
    fn look_up(&self, key: &CacheKey) -> Option<Found> {
        self.find(key)
    }

    /// Counts nothing: [`look_up`](Self::look_up) has, and every reader asks that first.
    async fn get(&self, key: &CacheKey) -> Result<Reading, CacheFailure> {
        let ticket = self.ticket();
        let (shard, asked) = self.shard(key);
        let mut entries = shard.entries.lock();
        let now = self.time.coarse();
        let found = entries
            .by_key
            .get(&asked as &dyn Sought)
            .map(|kept| Found { entry: kept.entry.clone(), age: now.saturating_sub(kept.at) });
        Ok(Reading { found, ticket })
    }

    async fn put(&self, key: &CacheKey, entry: &Entry, ticket: Ticket) -> Result<(), CacheFailure> {
        self.keep(key, entry, ticket);
        Ok(())
    }

    async fn invalidate(&self, what: &Invalidation) -> Result<(), CacheFailure> {
        self.forget(what);
        Ok(())
    }

    fn stats(&self) -> CacheStats {
        let mut stats = CacheStats::default();
        stats.max_size = self.max_entries as u64;
        for shard in &self.shards {
            let entries = shard.entries.lock();
            stats.size += entries.by_key.len() as u64;
            stats.memory_usage += entries.bytes as u64;
            stats.hits += shard.hits.load(Ordering::Relaxed);
            stats.misses += shard.misses.load(Ordering::Relaxed);
        }
        stats
    }

    async fn ping(&self) -> Result<(), CacheFailure> {
        Ok(())
    }
}

impl fmt::Debug for MemoryCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCache")
            .field("max_entries", &self.max_entries)
            .field("max_bytes", &self.max_bytes)
            .field("shards", &self.shards.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use promptops_types::{ManualTime, Timestamp};
    use proptest::prelude::*;

    use super::*;
    use crate::{CacheScope, EntryKind};

    fn key(prompt: &str) -> CacheKey {
        let mut key = CacheKey::new(CacheScope::new("r", None), "get_prompt");
        key.prompt = Some(prompt.to_owned());
        key
    }

    fn cache(max_entries: usize, max_bytes: usize) -> (MemoryCache, Arc<ManualTime>) {
        let time = Arc::new(ManualTime::new(Timestamp::default()));
        (MemoryCache::new(max_entries, max_bytes, Arc::clone(&time) as _), time)
    }

    fn keep(cache: &MemoryCache, prompt: &str, size: usize) {
        let entry = Entry::new(EntryKind::Moving, vec![b'x'; size]);
        cache.keep(&key(prompt), &entry, cache.ticket());
    }

    #[test]
    fn the_least_recently_used_is_forgotten_first() {
        let (cache, _) = cache(3, 1 << 20);
        for prompt in ["a", "b", "c"] {
            keep(&cache, prompt, 1);
        }
        assert!(cache.look_up(&key("a")).is_some());
        keep(&cache, "d", 1);
        assert!(cache.look_up(&key("b")).is_none());
        assert!(["a", "c", "d"].iter().all(|prompt| cache.look_up(&key(prompt)).is_some()));
        let stats = cache.stats();
        assert_eq!((stats.size, stats.max_size, stats.hits, stats.misses), (3, 3, 4, 1));
    }

    #[test]
    fn bytes_are_bounded_and_told() {
        let (cache, _) = cache(50, 10 * (OVERHEAD + 1000));
        for number in 0..100 {
            keep(&cache, &format!("p{number}"), 900);
        }
        let stats = cache.stats();
        assert!((9..=11).contains(&stats.size), "{stats:?}");
        assert!(stats.memory_usage <= 10 * (OVERHEAD as u64 + 1000), "{stats:?}");
        keep(&cache, "huge", 1 << 20);
        assert!(cache.look_up(&key("huge")).is_none(), "what fits nowhere pushes nothing out");
        assert_eq!(cache.stats().size, stats.size);
        keep(&cache, "p99", 10);
        assert_eq!(cache.stats().size, stats.size, "another entry of the same key");
        assert_eq!(cache.stats().memory_usage, stats.memory_usage - 890);
    }

    #[test]
    fn an_age_is_told_by_the_time_it_was_given() {
        let (cache, time) = cache(3, 1 << 20);
        keep(&cache, "a", 1);
        time.advance(Duration::from_secs(7));
        assert_eq!(cache.look_up(&key("a")).unwrap().age, Duration::from_secs(7));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Put(u8, u8),
        Get(u8),
        Invalidate(u8),
        InvalidateAll,
        Pass(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..6_u8, any::<u8>()).prop_map(|(key, value)| Step::Put(key, value)),
            (0..6_u8).prop_map(Step::Get),
            (0..6_u8).prop_map(Step::Invalidate),
            Just(Step::InvalidateAll),
            any::<u8>().prop_map(Step::Pass),
        ]
    }

    proptest! {
        /// Beside a list in order of use, which is what it stands for.
        #[test]
        fn it_does_what_a_list_would_do(steps in prop::collection::vec(step(), 0..200)) {
            let (cache, time) = cache(4, 1 << 20);
            let mut model: Vec<(u8, u8, u64)> = Vec::new();
            let mut now = 0_u64;
            for step in steps {
                match step {
                    Step::Put(name, value) => {
                        let entry = Entry::new(EntryKind::Moving, vec![value]);
                        cache.keep(&key(&name.to_string()), &entry, cache.ticket());
                        model.retain(|(other, ..)| *other != name);
                        model.push((name, value, now));
                        if model.len() > 4 {
                            model.remove(0);
                        }
                    }
                    Step::Get(name) => {
                        let found = cache.look_up(&key(&name.to_string()));
                        let at = model.iter().position(|(other, ..)| *other == name);
                        prop_assert_eq!(found.is_some(), at.is_some());
                        if let (Some(found), Some(at)) = (found, at) {
                            let kept = model.remove(at);
                            prop_assert_eq!(found.entry.body()[0], kept.1);
                            prop_assert_eq!(found.age.as_secs(), now - kept.2);
                            model.push(kept);
                        }
                    }
                    Step::Invalidate(name) => {
                        let (scope, prompt) = (CacheScope::new("r", None), name.to_string());
                        cache.forget(&Invalidation::Prompt { scope, prompt, version: None });
                        model.retain(|(other, ..)| *other != name);
                    }
                    Step::InvalidateAll => {
                        cache.forget(&Invalidation::Everything(CacheScope::new("r", None)));
                        model.clear();
                    }
                    Step::Pass(seconds) => {
                        time.advance(Duration::from_secs(seconds.into()));
                        now += u64::from(seconds);
                    }
                }
                prop_assert_eq!(cache.stats().size, model.len() as u64);
            }
        }
    }
}
