//! Digests: SHA-256 in lower-case hex.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::VersionContent;

/// The digest of what a render can depend on: content, messages, model bodies, format, and the
/// role of a plain prompt. Equal digests render equally.
///
/// Hashed as canonical JSON: compact, every object's keys in code point order.
pub(crate) fn render_digest(content: &VersionContent) -> String {
    let parts = json!({
        "content": content.content,
        "messages": content.messages,
        "model_specific_prompts": content.model_specific_prompts,
        "role": content.metadata.get("role"),
        "template_format": content.template_format,
    });
    HEXLOWER.encode(&Sha256::digest(canonical(parts).to_string()))
}

fn canonical(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.into_iter().collect();
            sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
            sorted.into_iter().map(|(key, value)| (key, canonical(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(canonical).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_order_does_not_matter_and_content_does() {
        let value: Value = serde_json::from_str(r#"{"b": {"d": 1, "c": [2]}, "a": null}"#).unwrap();
        assert_eq!(canonical(value).to_string(), r#"{"a":null,"b":{"c":[2],"d":1}}"#);
        let with = |content: &str| {
            render_digest(&VersionContent { content: content.to_owned(), ..Default::default() })
        };
        assert_eq!(with("a").len(), 64);
        assert_ne!(with("a"), with("b"));
    }
}
