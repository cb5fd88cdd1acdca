//! What processes tell each other: what was invalidated.
//!
//! `PoIn`, format 1, 32 bytes of the scope's digest, 1 of the kind (0 everything,
//! 1 a prompt, 2 lists), then the prompt and its version, each with its length.

use super::fields::{Reader, push_text};
use crate::{CacheScope, Invalidation};

const MAGIC: &[u8; 5] = b"PoIn\x01";

/// The message for an invalidation; none for that of a single entry, which is nobody else's business.
pub(super) fn encode(what: &Invalidation) -> Option<Vec<u8>> {
    let (kind, scope, prompt, version) = match what {
        Invalidation::Everything(scope) => (0, scope, None, None),
        Invalidation::Prompt { scope, prompt, version } => {
            (1, scope, Some(prompt), version.as_ref())
        }
        Invalidation::Lists(scope) => (2, scope, None, None),
        Invalidation::Key(_) => return None,
    };
    let mut message = MAGIC.to_vec();
    message.extend_from_slice(scope.digest());
    message.push(kind);
    push_text(&mut message, prompt.map(String::as_str));
    push_text(&mut message, version.map(String::as_str));
    Some(message)
}

/// A message as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message<'m> {
    /// Of the scope.
    pub(super) digest: [u8; 32],
    kind: u8,
    prompt: Option<&'m str>,
    version: Option<&'m str>,
}

impl<'m> Message<'m> {
    /// Reads a message; None for what is none.
    pub(super) fn read(bytes: &'m [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        if reader.take(MAGIC.len())? != MAGIC {
            return None;
        }
        let digest = reader.array()?;
        let (kind, prompt, version) = (reader.byte()?, reader.text()?, reader.text()?);
        let is_known = kind <= 2 && (kind == 1) == prompt.is_some() && reader.left() == 0;
        is_known.then_some(Self { digest, kind, prompt, version })
    }

    /// What it says, of the scope that has its digest.
    pub(super) fn of(&self, scope: &CacheScope) -> Invalidation {
        let scope = scope.clone();
        match self.prompt {
            Some(prompt) => Invalidation::Prompt {
                scope,
                prompt: prompt.to_owned(),
                version: self.version.map(str::to_owned),
            },
            None if self.kind == 0 => Invalidation::Everything(scope),
            None => Invalidation::Lists(scope),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::CacheKey;

    #[test]
    fn what_is_told_is_heard() {
        let scope = CacheScope::new("r", None);
        let prompt = |version: Option<&str>| Invalidation::Prompt {
            scope: scope.clone(),
            prompt: "ä/b".to_owned(),
            version: version.map(str::to_owned),
        };
        for what in [
            Invalidation::Everything(scope.clone()),
            Invalidation::Lists(scope.clone()),
            prompt(None),
            prompt(Some("1.0.0")),
        ] {
            let bytes = encode(&what).unwrap();
            let message = Message::read(&bytes).unwrap();
            assert_eq!(&message.digest, scope.digest());
            assert_eq!(message.of(&scope), what);
            for end in 0..bytes.len() {
                assert_eq!(Message::read(&bytes[..end]), None, "cut at {end}");
            }
        }
        let key = Invalidation::Key(CacheKey::new(scope, "get_prompt"));
        assert_eq!(encode(&key), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..99)) {
            let _ = Message::read(&bytes);
            let mut bytes = [&MAGIC[..], &bytes].concat();
            bytes.truncate(90);
            let _ = Message::read(&bytes);
        }
    }
}
