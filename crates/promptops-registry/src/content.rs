use std::collections::HashSet;

use promptops_template::PromptTemplate;
use promptops_types::{
    Message, ModelSpecificPrompt, NewPrompt, PromptResponse, PromptUpdate, TemplateFormat,
    ValidationIssue,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::RegistryError;
use crate::limits::{MAX_BODY_BYTES, MAX_ITEMS, MAX_METADATA_BYTES, MAX_VERSION_BYTES};
use crate::naming::{check_name, check_tag, check_words};

/// Everything of a prompt that a version fixes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VersionContent {
    /// Display name.
    pub name: String,
    /// What the prompt is for.
    pub description: String,
    /// The template of a plain prompt; empty for a chat prompt.
    pub content: String,
    /// The templates of a chat prompt; empty for a plain one.
    pub messages: Vec<Message>,
    /// Names of the variables.
    pub variables: Vec<String>,
    /// Providers the prompt is written for.
    pub target_models: Vec<String>,
    /// Bodies that replace the content for certain models.
    pub model_specific_prompts: Vec<ModelSpecificPrompt>,
    /// How the templates are read.
    pub template_format: TemplateFormat,
    /// Tags.
    pub tags: Vec<String>,
    /// Whatever the authors keep beside the prompt.
    pub metadata: Map<String, Value>,
    /// The module the prompt is filed under.
    pub module_id: Option<String>,
}

impl VersionContent {
    /// The content of a new prompt, checked, its variables filled in if they were left out.
    pub(crate) fn from_new(new: NewPrompt) -> Result<Self, RegistryError> {
        if is_both(new.content.as_deref(), new.messages.as_deref()) {
            return Err(both_bodies());
        }
        let given_variables = new.variables.is_some();
        Self::from(new).check((!given_variables).then_some(&Self::default()))
    }

    /// This content with an update applied, checked.
    ///
    /// Variables left out while a body changes follow the placeholders; names that were declared
    /// though no placeholder used them are kept.
    pub(crate) fn updated(&self, update: &PromptUpdate) -> Result<Self, RegistryError> {
        fn set<T: Clone>(field: &mut T, value: Option<&T>) {
            if let Some(value) = value {
                field.clone_from(value);
            }
        }
        if is_both(update.content.as_deref(), update.messages.as_deref()) {
            return Err(both_bodies());
        }
        let mut changed = self.clone();
        match (&update.content, &update.messages) {
            (content, Some(messages)) if !messages.is_empty() || content.is_none() => {
                changed.messages.clone_from(messages);
                changed.content.clear();
            }
            (Some(content), _) => {
                changed.content.clone_from(content);
                changed.messages.clear();
            }
            _ => {}
        }
        set(&mut changed.name, update.name.as_ref());
        set(&mut changed.description, update.description.as_ref());
        set(&mut changed.target_models, update.target_models.as_ref());
        set(&mut changed.model_specific_prompts, update.model_specific_prompts.as_ref());
        set(&mut changed.template_format, update.template_format.as_ref());
        set(&mut changed.tags, update.tags.as_ref());
        set(&mut changed.metadata, update.metadata.as_ref());
        if let Some(module) = &update.module_id {
            changed.module_id = Some(module.clone()).filter(|module| !module.is_empty());
        }
        set(&mut changed.variables, update.variables.as_ref());
        let body_changed = changed.content != self.content
            || changed.messages != self.messages
            || changed.model_specific_prompts != self.model_specific_prompts
            || changed.template_format != self.template_format;
        let follow = update.variables.is_none() && body_changed;
        changed.check(follow.then_some(self))
    }

    /// Checks every field. With `follow`, the variables were not given: they follow the
    /// placeholders, as an update of that content.
    fn check(mut self, follow: Option<&Self>) -> Result<Self, RegistryError> {
        self.check_sizes()?;
        let mut issues = Vec::new();
        match (self.templates(), follow) {
            (Err(error), _) => issues.extend(error.issues()),
            (Ok(templates), None) => issues.extend(templates.undeclared(&self.variables)),
            (Ok(templates), Some(old)) => self.variables = old.variables_for(&templates),
        }
        self.check_fields(&mut issues);
        if issues.is_empty() { Ok(self) } else { Err(RegistryError::Invalid(issues)) }
    }

    /// The variables of new templates: the old ones that are still used or never were, in their
    /// order, then those that are new.
    fn variables_for(&self, templates: &PromptTemplate) -> Vec<String> {
        let before = self.templates().ok();
        let before = before.as_ref().map(PromptTemplate::variables).unwrap_or_default();
        let before: HashSet<&str> = before.into_iter().collect();
        let now = templates.variables();
        let still: HashSet<&str> = now.iter().copied().collect();
        let stays = |name: &str| still.contains(name) || !before.contains(name);
        let mut names: Vec<String> =
            self.variables.iter().filter(|name| stays(name)).cloned().collect();
        let known: HashSet<&str> = self.variables.iter().map(String::as_str).collect();
        names.extend(now.into_iter().filter(|name| !known.contains(name)).map(str::to_owned));
        names
    }

