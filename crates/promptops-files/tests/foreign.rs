//! What other tools' prompts become.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use promptops_files::{Imported, foreign};
use promptops_template::{PromptTemplate, RenderOptions};
use promptops_types::{
    LabelTarget, Message, NewPrompt, PromptResponse, PromptVariables, TemplateFormat, vars,
};
use proptest::prelude::*;
use serde_json::json;

fn only(prompt: &Imported) -> &NewPrompt {
    assert_eq!(prompt.versions.len(), 1);
    &prompt.versions[0].prompt
}

fn rendered(prompt: &NewPrompt, variables: &PromptVariables) -> Vec<(String, String)> {
    let template = PromptTemplate::parse(&PromptResponse::from(prompt.clone())).unwrap();
    let rendered = template.render(variables, &RenderOptions::default()).unwrap();
    rendered.messages.into_iter().map(|Message { role, content, .. }| (role, content)).collect()
}

fn said(role: &str, text: &str) -> (String, String) {
    (role.to_owned(), text.to_owned())
}

#[test]
fn langfuse_keeps_versions_and_labels() {
    let source = include_bytes!("fixtures/langfuse/prompts.json");
    let prompts = foreign::langfuse("prompts.json", source).unwrap();
    let [chat, refund] = prompts.as_slice() else { panic!("{prompts:?}") };
    assert_eq!((chat.slug.as_str(), refund.slug.as_str()), ("chat", "support/refund"));
    let variables = vars! { "persona" => "Eve", "question" => "{{why}}" };
    assert_eq!(
        rendered(only(chat), &variables),
        [said("system", "You are Eve."), said("user", "{{why}}")]
    );
    assert!(only(chat).messages.as_ref().unwrap().iter().all(|message| message.extra.is_empty()));
    let numbers: Vec<_> = refund.versions.iter().map(|version| version.version.as_str()).collect();
    assert_eq!(numbers, ["1.0.0", "2.0.0"]);
    let latest = &refund.versions[1];
    assert_eq!(latest.message.as_deref(), Some("say when"));
    assert_eq!(latest.prompt.tags, ["support", "billing", "eu"]);
    assert_eq!(latest.prompt.metadata["config"], json!({"model": "gpt-4o", "temperature": 0.2}));
    assert!(refund.versions[0].prompt.metadata.is_empty());
    let labels: Vec<_> =
        refund.labels.iter().map(|(name, to)| (name.as_str(), to.to_string())).collect();
    assert_eq!(labels, [("first", "1.0.0".to_owned()), ("production", "2.0.0".to_owned())]);
    assert!(refund.labels.iter().all(|(_, to)| matches!(to, LabelTarget::Version(_))));
}

