use crate::{Message, RenderResponse};

/// Tokens that a message takes besides its text: what marks its beginning, its role and its end.
const PER_MESSAGE: u64 = 4;

/// About how many tokens a text takes, of any model: for a warning before a request, not for a bill.
///
/// Four characters of ASCII are a token, two of Latin with marks, Greek, Cyrillic, Hebrew or Arabic, and
/// each of any other script or symbol is one. The tokenizers of the large providers stay within a third of that for
/// prose; code and numbers take up to twice as many.
pub fn estimate_tokens(text: &str) -> u64 {
    let quarters: u64 = text.chars().map(quarters).sum();
    quarters.div_ceil(4)
}

/// Quarters of a token.
fn quarters(character: char) -> u64 {
    match u32::from(character) {
        0..=0x7f => 1,
        // Alphabets: Latin with marks, Greek, Cyrillic, Armenian, Hebrew, Arabic.
        0x80..=0x8ff => 2,
        _ => 4,
    }
}

impl RenderResponse {
    /// About how many tokens its messages take, with their calls of tools; see [`estimate_tokens`]. Each
    /// message takes 4 more.
    pub fn estimated_tokens(&self) -> u64 {
        let calls = |message: &Message| {
            let calls = message.extra.get("tool_calls").map(ToString::to_string);
            estimate_tokens(&calls.unwrap_or_default())
        };
        let of_one =
            |message: &Message| PER_MESSAGE + estimate_tokens(&message.content) + calls(message);
        self.messages.iter().map(of_one).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_told_apart() {
        // As o200k_base counts them: 9, 12, 7.
        let close = |text: &str, counted: u64| {
            let estimated = estimate_tokens(text);
            assert!(estimated.abs_diff(counted) * 3 <= counted * 2, "{estimated} for {counted}");
        };
        close("The quick brown fox jumps over the lazy dog", 9);
        close("Съешь же ещё этих мягких французских булок", 12);
        close("今日は天気がいいです", 7);
        assert_eq!(estimate_tokens(""), 0);
        assert_eq!(estimate_tokens("a"), 1);
    }

    #[test]
    fn every_message_has_a_frame() {
        let messages = vec![Message::new("system", "abcd"), Message::new("user", "abcdefgh")];
        let render = RenderResponse { messages, ..RenderResponse::default() };
        assert_eq!(render.estimated_tokens(), 4 + 1 + 4 + 2);
    }
}
