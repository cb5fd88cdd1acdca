//! The persistence seam: a store keeps what it is given and decides nothing.
//!
//! Every rule about versions, labels and slugs lives in the registry, as a [`Decision`]: a pure
//! function from what is stored to what shall be. A store loads the state, asks the decision, and
//! makes the change, all in one transaction; so two writers never decide on the same state.

pub(crate) mod columns;
#[cfg(feature = "test-util")]
pub mod contract;
mod error;
mod handle;
pub(crate) mod record;
mod records;
pub(crate) mod rows;

use std::future::Future;
use std::sync::Arc;

pub use error::StoreError;
pub use handle::SharedStore;
pub use record::{Record, Records};
pub use records::{
    Applied, AuditQuery, Change, Focus, ListPage, ListQuery, Located, Module, NamedPrompt, Op,
    Pick, Place, Project, PromptHead, PromptState, Receipt, Receipted, Reference, SortValue,
    StoredVersion, Target,
};

use promptops_types::{AuditEntry, Timestamp};
use tokio::sync::watch;

use crate::usage::{TopPrompt, UsageBatch, UsageQuery, UsageRow};
use crate::{ApiKey, KeyHash, RegistryError};

/// Takes one after the other.
pub type Each<'e, T> = &'e mut (dyn FnMut(T) -> Result<(), StoreError> + Send);

/// How long a receipt is kept, in microseconds: as long as the contract says that a write may be sent
/// again.
pub(crate) const RECEIPT_KEPT: i64 = 24 * 3600 * 1_000_000;

/// How long a batch of usage is known, in microseconds: twice as long as it may be sent again.
pub(crate) const BATCH_KEPT: i64 = 48 * 3600 * 1_000_000;

/// Most of what is over that one write clears away.
pub(crate) const CLEARED: i64 = 100;

/// A pure function from what is stored to what shall be. A store may ask it more than once, when
/// it has to begin a transaction anew.
pub type Decision = dyn Fn(&PromptState) -> Result<Change, RegistryError> + Send + Sync;

/// A shared [`Decision`].
pub type Decide = Arc<Decision>;