#[test]
fn langfuse_may_be_one_prompt_or_a_line_each() {
    let one = r#"{"name": "a", "version": 1, "type": "text", "prompt": "x"}"#;
    let other = one.replace("\"a\"", "\"b\"");
    for (source, count) in [
        (one.to_owned(), 1),
        (format!("[{one}, {other}]"), 2),
        (format!("{one}\n{other}\n"), 2),
        (format!(r#"{{"data": [{one}]}}"#), 1),
        (String::new(), 0),
    ] {
        assert_eq!(foreign::langfuse("f", source.as_bytes()).unwrap().len(), count, "{source}");
    }
}

#[test]
fn langfuse_tells_every_mistake() {
    let source = r#"[
  {"name": "history", "version": 1, "prompt": [{"type": "placeholder", "name": "past"}]},
  {"name": "made of", "version": 3, "prompt": "@@@langfusePrompt:name=other@@@"},
  {"name": "twice", "version": 1, "prompt": "x"},
  {"name": "twice", "version": 1, "prompt": "y"},
  {"name": "number", "version": 1, "prompt": 7},
  {"name": "labelled", "version": 1, "prompt": "x", "labels": ["1st"]},
  {"version": 1, "prompt": "x"}
]"#;
    let mistakes = foreign::langfuse("p.json", source.as_bytes()).unwrap_err();
    let told: Vec<_> =
        mistakes.all().iter().map(|one| format!("{}: {}", one.line, one.message)).collect();
    assert_eq!(
        told,
        [
            "1: this is no prompt of Langfuse: missing field `name`",
            "2: version 1 of `history` has a placeholder `past` for messages, which there is none of here",
            "3: version 3 of `made of` has another prompt in it, which is not followed here",
            "4: version 1 of `twice` is here twice, with two contents",
            "6: version 1 of `number` has neither a text nor messages",
            "7: version 1 of `labelled` has the label `1st`, which cannot be one here",
        ]
    );
    let mistakes = foreign::langfuse("p.json", b"[\n  {\"name\": }\n]").unwrap_err();
    assert_eq!((mistakes.all()[0].line, mistakes.all()[0].column), (2, 12));
}

#[test]
fn dotprompt_becomes_jinja_with_the_same_meaning() {
    let source = include_bytes!("fixtures/dotprompt/order.prompt");
    let prompt = foreign::dotprompt("order.prompt", "shop/order", source).unwrap();
    assert_eq!(prompt.slug, "shop/order");
    let prompt = only(&prompt);
    assert_eq!((prompt.name.as_str(), &prompt.template_format), ("order", &TemplateFormat::Jinja));
    assert_eq!(prompt.target_models, ["google"]);
    let kept: Vec<_> = prompt.metadata.keys().map(String::as_str).collect();
    assert_eq!(kept, ["model", "config", "input", "output"]);
    let system = said("system", "You work for a shop. Write Ann as it is, and {{braces}} too.");
    let items = json!([{"title": "Tea", "price": 3}, {"title": "Cup", "price": 9}]);
    assert_eq!(
        rendered(prompt, &vars! { "name" => "Ann", "items" => items }),
        [system.clone(), said("user", "I ordered:\n0. Tea for 3, Ann\n1. Cup for 9, Ann (last)\n")]
    );
    assert_eq!(
        rendered(prompt, &vars! { "name" => "Ann", "items" => json!([]) }),
        [system, said("user", "I ordered nothing.\n")]
    );
}

#[test]
fn dotprompt_of_placeholders_stays_simple() {
    let source = include_bytes!("fixtures/dotprompt/plain.prompt");
    let prompt = foreign::dotprompt("plain.prompt", "plain", source).unwrap();
    let prompt = only(&prompt);
    assert_eq!(prompt.template_format, TemplateFormat::Simple);
    assert_eq!(
        (prompt.name.as_str(), prompt.target_models.as_slice()),
        ("plain", &["openai".into()][..])
    );
    let variables = vars! { "user" => json!({"name": "Ann"}), "tail" => "!" };
    assert_eq!(rendered(prompt, &variables), [said("user", "Hello Ann, {% this is text %}!\n")]);
    let text = foreign::dotprompt("f", "s", br"literal \{{name}} and {{name}}").unwrap();
    assert_eq!(
        rendered(only(&text), &vars! { "name" => "x" }),
        [said("user", "literal {{name}} and x")]
    );
}

#[test]
fn dotprompt_tells_every_mistake() {
    let source = "---\nname: [x]\n---\n{{history}}\n{{media url=photo}}\n{{>header}}\n{{#each xs}}\n{{/if}}\n{{a-b}}\n{{open";
    let mistakes = foreign::dotprompt("p.prompt", "p", source.as_bytes()).unwrap_err();
    let told: Vec<_> = mistakes
        .all()
        .iter()
        .map(|one| format!("{}:{} {}", one.line, one.column, one.message))
        .collect();
    assert_eq!(
        told,
        [
            "2:1 `name` has to be a text",
            "4:1 there is nothing like `history` here",
            "5:1 there is nothing like `media` here",
            "6:1 there is nothing like `>header` here",
            "7:1 this `each` does not end",
            "8:1 no `if` is open here",
            "9:1 `a-b` cannot be translated",
            "10:1 this does not end",
        ]
    );
    assert!(mistakes.to_string().contains("help: put the text of the partial in its place"));
}

#[test]
fn prompty_keeps_roles_and_leaves_secrets() {
    let source = include_bytes!("fixtures/prompty/reply.prompty");
    let prompt = foreign::prompty("reply.prompty", "reply", source).unwrap();
    let prompt = only(&prompt);
    assert_eq!((prompt.name.as_str(), &prompt.template_format), ("Reply", &TemplateFormat::Jinja));
    assert_eq!(
        (prompt.target_models.as_slice(), prompt.tags.as_slice()),
        (&["openai".into()][..], &["support".into()][..])
    );
    assert_eq!(
        rendered(prompt, &vars! { "question" => "why", "brief" => true }),
        [said("system", "You are kind.\nBe brief."), said("user", "why")]
    );
    let model = &prompt.metadata["model"];
    assert_eq!(model["parameters"]["max_tokens"], 800);
    assert_eq!(
        model["configuration"],
        json!({"type": "azure_openai", "azure_deployment": "gpt-4o"})
    );
    assert!(!json!(prompt).to_string().contains("hunter2"));
    assert_eq!(
        (&prompt.metadata["version"], &prompt.metadata["sample"]["question"]),
        (&json!(7), &json!("Where is my order?"))
    );
    let plain = foreign::prompty("f", "s", b"Hello {{ name }}").unwrap();
    assert_eq!(only(&plain).template_format, TemplateFormat::Simple);
    assert_eq!(rendered(only(&plain), &vars! { "name" => "x" }), [said("user", "Hello x")]);
    let mustache = b"---\ntemplate: mustache\n---\n{{#each}}x{{/each}}";
    let mistakes = foreign::prompty("f", "s", mustache).unwrap_err();
    assert!(mistakes.to_string().contains("more than placeholders"), "{mistakes}");
    let broken = foreign::prompty("f", "s", b"{% if %}").unwrap_err();
    assert!(broken.to_string().contains("cannot be read"), "{broken}");
}

proptest! {
    #[test]
    fn no_file_is_too_strange(
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
        text in "(\\{\\{|\\}\\}|#if |/if|#each |/each|else|~|\\\\|\\.\\./|this|@index|role \"u\"|a|\n| |---\n){0,16}",
    ) {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            let _ = foreign::langfuse("f", bytes);
            let _ = foreign::dotprompt("f", "s", bytes);
            let _ = foreign::prompty("f", "s", bytes);
        }
    }
}