    fn check_fields(&self, issues: &mut Vec<ValidationIssue>) {
        check_words("description", &self.description, issues);
        let mut refuse = |field: &str, code: &str, message: String| {
            issues.push(ValidationIssue::new(field, code, message));
        };
        if self.content.is_empty() && self.messages.is_empty() {
            refuse("content", "missing", "is empty; give `content` or `messages`".to_owned());
        }
        for (field, items) in [
            ("messages", self.messages.len()),
            ("variables", self.variables.len()),
            ("target_models", self.target_models.len()),
            ("model_specific_prompts", self.model_specific_prompts.len()),
            ("tags", self.tags.len()),
        ] {
            if items > MAX_ITEMS {
                refuse(field, "too_many", format!("has {items} items; at most {MAX_ITEMS}"));
            }
        }
        for (field, names) in [("variables", &self.variables), ("tags", &self.tags)] {
            let mut sorted: Vec<_> = names.iter().collect();
            sorted.sort();
            if let Some([name, _]) = sorted.array_windows().find(|[a, b]| a == b) {
                refuse(field, "duplicate", format!("names `{name}` twice"));
            }
        }
        for (index, body) in self.model_specific_prompts.iter().enumerate() {
            let same = |other: &ModelSpecificPrompt| {
                other.model_provider == body.model_provider && other.model_name == body.model_name
            };
            if self.model_specific_prompts[..index].iter().any(same) {
                let name = body.model_name.as_deref().unwrap_or("any model");
                let message = format!("has two bodies for {} {name}", body.model_provider);
                refuse("model_specific_prompts", "duplicate", message);
            }
        }
        check_name("name", &self.name, issues);
        if let Some(module) = &self.module_id {
            check_name("module_id", module, issues);
        }
        for (index, message) in self.messages.iter().enumerate() {
            check_name(&format!("messages[{index}].role"), &message.role, issues);
        }
        for (index, body) in self.model_specific_prompts.iter().enumerate() {
            let field = format!("model_specific_prompts[{index}].model_provider");
            check_name(&field, body.model_provider.as_str(), issues);
        }
        for variable in self.variables.iter().take(MAX_ITEMS) {
            check_name("variables", variable, issues);
        }
        for model in &self.target_models {
            check_name("target_models", model, issues);
        }
        for tag in &self.tags {
            check_tag(tag, issues);
        }
    }

    fn check_sizes(&self) -> Result<(), RegistryError> {
        let limited = |field: String, size: usize, limit: usize| {
            if size > limit {
                return Err(RegistryError::TooLarge { field, size, limit });
            }
            Ok(size)
        };
        let mut total = limited("content".to_owned(), self.content.len(), MAX_BODY_BYTES)?;
        for (index, message) in self.messages.iter().enumerate() {
            let field = format!("messages[{index}].content");
            total += limited(field, message.content.len(), MAX_BODY_BYTES)?;
            total += Value::Object(message.extra.clone()).to_string().len();
        }
        for (index, body) in self.model_specific_prompts.iter().enumerate() {
            let field = format!("model_specific_prompts[{index}].content");
            let instructions = body.instructions.as_ref().map_or(0, String::len);
            total += limited(field, body.content.len() + instructions, MAX_BODY_BYTES)?;
        }
        let metadata = Value::Object(self.metadata.clone()).to_string().len();
        limited("metadata".to_owned(), metadata, MAX_METADATA_BYTES)?;
        limited("prompt".to_owned(), total, MAX_VERSION_BYTES).map(drop)
    }

    fn templates(&self) -> Result<PromptTemplate, promptops_template::TemplateError> {
        let mut prompt = PromptResponse::default();
        prompt.content.clone_from(&self.content);
        prompt.messages.clone_from(&self.messages);
        prompt.model_specific_prompts.clone_from(&self.model_specific_prompts);
        prompt.template_format.clone_from(&self.template_format);
        PromptTemplate::parse(&prompt)
    }
}

/// What a new prompt says, as it is: nobody has checked it.
impl From<NewPrompt> for VersionContent {
    fn from(new: NewPrompt) -> Self {
        Self {
            name: new.name,
            description: new.description.unwrap_or_default(),
            content: new.content.unwrap_or_default(),
            messages: new.messages.unwrap_or_default(),
            variables: new.variables.unwrap_or_default(),
            target_models: new.target_models,
            model_specific_prompts: new.model_specific_prompts,
            template_format: new.template_format,
            tags: new.tags,
            metadata: new.metadata,
            module_id: new.module_id,
        }
    }
}

