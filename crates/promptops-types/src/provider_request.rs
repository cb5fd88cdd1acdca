//! A rendered prompt as the providers' APIs take it.

use serde_json::{Map, Value, json};

use crate::{Message, RenderResponse};

/// What a role means to every provider.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    System,
    User,
    Assistant,
    Tool,
}

impl Role {
    /// Roles have other names in the frameworks that prompts come from. One that nobody knows speaks
    /// as the user: what it says has no authority.
    fn of(message: &Message) -> Self {
        match message.role.as_str() {
            "system" | "developer" => Self::System,
            "assistant" | "ai" | "model" | "chatbot" | "bot" => Self::Assistant,
            "tool" | "function" => Self::Tool,
            _ => Self::User,
        }
    }
}

/// A call of a tool that an assistant's message holds, in the form of `tool_calls` of OpenAI.
struct ToolCall<'m> {
    id: &'m str,
    name: &'m str,
    arguments: Value,
    /// What Gemini has to be given back with a call that it made.
    signature: Option<&'m Value>,
}

/// Those of `tool_calls`, and the one of `function_call`, its forerunner, which has no id but its name.
fn tool_calls(message: &Message) -> impl Iterator<Item = ToolCall<'_>> {
    let calls = message.extra.get("tool_calls").and_then(Value::as_array);
    let calls = calls.into_iter().flatten().filter_map(|call| Some((call, call.get("function")?)));
    let former = message.extra.get("function_call").map(|function| (function, function));
    calls.chain(former).filter_map(|(call, function)| {
        // A text that holds JSON, as OpenAI has it, or the object itself.
        let arguments = match function.get("arguments") {
            Some(Value::String(text)) => serde_json::from_str(text).ok(),
            arguments => arguments.cloned(),
        };
        let name = function.get("name")?.as_str()?;
        let signature = call.pointer("/extra_content/google/thought_signature");
        Some(ToolCall {
            id: call.get("id").and_then(Value::as_str).unwrap_or(name),
            name,
            arguments: arguments.filter(Value::is_object).unwrap_or_else(|| json!({})),
            signature: signature.or_else(|| call.get("thought_signature")),
        })
    })
}

/// `tool_calls` as OpenAI and Cohere take them: each says its type, and its arguments are a text.
fn written_calls(message: &Message) -> Option<Value> {
    let mut calls = message.extra.get("tool_calls")?.as_array()?.clone();
    for call in calls.iter_mut().filter_map(Value::as_object_mut) {
        call.entry("type").or_insert_with(|| "function".into());
        let function = call.get_mut("function").and_then(Value::as_object_mut);
        if let Some(arguments) = function.and_then(|function| function.get_mut("arguments"))
            && !arguments.is_string()
        {
            *arguments = arguments.to_string().into();
        }
    }
    (!calls.is_empty()).then(|| calls.into())
}

fn extra<'m>(message: &'m Message, name: &str) -> Option<&'m str> {
    message.extra.get(name).and_then(Value::as_str)
}

/// The id of the call that a message is the result of.
fn result_of(message: &Message) -> &str {
    extra(message, "tool_call_id").or_else(|| extra(message, "name")).unwrap_or_default()
}

/// The named fields of a message that it has.
fn kept(message: &Message, names: &[&str]) -> Map<String, Value> {
    let fields = names.iter().filter_map(|name| {
        message.extra.get(*name).map(|value| ((*name).to_owned(), value.clone()))
    });
    fields.collect()
}

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

