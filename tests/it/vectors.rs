//! The conformance vectors once more, through a registry: client and server give the same bytes.

use promptops_client::{NewPrompt, PromptOpsClient, TemplateFormat};
use serde_json::Value;

use crate::embedded::client;

async fn check(client: &PromptOpsClient, json: &str, format: &TemplateFormat) -> usize {
    let vectors: Value = serde_json::from_str(json).unwrap();
    let mut checked = 0;
    for case in vectors["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let template = case["template"].as_str().unwrap();
        if template.is_empty() || case["expect"]["error"] == "syntax" {
            continue; // A registry takes no prompt without a text, and none that does not parse.
        }
        let new = NewPrompt::new(name, template).template_format(format.clone());
        client.create_prompt(new).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let rendered = client.render_prompt(name, &case["variables"]).await;
        match case["expect"]["output"].as_str() {
            Some(expected) => assert_eq!(rendered.unwrap().rendered_content, expected, "{name}"),
            None => assert_eq!(rendered.unwrap_err().code(), "VALIDATION_ERROR", "{name}"),
        }
        checked += 1;
    }
    checked
}

#[tokio::test]
async fn templates_come_back_from_the_registry_byte_for_byte() {
    let client = client();
    let mut checked = 0;
    for (json, format) in [
        (include_str!("../vectors/simple.json"), TemplateFormat::Simple),
        (include_str!("../vectors/none.json"), TemplateFormat::None),
        (include_str!("../vectors/jinja.json"), TemplateFormat::Jinja),
    ] {
        checked += check(&client, json, &format).await;
    }
    assert!(checked > 200, "{checked}");
}
