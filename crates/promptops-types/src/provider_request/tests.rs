use serde_json::{Value, json};

use crate::{Message, RenderResponse};

fn message(value: Value) -> Message {
    serde_json::from_value(value).unwrap()
}

fn render(messages: &[Value]) -> RenderResponse {
    let messages = messages.iter().cloned().map(message).collect();
    RenderResponse { messages, ..RenderResponse::default() }
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
    let bern = json!({"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "Bern"}});
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
