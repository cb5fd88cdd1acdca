//! The PostgreSQL store: several servers may share one database.
//!
//! A change locks its prompt's row, so that decisions about one prompt are made one after the other; what
//! two make at the same time is decided again. Numbers of the audit trail are given under a lock of their
//! own at the end of a transaction, so that a reader who goes on from the last one misses nothing. Only
//! what PostgreSQL-compatible databases have too is needed: no extension, no advisory lock; without
//! NOTIFY, changes of other processes are seen at the next look.

mod apply;
mod clock;
mod connect;
mod keys;
mod list;
mod listen;
mod read;
mod rows;
mod search;
mod statement;
mod transfer;
mod usage;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Object, Transaction};
use promptops_types::{Label, Secret, Timestamp, Version};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_postgres::IsolationLevel;

use self::apply::Failure;
pub use self::connect::PostgresOptions;
use self::connect::{Database, failed};
use crate::{
    ApiKey, Applied, AuditEntry, AuditQuery, Decide, Each, KeyHash, ListPage, ListQuery, Located,
    Module, NamedPrompt, Pick, Project, Receipted, Record, Records, Reference, RegistryError,
    Store, StoreError, StoredVersion, Target, TopPrompt, UsageBatch, UsageQuery, UsageRow,
};

/// How often a change is decided again since others were made at the same time.
const ATTEMPTS: u32 = 20;

/// Prompts in a PostgreSQL database. It needs a tokio runtime, and listens for changes in that which it
/// was opened in.
///
/// # Cancel safety
/// As [`Store`] says: a connection that was dropped half-way is rolled back.
pub struct PostgresStore {
    database: Arc<Database>,
    tell: Arc<watch::Sender<u64>>,
    /// Whether the database can tell others of a change.
    can_notify: bool,
    listening: AbortHandle,
}

impl PostgresStore {
    /// Connects to the database of a URL, `postgres://USER:PASSWORD@HOST/DATABASE?sslmode=require`, and
    /// makes its schema `promptops` if it is not there. To another machine the connection is by TLS,
    /// unless the URL says `sslmode=disable`; certificates are always checked.
    ///
    /// # Errors
    /// [`StoreError::CannotOpen`], [`StoreError::NewerSchema`], [`StoreError::Unreachable`].
    pub async fn open(url: &Secret, options: &PostgresOptions) -> Result<Self, StoreError> {
        let database = Arc::new(Database::new(url.expose(), options)?);
        database.migrate().await?;
        let client = database.get().await?;
        let can_notify = client.batch_execute("SELECT pg_notify('promptops_open', '')").await;
        let last = read::last_change(&client).await?;
        drop(client);
        let tell = Arc::new(watch::Sender::new(last));
        let listening = listen::listen(Arc::clone(&database), Arc::clone(&tell));
        let listening = tokio::spawn(listening).abort_handle();
        Ok(Self { database, tell, can_notify: can_notify.is_ok(), listening })
    }

    async fn get(&self) -> Result<Object, StoreError> {
        self.database.get().await
    }

    async fn try_change(&self, target: &Target, decide: &Decide) -> Result<Applied, Failure> {
        let mut client = self.get().await?;
        let transaction = client.transaction().await?;
        let applied = apply::change(&transaction, target, decide.as_ref()).await?;
        if self.can_notify && !applied.change.ops.is_empty() {
            let statement = transaction.prepare_cached("SELECT pg_notify($1, $2)").await?;
            let seq = applied.revision.to_string();
            transaction.execute(&statement, &[&listen::CHANNEL, &seq]).await?;
        }
        transaction.commit().await?;
        Ok(applied)
    }

    async fn try_log_usage(&self, batch: &UsageBatch) -> Result<bool, Failure> {
        let mut client = self.get().await?;
        let transaction = client.transaction().await?;
        let is_new = usage::log(&transaction, batch).await?;
        transaction.commit().await?;
        Ok(is_new)
    }
}

/// Does something, again where another was made at the same time.
async fn until_alone<T, F>(mut work: impl FnMut() -> F) -> Result<T, RegistryError>
where
    F: Future<Output = Result<T, Failure>>,
{
    for attempt in 1..=ATTEMPTS {
        match work().await {
            Ok(done) => return Ok(done),
            Err(Failure::Again) => clock::pause(backoff(attempt)).await,
            Err(Failure::Final(error)) => return Err(error),
        }
    }
    Err(StoreError::Busy.into())
}

/// A transaction that reads, and sees one moment.
async fn snapshot(client: &mut Object) -> Result<Transaction<'_>, StoreError> {
    client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await
        .map_err(|error| failed(&error))
}

/// How long to wait for those who were first: longer each time, and never as long as somebody else.
fn backoff(attempt: u32) -> Duration {
    let mut random = [0_u8; 2];
    // Without chance it is as long as it may be.
    let share = getrandom::fill(&mut random).map_or(u16::MAX, |()| u16::from_le_bytes(random));
    let most = 2_u32.saturating_pow(attempt.min(7));
    Duration::from_micros(u64::from(most) * u64::from(share) / 64)
}

