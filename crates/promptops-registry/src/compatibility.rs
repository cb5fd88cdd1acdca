//! Whether a prompt can be used with a model, and what would make it fit better.

use promptops_template::choose_body;
use promptops_types::{
    CompatibilityReport, ModelCompatibility, ModelInfo, ModelProvider, ModelRef, PromptResponse,
    estimate_tokens,
};

use crate::catalogue::{catalogue, find};

/// What one remark takes from the score of 1.0.
const REMARK: f64 = 0.2;

/// Checks a prompt against models, in the order asked.
///
/// A model is incompatible when the prompt is written for other providers and has no body for this
/// one, or when its text alone overflows the context window. Everything else is a remark, which
/// lowers the score by 0.2: a model that the catalogue does not know or that is being retired, no
/// support for system messages, more than half of the context window taken.
pub fn check_models(prompt: &PromptResponse, models: &[ModelRef]) -> CompatibilityReport {
    CompatibilityReport::new(models.iter().map(|model| check(prompt, model)).collect())
}

fn check(prompt: &PromptResponse, model: &ModelRef) -> ModelCompatibility {
    let mut report = ModelCompatibility::perfect(model);
    let body =
        choose_body(&prompt.model_specific_prompts, Some(&model.provider), Some(&model.name));
    if body.is_none() && !is_target(prompt, model) {
        refuse(
            &mut report,
            format!("the prompt is written for {}", prompt.target_models.join(", ")),
            format!("add `{}` to its target models, or a body for it", model.provider),
        );
        return report;
    }
    let info = find(model);
    let (text, has_system) = match body {
        Some((index, _)) => {
            let body = &prompt.model_specific_prompts[index];
            let instructions = body.instructions.as_deref().unwrap_or_default();
            (vec![&*body.content, instructions], !instructions.is_empty())
        }
        None if prompt.messages.is_empty() => (vec![&*prompt.content], false),
        None => (
            prompt.messages.iter().map(|message| &*message.content).collect(),
            prompt.messages.iter().any(|message| message.role == "system"),
        ),
    };
    report.estimated_tokens = text.iter().map(|part| estimate_tokens(part)).sum();
    report.context_window = info.and_then(|info| info.context_window);
    match info {
        Some(info) => check_against(info, has_system, &mut report),
        None if is_catalogued(&model.provider) => remark(
            &mut report,
            format!("`{}` is not in the model catalogue of {}", model.name, catalogue().date),
            "check the model's name",
        ),
        None => {}
    }
    report
}

fn check_against(info: &ModelInfo, has_system: bool, report: &mut ModelCompatibility) {
    let tokens = report.estimated_tokens;
    match report.context_window {
        Some(window) if tokens >= window => {
            return refuse(
                report,
                format!("its text takes about {tokens} tokens, and the model reads {window}"),
                "shorten it, or choose a model with a larger context window".to_owned(),
            );
        }
        Some(window) if tokens > window / 2 => remark(
            report,
            format!("its text takes about {tokens} of {window} tokens"),
            "leave more room for variables and for the answer",
        ),
        _ => {}
    }
    let knows = |capability: &str| info.capabilities.iter().any(|known| known == capability);
    // Older entries list no capabilities of messages at all; then nothing can be said.
    if has_system && !knows("system_messages") && !knows("chat") {
        remark(
            report,
            "the model is not known to take system messages".to_owned(),
            "move the instructions into the content of a body for it",
        );
    }
    if let Some(day) = &info.deprecated_at {
        remark(
            report,
            format!("the provider retires it on {day}"),
            "plan to move to another model",
        );
    }
}

/// Whether a target names the provider, the model, or both as `provider/model`.
fn is_target(prompt: &PromptResponse, model: &ModelRef) -> bool {
    let named = |target: &String| {
        target == model.provider.as_str()
            || model.name.starts_with(target.as_str())
            || target.split_once('/').is_some_and(|(provider, name)| {
                provider == model.provider.as_str() && model.name.starts_with(name)
            })
    };
    prompt.target_models.is_empty() || prompt.target_models.iter().any(named)
}

/// Whether the catalogue claims to know the provider's models; nobody lists those run locally.
fn is_catalogued(provider: &ModelProvider) -> bool {
    *provider != ModelProvider::Local
        && catalogue().models.iter().any(|info| info.provider == *provider)
}

fn refuse(report: &mut ModelCompatibility, issue: String, recommendation: String) {
    report.compatible = false;
    report.score = 0.0;
    report.issues.push(issue);
    report.recommendations.push(recommendation);
}

fn remark(report: &mut ModelCompatibility, issue: String, recommendation: &str) {
    report.score = (report.score - REMARK).max(0.0);
    report.issues.push(issue);
    report.recommendations.push(recommendation.to_owned());
}

#[cfg(test)]
mod tests {
    use promptops_types::ModelSpecificPrompt;

    use super::*;

    fn check_one(prompt: &PromptResponse, provider: &str, name: &str) -> ModelCompatibility {
        check_models(prompt, &[ModelRef::new(provider, name)]).models.remove(0)
    }

    #[test]
    fn targets_bodies_and_the_context_window_decide() {
        let mut prompt = PromptResponse::default();
        prompt.content = "Hello".to_owned();
        assert!(check_one(&prompt, "openai", "gpt-4").compatible);

        prompt.target_models = vec!["openai".to_owned()];
        let refused = check_one(&prompt, "anthropic", "claude-3-sonnet");
        assert!(!refused.compatible && refused.score < 0.01);
        assert_eq!(refused.issues, ["the prompt is written for openai"]);
        prompt.model_specific_prompts =
            vec![ModelSpecificPrompt::new("anthropic", "Hi").model_name("claude")];
        assert!(check_one(&prompt, "anthropic", "claude-3-sonnet").compatible);

        prompt.content = "word ".repeat(20_000);
        let refused = check_one(&prompt, "openai", "gpt-4");
        assert!(!refused.compatible, "{refused:?}");
        assert!(refused.issues[0].contains("25000 tokens"), "{refused:?}");
        assert_eq!((refused.estimated_tokens, refused.context_window), (25_000, Some(8192)));
    }

    #[test]
    fn an_unknown_model_of_a_known_provider_is_a_remark() {
        let prompt = PromptResponse::default();
        let report = check_one(&prompt, "openai", "gpt-unheard-of");
        assert!(report.compatible && report.score < 0.9, "{report:?}");
        assert_eq!(check_one(&prompt, "local", "mine").issues, Vec::<String>::new());
    }
}
