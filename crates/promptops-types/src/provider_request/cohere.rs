//! Cohere.

use serde_json::{Map, Value, json};

use super::{Role, kept, written_calls};
use crate::RenderResponse;

impl RenderResponse {
    /// The arguments of Cohere's chat API, version 2, that the prompt gives: `messages` with the roles
    /// `system`, `user`, `assistant` and `tool`. Messages that say nothing are left out. Of other fields
    /// those that it knows are kept: `tool_calls`, `tool_call_id`, `tool_plan`, `citations`.
    ///
    /// ```
    /// use promptops_types::{Message, RenderResponse};
    /// use serde_json::json;
    ///
    /// let mut render = RenderResponse::default();
    /// render.messages = vec![Message::new("developer", "Be brief."), Message::new("user", "Hello")];
    /// assert_eq!(render.to_cohere(), json!({"messages": [
    ///     {"role": "system", "content": "Be brief."},
    ///     {"role": "user", "content": "Hello"},
    /// ]}));
    /// ```
    pub fn to_cohere(&self) -> Value {
        let messages = self.messages.iter().filter_map(|message| {
            let (role, names): (_, &[&str]) = match Role::of(message) {
                Role::System => ("system", &[]),
                Role::User => ("user", &[]),
                Role::Assistant => ("assistant", &["tool_plan", "citations"]),
                Role::Tool => ("tool", &["tool_call_id"]),
            };
            let calls = written_calls(message).filter(|_| role == "assistant");
            if message.content.is_empty() && calls.is_none() && role != "tool" {
                return None;
            }
            let mut object = Map::new();
            object.insert("role".to_owned(), role.into());
            if !message.content.is_empty() || calls.is_none() {
                object.insert("content".to_owned(), message.content.clone().into());
            }
            object.extend(kept(message, names));
            object.extend(calls.map(|calls| ("tool_calls".to_owned(), calls)));
            Some(Value::Object(object))
        });
        json!({ "messages": messages.collect::<Vec<_>>() })
    }
}