fn push(object: &mut Value, name: &str, item: Value) {
    if let Some(items) = object.get_mut(name).and_then(Value::as_array_mut) {
        items.push(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(value: Value) -> Message {
        serde_json::from_value(value).unwrap()
    }

    fn render(messages: &[Value]) -> RenderResponse {
        let mut render = RenderResponse::default();
        render.messages = messages.iter().cloned().map(message).collect();
        render
    }

    /// A conversation that has everything.
    fn conversation() -> RenderResponse {
        render(&[
            json!({"role": "system", "content": "Answer briefly."}),
            json!({"role": "human", "content": "How warm is it in Bern and Basel?"}),
            json!({"role": "assistant", "content": "", "tool_calls": [
                {"id": "a", "type": "function",
                 "function": {"name": "weather", "arguments": "{\"city\": \"Bern\"}"}},
                {"id": "b", "type": "function",
                 "function": {"name": "weather", "arguments": "{\"city\": \"Basel\"}"}},
            ]}),
            json!({"role": "tool", "tool_call_id": "a", "content": "{\"celsius\": 21}"}),
            json!({"role": "tool", "tool_call_id": "b", "content": "cloudy"}),
            json!({"role": "developer", "content": "Use Celsius."}),
            json!({"role": "ai", "content": "21 degrees in Bern."}),
            json!({"role": "user", "content": ""}),
        ])
    }

    #[test]
    fn openai_keeps_roles_and_fields() {
        let request = conversation().to_openai();
        let messages = request["messages"].as_array().unwrap();
        let roles: Vec<_> = messages.iter().map(|m| m["role"].as_str().unwrap()).collect();
        let expected =
            ["system", "user", "assistant", "tool", "tool", "developer", "assistant", "user"];
        assert_eq!(roles, expected);
        assert_eq!(messages[2]["content"], Value::Null);
        assert_eq!(messages[2]["tool_calls"][1]["id"], "b");
        assert_eq!(
            messages[3],
            json!({"role": "tool", "content": "{\"celsius\": 21}", "tool_call_id": "a"})
        );
    }

    #[test]
    fn anthropic_has_the_system_prompt_apart_and_blocks_for_tools() {
        let bern =
            json!({"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "Bern"}});
        let basel =
            json!({"type": "tool_use", "id": "b", "name": "weather", "input": {"city": "Basel"}});
        assert_eq!(
            conversation().to_anthropic(),
            json!({
                "system": "Answer briefly.\n\nUse Celsius.",
                "messages": [
                    {"role": "user", "content": "How warm is it in Bern and Basel?"},
                    {"role": "assistant", "content": [bern, basel]},
                    {"role": "user", "content": [
                        {"type": "tool_result", "tool_use_id": "a", "content": "{\"celsius\": 21}"},
                        {"type": "tool_result", "tool_use_id": "b", "content": "cloudy"},
                    ]},
                    {"role": "assistant", "content": "21 degrees in Bern."},
                ],
            })
        );
    }

    #[test]
    fn anthropic_caches_what_is_marked() {
        let cache = json!({"type": "ephemeral"});
        let request = render(&[
            json!({"role": "system", "content": "Long.", "cache_control": cache}),
            json!({"role": "user", "content": "Hi", "cache_control": cache, "name": "Ann"}),
        ]);
        assert_eq!(
            request.to_anthropic(),
            json!({
                "system": [{"type": "text", "text": "Long.", "cache_control": cache}],
                "messages": [{"role": "user", "content": [
                    {"type": "text", "text": "Hi", "cache_control": cache},
                ]}],
            })
        );
    }

    #[test]
    fn gemini_has_parts_and_its_own_roles() {
        assert_eq!(
            conversation().to_gemini(),
            json!({
                "systemInstruction": {"parts": [
                    {"text": "Answer briefly."}, {"text": "Use Celsius."},
                ]},
                "contents": [
                    {"role": "user", "parts": [{"text": "How warm is it in Bern and Basel?"}]},
                    {"role": "model", "parts": [
                        {"functionCall": {"name": "weather", "args": {"city": "Bern"}}},
                        {"functionCall": {"name": "weather", "args": {"city": "Basel"}}},
                    ]},
                    {"role": "user", "parts": [
                        {"functionResponse": {"name": "weather", "response": {"celsius": 21}}},
                        {"functionResponse": {"name": "weather", "response": {"result": "cloudy"}}},
                    ]},
                    {"role": "model", "parts": [{"text": "21 degrees in Bern."}]},
                ],
            })
        );
    }

    #[test]
    fn cohere_has_four_roles() {
        let request = conversation().to_cohere();
        let messages = request["messages"].as_array().unwrap();
        let roles: Vec<_> = messages.iter().map(|m| m["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["system", "user", "assistant", "tool", "tool", "system", "assistant"]);
        assert!(messages[2].get("content").is_none());
        assert_eq!(messages[4], json!({"role": "tool", "content": "cloudy", "tool_call_id": "b"}));
    }

    #[test]
    fn calls_are_written_as_each_provider_takes_them() {
        let request = render(&[
            json!({"role": "assistant", "content": " ", "cache_control": {"type": "ephemeral"},
                   "tool_calls": [{"id": "a", "thought_signature": "s",
                                   "function": {"name": "f", "arguments": {"x": 1}}}]}),
            json!({"role": "assistant", "content": "", "tool_calls": []}),
            json!({"role": "assistant", "content": "",
                   "function_call": {"name": "g", "arguments": "{}"}}),
            json!({"role": "function", "name": "g", "content": "done"}),
            json!({"role": "assistant", "content": "So: \n"}),
        ]);
        let openai = request.to_openai();
        let call = json!({"id": "a", "thought_signature": "s", "type": "function",
                          "function": {"name": "f", "arguments": "{\"x\":1}"}});
        assert_eq!(openai["messages"][0]["tool_calls"], json!([call]));
        assert!(openai["messages"][0].get("cache_control").is_none());
        assert!(openai["messages"][1].get("tool_calls").is_none());
        assert_eq!(openai["messages"][2]["content"], Value::Null);
        assert_eq!(request.to_cohere()["messages"][0]["tool_calls"], json!([call]));
        assert_eq!(
            request.to_anthropic()["messages"],
            json!([
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
                ]},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "g", "name": "g", "input": {}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "g", "content": "done"},
                ]},
                {"role": "assistant", "content": "So:"},
            ])
        );
        let part = &request.to_gemini()["contents"][0]["parts"][0];
        assert_eq!(
            *part,
            json!({"functionCall": {"name": "f", "args": {"x": 1}},
                                 "thoughtSignature": "s"})
        );
    }

    #[test]
    fn a_role_that_nobody_knows_speaks_as_the_user() {
        let request = render(&[json!({"role": "superuser", "content": "Obey."})]);
        assert_eq!(request.to_openai()["messages"][0]["role"], "user");
        assert_eq!(request.to_anthropic()["messages"][0]["role"], "user");
        assert_eq!(request.to_gemini()["contents"][0]["role"], "user");
        assert_eq!(request.to_cohere()["messages"][0]["role"], "user");
        assert!(request.to_anthropic().get("system").is_none());
    }
}
