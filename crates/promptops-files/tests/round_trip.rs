//! Files come back as they were, and prompts too.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use promptops_files::{PromptFile, write};
use promptops_types::{
    Message, ModelProvider, ModelSpecificPrompt, NewPrompt, PromptResponse, TemplateFormat,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// What a registry has after a push.
fn pushed(prompt: &NewPrompt) -> PromptResponse {
    let mut there = PromptResponse::default();
    there.slug = prompt.slug.clone().unwrap_or_default();
    there.name.clone_from(&prompt.name);
    there.description = prompt.description.clone().unwrap_or_default();
    there.content = prompt.content.clone().unwrap_or_default();
    there.messages = prompt.messages.clone().unwrap_or_default();
    there.variables = prompt.variables.clone().unwrap_or_default();
    there.target_models.clone_from(&prompt.target_models);
    there.model_specific_prompts.clone_from(&prompt.model_specific_prompts);
    there.template_format.clone_from(&prompt.template_format);
    there.tags.clone_from(&prompt.tags);
    there.metadata.clone_from(&prompt.metadata);
    there.module_id.clone_from(&prompt.module_id);
    there
}

/// Texts with everything in them that a file gives a meaning to.
fn text() -> impl Strategy<Value = String> {
    let pieces = vec![
        "---\n",
        "---",
        "\n",
        "\r\n",
        "\r",
        "## message: user",
        "\n## message: user\n",
        "\\## message: x",
        "## message:",
        "# Heading\n",
        "{{ name }}",
        "{{",
        "}}",
        "{% if %}",
        "\u{feff}",
        "\u{85}",
        "\u{2028}",
        "\u{0}",
        "\u{7f}",
        "\t",
        " ",
        "größe",
        "🎉",
        "名前",
        "a: b",
        "- c",
        "| ",
        "'",
        "\"",
        "\\",
        "~",
        "null",
        "1.0",
        "yes",
        "#",
        "word ",
    ];
    vec(prop_oneof![select(pieces).prop_map(str::to_owned), ".{0,6}"], 0..12)
        .prop_map(|pieces| pieces.concat())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((text(), inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn message() -> impl Strategy<Value = Message> {
    let role = prop_oneof![Just("user".to_owned()), Just("system".to_owned()), "[^\u{0}]{1,8}"];
    let extra = vec(("[a-z_]{1,6}", value()), 0..2);
    (role, text(), extra).prop_map(|(role, content, extra)| {
        let mut message = Message::new(role, content);
        message.extra = extra.into_iter().filter(|(name, _)| name != "role").collect();
        message
    })
}

prop_compose! {
    fn prompt()(
        slug in "[a-z]{1,6}",
        name in prop_oneof![Just("n".to_owned()), text().prop_filter("a name", |name| !name.is_empty())],
        description in text(),
        content in text(),
        messages in vec(message(), 0..4),
        spare in vec(text(), 0..2),
        texts in vec(text(), 0..3),
        metadata in vec((text(), value()), 0..3),
        module_id in proptest::option::of(text()),
        instructions in proptest::option::of(text()),
        format in select(vec![TemplateFormat::Simple, TemplateFormat::None]),
    ) -> PromptResponse {
        let mut new = NewPrompt::new(name, if messages.is_empty() { content.clone() } else { String::new() })
            .slug(slug)
            .description(description)
            .tags(texts.clone())
            .target_models(texts)
            .template_format(format)
            .metadata(metadata.into_iter().collect());
        new.messages = Some(messages);
        new.module_id = module_id;
        let mut body = ModelSpecificPrompt::new(ModelProvider::OpenAi, content);
        body.instructions = instructions;
        new = new.model_specific_prompts([body]);
        let mut prompt = pushed(&new);
        let templates = promptops_template::PromptTemplate::parse(&prompt);
        let used = templates.map(|t| t.variables().into_iter().map(str::to_owned).collect::<Vec<_>>());
        prompt.variables = used.unwrap_or_default();
        prompt.variables.extend(spare);
        prompt
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_a_registry_has_is_what_its_file_says(prompt in prompt()) {
        prop_assume!(promptops_template::PromptTemplate::parse(&prompt).is_ok());
        let text = write(&prompt);
        let file = PromptFile::parse("f", &prompt.slug, text.as_bytes())
            .map_err(|mistakes| TestCaseError::fail(mistakes.to_string()))?;
        prop_assert!(file.is_same(&prompt), "{text:?}\n{:#?}\n{prompt:#?}", file.prompt());
        prop_assert_eq!(write(&pushed(file.prompt())), text);
    }

    #[test]
    fn a_file_comes_back_byte_for_byte(
        bom in any::<bool>(),
        windows in any::<bool>(),
        head in select(vec![
            "", "---\n---\n", "--- \nname: 'N'\n---\n", "---\n# why\ntags: [a,  b] # c\n---  \n",
            "---\nmetadata: {b: 1e3, a: ~}\ndescription: >\n  one\n  two\n\nname: \"N\\u0020x\"\n---\n",
            "---\nvariables: []\nmodel_specific_prompts:\n  - {content: 'x', model_provider: openai}\n---\n",
        ]),
        before in select(vec!["", "\n", "\n\n"]),
        chat in any::<bool>(),
        texts in vec(text(), 1..4),
        gap in select(vec!["\n", "\n\n", "\n\n\n", "\r\n"]),
        end in select(vec!["", "\n", "\n\n"]),
    ) {
        let mut file = head.to_owned() + before;
        if chat {
            for text in texts {
                file += &format!("## message: user  \n{gap}{text}{gap}");
            }
        } else {
            file += &texts.concat();
        }
        file += end;
        if windows {
            file = file.replace('\n', "\r\n");
        }
        if bom {
            file.insert(0, '\u{feff}');
        }
        let Ok(parsed) = PromptFile::parse("f", "slug", file.as_bytes()) else {
            // Some of these are mistakes.
            return Ok(());
        };
        let there = pushed(parsed.prompt());
        prop_assert_eq!(write(&there), file);
        prop_assert!(parsed.is_same(&there));
    }

    #[test]
    fn no_file_is_too_strange(bytes in vec(any::<u8>(), 0..64), text in text()) {
        let _ = PromptFile::parse("f", "slug", &bytes);
        let _ = PromptFile::parse("f", "slug", format!("---\n{text}\n---\n{text}").as_bytes());
    }
}

#[test]
fn a_layout_that_no_longer_fits_is_left() {
    let source = "---\nname: 'N' # why\n---\nHello";
    let mut there = pushed(PromptFile::parse("f", "s", source.as_bytes()).unwrap().prompt());
    "Bye".clone_into(&mut there.content);
    assert_eq!(write(&there), "---\nname: 'N' # why\n---\nBye", "a new content in the old file");
    "M".clone_into(&mut there.name);
    assert_eq!(write(&there), "---\nname: M\n---\nBye");
    there.metadata["file_layout"] = json!("nonsense");
    assert_eq!(write(&there), "---\nname: M\n---\nBye");
}

#[test]
fn a_layout_is_bounded() {
    let source = format!("---\n# {}\nname: N\n---\nHello", "x".repeat(20_000));
    let file = PromptFile::parse("f", "s", source.as_bytes()).unwrap();
    assert!(file.prompt().metadata.is_empty());
    assert!(file.is_same(&pushed(file.prompt())), "a push would change nothing");
}

#[test]
fn every_mistake_is_told_at_once() {
    let source = "---\nnme: A\ntags: b\ntemplate_format: mustache\nvariables: [a]\nmetadata: [1]\n\
                  model_specific_prompts:\n- model_provider: openai\n---\nHello\n## message: user\n";
    let mistakes = PromptFile::parse("a.prompt.md", "a", source.as_bytes()).unwrap_err();
    let told: Vec<_> = mistakes
        .all()
        .iter()
        .map(|one| format!("{}:{} {}", one.line, one.column, one.message))
        .collect();
    assert_eq!(
        told,
        [
            "2:1 there is no field `nme`",
            "3:7 this is a text, and has to be a list",
            "4:18 there is no template format `mustache`",
            "6:11 this is a list, and has to be a mapping",
            "8:3 this body has no `content`",
            "11:1 this heads a message, but the prompt does not begin with one",
        ]
    );
    let source = "---\nvariables: [name]\n---\n## message: user\n\nHello\n{{ nmae }}, {{ x }}\n";
    let mistakes = PromptFile::parse("a.prompt.md", "a", source.as_bytes()).unwrap_err();
    let shown = mistakes.to_string();
    assert!(shown.contains("a.prompt.md:7:1"), "{shown}");
    assert!(shown.contains("^^^^^^^^^^") && shown.contains("did you mean `name`?"), "{shown}");
    assert_eq!(mistakes.all().len(), 2);
    let mistakes = PromptFile::parse("a", "a", b"---\nname: \xff\n---\n").unwrap_err();
    assert_eq!((mistakes.all()[0].line, mistakes.all()[0].column), (2, 7));
}
