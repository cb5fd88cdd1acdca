//! Anthropic.

use serde_json::{Map, Value, json};

use super::{Role, kept, push, result_of, tool_calls};
use crate::{Message, RenderResponse};

impl RenderResponse {
    /// The arguments of Anthropic's messages API that the prompt gives: `messages`, and `system` where
    /// there are system messages, wherever they stand, with a blank line between them. The API
    /// refuses blank texts, so messages without any are left out, and space at the end of the last
    /// message if that is the assistant's. `tool_calls` become `tool_use` blocks, and results of tools
    /// that follow one another one message of `tool_result` blocks; a `cache_control` of a message
    /// stays with its text. A prompt of system messages alone gives no `messages`: the caller adds
    /// what the user says. So with [`to_gemini`](Self::to_gemini).
    ///
    /// ```
    /// use promptops_types::{Message, RenderResponse};
    /// use serde_json::json;
    ///
    /// let mut render = RenderResponse::default();
    /// render.messages = vec![Message::new("system", "Be brief."), Message::new("user", "Hello")];
    /// assert_eq!(render.to_anthropic(), json!({
    ///     "system": "Be brief.",
    ///     "messages": [{"role": "user", "content": "Hello"}],
    /// }));
    /// ```
    pub fn to_anthropic(&self) -> Value {
        let mut system = Vec::new();
        let mut messages: Vec<Value> = Vec::new();
        let mut results_at = None;
        for (at, message) in self.messages.iter().enumerate() {
            let is_last = at + 1 == self.messages.len();
            let text = match Role::of(message) {
                Role::Assistant if is_last => message.content.trim_end(),
                _ => &message.content,
            };
            let block = (!text.trim().is_empty()).then(|| text_block(message, text));
            let role = Role::of(message);
            if role == Role::System {
                system.extend(block);
                continue;
            }
            if role == Role::Tool {
                let result = json!({
                    "type": "tool_result",
                    "tool_use_id": result_of(message),
                    "content": message.content,
                });
                let at = *results_at.get_or_insert_with(|| {
                    messages.push(json!({ "role": "user", "content": [] }));
                    messages.len() - 1
                });
                push(&mut messages[at], "content", result);
                continue;
            }
            results_at = None;
            let calls = tool_calls(message).map(|call| {
                json!({
                    "type": "tool_use",
                    "id": call.id,
                    "name": call.name,
                    "input": call.arguments,
                })
            });
            let blocks: Vec<Value> = block.into_iter().chain(calls).collect();
            if !blocks.is_empty() {
                let role = if role == Role::Assistant { "assistant" } else { "user" };
                messages.push(json!({ "role": role, "content": plain(blocks) }));
            }
        }
        let mut request = Map::new();
        if !system.is_empty() {
            request.insert("system".to_owned(), plain_system(system));
        }
        request.insert("messages".to_owned(), messages.into());
        request.into()
    }
}

/// A block of text as Anthropic has it.
fn text_block(message: &Message, text: &str) -> Value {
    let mut block = Map::new();
    block.insert("type".to_owned(), "text".into());
    block.insert("text".to_owned(), text.into());
    block.extend(kept(message, &["cache_control"]));
    block.into()
}

/// The text of a block that is nothing else.
fn only_text(block: &Value) -> Option<&str> {
    let is_only = block.as_object().is_some_and(|block| block.len() == 2);
    is_only.then(|| block.get("text").and_then(Value::as_str)).flatten()
}

/// One text by itself is written as such.
fn plain(blocks: Vec<Value>) -> Value {
    match blocks.as_slice() {
        [block] if only_text(block).is_some() => json!(only_text(block)),
        _ => blocks.into(),
    }
}

/// Texts alone are one text.
fn plain_system(blocks: Vec<Value>) -> Value {
    let texts: Option<Vec<&str>> = blocks.iter().map(only_text).collect();
    match texts {
        Some(texts) => texts.join("\n\n").into(),
        None => blocks.into(),
    }
}
