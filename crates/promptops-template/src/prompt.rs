use std::collections::HashSet;
use std::time::Duration;

use promptops_types::{
    BodyChoice, Message, ModelProvider, PromptResponse, PromptVariables, RenderResponse,
    TemplateFormat, ValidationIssue,
};

use crate::body::choose;
use crate::error::{CONTENT, MAX_ISSUES};
use crate::placeholder::distinct;
use crate::template::Budget;
use crate::{Placeholder, Template, TemplateError, near_match};

/// Every template of a prompt, parsed: its content or messages, and its model bodies.
///
/// ```
/// use promptops_template::{PromptTemplate, RenderOptions};
/// use promptops_types::{PromptResponse, vars};
///
/// let mut prompt = PromptResponse::default();
/// prompt.content = "Dear {{ name }}".into();
/// let template = PromptTemplate::parse(&prompt)?;
/// let rendered = template.render(&vars! { "name" => "Ann" }, &RenderOptions::default())?;
/// assert_eq!(rendered.messages[0].role, "user");
/// assert_eq!(rendered.content, "Dear Ann");
/// # Ok::<(), promptops_template::TemplateError>(())
/// ```
#[derive(Debug, Clone)]
pub struct PromptTemplate {
    own: Parts,
    bodies: Vec<Body>,
}

/// What is rendered together.
#[derive(Debug, Clone)]
struct Parts {
    all: Vec<Part>,
    /// The names of their variables, in order of first use.
    names: Vec<String>,
}

impl Parts {
    fn new(all: Vec<Part>) -> Self {
        let names = distinct(all.iter().flat_map(|part| part.template.variables()));
        let names = names.into_iter().map(str::to_owned).collect();
        Self { all, names }
    }

    /// Whether a variable is used. Few names are compared sooner than they are hashed.
    fn uses<'n>(&'n self, many: Option<&HashSet<&'n str>>, name: &str) -> bool {
        match many {
            Some(names) => names.contains(name),
            None => self.names.iter().any(|used| used == name),
        }
    }

    fn many(&self) -> Option<HashSet<&str>> {
        (self.names.len() > FEW).then(|| self.names.iter().map(String::as_str).collect())
    }
}

/// So many names are few.
const FEW: usize = 16;

#[derive(Debug, Clone)]
struct Body {
    /// The provider, always there, and the model it serves.
    model_provider: ModelProvider,
    model_name: Option<String>,
    parts: Parts,
}

/// One message to be: its role and other fields, and the template of its content.
#[derive(Debug, Clone)]
struct Part {
    location: String,
    message: Message,
    template: Template,
    /// Whether the rendered text belongs to `rendered_content`; instructions do not.
    is_content: bool,
}

/// Which model a render is for, and how strict it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct RenderOptions<'a> {
    /// Target provider; without one, the prompt's own content is rendered.
    pub provider: Option<&'a ModelProvider>,
    /// Target model.
    pub model: Option<&'a str>,
    /// Whether variables that nothing uses are an error.
    pub strict: bool,
}

/// A prompt with its variables filled in.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RenderedPrompt {
    /// The content; of a chat prompt its messages' contents, a blank line between them.
    pub content: String,
    /// The messages.
    pub messages: Vec<Message>,
    /// Names of the variables used, in order of first use.
    pub variables_used: Vec<String>,
    /// Names that were given and not used, in the order given.
    pub unused_variables: Vec<String>,
    /// Which body was rendered.
    pub body: BodyChoice,
}

impl RenderedPrompt {
    /// The render as it goes over the wire, of `prompt` and after `took`.
    pub fn into_response(self, prompt: &PromptResponse, took: Duration) -> RenderResponse {
        let mut response = RenderResponse::default();
        response.prompt_id.clone_from(&prompt.id);
        response.version.clone_from(&prompt.version);
        response.rendered_content = self.content;
        response.messages = self.messages;
        response.variables_used = self.variables_used;
        response.unused_variables = self.unused_variables;
        response.body = self.body;
        response.processing_time_ms = took.as_secs_f64() * 1000.0;
        response
    }
}

impl PromptTemplate {
    /// Parses every template of a prompt.
    ///
    /// # Errors
    /// [`TemplateError::Syntax`] that says which template, [`TemplateError::Format`].
    pub fn parse(prompt: &PromptResponse) -> Result<Self, TemplateError> {
        let format = &prompt.template_format;
        let role = match prompt.metadata.get("role") {
            Some(serde_json::Value::String(role)) => role.as_str(),
            _ => "user",
        };
        let own = if prompt.messages.is_empty() {
            vec![Part::parse(CONTENT.to_owned(), Message::new(role, &*prompt.content), format)?]
        } else {
            let parse = |(index, message): (usize, &Message)| {
                Part::parse(format!("messages[{index}].content"), message.clone(), format)
            };
            prompt.messages.iter().enumerate().map(parse).collect::<Result<_, _>>()?
        };
        let mut bodies = Vec::with_capacity(prompt.model_specific_prompts.len());
        for (index, body) in prompt.model_specific_prompts.iter().enumerate() {
            let mut parts = Vec::with_capacity(2);
            if let Some(instructions) = &body.instructions {
                let location = format!("model_specific_prompts[{index}].instructions");
                let message = Message::new("system", &**instructions);
                parts.push(Part { is_content: false, ..Part::parse(location, message, format)? });
            }
            let location = format!("model_specific_prompts[{index}].content");
            parts.push(Part::parse(location, Message::new(role, &*body.content), format)?);
            bodies.push(Body {
                model_provider: body.model_provider.clone(),
                model_name: body.model_name.clone(),
                parts: Parts::new(parts),
            });
        }
        Ok(Self { own: Parts::new(own), bodies })
    }

