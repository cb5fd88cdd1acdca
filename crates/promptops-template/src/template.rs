use std::sync::Arc;

use promptops_types::{PromptVariables, TemplateFormat};

use crate::simple::SimpleTemplate;
use crate::{Placeholder, TemplateError};

/// Most characters of an unknown format that an error shows.
const MOST_SHOWN: usize = 40;

/// A template, parsed once and rendered many times.
///
/// ```
/// use promptops_template::Template;
/// use promptops_types::{TemplateFormat, vars};
///
/// let template = Template::parse("{{ a }}\n{{ user.role }}", &TemplateFormat::Simple)?;
/// let role = template.placeholders().nth(1).expect("there are two");
/// assert_eq!((role.name, role.position.line, role.position.column), ("user.role", 2, 1));
/// assert_eq!(template.variables(), ["a", "user"]);
/// # Ok::<(), promptops_template::TemplateError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Template(Kind);

/// What is left of a render's limits.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: usize,
    fuel: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { bytes: MAX_RENDERED_BYTES, fuel: MAX_FUEL }
    }
}

/// Most bytes of one render, all messages of a chat together: 16 MiB.
pub const MAX_RENDERED_BYTES: usize = 16 * 1024 * 1024;

#[cfg(feature = "jinja")]
const MAX_FUEL: u64 = crate::jinja::FUEL;
#[cfg(not(feature = "jinja"))]
const MAX_FUEL: u64 = 1;

#[derive(Debug, Clone)]
enum Kind {
    Verbatim(Arc<str>),
    Simple(SimpleTemplate),
    #[cfg(feature = "jinja")]
    Jinja(crate::jinja::JinjaTemplate),
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// [`TemplateError::Syntax`] for a malformed jinja template (a `simple` one cannot be
    /// malformed: what is no placeholder is text), [`TemplateError::Format`] for a format this
    /// build does not know.
    pub fn parse(
        source: impl Into<Arc<str>>,
        format: &TemplateFormat,
    ) -> Result<Self, TemplateError> {
        let source = source.into();
        Ok(Self(match format {
            TemplateFormat::None => Kind::Verbatim(source),
            TemplateFormat::Simple => Kind::Simple(SimpleTemplate::parse(source)),
            #[cfg(feature = "jinja")]
            TemplateFormat::Jinja => Kind::Jinja(crate::jinja::JinjaTemplate::parse(&source)?),
            #[cfg(not(feature = "jinja"))]
            TemplateFormat::Jinja => {
                return Err(TemplateError::Format(
                    "this build has no jinja templates: enable the cargo feature `jinja`"
                        .to_owned(),
                ));
            }
            other => {
                // A registry may have sent anything.
                let shown: String = other.as_str().chars().take(MOST_SHOWN).collect();
                return Err(TemplateError::Format(format!(
                    "`{}` is not one of simple, jinja, none",
                    shown.escape_debug()
                )));
            }
        }))
    }

    /// The text the template was parsed from.
    pub fn source(&self) -> &str {
        match &self.0 {
            Kind::Verbatim(source) => source,
            Kind::Simple(template) => template.source(),
            #[cfg(feature = "jinja")]
            Kind::Jinja(template) => template.source(),
        }
    }

    /// Every placeholder in order. In a jinja template: each variable once, where it is first
    /// named.
    pub fn placeholders(&self) -> impl Iterator<Item = Placeholder<'_>> {
        let found: Box<dyn Iterator<Item = Placeholder<'_>>> = match &self.0 {
            Kind::Verbatim(_) => Box::new(std::iter::empty()),
            Kind::Simple(template) => Box::new(template.placeholders()),
            #[cfg(feature = "jinja")]
            Kind::Jinja(template) => Box::new(template.placeholders()),
        };
        found
    }

    /// Names of the variables in order of first use: `user` for `{{ user.role }}`.
    pub fn variables(&self) -> Vec<&str> {
        match &self.0 {
            Kind::Verbatim(_) => Vec::new(),
            Kind::Simple(template) => template.variables(),
            #[cfg(feature = "jinja")]
            Kind::Jinja(template) => template.variables(),
        }
    }

    /// Fills in the variables.
    ///
    /// # Errors
    /// [`TemplateError::Variables`] that names every missing variable;
    /// [`TemplateError::Evaluation`] for a render of more than 16 MiB, and whatever fails in a
    /// jinja template.
    pub fn render(&self, variables: &PromptVariables) -> Result<String, TemplateError> {
        let mut out = String::new();
        self.render_into(variables, &mut out)?;
        Ok(out)
    }

    /// The same, appended to `out`, which an error leaves as it was.
    ///
    /// # Errors
    /// As [`render`](Self::render).
    pub fn render_into(
        &self,
        variables: &PromptVariables,
        out: &mut String,
    ) -> Result<(), TemplateError> {
        self.render_within(variables, out, &mut Budget::default())
    }

    /// The same, as part of a whole that shares one budget.
    pub(crate) fn render_within(
        &self,
        variables: &PromptVariables,
        out: &mut String,
        budget: &mut Budget,
    ) -> Result<(), TemplateError> {
        let start = out.len();
        match &self.0 {
            Kind::Verbatim(source) => out.push_str(source),
            Kind::Simple(template) => {
                template.render_into(variables.as_map(), out, budget.bytes)?;
            }
            #[cfg(feature = "jinja")]
            Kind::Jinja(template) => {
                let fuel = template.render_into(variables.as_map(), out)?;
                budget.fuel = budget.fuel.saturating_sub(fuel);
            }
        }
        budget.bytes = budget.bytes.saturating_sub(out.len() - start);
        if budget.bytes == 0 || budget.fuel == 0 {
            out.truncate(start);
            return Err(TemplateError::too_large());
        }
        Ok(())
    }
}
