use serde::{Deserialize, Serialize};

use crate::{LabelName, LabelTarget, Timestamp, Version};

/// What was done, for the audit trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Action {
    /// A version was published.
    Publish,
    /// A version was edited in place.
    Edit,
    /// A version was deleted.
    DeleteVersion,
    /// A prompt was deleted.
    DeletePrompt,
    /// A label was pointed somewhere.
    SetLabel,
    /// A label was removed.
    RemoveLabel,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 6] = [
        Self::Publish,
        Self::Edit,
        Self::DeleteVersion,
        Self::DeletePrompt,
        Self::SetLabel,
        Self::RemoveLabel,
    ];

    /// The spelling in the store and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Edit => "edit",
            Self::DeleteVersion => "delete_version",
            Self::DeletePrompt => "delete_prompt",
            Self::SetLabel => "set_label",
            Self::RemoveLabel => "remove_label",
        }
    }
}

/// One line of the audit trail: who did what, when, and what it was before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    /// Number of the change; grows, never used twice.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What.
    pub action: Action,
    /// Project.
    pub project: String,
    /// UUID of the prompt.
    pub prompt_id: String,
    /// Slug of the prompt.
    pub slug: String,
    /// The version, where it is about one.
    pub version: Option<Version>,
    /// The label, where it is about one.
    pub label: Option<LabelName>,
    /// Digest of the version before.
    pub digest_before: Option<String>,
    /// Digest of the version after.
    pub digest_after: Option<String>,
    /// Where the label pointed before.
    pub target_before: Option<LabelTarget>,
    /// Where the label points after.
    pub target_after: Option<LabelTarget>,
    /// Why, in the author's words.
    pub message: Option<String>,
}

impl AuditEntry {
    /// A line that says no more than what was done, when and by whom; whoever makes it adds what it is about.
    pub fn new(actor: impl Into<String>, action: Action, at: Timestamp) -> Self {
        Self {
            seq: 0,
            at,
            actor: actor.into(),
            action,
            project: String::new(),
            prompt_id: String::new(),
            slug: String::new(),
            version: None,
            label: None,
            digest_before: None,
            digest_after: None,
            target_before: None,
            target_after: None,
            message: None,
        }
    }
}

/// One page of the change feed: what was published, labelled and deleted, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangePage {
    /// The changes.
    pub changes: Vec<AuditEntry>,
    /// `since` of the next request, whether there were changes or not.
    #[serde(default)]
    pub next_cursor: String,
    /// Whether more follow at once.
    #[serde(default)]
    pub has_more: bool,
}

impl ChangePage {
    /// A page after which the feed goes on at `next_cursor`.
    pub fn new(changes: Vec<AuditEntry>, next_cursor: String, has_more: bool) -> Self {
        Self { changes, next_cursor, has_more }
    }
}
