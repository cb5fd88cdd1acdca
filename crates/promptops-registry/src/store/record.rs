//! What a store holds, one record at a time: how a registry moves from one store to another.

use promptops_types::{AuditEntry, Label, Timestamp};
use serde::{Deserialize, Serialize};

use super::{PromptHead, StoredVersion};
use crate::ApiKey;

/// Records, read one after the other.
pub type Records = Box<dyn Iterator<Item = Result<Record, String>> + Send>;

/// Why a store does not take records.
pub(crate) const NOT_EMPTY: &str =
    "there is something in it already; import into an empty registry";
pub(crate) const NO_PROMPT: &str = "a version or label comes before its prompt";

/// One thing that a store holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Record {
    /// A project.
    Project {
        /// Its id.
        id: String,
        /// When its first prompt was created.
        created_at: Timestamp,
    },
    /// A module of a project.
    Module {
        /// The project.
        project: String,
        /// Its id.
        id: String,
        /// When its first prompt was filed.
        created_at: Timestamp,
    },
    /// A prompt; its versions and labels follow it.
    Prompt {
        /// What its versions share.
        head: PromptHead,
    },
    /// A version of the prompt before it, the oldest first. Its labels are records of their own.
    Version {
        /// The version.
        version: Box<StoredVersion>,
    },
    /// A label of the prompt before it.
    Label {
        /// The label.
        label: Label,
    },
    /// A line of the audit trail.
    Audit {
        /// The line.
        entry: Box<AuditEntry>,
    },
    /// A key.
    Key {
        /// SHA-256 of its text, in hex.
        hash: String,
        /// What is known of it.
        key: Box<ApiKey>,
    },
}
