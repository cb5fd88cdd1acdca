use std::fmt;

use serde::{Deserialize, Serialize};

/// One fault of a request, a template or a set of variables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValidationIssue {
    /// The field or variable at fault.
    #[serde(default)]
    pub field: String,
    /// A fixed word for programs, such as `missing_variable`.
    #[serde(default)]
    pub code: String,
    /// What is wrong and what to do.
    #[serde(default)]
    pub message: String,
    /// Which template of the prompt: `content`, `messages[1].content`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Line in that template, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in that line, from 1, in Unicode scalar values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// What may have been meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl ValidationIssue {
    /// A fault of `field`.
    pub fn new(field: impl Into<String>, code: &str, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            code: code.to_owned(),
            message: message.into(),
            location: None,
            line: None,
            column: None,
            suggestion: None,
        }
    }

    /// Says where in which template the fault is. Lines and columns count from 1.
    pub fn at(mut self, location: impl Into<String>, line: u32, column: u32) -> Self {
        self.location = Some(location.into());
        self.line = Some(line);
        self.column = Some(column);
        self
    }

    /// Says what may have been meant.
    pub fn suggestion(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion;
        self
    }
}

impl fmt::Display for ValidationIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.field)?;
        if let (Some(location), Some(line), Some(column)) = (&self.location, self.line, self.column)
        {
            write!(f, " ({location}, line {line}, column {column})")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; did you mean `{suggestion}`?")?;
        }
        Ok(())
    }
}
