use serde::{Deserialize, Serialize};

/// What changed between two versions of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PromptDiff {
    /// Version on the left.
    #[serde(default)]
    pub from: String,
    /// Version on the right.
    #[serde(default)]
    pub to: String,
    /// A unified diff with three lines of context; empty when nothing that is shown differs.
    pub unified: String,
    /// Variables that only `to` has.
    #[serde(default)]
    pub variables_added: Vec<String>,
    /// Variables that only `from` has.
    #[serde(default)]
    pub variables_removed: Vec<String>,
}

impl PromptDiff {
    /// A diff between two versions.
    pub fn new(from: String, to: String, unified: String) -> Self {
        Self { from, to, unified, ..Self::default() }
    }
}
