use promptops_types::{LabelName, LabelTarget, NewPrompt};

/// A prompt from elsewhere with its history: what an archive or another tool's export gives.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Imported {
    /// The slug.
    pub slug: String,
    /// Its versions, the oldest first, at least one. Each says its own number.
    pub versions: Vec<ImportedVersion>,
    /// Where its labels point, by name.
    pub labels: Vec<(LabelName, LabelTarget)>,
}

/// One version of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ImportedVersion {
    /// The number, without `v`.
    pub version: String,
    /// What it says, without slug and number.
    pub prompt: NewPrompt,
    /// Why, in the author's words.
    pub message: Option<String>,
}

impl Imported {
    /// A prompt without versions and labels yet.
    pub fn new(slug: impl Into<String>) -> Self {
        Self { slug: slug.into(), versions: Vec::new(), labels: Vec::new() }
    }
}

impl ImportedVersion {
    /// A version whose author did not say why.
    pub fn new(version: impl Into<String>, prompt: NewPrompt) -> Self {
        Self { version: version.into(), prompt, message: None }
    }
}