impl Store for PostgresStore {
    async fn find(&self, reference: &Reference, pick: &Pick) -> Result<Located, StoreError> {
        read::find(&self.get().await?, reference, pick).await
    }

    async fn numbers(&self, prompt_id: &str, limit: u64) -> Result<Vec<Version>, StoreError> {
        read::numbers(&self.get().await?, prompt_id, limit).await
    }

    async fn versions(
        &self,
        prompt_id: &str,
        before: Option<u64>,
        limit: u64,
    ) -> Result<Vec<(u64, StoredVersion)>, StoreError> {
        read::versions(&self.get().await?, prompt_id, before, limit).await
    }

    async fn labels(&self, prompt_id: &str) -> Result<Vec<Label>, StoreError> {
        read::labels(&self.get().await?, prompt_id).await
    }

    async fn list(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
        let mut client = self.get().await?;
        // One moment for the count and the page.
        let transaction = snapshot(&mut client).await?;
        let page = list::list(&transaction, query).await?;
        transaction.commit().await.map_err(|error| failed(&error))?;
        Ok(page)
    }

    async fn similar(
        &self,
        projects: Option<&[String]>,
        text: &str,
        limit: u64,
    ) -> Result<Vec<NamedPrompt>, StoreError> {
        list::similar(&self.get().await?, projects, text, limit).await
    }

    async fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        read::audit(&self.get().await?, query).await
    }

    async fn projects(&self) -> Result<Vec<Project>, StoreError> {
        list::projects(&self.get().await?).await
    }

    async fn modules(&self, project: &str) -> Result<Vec<Module>, StoreError> {
        list::modules(&self.get().await?, project).await
    }

    async fn change(&self, target: Target, decide: Decide) -> Result<Applied, RegistryError> {
        let applied = until_alone(|| self.try_change(&target, &decide)).await?;
        listen::raise(&self.tell, applied.revision);
        Ok(applied)
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.tell.subscribe()
    }

    async fn key(&self, hash: &KeyHash) -> Result<Option<ApiKey>, StoreError> {
        keys::key(&self.get().await?, hash).await
    }

    async fn key_by_id(&self, id: &str) -> Result<Option<ApiKey>, StoreError> {
        keys::key_by_id(&self.get().await?, id).await
    }

    async fn keys(
        &self,
        after: Option<(Timestamp, &str)>,
        limit: u64,
    ) -> Result<Vec<ApiKey>, StoreError> {
        keys::keys(&self.get().await?, after, limit).await
    }

    async fn add_key(&self, hash: &KeyHash, key: &ApiKey) -> Result<(), StoreError> {
        keys::add(&self.get().await?, hash, key).await
    }

    async fn revoke_key(&self, id: &str, at: Timestamp) -> Result<(), StoreError> {
        keys::revoke(&self.get().await?, id, at).await
    }

    async fn use_once(
        &self,
        token: &[u8; 32],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        keys::use_once(&self.get().await?, token, until, now).await
    }

    async fn receipt(&self, id: &[u8; 32]) -> Result<Option<Receipted>, StoreError> {
        keys::receipt(&self.get().await?, id).await
    }

    async fn answered(
        &self,
        id: &[u8; 32],
        status: u16,
        etag: Option<&str>,
        answer: &[u8],
    ) -> Result<(), StoreError> {
        keys::answered(&self.get().await?, id, status, etag, answer).await
    }

    async fn log_usage(&self, batch: &UsageBatch) -> Result<bool, StoreError> {
        match until_alone(|| self.try_log_usage(batch)).await {
            Ok(is_new) => Ok(is_new),
            Err(RegistryError::Store(error)) => Err(error),
            Err(other) => Err(StoreError::Other(other.to_string())),
        }
    }

    async fn usage(&self, query: &UsageQuery, each: Each<'_, UsageRow>) -> Result<(), StoreError> {
        usage::read(&self.get().await?, query, each).await
    }

    async fn top_prompts(
        &self,
        query: &UsageQuery,
        limit: u64,
    ) -> Result<Vec<TopPrompt>, StoreError> {
        usage::top(&self.get().await?, query, limit).await
    }

    async fn forget_usage(&self, before: Timestamp) -> Result<u64, StoreError> {
        usage::forget(&self.get().await?, before).await
    }

    async fn export(&self, each: Each<'_, Record>) -> Result<(), StoreError> {
        let mut client = self.get().await?;
        let transaction = snapshot(&mut client).await?;
        transfer::export(&transaction, each).await
    }

    async fn import(&self, records: Records) -> Result<u64, StoreError> {
        let mut client = self.get().await?;
        let transaction = client.transaction().await.map_err(|error| failed(&error))?;
        let taken = transfer::import(&transaction, records).await?;
        transaction.commit().await.map_err(|error| failed(&error))?;
        let last = read::last_change(&client).await?;
        listen::raise(&self.tell, last);
        Ok(taken)
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("database", &self.database.config.get_dbname())
            .field("can_notify", &self.can_notify)
            .finish_non_exhaustive()
    }
}
