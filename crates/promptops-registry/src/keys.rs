//! API keys: who may ask, for what, and how much.

use std::collections::BTreeSet;

use data_encoding::HEXLOWER_PERMISSIVE;
use promptops_types::{ApiKey, NewKey, RateLimits, Scope, Secret, Timestamp, ValidationIssue};
use sha2::{Digest, Sha256};

use crate::limits::MAX_ITEMS;
use crate::naming::{check_name, check_words};
use crate::read::check_limit;
use crate::{Access, Registry, RegistryError, Store};

/// What every key begins with.
const PREFIX: &str = "po_";
/// Random characters of a key: 143 bits.
const RANDOM: usize = 24;
/// Characters of its checksum.
const CHECKSUM: usize = 6;
/// Characters that are shown of a key.
const SHOWN: usize = 8;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// SHA-256 of a key: what it is looked up by.
pub type KeyHash = [u8; 32];

/// The hash of a text that can be a key; `None` where its form or checksum says that it is none.
pub fn key_hash(text: &str) -> Option<KeyHash> {
    let rest = text.strip_prefix(PREFIX)?;
    let (random, checksum) = rest.split_at_checked(RANDOM)?;
    let is_one = rest.len() == RANDOM + CHECKSUM && checksum_of(random) == checksum;
    is_one.then(|| Sha256::digest(text).into())
}

/// A hash that is written in hex.
pub(crate) fn hash_from_hex(hex: &str) -> Result<KeyHash, &'static str> {
    let bytes = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or("a key's hash is not 64 hex digits")
}

/// Six characters of a SHA-256 over the random ones: a typing mistake asks no database.
fn checksum_of(random: &str) -> String {
    let digest = Sha256::digest(random);
    digest.iter().take(CHECKSUM).map(|byte| letter(*byte)).collect()
}

fn letter(byte: u8) -> char {
    char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])
}

fn new_text() -> Result<Secret, RegistryError> {
    let mut random = String::with_capacity(RANDOM);
    while random.len() < RANDOM {
        let mut bytes = [0_u8; 64];
        getrandom::fill(&mut bytes).map_err(|error| {
            RegistryError::Store(crate::StoreError::Other(format!("no random bytes: {error}")))
        })?;
        // The last bytes would make some letters likelier than others.
        let fair = bytes.into_iter().filter(|byte| *byte < 248).map(letter);
        random.extend(fair.take(RANDOM - random.len()));
    }
    let checksum = checksum_of(&random);
    Ok(Secret::new(format!("{PREFIX}{random}{checksum}")))
}

impl Registry {
    /// Makes a key, and gives its text: the only time that it is told. It may do no more than its
    /// maker.
    ///
    /// # Errors
    /// [`RegistryError::ScopeMissing`] without the scope `admin`; [`RegistryError::Invalid`] that names
    /// every field that is wrong, or wider than the maker's own.
    pub async fn create_key(
        &self,
        access: &Access,
        new: NewKey,
    ) -> Result<(ApiKey, Secret), RegistryError> {
        access.require(Scope::Admin)?;
        let at = self.now();
        check(access, &new, at)?;
        let text = new_text()?;
        let hash: KeyHash = Sha256::digest(text.expose()).into();
        let limit = |wanted: Option<u32>, own: Option<u32>| wanted.or(own);
        let own = access.limits();
        let key = ApiKey {
            id: uuid::Uuid::new_v4().to_string(),
            prefix: text.expose().chars().take(SHOWN).collect(),
            name: new.name,
            description: new.description,
            scopes: new.scopes.unwrap_or_else(|| BTreeSet::from([Scope::Read])),
            projects: new.projects.or_else(|| access.allowed_projects().cloned()),
            limits: RateLimits {
                per_minute: limit(new.per_minute, own.per_minute),
                per_hour: limit(new.per_hour, own.per_hour),
                per_day: limit(new.per_day, own.per_day),
            },
            created_at: at,
            created_by: access.actor().to_owned(),
            expires_at: new.expires_at.or_else(|| access.expires_at()),
            revoked_at: None,
        };
        self.store.add_key(&hash, &key).await?;
        Ok((key, text))
    }

