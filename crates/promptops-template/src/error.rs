use std::fmt;

use promptops_types::{Error, ErrorCode, ErrorContext, ValidationIssue};

use crate::Position;

/// Why a template cannot be parsed or rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// The template is malformed.
    #[error("{location}, line {line}: {reason}")]
    Syntax {
        /// Which template of the prompt.
        location: String,
        /// Line, from 1.
        line: u32,
        /// What is wrong.
        reason: String,
    },
    /// The format is not one this build renders.
    #[error("{0}")]
    Format(String),
    /// Variables are missing, or unused under `strict`: all of them, each with its position.
    #[error("{}", summary(.0))]
    Variables(Vec<ValidationIssue>),
    /// A jinja expression failed: a wrong type, an unknown filter, a limit.
    #[error("{location}, line {line}: {reason}")]
    Evaluation {
        /// Which template of the prompt.
        location: String,
        /// Line, from 1; 0 where it is not known.
        line: u32,
        /// What failed and what to do.
        reason: String,
    },
}

/// The location of a template that stands alone.
pub(crate) const CONTENT: &str = "content";

/// Most variables that one error names: as many as a registry allows a prompt to have.
pub(crate) const MAX_ISSUES: usize = 500;

impl TemplateError {
    /// A variable that the template needs and nobody gave.
    pub(crate) fn missing(
        name: &str,
        location: &str,
        position: Position,
        suggestion: Option<String>,
    ) -> ValidationIssue {
        ValidationIssue::new(name, "missing_variable", "is not given")
            .at(location, position.line, position.column)
            .suggestion(suggestion)
    }

    /// A render that passes its limits.
    pub(crate) fn too_large() -> Self {
        Self::Evaluation {
            location: CONTENT.to_owned(),
            line: 0,
            reason: "the render is larger than 16 MiB, or takes too many steps; make its values \
                     smaller"
                .to_owned(),
        }
    }

    /// Names the template of the prompt in which the error is.
    pub(crate) fn located(mut self, at: &str) -> Self {
        match &mut self {
            Self::Syntax { location, .. } | Self::Evaluation { location, .. } => {
                at.clone_into(location);
            }
            Self::Variables(issues) => {
                for issue in issues {
                    issue.location = Some(at.to_owned());
                }
            }
            Self::Format(_) => {}
        }
        self
    }

    /// The faults, one by one.
    pub fn issues(&self) -> Vec<ValidationIssue> {
        match self {
            Self::Variables(issues) => issues.clone(),
            Self::Syntax { location, line, reason } => {
                vec![in_line(ValidationIssue::new(location, "syntax", reason), location, *line)]
            }
            Self::Evaluation { location, line, reason } => {
                vec![in_line(ValidationIssue::new(location, "evaluation", reason), location, *line)]
            }
            Self::Format(reason) => {
                vec![ValidationIssue::new("template_format", "unsupported_format", reason)]
            }
        }
    }
}

/// The issue with its place; the line is 0 where it is not known.
fn in_line(mut issue: ValidationIssue, location: &str, line: u32) -> ValidationIssue {
    if line > 0 {
        return issue.at(location, line, 1);
    }
    issue.location = Some(location.to_owned());
    issue
}

impl From<TemplateError> for Error {
    fn from(error: TemplateError) -> Self {
        let message = match &error {
            TemplateError::Variables(issues) => summary(issues),
            _ => "the template cannot be rendered".to_owned(),
        };
        let context = ErrorContext::new(ErrorCode::Validation, message);
        Self::Validation { validation_errors: error.issues(), context: context.into() }
    }
}

fn summary(issues: &[ValidationIssue]) -> String {
    struct Counted<'a>(usize, &'a str);
    impl fmt::Display for Counted<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self.0 {
                1 => write!(f, "1 variable is {}", self.1),
                many => write!(f, "{many} variables are {}", self.1),
            }
        }
    }
    let missing = issues.iter().filter(|issue| issue.code == "missing_variable").count();
    let unused = issues.len() - missing;
    match (missing, unused) {
        (missing, 0) => Counted(missing, "missing").to_string(),
        (0, unused) => Counted(unused, "not used by the prompt").to_string(),
        (missing, unused) => format!(
            "{}, and {}",
            Counted(missing, "missing"),
            Counted(unused, "not used by the prompt")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::TemplateError;

    #[test]
    fn a_line_that_is_not_known_is_not_told() {
        let issue = &TemplateError::too_large().issues()[0];
        assert_eq!((issue.line, issue.column), (None, None));
        assert_eq!(issue.location.as_deref(), Some("content"));
    }
}
