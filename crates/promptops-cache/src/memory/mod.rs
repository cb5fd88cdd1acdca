//! Entries in this process.

mod counts;
mod shard;

use std::fmt;
use std::hash::BuildHasher;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

use foldhash::fast::RandomState;
use parking_lot::Mutex;
use promptops_types::{CacheStats, TimeSource};

use self::counts::Counts;
use self::shard::{Asked, Handle, Kept, Shard};
use crate::{
    Aged, CacheBackend, CacheFailure, CacheKey, CacheKeyRef, Invalidation, Reading, Ticket,
};

/// Most parts; two threads seldom want the same one.
const SHARDS: usize = 16;

/// Least entries of a part: a part that is too small forgets while others have room.
const LEAST_PER_SHARD: usize = 64;

/// What an entry holds besides its value: the key, the links and the slot in the table.
const OVERHEAD: usize = 400;

/// Entries in this process. Bounded by entries and by bytes.
///
/// What was not used for longest is forgotten first, nearly: a hit only leaves a mark, so that it needs
/// no lock, and an entry with a mark is passed over once (the second chance of the CLOCK algorithm,
/// Corbató 1968).
///
/// It is made of up to 16 parts with a lock of their own. The bounds are those of all parts together,
/// shared out evenly, so a part may forget while another has room.
pub struct MemoryCache {
    shards: Box<[Shard]>,
    /// How many of them are used. Changed only under the locks of all.
    in_use: AtomicUsize,
    hasher: RandomState,
    counts: Counts,
    max_entries: AtomicUsize,
    max_bytes: AtomicUsize,
    time: Arc<dyn TimeSource>,
    /// Raised with each invalidation, before it begins.
    invalidations: AtomicU64,
    /// Held while all parts are gone through.
    rearranging: Mutex<()>,
}

/// How many parts a cache of so many entries has.
fn shards_in_use(max_entries: usize) -> usize {
    (max_entries / LEAST_PER_SHARD).clamp(1, SHARDS)
}

impl MemoryCache {
    /// A cache of at most so many entries and bytes, at least one entry. It tells ages by `time`.
    pub fn new(max_entries: usize, max_bytes: usize, time: Arc<dyn TimeSource>) -> Self {
        let max_entries = max_entries.max(1);
        let in_use = shards_in_use(max_entries);
        let of_one = |at| max_entries / in_use + usize::from(at < max_entries % in_use);
        Self {
            shards: (0..SHARDS).map(|at| Shard::new(of_one(at))).collect(),
            in_use: in_use.into(),
            hasher: RandomState::default(),
            counts: Counts::default(),
            max_entries: max_entries.into(),
            max_bytes: max_bytes.into(),
            time,
            invalidations: AtomicU64::new(0),
            rearranging: Mutex::new(()),
        }
    }

