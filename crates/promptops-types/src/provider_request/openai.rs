//! OpenAI.

use serde_json::{Map, Value, json};

use super::{Role, kept, written_calls};
use crate::RenderResponse;

impl RenderResponse {
    /// The arguments of OpenAI's chat completions that the prompt gives: `messages`. Roles are as in the
    /// prompt; `ai` and `human` of other frameworks become `assistant` and `user`. Of other fields
    /// those that the API knows are kept: `name`, `tool_calls`, `tool_call_id`, `function_call`,
    /// `refusal`, `audio`.
    ///
    /// ```
    /// use promptops_types::{Message, RenderResponse};
    /// use serde_json::json;
    ///
    /// let mut render = RenderResponse::default();
    /// render.messages = vec![Message::new("system", "Be brief."), Message::new("user", "Hello")];
    /// assert_eq!(render.to_openai(), json!({"messages": [
    ///     {"role": "system", "content": "Be brief."},
    ///     {"role": "user", "content": "Hello"},
    /// ]}));
    /// ```
    pub fn to_openai(&self) -> Value {
        let messages = self.messages.iter().map(|message| {
            let role = match (message.role.as_str(), Role::of(message)) {
                (named @ ("developer" | "function"), _) => named,
                (_, Role::System) => "system",
                (_, Role::User) => "user",
                (_, Role::Assistant) => "assistant",
                (_, Role::Tool) => "tool",
            };
            let calls = written_calls(message);
            // What only calls tools says nothing.
            let calls_only = calls.is_some() || message.extra.contains_key("function_call");
            let is_silent = message.content.is_empty() && calls_only;
            let content = (!is_silent).then_some(&message.content);
            let mut object = Map::new();
            object.insert("role".to_owned(), role.into());
            object.insert("content".to_owned(), json!(content));
            let names = ["name", "tool_call_id", "function_call", "refusal", "audio"];
            object.extend(kept(message, &names));
            object.extend(calls.map(|calls| ("tool_calls".to_owned(), calls)));
            Value::Object(object)
        });
        json!({ "messages": messages.collect::<Vec<_>>() })
    }
}
