//! A rendered prompt as the providers' APIs take it.

mod anthropic;
mod cohere;
mod gemini;
mod openai;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::Message;

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

/// Adds an item to a list that an object has.
fn push(object: &mut Value, name: &str, item: Value) {
    if let Some(items) = object.get_mut(name).and_then(Value::as_array_mut) {
        items.push(item);
    }
}
