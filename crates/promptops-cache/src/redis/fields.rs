//! Bytes by their length, as values and messages are made of.

/// Appends a text, or that there is none.
pub(super) fn push_text(to: &mut Vec<u8>, text: Option<&str>) {
    let length = text.map_or(u32::MAX, |text| u32::try_from(text.len()).unwrap_or(u32::MAX - 1));
    to.extend_from_slice(&length.to_be_bytes());
    to.extend_from_slice(text.unwrap_or_default().as_bytes());
}

/// Reads what was appended, in the same order. None where it is not there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A text, or that there is none.
    #[expect(clippy::option_option, reason = "the outer one says that nothing can be read")]
    pub(super) fn text(&mut self) -> Option<Option<&'b str>> {
        let length = u32::from_be_bytes(self.array()?);
        if length == u32::MAX {
            return Some(None);
        }
        let text = self.take(usize::try_from(length).ok()?)?;
        std::str::from_utf8(text).ok().map(Some)
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.0.len()
    }
}
