//! The SQLite store: one file, or memory.
//!
//! Write-ahead log with `synchronous=FULL`, so a change that was acknowledged survives a power
//! cut. One thread writes and groups the changes that wait into one transaction; reads run inline
//! on connections of their own, since a point read takes less time than handing it to a thread.

mod apply;
mod backup;
mod connection;
mod keys;
mod list;
mod new_prompt;
mod read;
mod rows;
mod transfer;
mod usage;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use promptops_types::{Label, Timestamp, Version};
use rusqlite::Connection;
use tokio::sync::watch;

pub use self::backup::copy;
use self::connection::{Place, failed};
use self::writer::Writer;
use crate::{
    ApiKey, Applied, AuditEntry, AuditQuery, Decide, Each, KeyHash, ListPage, ListQuery, Located,
    Module, NamedPrompt, Pick, Project, Receipted, Record, Records, Reference, RegistryError,
    Store, StoreError, StoredVersion, Target, TopPrompt, UsageBatch, UsageQuery, UsageRow,
};

/// Connections that read beside the writer.
const READERS: usize = 4;

/// Prompts in one SQLite file, or in memory.
///
/// Several processes may have the same file open; SQLite's own locks keep their writes apart.
#[derive(Debug)]
pub struct SqliteStore {
    readers: Vec<Arc<Mutex<Connection>>>,
    writer: Writer,
}

impl SqliteStore {
    /// Opens a file, or creates it; its folder has to be there. Blocks for as long as that takes.
    ///
    /// # Errors
    /// [`StoreError::CannotOpen`], [`StoreError::NotARegistry`], [`StoreError::NewerSchema`],
    /// [`StoreError::Busy`] when another process keeps it locked for five seconds.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let place = Place::File(path.as_ref().to_owned());
        let writer = place.open()?;
        let readers = (0..READERS)
            .map(|_| place.open_reader().map(|reader| Arc::new(Mutex::new(reader))))
            .collect::<Result<_, _>>()?;
        Ok(Self { readers, writer: Writer::start(Arc::new(Mutex::new(writer)))? })
    }

    /// An empty store in memory, gone when it is dropped.
    ///
    /// # Errors
    /// [`StoreError::Other`] when there is no memory left.
    pub fn in_memory() -> Result<Self, StoreError> {
        // One connection for everything: its lock is held for a whole group of changes, so a read
        // never sees half of one.
        let connection = Arc::new(Mutex::new(Place::Memory.open()?));
        Ok(Self { readers: vec![connection.clone()], writer: Writer::start(connection)? })
    }

    /// Runs a read on a connection that nobody uses now, or waits for the first.
    fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let free = self.readers.iter().find_map(|reader| match reader.try_lock() {
            Ok(reader) => Some(reader),
            Err(TryLockError::Poisoned(reader)) => Some(reader.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        });
        let reader = free.unwrap_or_else(|| lock(&self.readers[0]));
        query(&reader).map_err(|error| failed(&error))
    }
}

/// A panic elsewhere does not damage a connection: SQLite rolls an open transaction back.
fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for SqliteStore {
    async fn find(&self, reference: &Reference, pick: &Pick) -> Result<Located, StoreError> {
        self.read(|connection| read::find(connection, reference, pick))
    }

    async fn numbers(&self, prompt_id: &str, limit: u64) -> Result<Vec<Version>, StoreError> {
        self.read(|connection| read::numbers(connection, prompt_id, limit))
    }

    async fn versions(
        &self,
        prompt_id: &str,
        before: Option<u64>,
        limit: u64,
    ) -> Result<Vec<(u64, StoredVersion)>, StoreError> {
        self.read(|connection| read::versions(connection, prompt_id, before, limit))
    }

    async fn labels(&self, prompt_id: &str) -> Result<Vec<Label>, StoreError> {
        self.read(|connection| read::labels(connection, prompt_id))
    }

    async fn list(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
        self.read(|connection| list::list(connection, query))
    }

    async fn similar(
        &self,
        projects: Option<&[String]>,
        text: &str,
        limit: u64,
    ) -> Result<Vec<NamedPrompt>, StoreError> {
        self.read(|connection| list::similar(connection, projects, text, limit))
    }

    async fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(|connection| read::audit(connection, query))
    }

    async fn projects(&self) -> Result<Vec<Project>, StoreError> {
        self.read(list::projects)
    }

    async fn modules(&self, project: &str) -> Result<Vec<Module>, StoreError> {
        self.read(|connection| list::modules(connection, project))
    }

    async fn change(&self, target: Target, decide: Decide) -> Result<Applied, RegistryError> {
        self.writer.change(target, decide).await
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.writer.watch()
    }

    async fn key(&self, hash: &KeyHash) -> Result<Option<ApiKey>, StoreError> {
        self.read(|connection| keys::key(connection, hash))
    }

    async fn key_by_id(&self, id: &str) -> Result<Option<ApiKey>, StoreError> {
        self.read(|connection| keys::key_by_id(connection, id))
    }

    async fn keys(
        &self,
        after: Option<(Timestamp, &str)>,
        limit: u64,
    ) -> Result<Vec<ApiKey>, StoreError> {
        self.read(|connection| keys::keys(connection, after, limit))
    }

    async fn add_key(&self, hash: &KeyHash, key: &ApiKey) -> Result<(), StoreError> {
        let (hash, key) = (*hash, key.clone());
        self.writer.write(move |connection| keys::add(connection, &hash, &key)).await
    }

    async fn revoke_key(&self, id: &str, at: Timestamp) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.writer.write(move |connection| keys::revoke(connection, &id, at)).await
    }

    async fn use_once(
        &self,
        token: &[u8; 32],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let token = *token;
        self.writer.write(move |connection| keys::use_once(connection, &token, until, now)).await
    }

    async fn receipt(&self, id: &[u8; 32]) -> Result<Option<Receipted>, StoreError> {
        self.read(|connection| keys::receipt(connection, id))
    }

    async fn answered(
        &self,
        id: &[u8; 32],
        status: u16,
        etag: Option<&str>,
        answer: &[u8],
    ) -> Result<(), StoreError> {
        let (id, etag, answer) = (*id, etag.map(str::to_owned), answer.to_vec());
        let write = move |connection: &Connection| {
            keys::answered(connection, &id, status, etag.as_deref(), &answer)
        };
        self.writer.write(write).await
    }

    async fn log_usage(&self, batch: &UsageBatch) -> Result<bool, StoreError> {
        let batch = batch.clone();
        self.writer.write(move |connection| usage::log(connection, &batch)).await
    }

    async fn usage(&self, query: &UsageQuery, each: Each<'_, UsageRow>) -> Result<(), StoreError> {
        self.read(|connection| usage::read(connection, query, each))?
    }

    async fn top_prompts(
        &self,
        query: &UsageQuery,
        limit: u64,
    ) -> Result<Vec<TopPrompt>, StoreError> {
        self.read(|connection| usage::top(connection, query, limit))
    }

    async fn forget_usage(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.writer.write(move |connection| usage::forget(connection, before)).await
    }

    async fn export(&self, each: Each<'_, Record>) -> Result<(), StoreError> {
        self.read(|connection| Ok(transfer::export(connection, each)))?
    }

    async fn import(&self, records: Records) -> Result<u64, StoreError> {
        self.writer.import(records).await
    }
}