    /// The key of a text, if it may be used now.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn authenticate(&self, text: &str) -> Result<Option<ApiKey>, RegistryError> {
        let Some(hash) = key_hash(text) else { return Ok(None) };
        let key = self.store.key(&hash).await?;
        Ok(key.filter(|key| key.is_valid(self.now())))
    }

    /// Whether the key of a hash may be used now: what was begun with it may go on.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn is_key_valid(&self, hash: &KeyHash) -> Result<bool, RegistryError> {
        let key = self.store.key(hash).await?;
        Ok(key.is_some_and(|key| key.is_valid(self.now())))
    }

    /// The keys that a caller may see: those that may do no more than it; the newest first. One page of
    /// all keys is looked through, at most `limit` (1 to 1000), after the one that was made then and has
    /// this id; and where the next page begins, if there is one.
    ///
    /// # Errors
    /// [`RegistryError::ScopeMissing`] without the scope `admin`; [`RegistryError::Invalid`] for a limit
    /// of 0 or above 1000.
    pub async fn keys(
        &self,
        access: &Access,
        after: Option<(Timestamp, &str)>,
        limit: u64,
    ) -> Result<(Vec<ApiKey>, Option<(Timestamp, String)>), RegistryError> {
        access.require(Scope::Admin)?;
        check_limit(limit)?;
        let mut keys = self.store.keys(after, limit + 1).await?;
        let has_more = keys.len() as u64 > limit;
        if has_more {
            keys.pop();
        }
        let next = keys.last().filter(|_| has_more).map(|key| (key.created_at, key.id.clone()));
        keys.retain(|key| may_see(access, key));
        Ok((keys, next))
    }

    /// Whether there is any key.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn has_keys(&self) -> Result<bool, RegistryError> {
        Ok(!self.store.keys(None, 1).await?.is_empty())
    }

    /// Ends a key: from the next request on it is refused.
    ///
    /// # Errors
    /// [`RegistryError::ScopeMissing`] without the scope `admin`; [`RegistryError::KeyNotFound`] for one
    /// that is not there, or that the caller may not see.
    pub async fn revoke_key(&self, access: &Access, id: &str) -> Result<ApiKey, RegistryError> {
        access.require(Scope::Admin)?;
        let found = self.store.key_by_id(id).await?;
        let Some(mut key) = found.filter(|key| may_see(access, key)) else {
            return Err(RegistryError::KeyNotFound { id: id.to_owned() });
        };
        let at = self.now();
        if key.revoked_at.is_none() {
            self.store.revoke_key(id, at).await?;
            key.revoked_at = Some(at);
        }
        Ok(key)
    }

    /// Whether something that may be used once has not been used yet: it has been, from now on.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn use_once(
        &self,
        token: &[u8; 32],
        until: Timestamp,
    ) -> Result<bool, RegistryError> {
        Ok(self.store.use_once(token, until, self.now()).await?)
    }
}

/// Whether a key may do no more than a caller.
fn may_see(access: &Access, key: &ApiKey) -> bool {
    access.covers_projects(key.projects.as_ref()) && key.scopes.iter().all(|s| access.has(*s))
}

/// Refuses what is wrong, or wider than its maker's own.
fn check(access: &Access, new: &NewKey, now: Timestamp) -> Result<(), RegistryError> {
    let mut issues = Vec::new();
    check_name("name", &new.name, &mut issues);
    check_words("description", new.description.as_deref().unwrap_or_default(), &mut issues);
    let mut wrong = |field: &str, code: &str, message: String| {
        issues.push(ValidationIssue::new(field, code, message));
    };
    for scope in new.scopes.iter().flatten().filter(|scope| !access.has(**scope)) {
        wrong("allowed_scopes", "too_wide", format!("you have no scope `{scope}` yourself"));
    }
    if new.scopes.as_ref().is_some_and(BTreeSet::is_empty) {
        wrong("allowed_scopes", "empty", "a key without scopes can do nothing".to_owned());
    }
    if new.projects.as_ref().is_some_and(|projects| projects.len() > MAX_ITEMS) {
        wrong("allowed_projects", "too_many", format!("names more than {MAX_ITEMS} projects"));
    }
    for project in new.projects.iter().flatten().filter(|project| !access.allows(project)) {
        wrong(
            "allowed_projects",
            "too_wide",
            format!("you may not see project `{project}` yourself"),
        );
    }
    let own = access.limits().windows();
    let wanted = [new.per_minute, new.per_hour, new.per_day];
    let fields = ["rate_limit_per_minute", "rate_limit_per_hour", "rate_limit_per_day"];
    for ((field, wanted), own) in fields.into_iter().zip(wanted).zip(own) {
        match (wanted, own) {
            (Some(0), _) => wrong(field, "invalid", "must be at least 1".to_owned()),
            (Some(wanted), Some(own)) if wanted > own => {
                wrong(field, "too_wide", format!("you have {own} yourself"));
            }
            _ => {}
        }
    }
    match (new.expires_at, access.expires_at()) {
        (Some(end), _) if end <= now => wrong("expires_at", "invalid", "is past".to_owned()),
        (Some(end), Some(own)) if end > own => {
            wrong("expires_at", "too_wide", format!("your own key ends at {own}"));
        }
        _ => {}
    }
    if issues.is_empty() { Ok(()) } else { Err(RegistryError::Invalid(issues)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_form() {
        let text = new_text().unwrap();
        let text = text.expose();
        assert_eq!(text.len(), 33);
        assert!(key_hash(text).is_some());
        for at in 3..33 {
            let mut changed = text.to_owned();
            let other = if &text[at..=at] == "x" { "y" } else { "x" };
            changed.replace_range(at..=at, other);
            assert_eq!(key_hash(&changed), None, "{at}");
        }
        for text in ["", "po_", "po_ä", &text[..32], &format!("{text}0"), &text[3..]] {
            assert_eq!(key_hash(text), None, "{text}");
        }
    }
}
