use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use promptops_types::CacheStats;

use crate::{CacheKey, CacheScope, Entry, EntryKind};

/// Where entries are kept. Implementors write `async fn`. What may be used how long is not its
/// business: it gives what it has, with its age.
///
/// # Cancel safety
/// A future that is dropped leaves the entry as it was, or as it was to be.
pub trait CacheBackend: fmt::Debug + Send + Sync + 'static {
    /// What there is for a key, at once: for backends in this process, so that a hit needs no
    /// future. `None` is not a miss: it says that [`get`](Self::get) has to be asked.
    fn look_up(&self, _key: &CacheKey) -> Option<Aged> {
        None
    }

    /// What there is for a key.
    ///
    /// # Errors
    /// [`CacheFailure`], which is a miss for whoever reads.
    fn get(&self, key: &CacheKey) -> impl Future<Output = Result<Reading, CacheFailure>> + Send;

    /// Keeps an entry, unless something was invalidated since `ticket` was given by
    /// [`get`](Self::get) that the entry may be of: then what was fetched is old. It may be kept a
    /// little later; see [`flush`](Self::flush).
    ///
    /// # Errors
    /// [`CacheFailure`]; nothing is kept then.
    fn put(
        &self,
        key: &CacheKey,
        entry: &Aged,
        ticket: Ticket,
    ) -> impl Future<Output = Result<(), CacheFailure>> + Send;

    /// Waits until what was put is kept, or is lost: for backends that keep beside the call.
    ///
    /// # Errors
    /// [`CacheFailure`] where it cannot be told.
    fn flush(&self) -> impl Future<Output = Result<(), CacheFailure>> + Send {
        std::future::ready(Ok(()))
    }

    /// Forgets entries. When it returns, no later `get` gives one of them. It may forget more of the
    /// same prompt than it was asked to.
    ///
    /// # Errors
    /// [`CacheFailure`]; entries may still be there.
    fn invalidate(
        &self,
        what: &Invalidation,
    ) -> impl Future<Output = Result<(), CacheFailure>> + Send;

    /// What it holds, and how it has done.
    fn stats(&self) -> CacheStats;

    /// Whether it can be reached.
    ///
    /// # Errors
    /// [`CacheFailure`] with the reason.
    fn ping(&self) -> impl Future<Output = Result<(), CacheFailure>> + Send;

    /// Tells what other processes invalidate in a scope from now on, for as long as the listener is
    /// held elsewhere: for backends that hear of it.
    fn listen(&self, _scope: &CacheScope, _listener: Weak<Listener>) {}

    /// Whether other processes are heard.
    fn subscription(&self) -> Subscription {
        Subscription::None
    }
}

/// Is told what other processes invalidate. It must not block.
pub type Listener = dyn Fn(&Invalidation) + Send + Sync;

/// Whether a backend hears what other processes invalidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subscription {
    /// It never does.
    None,
    /// It would, but cannot now.
    Down,
    /// It does, and has missed nothing for so long.
    Up(Duration),
}

/// An entry and its age.
#[derive(Debug, Clone)]
pub struct Aged {
    /// The entry.
    pub entry: Entry,
    /// How long ago the registry gave it.
    pub age: Duration,
    /// How long ago it was put where it was found.
    pub held: Duration,
}

impl Aged {
    /// An entry of an age, which is nowhere yet.
    pub fn new(entry: Entry, age: Duration) -> Self {
        Self { entry, age, held: Duration::ZERO }
    }
}

/// What the registry gives now.
impl From<Entry> for Aged {
    fn from(entry: Entry) -> Self {
        Self::new(entry, Duration::ZERO)
    }
}

/// What a look-up gives.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// The entry, if there is one.
    pub found: Option<Aged>,
    /// For the [`put`](CacheBackend::put) of what is fetched after this.
    pub ticket: Ticket,
}

/// What had been invalidated when a key was read. Only the backend that gave it can tell what it
/// means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ticket(pub u64, pub u64, pub u64);

/// What is forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalidation {
    /// Everything of a scope.
    Everything(CacheScope),
    /// Every entry of a prompt, by slug or id, in whatever project; or of one version of it.
    Prompt {
        /// Whose.
        scope: CacheScope,
        /// Slug or id. An entry that was asked for by the other one is forgotten too, where the
        /// backend knows.
        prompt: String,
        /// What its selector was, or the version that was found. A backend that cannot tell forgets
        /// the whole prompt.
        version: Option<String>,
    },
    /// One entry.
    Key(CacheKey),
    /// Every list: what is in it, or in what order, may have changed.
    Lists(CacheScope),
}

impl Invalidation {
    /// Whose entries are forgotten.
    pub fn scope(&self) -> &CacheScope {
        match self {
            Self::Everything(scope) | Self::Lists(scope) | Self::Prompt { scope, .. } => scope,
            Self::Key(key) => &key.scope,
        }
    }

