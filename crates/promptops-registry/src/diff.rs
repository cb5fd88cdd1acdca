//! What changed between two versions, as people read it.

use std::fmt::Write;
use std::time::Duration;

use promptops_types::{PromptDiff, PromptResponse};
use similar::TextDiff;

/// How long a diff may look for the smallest set of changes before it settles for a larger one.
const PATIENCE: Duration = Duration::from_millis(500);

/// The difference between two versions: a unified diff of everything that an author writes, and
/// which variables came and went.
pub fn diff(from: &PromptResponse, to: &PromptResponse) -> PromptDiff {
    let (left, right) = (document(from), document(to));
    let name = |prompt: &PromptResponse| format!("{}@{}", prompt.slug, prompt.version);
    let unified = TextDiff::configure()
        .timeout(PATIENCE)
        .diff_lines(&left, &right)
        .unified_diff()
        .context_radius(3)
        .header(&name(from), &name(to))
        .to_string();
    let unified = if left == right { String::new() } else { unified };
    let only = |these: &[String], those: &[String]| {
        these.iter().filter(|name| !those.contains(name)).cloned().collect()
    };
    let mut diff = PromptDiff::new(from.version.clone(), to.version.clone(), unified);
    diff.variables_added = only(&to.variables, &from.variables);
    diff.variables_removed = only(&from.variables, &to.variables);
    diff
}

/// A prompt as lines of text: a heading for each field, then the field.
fn document(prompt: &PromptResponse) -> String {
    let mut text = String::new();
    let mut section = |heading: &str, body: &str| {
        if !body.is_empty() {
            let end = if body.ends_with('\n') { "" } else { "\n" };
            let _ = write!(text, "[{heading}]\n{body}{end}");
        }
    };
    section("name", &prompt.name);
    section("description", &prompt.description);
    section("module", prompt.module_id.as_deref().unwrap_or_default());
    section("template format", prompt.template_format.as_str());
    section("variables", &prompt.variables.join("\n"));
    section("target models", &prompt.target_models.join("\n"));
    section("tags", &prompt.tags.join("\n"));
    if !prompt.metadata.is_empty() {
        section("metadata", &serde_json::to_string_pretty(&prompt.metadata).unwrap_or_default());
    }
    section("content", &prompt.content);
    for (index, message) in prompt.messages.iter().enumerate() {
        section(&format!("message {} {}", index + 1, message.role), &message.content);
        if !message.extra.is_empty() {
            let extra = serde_json::to_string_pretty(&message.extra).unwrap_or_default();
            section(&format!("message {} fields", index + 1), &extra);
        }
    }
    for body in &prompt.model_specific_prompts {
        let model = body.model_name.as_deref().unwrap_or("*");
        let heading = |part: &str| format!("{}/{model} {part}", body.model_provider);
        section(&heading("instructions"), body.instructions.as_deref().unwrap_or_default());
        section(&heading("content"), &body.content);
        section(&heading("output"), body.expected_output_format.as_deref().unwrap_or_default());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_shows_lines_and_variables() {
        let mut from = PromptResponse::default();
        from.slug = "greeting".to_owned();
        from.version = "1.0.0".to_owned();
        from.content = "Hello {{ name }}!\nBye.".to_owned();
        from.variables = vec!["name".to_owned()];
        let mut to = from.clone();
        to.version = "1.1.0".to_owned();
        to.content = "Dear {{ customer }},\nBye.".to_owned();
        to.variables = vec!["customer".to_owned()];
        let diff = diff(&from, &to);
        assert_eq!(diff.variables_added, ["customer"]);
        assert_eq!(diff.variables_removed, ["name"]);
        assert!(diff.unified.starts_with("--- greeting@1.0.0\n+++ greeting@1.1.0\n@@"), "{diff:?}");
        assert!(diff.unified.contains("-Hello {{ name }}!\n+Dear {{ customer }},\n Bye.\n"));
        assert_eq!(super::diff(&from, &from).unified, "");
    }
}
