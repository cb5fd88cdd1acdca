//! What things are called in Redis.
//!
//! Everything of a scope has the scope in braces, so that a cluster keeps it in one place: what belongs
//! together is read by one command. Digests are cut short: an entry holds its whole fingerprint, and two
//! prompts of one generation are only forgotten together.

use data_encoding::HEXLOWER;
use promptops_types::Error;
use sha2::{Digest, Sha256};

use crate::{CacheKey, CacheScope};

/// Raised with the format of values, so that two versions of this crate do not delete each other's.
const FORMAT: &str = "1";

/// The beginning of every name.
#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Result<Self, Error> {
        if prefix.contains(['{', '}']) {
            let reason = "must not contain braces: they say what a cluster keeps together";
            return Err(Error::config("cache.redis_prefix", reason));
        }
        Ok(Self { prefix: format!("{prefix}{FORMAT}:") })
    }

    /// Where invalidations are told.
    pub(super) fn channel(&self) -> String {
        format!("{}invalidations", self.prefix)
    }

    fn of(&self, scope: &CacheScope, kind: &str, rest: &[u8]) -> String {
        let digest = &scope.digest()[..8];
        let mut name =
            String::with_capacity(self.prefix.len() + 2 * (digest.len() + rest.len()) + 6);
        name.push_str(&self.prefix);
        name.push('{');
        HEXLOWER.encode_append(digest, &mut name);
        name.push('}');
        name.push_str(kind);
        HEXLOWER.encode_append(rest, &mut name);
        name
    }

    /// An entry.
    pub(super) fn entry(&self, key: &CacheKey, fingerprint: &[u8; 32]) -> String {
        self.of(&key.scope, ":e:", &fingerprint[..16])
    }

    /// The generation of everything in a scope.
    pub(super) fn scope(&self, scope: &CacheScope) -> String {
        self.of(scope, ":s", &[])
    }

    /// The generation of a prompt's entries, by one of its names; of lists, without one.
    pub(super) fn group(&self, scope: &CacheScope, prompt: Option<&str>) -> String {
        match prompt {
            Some(prompt) => self.of(scope, ":p:", &Sha256::digest(prompt)[..8]),
            None => self.of(scope, ":l", &[]),
        }
    }

    /// The other names by which entries of a prompt were asked for.
    pub(super) fn aliases(&self, scope: &CacheScope, prompt: &str) -> String {
        self.of(scope, ":n:", &Sha256::digest(prompt)[..8])
    }

    /// That a prompt was invalidated by a name a moment ago.
    pub(super) fn mark(&self, scope: &CacheScope, prompt: &str) -> String {
        self.of(scope, ":w:", &Sha256::digest(prompt)[..8])
    }
}
