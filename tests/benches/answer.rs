//! What a registry answers: one prompt, 3.7 KB in its envelope.

use serde_json::json;

pub(crate) fn answer() -> String {
    let content = "Dear {{ customer_name }}, thank you for writing about {{ topic }}. ".repeat(44);
    let prompt = json!({
        "id": "0199e0a3-5b7c-7c3e-9d2f-1c2b3a4d5e6f", "slug": "greeting", "name": "Greeting",
        "description": "What we answer first", "content": content,
        "variables": ["customer_name", "topic"], "target_models": ["openai", "anthropic"],
        "version": "1.2.0", "created_at": "2026-11-01T12:00:00Z",
        "updated_at": "2026-11-20T12:00:00Z", "tags": ["support", "email"],
        "metadata": {"owner": "support", "reviewed": true}, "project_id": "default",
    });
    let metadata = json!({"request_id": "r-1", "timestamp": "2026-11-25T12:00:00Z"});
    json!({"success": true, "data": prompt, "metadata": metadata}).to_string()
}
