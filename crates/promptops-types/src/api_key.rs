use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Secret, Timestamp};

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Scope {
    /// Reading prompts.
    Read,
    /// Changing prompts.
    Write,
    /// Managing keys.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// The spelling in the store and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        found.ok_or_else(|| format!("there is no scope `{text}`; use read, write or admin"))
    }
}

/// Most requests of a key. What is not set has the server's own limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RateLimits {
    /// In any minute.
    #[serde(rename = "rate_limit_per_minute")]
    pub per_minute: Option<u32>,
    /// In any hour.
    #[serde(rename = "rate_limit_per_hour")]
    pub per_hour: Option<u32>,
    /// In any day.
    #[serde(rename = "rate_limit_per_day")]
    pub per_day: Option<u32>,
}

impl RateLimits {
    /// Each window's limit, the shortest first.
    pub fn windows(self) -> [Option<u32>; 3] {
        [self.per_minute, self.per_hour, self.per_day]
    }
}

/// A key as it is known: never its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKey {
    /// UUID.
    pub id: String,
    /// Its first characters.
    pub prefix: String,
    /// What people call it.
    pub name: String,
    /// More about it.
    pub description: Option<String>,
    /// What it may be used for.
    #[serde(rename = "allowed_scopes")]
    pub scopes: BTreeSet<Scope>,
    /// Where; `None` is everywhere.
    #[serde(rename = "allowed_projects")]
    pub projects: Option<BTreeSet<String>>,
    /// How much.
    #[serde(flatten)]
    pub limits: RateLimits,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// Until when it works.
    pub expires_at: Option<Timestamp>,
    /// Since when it works no more.
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether it may be used at a time.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// A key to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewKey {
    /// What people call it.
    pub name: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it may be used for; `read` unless given.
    #[serde(default, rename = "allowed_scopes", skip_serializing_if = "Option::is_none")]
    pub scopes: Option<BTreeSet<Scope>>,
    /// Where; everywhere that its maker may be, unless given.
    #[serde(default, rename = "allowed_projects", skip_serializing_if = "Option::is_none")]
    pub projects: Option<BTreeSet<String>>,
    /// Most requests in any minute.
    #[serde(default, rename = "rate_limit_per_minute", skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u32>,
    /// Most requests in any hour.
    #[serde(default, rename = "rate_limit_per_hour", skip_serializing_if = "Option::is_none")]
    pub per_hour: Option<u32>,
    /// Most requests in any day.
    #[serde(default, rename = "rate_limit_per_day", skip_serializing_if = "Option::is_none")]
    pub per_day: Option<u32>,
    /// Until when it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A key that was just made, with its text and its secret: they are told this once.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct CreatedKey {
    /// What is known of it from now on.
    #[serde(flatten)]
    pub key: ApiKey,
    /// What requests are made with.
    pub api_key: Secret,
    /// What requests may be signed with.
    pub secret_key: Secret,
}

/// One page of keys, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKeyPage {
    /// May be fewer than were asked for, though more follow.
    pub api_keys: Vec<ApiKey>,
    /// Whether more follow.
    #[serde(default)]
    pub has_more: bool,
    /// `cursor` of the next page.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

impl ApiKeyPage {
    /// A page after which others follow at `next_cursor`, if there are more.
    pub fn new(api_keys: Vec<ApiKey>, next_cursor: Option<String>) -> Self {
        Self { api_keys, has_more: next_cursor.is_some(), next_cursor }
    }
}
