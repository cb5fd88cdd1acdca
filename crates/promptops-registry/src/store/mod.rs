//! The persistence seam: a store keeps what it is given and decides nothing.
//!
//! Every rule about versions, labels and slugs lives in the registry, as a [`Decision`]: a pure
//! function from what is stored to what shall be. A store loads the state, asks the decision, and
//! makes the change, all in one transaction; so two writers never decide on the same state.

#[cfg(feature = "test-util")]
pub mod contract;
mod error;
mod handle;
mod records;

use std::future::Future;
use std::sync::Arc;

pub use error::StoreError;
pub use handle::SharedStore;
pub use records::{
    Action, Applied, AuditEntry, AuditQuery, Change, Focus, ListQuery, Located, Module,
    NamedPrompt, Op, Pick, Project, PromptHead, PromptState, Receipt, Receipted, Reference,
    StoredVersion, Target,
};

use promptops_types::Timestamp;

use crate::{ApiKey, KeyHash, RegistryError};

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

    /// The versions of a prompt, the one published last first, at most `limit`.
    fn versions(
        &self,
        prompt_id: &str,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<StoredVersion>, StoreError>> + Send;

    /// The labels of a prompt, by name.
    fn labels(
        &self,
        prompt_id: &str,
    ) -> impl Future<Output = Result<Vec<promptops_types::Label>, StoreError>> + Send;

    /// One page of prompts, each at the version a list shows, and how many there are in all.
    fn list(
        &self,
        query: &ListQuery,
    ) -> impl Future<Output = Result<(Vec<(PromptHead, StoredVersion)>, u64), StoreError>> + Send;

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

    /// The key of a hash, whether it may still be used or not.
    fn key(
        &self,
        hash: &KeyHash,
    ) -> impl Future<Output = Result<Option<ApiKey>, StoreError>> + Send;

    /// All keys, the newest first.
    fn keys(&self) -> impl Future<Output = Result<Vec<ApiKey>, StoreError>> + Send;

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
}
