//! Gemini.

use serde_json::{Map, Value, json};

use super::{Role, extra, push, result_of, tool_calls};
use crate::RenderResponse;

impl RenderResponse {
    /// The arguments of Gemini's `generateContent` that the prompt gives: `contents`, with the roles
    /// `user` and `model`, and `systemInstruction` where there are system messages, wherever they
    /// stand, each a part. `tool_calls` become `functionCall` parts, with the `thought_signature` that
    /// came with them, and results of tools that follow one another the `functionResponse` parts of one
    /// content.
    ///
    /// ```
    /// use promptops_types::{Message, RenderResponse};
    /// use serde_json::json;
    ///
    /// let mut render = RenderResponse::default();
    /// render.messages = vec![Message::new("system", "Be brief."), Message::new("user", "Hello")];
    /// assert_eq!(render.to_gemini(), json!({
    ///     "systemInstruction": {"parts": [{"text": "Be brief."}]},
    ///     "contents": [{"role": "user", "parts": [{"text": "Hello"}]}],
    /// }));
    /// ```
    pub fn to_gemini(&self) -> Value {
        let mut system: Vec<Value> = Vec::new();
        let mut contents: Vec<Value> = Vec::new();
        let mut names: Vec<(&str, &str)> = Vec::new();
        let mut results_at = None;
        for message in &self.messages {
            let is_blank = message.content.trim().is_empty();
            let text = (!is_blank).then(|| json!({ "text": message.content }));
            let role = Role::of(message);
            if role == Role::System {
                system.extend(text);
                continue;
            }
            if role == Role::Tool {
                let id = result_of(message);
                let called = names.iter().rev().find(|(known, _)| *known == id);
                let name = extra(message, "name").or(called.map(|(_, name)| *name));
                let response = serde_json::from_str(&message.content).ok();
                let response = response.filter(Value::is_object);
                let response = response.unwrap_or_else(|| json!({ "result": message.content }));
                let part = json!({
                    "functionResponse": { "name": name.unwrap_or(id), "response": response },
                });
                let at = *results_at.get_or_insert_with(|| {
                    contents.push(json!({ "role": "user", "parts": [] }));
                    contents.len() - 1
                });
                push(&mut contents[at], "parts", part);
                continue;
            }
            results_at = None;
            let mut parts: Vec<Value> = text.into_iter().collect();
            for call in tool_calls(message) {
                names.push((call.id, call.name));
                let mut part = Map::new();
                let function = json!({ "name": call.name, "args": call.arguments });
                part.insert("functionCall".to_owned(), function);
                let signature = call.signature.cloned();
                part.extend(signature.map(|value| ("thoughtSignature".to_owned(), value)));
                parts.push(part.into());
            }
            if !parts.is_empty() {
                let role = if role == Role::Assistant { "model" } else { "user" };
                contents.push(json!({ "role": role, "parts": parts }));
            }
        }
        let mut request = Map::new();
        if !system.is_empty() {
            request.insert("systemInstruction".to_owned(), json!({ "parts": system }));
        }
        request.insert("contents".to_owned(), contents.into());
        request.into()
    }
}
