#![doc = include_str!("../README.md")]

mod access;
mod catalogue;
mod compatibility;
mod content;
mod cursor;
mod delete;
mod diff;
mod digest;
mod error;
mod keys;
mod labels;
mod limits;
mod naming;
#[cfg(feature = "postgres")]
mod postgres;
mod publish;
mod read;
mod registry;
mod rollout;
mod sqlite;
mod store;
mod suggest;
mod transfer;
mod usage;

pub use access::Access;
pub use catalogue::catalogue;
pub use compatibility::check_models;
pub use content::VersionContent;
pub use delete::DeleteOptions;
pub use diff::diff;
pub use error::RegistryError;
pub use keys::{KeyHash, key_hash};
pub use labels::LabelMove;
pub use limits::{MAX_BODY_BYTES, MAX_PAGE};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresOptions, PostgresStore};
/// What both sides of the contract speak.
pub use promptops_types::{Action, ApiKey, AuditEntry, NewKey, RateLimits, Scope};
pub use publish::{UpdateOptions, check_prompt};
pub use registry::{Found, PromptRef, Registry};
pub use sqlite::{SqliteStore, copy as copy_sqlite};
#[cfg(feature = "test-util")]
pub use store::contract as store_contract;
pub use store::{
    Applied, AuditQuery, Change, Decide, Decision, Each, Focus, ListPage, ListQuery, Located,
    Module, NamedPrompt, Op, Pick, Place, Project, PromptHead, PromptState, Receipt, Receipted,
    Record, Records, Reference, SharedStore, SortValue, Store, StoreError, StoredVersion, Target,
};
pub use transfer::{ExportWriter, Transferred, read_export};
pub use usage::{
    Histogram, Logged, StatsQuery, TopPrompt, USAGE_KEPT, Usage, UsageBatch, UsageQuery, UsageRow,
};