    /// Changes how much it holds at most; what is too much then is forgotten.
    pub fn resize(&self, max_entries: usize, max_bytes: usize) {
        let max_entries = max_entries.max(1);
        let _alone = self.rearranging.lock();
        let mut all: Vec<_> = self.shards.iter().map(|shard| shard.entries.lock()).collect();
        let mut kept = Vec::new();
        for (shard, entries) in self.shards.iter().zip(&mut all) {
            while let Some((Handle(old), ())) = entries.by_key.pop_lru() {
                shard.forgotten(entries, &old);
                kept.push(old);
            }
        }
        self.in_use.store(shards_in_use(max_entries), SeqCst);
        self.max_entries.store(max_entries, SeqCst);
        self.max_bytes.store(max_bytes, SeqCst);
        for (at, entries) in all.iter_mut().enumerate() {
            // As much as there is now: it is bounded below, with second chances.
            let most = self.bounds_of_shard(at).0.max(kept.len());
            entries.by_key.resize(NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN));
        }
        for old in kept {
            let at = self.shard_of(old.hash);
            all[at].bytes += old.bytes;
            all[at].by_key.push(Handle(old), ());
        }
        for (at, (shard, entries)) in self.shards.iter().zip(&mut all).enumerate() {
            let (max_entries, max_bytes) = self.bounds_of_shard(at);
            shard.bound(entries, max_entries, max_bytes);
            entries.by_key.resize(NonZeroUsize::new(max_entries).unwrap_or(NonZeroUsize::MIN));
        }
    }

    /// The part of a key, and the key with its hash.
    fn shard<'k>(&self, key: CacheKeyRef<'k>) -> (&Shard, Asked<'k>) {
        let hash = self.hasher.hash_one(key);
        (&self.shards[self.shard_of(hash)], Asked { hash, key })
    }

    fn shard_of(&self, hash: u64) -> usize {
        // The upper half of a product instead of a remainder (Lemire, Fast Random Integer Generation in
        // an Interval, 2019), by other bits than those that choose the slot.
        let high = hash.rotate_left(20) >> 32;
        ((high * self.in_use.load(Relaxed) as u64) >> 32) as usize
    }

    /// Most entries and bytes of a part: all of them together make up the whole.
    fn bounds_of_shard(&self, at: usize) -> (usize, usize) {
        let (shards, max_entries) = (self.in_use.load(Relaxed), self.max_entries.load(Relaxed));
        let of_one = max_entries / shards + usize::from(at < max_entries % shards);
        (of_one, self.max_bytes.load(Relaxed) / shards)
    }

    fn ticket(&self) -> Ticket {
        Ticket(self.invalidations.load(SeqCst), 0, 0)
    }

    /// What there is for a key, as [`look_up`](CacheBackend::look_up) gives it.
    pub fn find(&self, key: CacheKeyRef<'_>) -> Option<Aged> {
        let (shard, asked) = self.shard(key);
        let found = shard.find(asked, self.time.coarse());
        self.counts.count(found.is_some());
        found
    }

    /// What there is for a key, as [`get`](CacheBackend::get) gives it.
    pub fn read(&self, key: &CacheKey) -> (Option<Aged>, Ticket) {
        let ticket = self.ticket();
        let (shard, asked) = self.shard(key.borrowed());
        (shard.find(asked, self.time.coarse()), ticket)
    }

    /// Keeps an entry, as [`put`](CacheBackend::put) does.
    pub fn keep(&self, key: &CacheKey, aged: &Aged, ticket: Ticket) {
        let entry = &aged.entry;
        let text = |part: &Option<String>| part.as_ref().map_or(0, String::len);
        let names = entry.names().map_or(0, |n| n.id.len() + n.slug.len() + n.version.len());
        let bytes = OVERHEAD
            + entry.weight()
            + names
            + entry.etag().map_or(0, str::len)
            + [&key.prompt, &key.project, &key.selector, &key.rest].map(text).iter().sum::<usize>();
        let hash = self.hasher.hash_one(key.borrowed());
        let kept = Kept {
            hash,
            key: key.clone(),
            entry: entry.clone(),
            age: aged.age,
            at: self.time.coarse(),
            bytes,
            is_used: AtomicBool::new(false),
        };
        let at = self.shard_of(hash);
        let shard = &self.shards[at];
        let mut entries = shard.entries.lock();
        let (_, max_bytes) = self.bounds_of_shard(at);
        // Under the lock: an invalidation raises the number before it takes it.
        let is_old = self.ticket() != ticket;
        // The number of parts may just have changed: it is kept by the next one who fetches it.
        let is_elsewhere = self.shard_of(hash) != at;
        if is_old || is_elsewhere {
            return;
        }
        if kept.bytes > max_bytes {
            // Not kept; but what it is newer than is not to be found either.
            shard.forget(&mut entries, kept.asked());
            return;
        }
        shard.keep(&mut entries, kept, max_bytes);
    }

    /// Forgets entries, as [`invalidate`](CacheBackend::invalidate) does.
    pub fn forget(&self, what: &Invalidation) {
        self.invalidations.fetch_add(1, SeqCst);
        // What is moved from part to part meanwhile would not be seen in either.
        let _alone = self.rearranging.lock();
        for shard in &self.shards {
            let mut entries = shard.entries.lock();
            let covered: Vec<Arc<Kept>> = entries
                .by_key
                .iter()
                .filter(|(Handle(kept), ())| what.covers(&kept.key, &kept.entry))
                .map(|(Handle(kept), ())| Arc::clone(kept))
                .collect();
            for kept in &covered {
                shard.forget(&mut entries, kept.asked());
            }
        }
    }
}

