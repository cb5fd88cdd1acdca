use std::fmt;

/// Longest id that is kept in place: a UUID, and most slugs.
const IN_PLACE: usize = 46;

/// The id or slug of a prompt. A short one needs no memory of its own, so that a hit of the cache
/// allocates nothing.
pub(crate) enum PromptId {
    Short { length: u8, bytes: [u8; IN_PLACE] },
    Long(Box<str>),
}

impl PromptId {
    pub(crate) fn new(id: &str) -> Self {
        let mut bytes = [0; IN_PLACE];
        match (bytes.get_mut(..id.len()), u8::try_from(id.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(id.as_bytes());
                Self::Short { length, bytes }
            }
            _ => Self::Long(id.into()),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            // It was copied whole from a `str`.
            Self::Short { length, bytes } => {
                std::str::from_utf8(&bytes[..usize::from(*length)]).unwrap_or_default()
            }
            Self::Long(id) => id,
        }
    }
}

impl fmt::Debug for PromptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::PromptId;

    #[test]
    fn an_id_is_kept_whole() {
        let longest = "ä".repeat(23);
        for id in ["", "greeting", longest.as_str(), &"x".repeat(47), &"x".repeat(300)] {
            assert_eq!(PromptId::new(id).as_str(), id);
            assert_eq!(matches!(PromptId::new(id), PromptId::Short { .. }), id.len() <= 46);
        }
    }
}
