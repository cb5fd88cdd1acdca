//! `promptops render`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use promptops_client::{Error, PromptVariables, RenderResponse};
use promptops_template::{PromptTemplate, RenderOptions};
use promptops_types::PromptResponse;
use serde_json::Value;

use crate::block_on;
use crate::failure::Failure;
use crate::folder::{Entry, entry_of, is_prompt_file};
use crate::output::{FAINT, PLACE};
use crate::settings::{Global, Registry};
use crate::values::{Model, text_of};

/// Fills in the variables of a prompt
///
/// Takes a prompt of the registry, or a prompt file. The values stay on this machine.
#[derive(Debug, Args)]
pub(crate) struct Render {
    /// Slug, UUID, or the path of a prompt file
    #[arg(value_name = "PROMPT|FILE")]
    prompt: String,

    /// A variable: `name=Ann`, or with `:=` a JSON value: `items:=[1,2]`; several times for several
    #[arg(short = 'v', long = "var", value_name = "NAME=TEXT")]
    variables: Vec<String>,

    /// A file with a JSON object of variables; `-` for standard input
    #[arg(long, value_name = "FILE")]
    vars: Option<PathBuf>,

    /// Version, range, label, or several: `staging,production` [default: latest]
    #[arg(long, value_name = "SELECTOR")]
    version: Option<String>,

    /// Whose version of a weighted label
    #[arg(long)]
    key: Option<String>,

    /// Render the body for this model
    #[arg(long, value_name = "PROVIDER[/MODEL]")]
    model: Option<Model>,

    /// Write the request body that a provider's API takes
    #[arg(long = "as", value_enum, value_name = "PROVIDER")]
    form: Option<Form>,

    /// Refuse variables that the prompt does not use
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Openai,
    Anthropic,
    Gemini,
    Cohere,
}

impl Form {
    fn of(self, render: &RenderResponse) -> Value {
        match self {
            Self::Openai => render.to_openai(),
            Self::Anthropic => render.to_anthropic(),
            Self::Gemini => render.to_gemini(),
            Self::Cohere => render.to_cohere(),
        }
    }
}

impl Render {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let variables = self.variables()?;
        let render = if is_prompt_file(Path::new(&self.prompt)) {
            self.of_file(global, &variables)?
        } else {
            self.of_prompt(global, variables)?
        };
        let output = global.output();
        if let Some(form) = self.form {
            return output.data(&form.of(&render));
        }
        if output.json {
            return output.data(&render);
        }
        if !render.unused_variables.is_empty() {
            output.note(&format!("not used: {}", render.unused_variables.join(", ")));
        }
        match render.messages.as_slice() {
            [message] if message.role == "user" => {
                output.raw(&message.content)?;
                if message.content.ends_with('\n') { Ok(()) } else { output.raw("\n") }
            }
            messages => messages.iter().enumerate().try_for_each(|(index, message)| {
                let gap = if index == 0 { "" } else { "\n" };
                output.line(&format!("{gap}{PLACE}{}{PLACE:#}{FAINT}:{FAINT:#}", message.role))?;
                output.raw(&format!("{}\n", message.content))
            }),
        }
    }

    fn of_prompt(
        &self,
        global: &Global,
        variables: PromptVariables,
    ) -> Result<RenderResponse, Failure> {
        let session = global.session(Registry::IsThere)?;
        let mut request = session.client.render_prompt(&self.prompt, ()).variables(variables);
        if let Some(version) = &self.version {
            request = request.version(version);
        }
        if let Some(key) = &self.key {
            request = request.key(key);
        }
        match &self.model {
            Some(Model { provider, name: Some(name) }) => {
                request = request.model(provider.clone(), name);
            }
            Some(Model { provider, name: None }) => request = request.provider(provider.clone()),
            None => {}
        }
        request = request.strict(self.strict);
        block_on(async { Ok(request.await?) })
    }

    fn of_file(
        &self,
        global: &Global,
        variables: &PromptVariables,
    ) -> Result<RenderResponse, Failure> {
        if self.version.is_some() || self.key.is_some() {
            return Err(Failure::usage("a file has no versions: leave --version and --key out"));
        }
        let path = Path::new(&self.prompt);
        let Entry { slug, .. } = entry_of(&global.folder()?, path)?;
        let file = Entry { slug, path: path.to_owned() }.read()?;
        let prompt = PromptResponse::from(file.into_prompt());
        let options = RenderOptions {
            provider: self.model.as_ref().map(|model| &model.provider),
            model: self.model.as_ref().and_then(|model| model.name.as_deref()),
            strict: self.strict,
        };
        let rendered = PromptTemplate::parse(&prompt)
            .and_then(|template| template.render(variables, &options))
            .map_err(Error::from)?;
        Ok(rendered.into_response(&prompt, std::time::Duration::ZERO))
    }

    /// The variables of the file, and those of the command line over them.
    fn variables(&self) -> Result<PromptVariables, Failure> {
        let mut variables = PromptVariables::new();
        if let Some(path) = &self.vars {
            let text = text_of(path)?;
            let read: Result<PromptVariables, _> = serde_json::from_str(&text);
            variables = read.map_err(|error| {
                Failure::usage(format!("{}: {error}", path.display()))
                    .help("write a JSON object: {\"name\": \"Ann\"}")
            })?;
        }
        for given in &self.variables {
            let Some((name, text)) = given.split_once('=') else {
                return Err(Failure::usage(format!("`{given}` is no variable"))
                    .help("write NAME=TEXT, or NAME:=JSON"));
            };
            match name.strip_suffix(':') {
                None => variables.add(name, text),
                Some(name) => {
                    let value: Value = serde_json::from_str(text).map_err(|error| {
                        Failure::usage(format!("the value of `{name}` is no JSON: {error}"))
                            .help(format!("for a text, write {name}=TEXT"))
                    })?;
                    variables.add(name, value);
                }
            }
        }
        Ok(variables)
    }
}