impl CacheBackend for MemoryCache {
    fn look_up(&self, key: &CacheKey) -> Option<Aged> {
        self.find(key.borrowed())
    }

    /// Counts nothing: [`look_up`](Self::look_up) has, and every reader asks that first.
    async fn get(&self, key: &CacheKey) -> Result<Reading, CacheFailure> {
        let (found, ticket) = self.read(key);
        Ok(Reading { found, ticket })
    }

    async fn put(&self, key: &CacheKey, entry: &Aged, ticket: Ticket) -> Result<(), CacheFailure> {
        self.keep(key, entry, ticket);
        Ok(())
    }

    async fn invalidate(&self, what: &Invalidation) -> Result<(), CacheFailure> {
        self.forget(what);
        Ok(())
    }

    fn stats(&self) -> CacheStats {
        let mut stats = CacheStats::default();
        stats.max_size = self.max_entries.load(Relaxed) as u64;
        (stats.hits, stats.misses) = (self.counts.hits(), self.counts.misses());
        for shard in &self.shards {
            let entries = shard.entries.lock();
            stats.size += entries.by_key.len() as u64;
            stats.memory_usage += entries.bytes as u64;
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
            .field("shards", &self.in_use)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use promptops_types::{ManualTime, Timestamp};
    use proptest::prelude::*;

    use super::*;
    use crate::{CacheScope, Entry, EntryKind};

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
        cache.keep(&key(prompt), &entry.into(), cache.ticket());
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
        keep(&cache, "p99", 1 << 20);
        assert!(cache.look_up(&key("p99")).is_none(), "nor does it leave an older one");
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

    /// What stands for an entry.
    struct Model {
        name: u8,
        value: u8,
        at: u64,
        is_used: bool,
    }

    /// The entries, those that were used longest ago first, and which name is in which slot.
    #[derive(Default)]
    struct List {
        kept: Vec<Model>,
        hot: HashMap<usize, u8>,
    }

    impl List {
        fn find(&mut self, name: u8) -> Option<usize> {
            self.kept.iter().position(|kept| kept.name == name)
        }

        fn put(&mut self, name: u8, value: u8, at: u64) {
            self.forget(name);
            self.kept.push(Model { name, value, at, is_used: true });
            while self.kept.len() > 4 {
                let mut oldest = self.kept.remove(0);
                if oldest.is_used {
                    oldest.is_used = false;
                    self.kept.push(oldest);
                } else {
                    self.hot.retain(|_, hot| *hot != oldest.name);
                }
            }
            if let Some(at) = self.find(name) {
                self.kept[at].is_used = false;
            }
        }

        fn forget(&mut self, name: u8) {
            self.kept.retain(|kept| kept.name != name);
            self.hot.retain(|_, hot| *hot != name);
        }

        /// Marks what is hot; puts what is not at the end, and makes it hot if it may be.
        fn used(&mut self, at: usize, slot: usize) {
            let name = self.kept[at].name;
            let hot = self.hot.get(&slot).copied();
            if hot == Some(name) {
                self.kept[at].is_used = true;
                return;
            }
            let kept = self.kept.remove(at);
            self.kept.push(kept);
            let other = hot.and_then(|hot| self.kept.iter_mut().find(|kept| kept.name == hot));
            match other {
                Some(other) if other.is_used => other.is_used = false,
                _ => drop(self.hot.insert(slot, name)),
            }
        }
    }

    proptest! {
        /// Beside a plain list, which is what it stands for.
        #[test]
        fn it_does_what_a_list_would_do(steps in prop::collection::vec(step(), 0..200)) {
            let (cache, time) = cache(4, 1 << 20);
            let mut model = List::default();
            let mut now = 0_u64;
            for step in steps {
                match step {
                    Step::Put(name, value) => {
                        let entry = Entry::new(EntryKind::Moving, vec![value]);
                        let aged = Aged::new(entry, Duration::from_secs(2));
                        cache.keep(&key(&name.to_string()), &aged, cache.ticket());
                        model.put(name, value, now);
                    }
                    Step::Get(name) => {
                        let key = key(&name.to_string());
                        let found = cache.look_up(&key);
                        let at = model.find(name);
                        prop_assert_eq!(found.is_some(), at.is_some());
                        if let (Some(found), Some(at)) = (found, at) {
                            prop_assert_eq!(found.entry.body()[0], model.kept[at].value);
                            prop_assert_eq!(found.age.as_secs(), 2 + now - model.kept[at].at);
                            let (shard, asked) = cache.shard(key.borrowed());
                            model.used(at, shard.slot_of(asked.hash));
                        }
                    }
                    Step::Invalidate(name) => {
                        let (scope, prompt) = (CacheScope::new("r", None), name.to_string());
                        cache.forget(&Invalidation::Prompt { scope, prompt, version: None });
                        model.forget(name);
                    }
                    Step::InvalidateAll => {
                        cache.forget(&Invalidation::Everything(CacheScope::new("r", None)));
                        model = List::default();
                    }
                    Step::Pass(seconds) => {
                        time.advance(Duration::from_secs(seconds.into()));
                        now += u64::from(seconds);
                    }
                }
                let mut left: Vec<u8> = model.kept.iter().map(|kept| kept.name).collect();
                left.reverse();
                let entries = cache.shards[0].entries.lock();
                let names = entries.by_key.iter().map(|(Handle(kept), ())| &kept.key.prompt);
                let names: Vec<u8> = names.map(|n| n.as_ref().unwrap().parse().unwrap()).collect();
                prop_assert_eq!(names, left);
            }
        }
    }

    #[test]
    fn it_shrinks_and_grows_while_it_is_used() {
        let (cache, _) = cache(10, 1 << 20);
        for number in 0..10 {
            keep(&cache, &format!("p{number}"), 100);
        }
        cache.resize(3, 1 << 20);
        assert_eq!((cache.stats().size, cache.stats().max_size), (3, 3));
        assert!(cache.look_up(&key("p9")).is_some() && cache.look_up(&key("p6")).is_none());
        cache.resize(20, 2 * (OVERHEAD + 150));
        assert_eq!(cache.stats().size, 2, "bytes bound too");
        cache.resize(2000, 1 << 22);
        for number in 0..1000 {
            keep(&cache, &format!("p{number}"), 100);
        }
        assert_eq!(cache.stats().size, 1000);
        cache.resize(1, 1 << 20);
        assert_eq!(cache.stats().size, 1, "though it has many parts");
        cache.resize(2000, 1 << 20);
        let found = (0..1000).filter(|n| cache.look_up(&key(&format!("p{n}"))).is_some());
        assert_eq!(found.count(), 1);
    }

    #[test]
    fn what_is_forgotten_is_not_found_hot() {
        let (cache, _) = cache(8, 1 << 20);
        keep(&cache, "a", 1);
        for _ in 0..3 {
            assert!(cache.look_up(&key("a")).is_some());
        }
        cache.forget(&Invalidation::Key(key("a")));
        assert!(cache.look_up(&key("a")).is_none());
        keep(&cache, "a", 2);
        cache.look_up(&key("a"));
        keep(&cache, "a", 3);
        assert_eq!(cache.look_up(&key("a")).unwrap().entry.weight(), 3, "the one put last");
    }
}