/// Where a registry keeps its prompts. Implementors write `async fn`; callers hold a
/// [`SharedStore`].
///
/// `store_contract::check` (feature `test-util`) is the suite that every store has to pass.
///
/// # Cancel safety
/// Reads can be dropped at any await. A dropped [`change`](Self::change) is made whole or not at
/// all, but which of the two is not known.
pub trait Store: std::fmt::Debug + Send + Sync + 'static {
    /// Finds one version of one prompt.
    ///
    /// # Errors
    /// [`StoreError`], here and below, when the store cannot answer.
    fn find(
        &self,
        reference: &Reference,
        pick: &Pick,
    ) -> impl Future<Output = Result<Located, StoreError>> + Send;

    /// The numbers of a prompt's versions, highest first, at most `limit`.
    fn numbers(
        &self,
        prompt_id: &str,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<promptops_types::Version>, StoreError>> + Send;

    /// The versions of a prompt, the one published last first, at most `limit`, each with the store's
    /// own number of it; only those published before the one with the number `before`.
    fn versions(
        &self,
        prompt_id: &str,
        before: Option<u64>,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<(u64, StoredVersion)>, StoreError>> + Send;

    /// The labels of a prompt, by name.
    fn labels(
        &self,
        prompt_id: &str,
    ) -> impl Future<Output = Result<Vec<promptops_types::Label>, StoreError>> + Send;

    /// One page of prompts, each at the version a list shows, and how many there are in all.
    fn list(&self, query: &ListQuery) -> impl Future<Output = Result<ListPage, StoreError>> + Send;

    /// Prompts whose slug or name shares text with `text`, the most similar first. What similar
    /// means is the store's own; the registry ranks what it gets.
    fn similar(
        &self,
        projects: Option<&[String]>,
        text: &str,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<NamedPrompt>, StoreError>> + Send;

    /// The audit trail, oldest first. An entry is never seen before one with a lower number, or a
    /// reader that goes on from the last number it saw would miss some.
    fn audit(
        &self,
        query: &AuditQuery,
    ) -> impl Future<Output = Result<Vec<AuditEntry>, StoreError>> + Send;

    /// The projects that hold, or have held, a prompt; by id.
    fn projects(&self) -> impl Future<Output = Result<Vec<Project>, StoreError>> + Send;

    /// The modules of a project, by id.
    fn modules(
        &self,
        project: &str,
    ) -> impl Future<Output = Result<Vec<Module>, StoreError>> + Send;

    /// Loads what `target` names, asks `decide`, and makes the change: atomically, durably before
    /// it returns, and after every change that was acknowledged before it began. A receipt is kept with
    /// it, in the same transaction.
    ///
    /// # Errors
    /// What `decide` refused, [`RegistryError::AlreadyDone`] where the receipt is there already, or [`RegistryError::Store`]; then nothing is changed.
    fn change(
        &self,
        target: Target,
        decide: Decide,
    ) -> impl Future<Output = Result<Applied, RegistryError>> + Send;

    /// A number that grows with what is changed, as soon as this process can know of it: here at once,
    /// elsewhere where the store is told. Whoever waits for changes looks now and then all the same.
    fn watch(&self) -> watch::Receiver<u64>;

    /// The key of a hash, whether it may still be used or not.
    fn key(
        &self,
        hash: &KeyHash,
    ) -> impl Future<Output = Result<Option<ApiKey>, StoreError>> + Send;

    /// The key of an id, whether it may still be used or not.
    fn key_by_id(
        &self,
        id: &str,
    ) -> impl Future<Output = Result<Option<ApiKey>, StoreError>> + Send;

    /// Keys, the newest first and of equals by id, at most `limit`; only those that come after the one
    /// that was made then and has this id.
    fn keys(
        &self,
        after: Option<(Timestamp, &str)>,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<ApiKey>, StoreError>> + Send;

    /// Keeps a key under its hash.
    fn add_key(
        &self,
        hash: &KeyHash,
        key: &ApiKey,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends a key, durably before it returns.
    fn revoke_key(
        &self,
        id: &str,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Whether a token is new: it is kept until `until`, durably before this returns. Tokens that have
    /// ended before `now` may be forgotten.
    fn use_once(
        &self,
        token: &[u8; 32],
        until: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// What was done under a receipt's id.
    fn receipt(
        &self,
        id: &[u8; 32],
    ) -> impl Future<Output = Result<Option<Receipted>, StoreError>> + Send;

    /// Keeps the answer that was given for a receipt.
    fn answered(
        &self,
        id: &[u8; 32],
        status: u16,
        etag: Option<&str>,
        answer: &[u8],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Adds what was used to what is there, unless the batch has been added before; gives whether it
    /// was. A batch's id may be forgotten after a day.
    fn log_usage(
        &self,
        batch: &UsageBatch,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// What was used, in no order.
    fn usage(
        &self,
        query: &UsageQuery,
        each: Each<'_, UsageRow>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The prompts that were used most, first the most used; whatever prompt the query names.
    fn top_prompts(
        &self,
        query: &UsageQuery,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<TopPrompt>, StoreError>> + Send;

    /// Forgets what was used in the hours before a time; gives how many rows that were.
    fn forget_usage(
        &self,
        before: Timestamp,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Everything that is kept but for receipts, nonces and usage, as it is at one moment, in one order:
    /// that of [`Record`]'s kinds, each by its names, versions and the trail by age.
    fn export(&self, each: Each<'_, Record>)
    -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Fills an empty store with what another one has exported: whole, or not at all; gives how many
    /// records that were.
    ///
    /// # Errors
    /// [`StoreError::Other`] where there is something already, or a record refers to one that is not
    /// there.
    fn import(&self, records: Records) -> impl Future<Output = Result<u64, StoreError>> + Send;
}
