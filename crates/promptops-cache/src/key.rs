use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use promptops_types::Secret;
use sha2::{Digest, Sha256};

/// Whose entries they are: a registry, as seen with a credential. Two clients share entries only if
/// both are the same.
///
/// A clone is cheap, and compares by its address first.
#[derive(Clone)]
pub struct CacheScope(Arc<Scope>);

struct Scope {
    registry: String,
    credential: [u8; 32],
    digest: [u8; 32],
    /// The beginning of the digest.
    hash: u64,
}

impl CacheScope {
    /// The scope of a registry, by its URL or another identity, and a credential. The credential is
    /// not kept, only its SHA-256.
    pub fn new(registry: impl Into<String>, credential: Option<&Secret>) -> Self {
        let registry = registry.into();
        let mut hasher = Sha256::new();
        if let Some(credential) = credential {
            // Tells a credential that is empty from none.
            hasher.update([1]);
            hasher.update(credential.expose());
        }
        let credential: [u8; 32] = hasher.finalize().into();
        let both = Sha256::new().chain_update(credential).chain_update(&registry);
        let digest: [u8; 32] = both.finalize().into();
        let hash = digest.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte));
        Self(Arc::new(Scope { registry, credential, digest, hash }))
    }

    /// The registry's identity.
    pub fn registry(&self) -> &str {
        &self.0.registry
    }

    /// SHA-256 of the credential.
    pub fn credential(&self) -> &[u8; 32] {
        &self.0.credential
    }

    /// SHA-256 over both: the name of the scope outside the process.
    pub fn digest(&self) -> &[u8; 32] {
        &self.0.digest
    }
}

impl PartialEq for CacheScope {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.digest == other.0.digest
    }
}

impl Eq for CacheScope {}

impl Hash for CacheScope {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl fmt::Debug for CacheScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheScope").field("registry", &self.0.registry).finish_non_exhaustive()
    }
}

/// What an entry is of. Its parts are compared one by one, never as a joined text, so no two that
/// differ are ever the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheKey {
    /// Whose entry it is.
    pub scope: CacheScope,
    /// What was called, such as `get_prompt`.
    pub operation: &'static str,
    /// The prompt, as it was asked for: a slug or an id. None for lists.
    pub prompt: Option<String>,
    /// The project, as it was asked for.
    pub project: Option<String>,
    /// The version, as it was asked for: a number, a label, a chain.
    pub selector: Option<String>,
    /// Whatever else the answer depends on: the caller's key of a weighted label, the filters of a
    /// list.
    pub rest: Option<String>,
}

impl CacheKey {
    /// A key of an operation; its other parts are empty.
    pub fn new(scope: CacheScope, operation: &'static str) -> Self {
        Self { scope, operation, prompt: None, project: None, selector: None, rest: None }
    }

    /// The same key, borrowed.
    pub fn borrowed(&self) -> CacheKeyRef<'_> {
        CacheKeyRef {
            scope: &self.scope,
            operation: self.operation,
            prompt: self.prompt.as_deref(),
            project: self.project.as_deref(),
            selector: self.selector.as_deref(),
            rest: self.rest.as_deref(),
        }
    }

    /// SHA-256 over every part with its length: the name of the entry outside the process.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        let mut part = |bytes: Option<&[u8]>| {
            // A part that is empty is not a part that is missing.
            let length = bytes.map_or(u64::MAX, |bytes| bytes.len() as u64);
            hasher.update(length.to_be_bytes());
            hasher.update(bytes.unwrap_or_default());
        };
        part(Some(self.scope.registry().as_bytes()));
        part(Some(self.scope.credential()));
        part(Some(self.operation.as_bytes()));
        for text in [&self.prompt, &self.project, &self.selector, &self.rest] {
            part(text.as_deref().map(str::as_bytes));
        }
        hasher.finalize().into()
    }
}

impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.borrowed().hash(state);
    }
}

