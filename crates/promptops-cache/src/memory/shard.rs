//! A part of the cache: entries under one lock, and those of them that are found without it.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use lru::LruCache;
use parking_lot::Mutex;

use crate::{Aged, CacheKey, CacheKeyRef, Entry};

/// Most entries of a part that are found without its lock.
const MOST_HOT: usize = 1024;

/// A part; on cache lines of its own, so that hits in one do not slow those in the next.
#[repr(align(128))]
pub(super) struct Shard {
    /// Entries by some bits of their hash: a hit looks here first, and locks nothing. Changed only
    /// under the lock of `entries`, of which it shows a part.
    hot: Box<[ArcSwapOption<Kept>]>,
    pub(super) entries: Mutex<Entries>,
}

pub(super) struct Entries {
    pub(super) by_key: LruCache<Handle, (), Passed>,
    pub(super) bytes: usize,
}

pub(super) struct Kept {
    pub(super) hash: u64,
    pub(super) key: CacheKey,
    pub(super) entry: Entry,
    /// How old it was when it was put, and when that was.
    pub(super) age: Duration,
    pub(super) at: Duration,
    pub(super) bytes: usize,
    /// Whether it was found without the lock since it was last passed over.
    pub(super) is_used: AtomicBool,
}

impl Kept {
    fn aged(&self, now: Duration) -> Aged {
        let held = now.saturating_sub(self.at);
        Aged { entry: self.entry.clone(), age: self.age + held, held }
    }

    pub(super) fn asked(&self) -> Asked<'_> {
        Asked { hash: self.hash, key: self.key.borrowed() }
    }

    fn is(&self, asked: Asked<'_>) -> bool {
        self.hash == asked.hash && self.key.borrowed() == asked.key
    }
}

/// What is kept, by its key.
pub(super) struct Handle(pub(super) Arc<Kept>);

/// A key that is somebody else's, and its hash, which finds the part and then the slot in it.
#[derive(Clone, Copy)]
pub(super) struct Asked<'k> {
    pub(super) hash: u64,
    pub(super) key: CacheKeyRef<'k>,
}

/// What both are compared by.
trait Sought {
    fn asked(&self) -> Asked<'_>;
}

impl Sought for Handle {
    fn asked(&self) -> Asked<'_> {
        self.0.asked()
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

impl Hash for Handle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl PartialEq for Handle {
    fn eq(&self, other: &Self) -> bool {
        self.0.is(other.asked())
    }
}

impl Eq for Handle {}

impl<'s> Borrow<dyn Sought + 's> for Handle {
    fn borrow(&self) -> &(dyn Sought + 's) {
        self
    }
}

/// Takes the hash that a key has already.
#[derive(Clone, Copy, Default)]
pub(super) struct Passed(u64);

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

impl Shard {
    pub(super) fn new(max_entries: usize) -> Self {
        let hot = (2 * max_entries.min(MOST_HOT)).next_power_of_two().min(MOST_HOT);
        let most = NonZeroUsize::new(max_entries).unwrap_or(NonZeroUsize::MIN);
        // It grows as it is filled, and not before.
        let mut by_key = LruCache::unbounded_with_hasher(Passed::default());
        by_key.resize(most);
        Self {
            hot: (0..hot).map(|_| ArcSwapOption::empty()).collect(),
            entries: Mutex::new(Entries { by_key, bytes: 0 }),
        }
    }

    /// Where an entry of this hash is, if it is hot.
    fn slot(&self, hash: u64) -> &ArcSwapOption<Kept> {
        &self.hot[self.slot_of(hash)]
    }

    pub(super) fn slot_of(&self, hash: u64) -> usize {
        // Other bits than those that choose the part.
        #[expect(clippy::cast_possible_truncation, reason = "the low bits are those wanted")]
        let low = hash.rotate_left(40) as usize;
        low & (self.hot.len() - 1)
    }

    pub(super) fn find(&self, asked: Asked<'_>, now: Duration) -> Option<Aged> {
        let slot = self.slot(asked.hash);
        if let Some(kept) = slot.load().as_ref().filter(|kept| kept.is(asked)) {
            if !kept.is_used.load(Relaxed) {
                kept.is_used.store(true, Relaxed);
            }
            return Some(kept.aged(now));
        }
        let mut entries = self.entries.lock();
        let (Handle(kept), ()) = entries.by_key.get_key_value(&asked as &dyn Sought)?;
        // Another one that is in use stays, this time.
        if slot.load().as_ref().is_none_or(|other| !other.is_used.swap(false, Relaxed)) {
            slot.store(Some(Arc::clone(kept)));
        }
        Some(kept.aged(now))
    }

    /// Keeps an entry, in the place of another of its key.
    pub(super) fn keep(&self, entries: &mut Entries, kept: Kept, max_bytes: usize) {
        let kept = Arc::new(kept);
        // It is not to go in the place of others that were used.
        kept.is_used.store(true, Relaxed);
        entries.bytes += kept.bytes;
        let mut next = Some(Arc::clone(&kept));
        while let Some((Handle(old), ())) =
            next.take().and_then(|next| entries.by_key.push(Handle(next), ()))
        {
            if Arc::ptr_eq(&old, &kept) && entries.by_key.contains(&old.asked() as &dyn Sought) {
                // There was one of its key: `lru` changes the value, and keeps the key it had.
                self.forget(entries, old.asked());
                next = Some(old);
            } else if old.is_used.swap(false, Relaxed) {
                next = Some(old);
            } else {
                self.forgotten(entries, &old);
            }
        }
        self.bound(entries, usize::MAX, max_bytes);
        kept.is_used.store(false, Relaxed);
    }

    pub(super) fn forget(&self, entries: &mut Entries, asked: Asked<'_>) {
        if let Some((Handle(old), ())) = entries.by_key.pop_entry(&asked as &dyn Sought) {
            self.forgotten(entries, &old);
        }
    }

    pub(super) fn forgotten(&self, entries: &mut Entries, old: &Arc<Kept>) {
        entries.bytes -= old.bytes;
        let slot = self.slot(old.hash);
        if slot.load().as_ref().is_some_and(|hot| Arc::ptr_eq(hot, old)) {
            slot.store(None);
        }
    }

    /// Forgets until there are no more than so many entries and bytes.
    pub(super) fn bound(&self, entries: &mut Entries, max_entries: usize, max_bytes: usize) {
        while entries.by_key.len() > max_entries || entries.bytes > max_bytes {
            let Some((Handle(old), ())) = entries.by_key.pop_lru() else { return };
            if old.is_used.swap(false, Relaxed) {
                entries.by_key.push(Handle(old), ());
            } else {
                self.forgotten(entries, &old);
            }
        }
    }
}