/// The same content as a new prompt, without slug and number.
impl From<VersionContent> for NewPrompt {
    fn from(content: VersionContent) -> Self {
        let mut new = Self::default();
        new.name = content.name;
        new.description = Some(content.description);
        if content.messages.is_empty() {
            new.content = Some(content.content);
        } else {
            new.messages = Some(content.messages);
        }
        new.variables = Some(content.variables);
        new.target_models = content.target_models;
        new.model_specific_prompts = content.model_specific_prompts;
        new.template_format = content.template_format;
        new.tags = content.tags;
        new.metadata = content.metadata;
        new.module_id = content.module_id;
        new
    }
}

/// Whether a content and messages are both given. What a registry gave can be sent back: there, one
/// of the two is empty.
fn is_both(content: Option<&str>, messages: Option<&[Message]>) -> bool {
    content.is_some_and(|content| !content.is_empty())
        && messages.is_some_and(|messages| !messages.is_empty())
}

fn both_bodies() -> RegistryError {
    RegistryError::invalid(
        "messages",
        "conflict",
        "is given together with `content`; a prompt is plain or a chat: give one of them",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(content: &str) -> NewPrompt {
        NewPrompt::new("n", content)
    }

    fn codes(result: Result<VersionContent, RegistryError>) -> Vec<String> {
        match result.unwrap_err() {
            RegistryError::Invalid(issues) => {
                issues.into_iter().map(|issue| format!("{}:{}", issue.field, issue.code)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn variables_left_out_follow_the_placeholders() {
        let content = VersionContent::from_new(new("{{ b }} {{ a.x }} {{ b }}")).unwrap();
        assert_eq!(content.variables, ["b", "a"]);
    }

    #[test]
    fn variables_given_have_to_cover_the_placeholders_and_extra_ones_stay() {
        let content = VersionContent::from_new(new("{{ a }}").variables(["z", "a"])).unwrap();
        assert_eq!(content.variables, ["z", "a"]);
        let error = VersionContent::from_new(new("\n {{ nmae }}").variables(["name"])).unwrap_err();
        let RegistryError::Invalid(issues) = error else { panic!("{error:?}") };
        assert_eq!((issues[0].line, issues[0].column), (Some(2), Some(2)));
        assert_eq!(issues[0].suggestion.as_deref(), Some("name"));
    }

    #[test]
    fn an_update_keeps_the_order_and_the_names_that_no_placeholder_used() {
        let old = VersionContent::from_new(new("{{ a }}").variables(["a", "spare"])).unwrap();
        let changed = old.updated(&PromptUpdate::new().content("{{ b }}")).unwrap();
        assert_eq!(changed.variables, ["spare", "b"]);
        let more = old.updated(&PromptUpdate::new().content("{{ n }} {{ a }}")).unwrap();
        assert_eq!(more.variables, ["a", "spare", "n"]);
        let same = old.updated(&PromptUpdate::new().description("d")).unwrap();
        assert_eq!(same.variables, ["a", "spare"]);
    }

    #[test]
    fn a_chat_becomes_plain_and_back() {
        let plain = VersionContent::from_new(new("x")).unwrap();
        let messages = [Message::new("system", "be {{ tone }}")];
        let chat = plain.updated(&PromptUpdate::new().messages(messages)).unwrap();
        assert_eq!((chat.content.as_str(), chat.variables.as_slice()), ("", &["tone".into()][..]));
        let back = chat.updated(&PromptUpdate::new().content("y")).unwrap();
        assert!(back.messages.is_empty());
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let bad = NewPrompt::new(" ", "").tags(["a,b"]).variables(["v", "v"]).module("\0");
        assert_eq!(
            codes(VersionContent::from_new(bad)),
            [
                "content:missing",
                "variables:duplicate",
                "name:invalid_name",
                "module_id:invalid_name",
                "tags:invalid_name"
            ]
        );
    }

    #[test]
    fn a_chat_that_was_read_can_be_sent_back() {
        let chat = NewPrompt::chat("n", [Message::new("user", "x")]);
        let mut sent = chat;
        sent.content = Some(String::new());
        let chat = VersionContent::from_new(sent);
        let mut update = PromptUpdate::new().content("").messages([Message::new("user", "y")]);
        update.module_id = Some(String::new());
        let changed = chat.unwrap().updated(&update).unwrap();
        assert_eq!((changed.messages[0].content.as_str(), changed.module_id), ("y", None));
    }

    #[test]
    fn variables_have_a_limit_whether_given_or_found() {
        let many: Vec<_> = (0..=MAX_ITEMS).map(|n| format!("{{{{v{n}}}}}")).collect();
        assert_eq!(codes(VersionContent::from_new(new(&many.concat()))), ["variables:too_many"]);
    }

    #[test]
    fn ten_megabytes_are_refused_with_the_limit() {
        let error = VersionContent::from_new(new(&"x".repeat(10 << 20))).unwrap_err();
        assert_eq!(error.to_string(), "`content` has 10485760 bytes; at most 1048576 are allowed");
    }
}
