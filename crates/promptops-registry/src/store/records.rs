use std::collections::BTreeMap;

use promptops_types::{
    Action, AuditEntry, Label, LabelName, LabelTarget, SortBy, SortOrder, Timestamp, Version,
};
use serde::{Deserialize, Serialize};

use crate::VersionContent;

/// Which prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reference {
    /// By UUID, in any project.
    Id(String),
    /// By slug.
    Slug {
        /// The project.
        project: String,
        /// The slug.
        slug: String,
    },
}

impl Reference {
    /// What a statement is bound to: id, project, slug.
    pub(crate) fn parts(&self) -> (Option<&str>, Option<&str>, Option<&str>) {
        match self {
            Self::Id(id) => (Some(id), None, None),
            Self::Slug { project, slug } => (None, Some(project), Some(slug)),
        }
    }
}

/// Which version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pick {
    /// The highest release.
    Latest,
    /// One version.
    Exact(Version),
    /// The highest release with these first numbers.
    Range {
        /// The first number.
        major: u64,
        /// The second number, if given.
        minor: Option<u64>,
    },
    /// What a label points at.
    Label(LabelName),
}

/// What a look-up found.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Located {
    /// The version.
    Version(Box<(PromptHead, StoredVersion)>),
    /// A label with weights; the caller chooses.
    Weights(PromptHead, BTreeMap<Version, u32>),
    /// The prompt, but not the version.
    NoVersion(PromptHead),
    /// Nothing.
    NoPrompt,
}

/// What all versions of a prompt share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptHead {
    /// UUID.
    pub id: String,
    /// Project.
    pub project: String,
    /// Slug, unique in the project.
    pub slug: String,
    /// When the prompt was created.
    pub created_at: Timestamp,
    /// Number of the prompt's last change in the audit trail: it grows with every change and is
    /// never used again, not even by a prompt that takes the slug later.
    pub revision: u64,
    /// The highest release ever published, deleted ones included: the next number goes on from
    /// it, so a number never comes to mean another text by itself.
    pub last_release: Option<Version>,
    /// How many versions there are.
    pub version_count: u64,
}

impl PromptHead {
    /// A line of the audit trail about this prompt; whoever makes it adds what else it is about.
    pub(crate) fn audit(&self, actor: &str, action: Action, at: Timestamp) -> AuditEntry {
        AuditEntry {
            project: self.project.clone(),
            prompt_id: self.id.clone(),
            slug: self.slug.clone(),
            ..AuditEntry::new(actor, action, at)
        }
    }
}

/// One version as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredVersion {
    /// The version.
    pub version: Version,
    /// What it fixes.
    pub content: VersionContent,
    /// SHA-256 of the rendered parts, in hex.
    pub digest: String,
    /// When it was published or last edited.
    pub updated_at: Timestamp,
    /// Who published it.
    pub created_by: String,
    /// Why, in the author's words.
    pub message: Option<String>,
    /// Labels that point at it, by name.
    pub labels: Vec<String>,
}

/// What a change is about, so that a store knows what to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The prompt.
    pub reference: Reference,
    /// What of it.
    pub focus: Focus,
    /// What a write that may be sent again is known by.
    pub receipt: Option<Receipt>,
}

/// What a write is known by when it is sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// SHA-256 of who asks and their idempotency key.
    pub id: [u8; 32],
    /// SHA-256 of what they ask.
    pub fingerprint: [u8; 32],
    /// When.
    pub at: Timestamp,
}

/// What was done under a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipted {
    /// Of the request.
    pub fingerprint: [u8; 32],
    /// When.
    pub at: Timestamp,
    /// The prompt that was changed.
    pub prompt_id: String,
    /// The version that was written, if one was.
    pub version: Option<Version>,
    /// Status, ETag and data of the answer, once it was made.
    pub answer: Option<(u16, Option<String>, Vec<u8>)>,
}

/// What of a prompt a decision wants to see, beside its head, labels and shown version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Focus {
    /// These versions.
    pub versions: Vec<Version>,
    /// The last move of this label.
    pub label: Option<LabelName>,
    /// The numbers of all versions.
    pub all_numbers: bool,
}

