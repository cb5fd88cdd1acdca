#![doc = include_str!("../README.md")]

mod access;
mod catalogue;
mod compatibility;
mod content;
mod delete;
mod diff;
mod digest;
mod error;
mod keys;
mod labels;
mod limits;
mod naming;
mod publish;
mod read;
mod registry;
mod rollout;
mod sqlite;
mod store;
mod suggest;

pub use access::Access;
pub use catalogue::catalogue;
pub use compatibility::check_models;
pub use content::VersionContent;
pub use delete::DeleteOptions;
pub use diff::diff;
pub use error::RegistryError;
pub use keys::{ApiKey, KeyHash, NewKey, RateLimits, Scope, key_hash};
pub use labels::LabelMove;
pub use limits::{MAX_BODY_BYTES, MAX_PAGE};
pub use publish::UpdateOptions;
pub use registry::{Found, PromptRef, Registry};
pub use sqlite::{SqliteStore, copy as copy_sqlite};
#[cfg(feature = "test-util")]
pub use store::contract as store_contract;
pub use store::{
    Action, Applied, AuditEntry, AuditQuery, Change, Decide, Decision, Focus, ListQuery, Located,
    Module, NamedPrompt, Op, Pick, Project, PromptHead, PromptState, Receipt, Receipted, Reference,
    SharedStore, Store, StoreError, StoredVersion, Target,
};
