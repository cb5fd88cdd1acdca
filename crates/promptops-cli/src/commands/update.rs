//! `promptops update`, and the fields that it shares with `create`.

use std::path::PathBuf;

use clap::Args;
use promptops_client::{Message, PromptResponse, PromptUpdate, TemplateFormat};
use serde_json::{Map, Value};

use crate::block_on;
use crate::failure::Failure;
use crate::settings::{Global, Registry, Session};
use crate::values::{Raise, text_of};

/// Publishes a version of a prompt, or edits one
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// Slug or UUID
    prompt: String,

    /// Another name
    #[arg(long)]
    name: Option<String>,

    /// Edit this version, at which no label points, and publish none
    #[arg(long)]
    version: Option<String>,

    /// Which number a new version raises
    #[arg(long, value_enum, default_value = "minor", value_name = "NUMBER")]
    bump: Raise,

    /// Why, for the audit trail
    #[arg(long = "why", value_name = "TEXT")]
    why: Option<String>,

    /// Publish even if nothing changes
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    fields: Fields,
}

/// What a prompt is made of.
#[derive(Debug, Args)]
pub(crate) struct Fields {
    /// The template
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["file", "messages"])]
    content: Option<String>,

    /// The file with the template; `-` for standard input
    #[arg(long, value_name = "PATH", conflicts_with = "messages")]
    file: Option<PathBuf>,

    /// A message of a chat; several times for several
    #[arg(long = "message", value_name = "ROLE=TEXT")]
    messages: Vec<String>,

    /// What the prompt is for
    #[arg(long)]
    description: Option<String>,

    /// A tag; several times for several
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,

    /// The name of a variable; several times for several [default: the placeholders]
    #[arg(long = "variable", value_name = "NAME")]
    variables: Vec<String>,

    /// A provider that the prompt is written for; several times for several
    #[arg(long = "target-model", value_name = "PROVIDER")]
    target_models: Vec<String>,

    /// simple, jinja or none
    #[arg(long, value_name = "FORMAT", value_parser = ["simple", "jinja", "none"])]
    template_format: Option<String>,

    /// What is kept beside the prompt: a JSON object
    #[arg(long, value_name = "JSON", value_parser = object)]
    metadata: Option<Map<String, Value>>,

    /// The module to file the prompt under
    #[arg(long)]
    module: Option<String>,
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("this is no JSON object: {error}"))
}

impl Fields {
    /// An update to what is given.
    pub(crate) fn update(self) -> Result<PromptUpdate, Failure> {
        fn given(values: Vec<String>) -> Option<Vec<String>> {
            (!values.is_empty()).then_some(values)
        }
        let mut update = PromptUpdate::new();
        update.content = match (self.content, self.file) {
            (Some(content), _) => Some(content),
            (None, Some(path)) => Some(text_of(&path)?),
            (None, None) => None,
        };
        let message = |text: &String| match text.split_once('=') {
            Some((role, content)) => Ok(Message::new(role, content)),
            None => Err(Failure::usage(format!("`{text}` is no message")).help("write ROLE=TEXT")),
        };
        let messages = self.messages.iter().map(message).collect::<Result<Vec<_>, _>>()?;
        update.messages = (!messages.is_empty()).then_some(messages);
        update.description = self.description;
        update.tags = given(self.tags);
        update.variables = given(self.variables);
        update.target_models = given(self.target_models);
        update.template_format = self.template_format.as_deref().map(TemplateFormat::from);
        update.metadata = self.metadata;
        update.module_id = self.module;
        Ok(update)
    }
}

impl Update {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let session = global.session(Registry::IsThere)?;
        let mut changes = self.fields.update()?;
        changes.name = self.name;
        let is_edit = self.version.is_some();
        let mut request = session
            .client
            .update_prompt(&self.prompt, changes)
            .bump(self.bump.into())
            .force(self.force);
        if let Some(version) = self.version {
            request = request.version(version);
        }
        if let Some(why) = self.why {
            request = request.message(why);
        }
        let prompt = block_on(async { Ok(request.await?) })?;
        said(&session, if is_edit { "edited" } else { "published" }, &prompt)
    }
}

/// Says what was written.
pub(crate) fn said(session: &Session, done: &str, prompt: &PromptResponse) -> Result<(), Failure> {
    if session.output.json {
        return session.output.data(prompt);
    }
    session.output.line(&format!("{done} {} {}", prompt.slug, prompt.version))
}
