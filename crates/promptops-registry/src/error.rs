use promptops_types::{LabelName, ValidationIssue, Version};

use crate::StoreError;

/// Why a registry refuses, or cannot do, what it was asked. Each says what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// No such prompt in the projects that the caller may see.
    #[error("no prompt `{reference}` in {place}")]
    PromptNotFound {
        /// What was asked for.
        reference: String,
        /// Where it was looked for.
        place: String,
        /// At most five prompts with a similar slug or name.
        suggestions: Vec<String>,
    },
    /// The prompt is there, but not the version.
    #[error("prompt `{slug}` has no version for `{selector}`; it has {}", list_versions(.available))]
    VersionNotFound {
        /// Slug of the prompt.
        slug: String,
        /// The selector that found nothing.
        selector: String,
        /// Versions there are, newest first; the first few.
        available: Vec<String>,
    },
    /// The prompt has no such label.
    #[error("prompt `{slug}` has no label `{label}`")]
    LabelNotFound {
        /// Slug of the prompt.
        slug: String,
        /// The label.
        label: LabelName,
    },
    /// There is no earlier move of the label to take back.
    #[error("label `{label}` of prompt `{slug}` has no move to undo")]
    NothingToUndo {
        /// Slug of the prompt.
        slug: String,
        /// The label.
        label: LabelName,
    },
    /// Another prompt of the project has the slug.
    #[error(
        "project `{project}` already has a prompt `{slug}`; update that one, or give another slug"
    )]
    SlugTaken {
        /// The slug.
        slug: String,
        /// The project.
        project: String,
    },
    /// The caller may not write to the project.
    #[error("you may not write to project `{project}`; use a key that allows it")]
    ProjectNotAllowed {
        /// The project.
        project: String,
    },
    /// The caller's key is not for this.
    #[error("this needs a key with the scope `{scope}`")]
    ScopeMissing {
        /// The scope.
        scope: crate::Scope,
    },
    /// No such key among those that the caller may see.
    #[error("no API key `{id}`")]
    KeyNotFound {
        /// What was asked for.
        id: String,
    },
    /// The write was made already, under the same idempotency key.
    #[error("this was done already")]
    AlreadyDone,
    /// The version number is taken.
    #[error(
        "prompt `{slug}` already has a version {version}; leave the version out to get the next one"
    )]
    VersionExists {
        /// Slug of the prompt.
        slug: String,
        /// The version.
        version: Version,
    },
    /// The update changes nothing.
    #[error(
        "the update changes nothing: prompt `{slug}` {version} is the same already; use `force` to \
         publish it again"
    )]
    Unchanged {
        /// Slug of the prompt.
        slug: String,
        /// The version that is the same.
        version: Version,
    },
    /// Labels point at the version.
    #[error(
        "version {version} of prompt `{slug}` is frozen: {} at it; publish a new version, or move \
         the label first",
        points(.labels)
    )]
    VersionFrozen {
        /// Slug of the prompt.
        slug: String,
        /// The version.
        version: Version,
        /// The labels.
        labels: Vec<String>,
    },
    /// The prompt has changed since the caller read it.
    #[error(
        "prompt `{slug}` has changed since you read it: its revision is {current} now; read it \
         again and repeat the change"
    )]
    RevisionMismatch {
        /// Slug of the prompt.
        slug: String,
        /// The revisions that were expected.
        expected: Vec<u64>,
        /// The revision it has.
        current: u64,
    },
    /// Fields are wrong: all of them.
    #[error("{}", summary(.0))]
    Invalid(Vec<ValidationIssue>),
    /// A part is larger than its limit.
    #[error("`{field}` has {size} bytes; at most {limit} are allowed")]
    TooLarge {
        /// The field.
        field: String,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RegistryError {
    /// One wrong field.
    pub(crate) fn invalid(field: &str, code: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![ValidationIssue::new(field, code, message)])
    }
}

impl RegistryError {
    /// The wrong fields, to be told with others; any other error is told alone.
    pub(crate) fn into_issues(self) -> Result<Vec<ValidationIssue>, Self> {
        match self {
            Self::Invalid(issues) => Ok(issues),
            other => Err(other),
        }
    }
}

fn list_versions(versions: &[String]) -> String {
    if versions.is_empty() { "none".to_owned() } else { versions.join(", ") }
}

fn points(labels: &[String]) -> String {
    match labels {
        [label] => format!("label `{label}` points"),
        labels => format!("labels `{}` point", labels.join("`, `")),
    }
}

fn summary(issues: &[ValidationIssue]) -> String {
    match issues {
        [issue] => format!("`{}`: {}", issue.field, issue.message),
        issues => format!("{} fields are wrong", issues.len()),
    }
}