    /// Every placeholder of every template, and which template it is in.
    pub fn placeholders(&self) -> impl Iterator<Item = (&str, Placeholder<'_>)> {
        self.parts().flat_map(|part| {
            part.template.placeholders().map(move |placeholder| (&*part.location, placeholder))
        })
    }

    /// Names of the variables of every template, in order of first use.
    pub fn variables(&self) -> Vec<&str> {
        distinct(self.parts().flat_map(|part| part.template.variables()))
    }

    /// Every placeholder whose variable is not among `declared`, once, at its first place.
    pub fn undeclared(&self, declared: &[String]) -> Vec<ValidationIssue> {
        let declared_names: HashSet<&str> = declared.iter().map(String::as_str).collect();
        let mut seen = HashSet::new();
        let mut issues = Vec::new();
        for (location, placeholder) in self.placeholders() {
            let name = placeholder.variable();
            let known = declared_names.contains(name) || declared_names.contains(placeholder.name);
            if known || issues.len() >= MAX_ISSUES || !seen.insert(name) {
                continue;
            }
            let near = near_match(name, declared.iter().map(String::as_str)).map(str::to_owned);
            let position = placeholder.position;
            issues.push(
                ValidationIssue::new(
                    name,
                    "undeclared_variable",
                    "is used by a placeholder but not in `variables`; add it, or leave \
                     `variables` out",
                )
                .at(location, position.line, position.column)
                .suggestion(near),
            );
        }
        issues
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.own.all.iter().chain(self.bodies.iter().flat_map(|body| &body.parts.all))
    }

    /// Fills in the variables of the body for the model that `options` names.
    ///
    /// # Errors
    /// [`TemplateError::Variables`] that names every variable that is missing from the chosen body
    /// (and under `strict` every one it does not use), each with its position;
    /// [`TemplateError::Evaluation`] for jinja templates.
    pub fn render(
        &self,
        variables: &PromptVariables,
        options: &RenderOptions<'_>,
    ) -> Result<RenderedPrompt, TemplateError> {
        let (parts, body) = self.choose(options.provider, options.model);
        let many = parts.many();
        let unused: Vec<&String> =
            variables.as_map().keys().filter(|name| !parts.uses(many.as_ref(), name)).collect();

        let mut issues: Vec<ValidationIssue> = Vec::new();
        let mut messages = Vec::with_capacity(parts.all.len());
        let mut budget = Budget::default();
        for part in &parts.all {
            let mut text = String::new();
            match part.template.render_within(variables, &mut text, &mut budget) {
                Ok(()) => {}
                // Go on, so that one error names what every part lacks.
                Err(TemplateError::Variables(mut missing)) => {
                    for issue in &mut missing {
                        issue.location = Some(part.location.clone());
                    }
                    add_new(&mut issues, missing);
                    continue;
                }
                Err(error) => return Err(error.located(&part.location)),
            }
            let mut message = part.message.clone();
            message.content = text;
            messages.push(message);
        }
        if options.strict {
            issues.extend(unused.iter().take(MAX_ISSUES).map(|name| {
                let names = parts.names.iter().map(String::as_str);
                let near = near_match(name, names).map(str::to_owned);
                ValidationIssue::new(name.as_str(), "unused_variable", "is not used by the prompt")
                    .suggestion(near)
            }));
        }
        if !issues.is_empty() {
            return Err(TemplateError::Variables(issues));
        }
        let contents = parts.all.iter().zip(&messages).filter(|(part, _)| part.is_content);
        let contents: Vec<&str> = contents.map(|(_, message)| message.content.as_str()).collect();
        Ok(RenderedPrompt {
            content: contents.join("\n\n"),
            messages,
            variables_used: parts
                .names
                .iter()
                .filter(|name| variables.contains(name))
                .cloned()
                .collect(),
            unused_variables: unused.into_iter().cloned().collect(),
            body,
        })
    }

    fn choose(
        &self,
        provider: Option<&ModelProvider>,
        model: Option<&str>,
    ) -> (&Parts, BodyChoice) {
        let bodies =
            self.bodies.iter().map(|body| (&body.model_provider, body.model_name.as_deref()));
        let mut choice = BodyChoice::default();
        let Some((index, kind)) = choose(bodies, provider, model) else {
            return (&self.own, choice);
        };
        let body = &self.bodies[index];
        choice.kind = kind;
        choice.model_provider = Some(body.model_provider.clone());
        choice.model_name.clone_from(&body.model_name);
        (&body.parts, choice)
    }
}

impl Part {
    fn parse(
        location: String,
        mut message: Message,
        format: &TemplateFormat,
    ) -> Result<Self, TemplateError> {
        let template = Template::parse(message.content.as_str(), format)
            .map_err(|error| error.located(&location))?;
        // The template holds the text; the message keeps the rest.
        message.content.clear();
        Ok(Self { location, message, template, is_content: true })
    }
}

/// Adds the variables that no earlier part has already missed.
fn add_new(issues: &mut Vec<ValidationIssue>, missing: Vec<ValidationIssue>) {
    let known: HashSet<String> = issues.iter().map(|issue| issue.field.clone()).collect();
    issues.extend(missing.into_iter().filter(|issue| !known.contains(&issue.field)));
    issues.truncate(MAX_ISSUES);
}