/// A [`CacheKey`] of parts that are somebody else's: to look something up, none has to be copied.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the parts of a `CacheKey`")]
pub struct CacheKeyRef<'k> {
    pub scope: &'k CacheScope,
    pub operation: &'static str,
    pub prompt: Option<&'k str>,
    pub project: Option<&'k str>,
    pub selector: Option<&'k str>,
    pub rest: Option<&'k str>,
}

impl CacheKeyRef<'_> {
    fn parts(&self) -> [Option<&str>; 4] {
        [self.prompt, self.project, self.selector, self.rest]
    }

    /// The key with parts of its own.
    pub fn to_key(&self) -> CacheKey {
        let [prompt, project, selector, rest] = self.parts().map(|part| part.map(str::to_owned));
        let (scope, operation) = (self.scope.clone(), self.operation);
        CacheKey { scope, operation, prompt, project, selector, rest }
    }
}

impl PartialEq for CacheKeyRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        // What differs most often is compared first.
        self.parts() == other.parts()
            && (std::ptr::eq(self.operation, other.operation) || self.operation == other.operation)
            && self.scope == other.scope
    }
}

impl Eq for CacheKeyRef<'_> {}

/// Quick rather than thorough, since equal hashes are compared: it leaves the operation out, and where
/// one part ends and the next begins.
impl Hash for CacheKeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut which = 0;
        for part in self.parts() {
            which = which << 1 | u64::from(part.is_some());
            if let Some(part) = part {
                state.write(part.as_bytes());
            }
        }
        state.write_u64(self.scope.0.hash ^ which);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(parts: [Option<&str>; 4]) -> CacheKey {
        let [prompt, project, selector, rest] = parts.map(|part| part.map(str::to_owned));
        let scope = CacheScope::new("https://h/v1", Some(&"po_key".into()));
        CacheKey { scope, operation: "get_prompt", prompt, project, selector, rest }
    }

    #[test]
    fn scopes_differ_by_registry_and_credential() {
        let scope = |registry: &str, key: Option<&str>| {
            CacheScope::new(registry, key.map(Secret::from).as_ref())
        };
        let scopes = [
            scope("https://h/v1", None),
            scope("https://h/v1", Some("")),
            scope("https://h/v1", Some("a")),
            scope("https://h/v1", Some("b")),
            scope("https://h/v2", Some("a")),
        ];
        for (at, one) in scopes.iter().enumerate() {
            for (other_at, other) in scopes.iter().enumerate() {
                assert_eq!(one == other, at == other_at, "{one:?} {other:?}");
            }
        }
        assert_eq!(scope("https://h/v1", Some("a")), scopes[2]);
        assert!(!format!("{:?}", scope("https://h/v1", Some("po_secret"))).contains("po_secret"));
    }

    #[test]
    fn parts_do_not_run_into_one_another() {
        let keys = [
            key([Some("a"), Some("b"), None, None]),
            key([Some("ab"), None, None, None]),
            key([Some("ab"), Some(""), None, None]),
            key([Some("a"), None, Some("b"), None]),
            key([Some("a:b"), None, None, None]),
            key([Some("a"), Some(":b"), None, None]),
            key([None, Some("a"), Some("b"), None]),
        ];
        for (at, one) in keys.iter().enumerate() {
            for (other_at, other) in keys.iter().enumerate() {
                assert_eq!(one.fingerprint() == other.fingerprint(), at == other_at);
                assert_eq!(one == other, at == other_at);
            }
        }
    }

    proptest! {
        #[test]
        fn fingerprints_are_equal_exactly_where_keys_are(
            one in prop::array::uniform4(prop::option::of("[ab:/]{0,2}")),
            other in prop::array::uniform4(prop::option::of("[ab:/]{0,2}")),
        ) {
            let one = key(one.each_ref().map(Option::as_deref));
            let other = key(other.each_ref().map(Option::as_deref));
            prop_assert_eq!(one.fingerprint() == other.fingerprint(), one == other);
        }
    }
}
