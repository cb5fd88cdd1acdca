use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{ErrorBody, PromptResponse};

/// What a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SortBy {
    /// When the prompt was created.
    #[default]
    CreatedAt,
    /// When the version that is shown was published or last edited.
    UpdatedAt,
    /// Its name, without regard to ASCII case.
    Name,
}

/// Which way a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SortOrder {
    /// Smallest, or oldest, first.
    Asc,
    /// Largest, or newest, first.
    #[default]
    Desc,
}

impl SortBy {
    /// The spelling on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::Name => "name",
        }
    }
}

impl SortOrder {
    /// The spelling on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asc => "asc",
            Self::Desc => "desc",
        }
    }
}

impl FromStr for SortBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::CreatedAt, Self::UpdatedAt, Self::Name]
            .into_iter()
            .find(|by| by.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not one of created_at, updated_at, name"))
    }
}

impl FromStr for SortOrder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Asc, Self::Desc]
            .into_iter()
            .find(|order| order.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not one of asc, desc"))
    }
}

/// One page of a list: each prompt at its latest version.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PromptPage {
    /// The prompts.
    pub prompts: Vec<Arc<PromptResponse>>,
    /// How many prompts there are on all pages.
    #[serde(default)]
    pub total: u64,
    /// Most prompts a page holds.
    #[serde(default)]
    pub limit: u64,
    /// How many were skipped.
    #[serde(default)]
    pub offset: u64,
    /// Whether more follow.
    #[serde(default)]
    pub has_more: bool,
    /// What the next page begins after, if more follow: `cursor` of the next request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl PromptPage {
    /// The page that begins after `offset` of `total` prompts.
    pub fn new(prompts: Vec<Arc<PromptResponse>>, total: u64, limit: u64, offset: u64) -> Self {
        let has_more = offset.saturating_add(prompts.len() as u64) < total;
        Self { prompts, total, limit, offset, has_more, next_cursor: None }
    }
}

/// A prompt to fetch in a batch: an id alone, or `{"id": …, "version": …}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum BatchEntry {
    /// The latest version.
    Id(String),
    /// A selected version.
    #[non_exhaustive]
    Selected {
        /// UUID or slug.
        id: String,
        /// Selector.
        version: Option<String>,
    },
}

impl BatchEntry {
    /// What was asked for, as answers name it: `ID@VERSION`, or the id where there is no version.
    pub fn asked(&self) -> String {
        match self.version() {
            Some(version) => format!("{}@{version}", self.id()),
            None => self.id().to_owned(),
        }
    }

    /// The version of `id` that `selector` selects.
    pub fn selected(id: impl Into<String>, selector: impl Into<String>) -> Self {
        Self::Selected { id: id.into(), version: Some(selector.into()) }
    }

    /// UUID or slug.
    pub fn id(&self) -> &str {
        match self {
            Self::Id(id) | Self::Selected { id, .. } => id,
        }
    }

    /// Selector, if one was given.
    pub fn version(&self) -> Option<&str> {
        match self {
            Self::Id(_) => None,
            Self::Selected { version, .. } => version.as_deref(),
        }
    }
}

impl From<&str> for BatchEntry {
    fn from(id: &str) -> Self {
        Self::Id(id.to_owned())
    }
}

impl From<String> for BatchEntry {
    fn from(id: String) -> Self {
        Self::Id(id)
    }
}

/// The body of a batch request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchRequest {
    /// At most 500.
    pub prompt_ids: Vec<BatchEntry>,
    /// Project to look in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Whether to list each prompt's versions in `versions`.
    pub include_versions: bool,
    /// Whether to include `metadata`; true unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_metadata: Option<bool>,
}

impl BatchRequest {
    /// Most prompts in one batch.
    pub const MAX: usize = 500;

    /// A batch of prompts.
    pub fn new(prompt_ids: Vec<BatchEntry>, project_id: Option<String>) -> Self {
        Self { prompt_ids, project_id, include_versions: false, include_metadata: None }
    }
}

/// What a batch found. One missing prompt never fails the rest.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchResponse {
    /// Found prompts, by the id that was asked for; `id@selector` where a version was.
    pub prompts: BTreeMap<String, Arc<PromptResponse>>,
    /// Why the others were not found, by the same ids.
    #[serde(default)]
    pub errors: BTreeMap<String, ErrorBody>,
    /// Version numbers by the same ids, highest first, if asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, Vec<String>>,
    /// How many were asked for.
    #[serde(default)]
    pub total_requested: u64,
    /// How many were found.
    #[serde(default)]
    pub total_found: u64,
}
