//! The example prompts: they import, declare what they use, and show what the README says.

use std::path::Path;

use promptops_client::{NewPrompt, TemplateFormat};

use crate::embedded::client;

#[tokio::test]
async fn every_example_prompt_imports_and_is_valid() {
    let client = client();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/prompts");
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let mut prompts = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let new: NewPrompt = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let created = client.create_prompt(new).await.unwrap();
        assert_eq!(path.file_stem().unwrap().to_str(), Some(created.slug.as_str()));
        assert!(readme.contains(&format!("`{}`", created.slug)), "{} in the README", created.slug);
        assert!(client.validate_prompt(&created.slug).await.unwrap(), "{}", created.slug);
        prompts.push(created);
    }
    assert!(prompts.len() >= 12, "{}", prompts.len());
    for format in [TemplateFormat::Jinja, TemplateFormat::None] {
        assert!(prompts.iter().any(|prompt| prompt.template_format == format), "{format}");
    }
    assert!(prompts.iter().filter(|prompt| !prompt.messages.is_empty()).count() >= 3);
    assert!(prompts.iter().filter(|p| !p.model_specific_prompts.is_empty()).count() >= 3);
}
