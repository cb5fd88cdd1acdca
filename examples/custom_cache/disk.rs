//! A cache on disk: what a program fetched is there when it starts again, and the network is not.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use promptops_client::{
    Aged, CacheBackend, CacheFailure, CacheKey, CacheScope, CacheStats, Entry, EntryKind,
    Invalidation, Names, Reading, Ticket,
};
use serde::{Deserialize, Serialize};

/// Most entries of one registry and credential; the oldest go first.
const MOST_ENTRIES: usize = 500;

/// Entries in a folder: one folder a scope, one file an entry. One process at a time writes to it: what
/// another one invalidates while this one fetches is not noticed.
///
/// The files are small, and reading one takes less time than handing it to another thread.
#[derive(Debug)]
pub(crate) struct DiskCache {
    folder: PathBuf,
    /// Raised with each invalidation.
    invalidations: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// What stands before the answer, on the first line of a file.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// Of the key, all of it: the name of the file is only its beginning.
    fingerprint: String,
    prompt: Option<String>,
    id: Option<String>,
    slug: Option<String>,
    version: Option<String>,
    is_frozen: bool,
    etag: Option<String>,
    /// When the registry gave it, in milliseconds since 1970.
    given_at: u64,
}

impl DiskCache {
    /// A cache in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(crate) fn open(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        fs::create_dir_all(&folder)?;
        let [invalidations, hits, misses] = [0; 3].map(AtomicU64::new);
        Ok(Self { folder, invalidations, hits, misses })
    }

    fn of_scope(&self, scope: &CacheScope) -> PathBuf {
        self.folder.join(hex(&scope.digest()[..16]))
    }

    fn file(&self, key: &CacheKey) -> (PathBuf, String) {
        let fingerprint = hex(&key.fingerprint());
        (self.of_scope(&key.scope).join(&fingerprint[..32]), fingerprint)
    }

    fn ticket(&self) -> Ticket {
        Ticket(self.invalidations.load(Ordering::SeqCst), 0, 0)
    }

    fn read(&self, key: &CacheKey) -> io::Result<Option<Aged>> {
        let (file, fingerprint) = self.file(key);
        let bytes = match fs::read(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        // What cannot be read is not there: it will be written again.
        let Some((head, body)) = parse(&bytes) else { return Ok(None) };
        if head.fingerprint != fingerprint {
            return Ok(None);
        }
        let names = match (head.id, head.slug, head.version) {
            (Some(id), Some(slug), Some(version)) => Some(Names { id, slug, version }),
            _ => None,
        };
        let kind = if head.is_frozen { EntryKind::Frozen } else { EntryKind::Moving };
        let entry = Entry::new(kind, body.to_vec()).with_etag(head.etag).with_names(names);
        let age = Duration::from_millis(now().saturating_sub(head.given_at));
        Ok(Some(Aged::new(entry, age)))
    }

    fn write(&self, key: &CacheKey, aged: &Aged) -> io::Result<()> {
        let Aged { entry, age, .. } = aged;
        let (file, fingerprint) = self.file(key);
        let names = entry.names().cloned();
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let head = Head {
            fingerprint,
            prompt: key.prompt.clone(),
            id: names.as_ref().map(|names| names.id.clone()),
            slug: names.as_ref().map(|names| names.slug.clone()),
            version: names.map(|names| names.version),
            is_frozen: entry.kind() == EntryKind::Frozen,
            etag: entry.etag().map(str::to_owned),
            given_at: now().saturating_sub(age),
        };
        let mut bytes = serde_json::to_vec(&head)?;
        bytes.push(b'\n');
        bytes.extend_from_slice(entry.body());
        let folder = self.of_scope(&key.scope);
        fs::create_dir_all(&folder)?;
        make_room(&folder)?;
        // Whole or not at all, whoever reads meanwhile.
        let unfinished = file.with_extension("new");
        fs::write(&unfinished, bytes)?;
        fs::rename(unfinished, file)
    }

    fn forget(&self, what: &Invalidation) -> io::Result<()> {
        self.invalidations.fetch_add(1, Ordering::SeqCst);
        match what {
            Invalidation::Everything(scope) => gone(fs::remove_dir_all(self.of_scope(scope))),
            Invalidation::Key(key) => gone(fs::remove_file(self.file(key).0)),
            what => {
                for file in files(&self.of_scope(what.scope()))? {
                    let bytes = fs::read(&file)?;
                    if parse(&bytes).is_none_or(|(head, _)| covers(what, &head)) {
                        gone(fs::remove_file(file))?;
                    }
                }
                Ok(())
            }
        }
    }
}

/// Whether an entry is forgotten; of a prompt, with all its versions.
fn covers(what: &Invalidation, head: &Head) -> bool {
    match what {
        Invalidation::Lists(_) => head.prompt.is_none(),
        Invalidation::Prompt { prompt, .. } => {
            [&head.prompt, &head.id, &head.slug].iter().any(|name| name.as_ref() == Some(prompt))
        }
        _ => true,
    }
}

fn parse(bytes: &[u8]) -> Option<(Head, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (head, body) = bytes.split_at(end);
    Some((serde_json::from_slice(head).ok()?, &body[1..]))
}

/// That something is not there is as good as that it was removed.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| entry.map(|entry| entry.path())).collect(),
    }
}

fn make_room(folder: &Path) -> io::Result<()> {
    let files = files(folder)?;
    if files.len() < MOST_ENTRIES {
        return Ok(());
    }
    let written = |file: &PathBuf| fs::metadata(file).and_then(|data| data.modified()).ok();
    files.into_iter().min_by_key(written).map_or(Ok(()), |oldest| gone(fs::remove_file(oldest)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn now() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a file's age is told by the clock on the wall")]
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn failure(error: &io::Error) -> CacheFailure {
    CacheFailure::new("disk", error.to_string())
}

impl CacheBackend for DiskCache {
    async fn get(&self, key: &CacheKey) -> Result<Reading, CacheFailure> {
        let ticket = self.ticket();
        let found = self.read(key).map_err(|error| failure(&error))?;
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(Reading { found, ticket })
    }

    async fn put(&self, key: &CacheKey, aged: &Aged, ticket: Ticket) -> Result<(), CacheFailure> {
        // What is missing is remembered in memory, for seconds.
        let is_old = ticket != self.ticket() || aged.entry.kind() == EntryKind::Missing;
        if is_old { Ok(()) } else { self.write(key, aged).map_err(|error| failure(&error)) }
    }

    async fn invalidate(&self, what: &Invalidation) -> Result<(), CacheFailure> {
        self.forget(what).map_err(|error| failure(&error))
    }

    fn stats(&self) -> CacheStats {
        let mut stats = CacheStats::default();
        stats.hits = self.hits.load(Ordering::Relaxed);
        stats.misses = self.misses.load(Ordering::Relaxed);
        stats
    }

    async fn ping(&self) -> Result<(), CacheFailure> {
        fs::metadata(&self.folder).map(drop).map_err(|error| failure(&error))
    }
}