/// What is stored about a prompt when a decision is asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PromptState {
    /// The prompt; `None` if there is none.
    pub head: Option<PromptHead>,
    /// The version that a list shows: the highest release, or the highest version where there is
    /// no release.
    pub shown: Option<StoredVersion>,
    /// Those of the versions asked for that there are.
    pub versions: BTreeMap<Version, StoredVersion>,
    /// All labels, by name.
    pub labels: Vec<Label>,
    /// Before and after of the last move of the label asked for.
    pub last_move: Option<(Option<LabelTarget>, Option<LabelTarget>)>,
    /// All version numbers, highest first, if asked for.
    pub numbers: Vec<Version>,
}

/// What a decision wants made.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Change {
    /// The steps, in order.
    pub ops: Vec<Op>,
    /// What the audit trail shall say: at least one entry. `seq` is filled in by the store.
    pub audit: Vec<AuditEntry>,
}

/// One step of a change.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Op {
    /// Adds the prompt; its project too, if it is new.
    CreatePrompt {
        /// UUID.
        id: String,
        /// Project.
        project: String,
        /// Slug.
        slug: String,
        /// When.
        at: Timestamp,
    },
    /// Adds a version. It fails if there is one with this number: no version is ever overwritten
    /// by adding another.
    AddVersion(Box<StoredVersion>),
    /// Replaces the content of the version with this number.
    EditVersion(Box<StoredVersion>),
    /// Removes a version that no label points at.
    DeleteVersion(Version),
    /// Points a label at versions that there are.
    SetLabel(Label),
    /// Removes a label.
    RemoveLabel(LabelName),
    /// Removes the prompt with its versions and labels; the audit trail stays.
    DeletePrompt,
}

/// What a change did.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The state the decision was made on.
    pub before: PromptState,
    /// What was made.
    pub change: Change,
    /// The prompt's revision after it.
    pub revision: u64,
}

/// Which part of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditQuery {
    /// Only these projects; `None` means every project.
    pub projects: Option<Vec<String>>,
    /// Only this prompt, by UUID.
    pub prompt_id: Option<String>,
    /// Only entries after this number.
    pub after: u64,
    /// At most this many.
    pub limit: u64,
}

/// Which prompts a list shows, and in what order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListQuery {
    /// Only these projects; `None` means every project.
    pub projects: Option<Vec<String>>,
    /// Only this module.
    pub module: Option<String>,
    /// Only prompts with all of these tags.
    pub tags: Vec<String>,
    /// Only prompts whose slug, name or description holds this text, without regard to case.
    pub text: Option<String>,
    /// Sorted by.
    pub sort_by: SortBy,
    /// Which way. Equals are sorted by age, the same way.
    pub sort_order: SortOrder,
    /// Only what comes after this place of the same list.
    pub after: Option<Place>,
    /// How many to skip.
    pub offset: u64,
    /// How many to give.
    pub limit: u64,
}

/// A place in a list: that of one prompt in its order. It stays where it is, whatever comes and goes
/// before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What the list is sorted by.
    pub sorted_by: SortValue,
    /// The store's own number of the prompt, which tells equals apart.
    pub key: u64,
}

/// What a list is sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SortValue {
    /// When the prompt was created, or its shown version changed.
    Time(Timestamp),
    /// The name.
    Name(String),
}

impl SortValue {
    /// The value of a prompt, as a list shows it.
    pub fn of(sort_by: SortBy, head: &PromptHead, shown: &StoredVersion) -> Self {
        match sort_by {
            SortBy::Name => Self::Name(shown.content.name.clone()),
            SortBy::UpdatedAt => Self::Time(shown.updated_at),
            _ => Self::Time(head.created_at),
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListPage {
    /// The prompts, each at the version a list shows.
    pub prompts: Vec<(PromptHead, StoredVersion)>,
    /// How many there are on all pages.
    pub total: u64,
    /// The place of the last one, where more follow.
    pub next: Option<Place>,
}

/// A prompt by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPrompt {
    /// Slug.
    pub slug: String,
    /// Display name.
    pub name: String,
}

/// A project: it exists once a prompt has been put in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Id.
    pub id: String,
    /// When its first prompt was created.
    pub created_at: Timestamp,
    /// How many prompts it holds.
    pub prompts: u64,
}

/// A module of a project: it exists once a prompt has been filed under it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Id, unique in the project.
    pub id: String,
    /// The project.
    pub project: String,
    /// When its first prompt was filed.
    pub created_at: Timestamp,
    /// How many prompts are filed under it.
    pub prompts: u64,
}