    /// Whether an entry is forgotten.
    pub fn covers(&self, key: &CacheKey, entry: &Entry) -> bool {
        match self {
            Self::Everything(scope) => key.scope == *scope,
            Self::Key(other) => key == other,
            Self::Lists(scope) => key.scope == *scope && key.prompt.is_none(),
            Self::Prompt { scope, prompt, version } => {
                let names = entry.names();
                // What was missing may be there now, by whatever name it was asked for.
                let is_missing = entry.kind() == EntryKind::Missing && key.prompt.is_some();
                let is_named = key.prompt.as_ref() == Some(prompt)
                    || names.is_some_and(|names| names.id == *prompt || names.slug == *prompt);
                let is_version = version.as_deref().is_none_or(|version| {
                    let version = bare(version);
                    key.selector.as_deref().map(bare) == Some(version)
                        || names.is_some_and(|names| names.version == version)
                });
                key.scope == *scope && (is_missing || (is_named && is_version))
            }
        }
    }
}

/// A version may be written with a `v`.
fn bare(version: &str) -> &str {
    match version.strip_prefix('v') {
        Some(number) if number.starts_with(|c: char| c.is_ascii_digit()) => number,
        _ => version,
    }
}

/// Why a cache did not do what it was asked. A read goes on without it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{cache} cache: {message}")]
pub struct CacheFailure {
    cache: &'static str,
    message: String,
}

impl CacheFailure {
    /// A failure of a cache of this name.
    pub fn new(cache: &'static str, message: impl Into<String>) -> Self {
        Self { cache, message: message.into() }
    }

    /// Which cache: `memory`, `redis`, or a name of your own.
    pub fn cache(&self) -> &'static str {
        self.cache
    }
}

type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, CacheFailure>> + Send + 'a>>;

/// The object-safe form of [`CacheBackend`].
trait DynBackend: fmt::Debug + Send + Sync {
    fn look_up(&self, key: &CacheKey) -> Option<Aged>;
    fn get<'a>(&'a self, key: &'a CacheKey) -> Pending<'a, Reading>;
    fn put<'a>(&'a self, key: &'a CacheKey, entry: &'a Aged, ticket: Ticket) -> Pending<'a, ()>;
    fn flush(&self) -> Pending<'_, ()>;
    fn invalidate<'a>(&'a self, what: &'a Invalidation) -> Pending<'a, ()>;
    fn stats(&self) -> CacheStats;
    fn ping(&self) -> Pending<'_, ()>;
    fn listen(&self, scope: &CacheScope, listener: Weak<Listener>);
    fn subscription(&self) -> Subscription;
}

impl<B: CacheBackend> DynBackend for B {
    fn look_up(&self, key: &CacheKey) -> Option<Aged> {
        CacheBackend::look_up(self, key)
    }

    fn get<'a>(&'a self, key: &'a CacheKey) -> Pending<'a, Reading> {
        Box::pin(CacheBackend::get(self, key))
    }

    fn put<'a>(&'a self, key: &'a CacheKey, entry: &'a Aged, ticket: Ticket) -> Pending<'a, ()> {
        Box::pin(CacheBackend::put(self, key, entry, ticket))
    }

    fn flush(&self) -> Pending<'_, ()> {
        Box::pin(CacheBackend::flush(self))
    }

    fn invalidate<'a>(&'a self, what: &'a Invalidation) -> Pending<'a, ()> {
        Box::pin(CacheBackend::invalidate(self, what))
    }

    fn stats(&self) -> CacheStats {
        CacheBackend::stats(self)
    }

    fn ping(&self) -> Pending<'_, ()> {
        Box::pin(CacheBackend::ping(self))
    }

    fn listen(&self, scope: &CacheScope, listener: Weak<Listener>) {
        CacheBackend::listen(self, scope, listener);
    }

    fn subscription(&self) -> Subscription {
        CacheBackend::subscription(self)
    }
}

/// Any backend behind one type; a clone shares it.
#[derive(Debug, Clone)]
pub struct SharedCache(Arc<dyn DynBackend>);

impl SharedCache {
    /// Wraps a backend.
    pub fn new(backend: impl CacheBackend) -> Self {
        Self(Arc::new(backend))
    }
}

impl CacheBackend for SharedCache {
    fn look_up(&self, key: &CacheKey) -> Option<Aged> {
        self.0.look_up(key)
    }

    async fn get(&self, key: &CacheKey) -> Result<Reading, CacheFailure> {
        self.0.get(key).await
    }

    async fn put(&self, key: &CacheKey, entry: &Aged, ticket: Ticket) -> Result<(), CacheFailure> {
        self.0.put(key, entry, ticket).await
    }

    async fn flush(&self) -> Result<(), CacheFailure> {
        self.0.flush().await
    }

    async fn invalidate(&self, what: &Invalidation) -> Result<(), CacheFailure> {
        self.0.invalidate(what).await
    }

    fn stats(&self) -> CacheStats {
        self.0.stats()
    }

    async fn ping(&self) -> Result<(), CacheFailure> {
        self.0.ping().await
    }

    fn listen(&self, scope: &CacheScope, listener: Weak<Listener>) {
        self.0.listen(scope, listener);
    }

    fn subscription(&self) -> Subscription {
        self.0.subscription()
    }
}
