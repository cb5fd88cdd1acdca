use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::{ErrorCode, ValidationIssue};

/// How a call failed: one variant for each thing a caller might do about it.
///
/// Every variant carries an [`ErrorContext`] with the code, the message, the details, the request
/// id and the number of attempts; the methods here read it whatever the variant is. `Display`
/// says what went wrong and what to do and never prints the source error, which
/// [`source`](StdError::source) gives.
///
/// ```
/// use promptops_types::{Error, ErrorCode, ErrorContext};
///
/// let error = Error::PromptNotFound {
///     prompt_id: "greetng".to_owned(),
///     suggested_prompts: vec!["greeting".to_owned()],
///     context: ErrorContext::new(ErrorCode::PromptNotFound, "no prompt `greetng`").into(),
/// };
/// assert_eq!(error.to_string(), "no prompt `greetng`; did you mean `greeting`? [PROMPT_NOT_FOUND]");
/// assert!(!error.is_retryable());
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Error {
    /// Credentials are missing, wrong or expired. Check the API key and its secret.
    Authentication {
        /// Code, message, details.
        context: Box<ErrorContext>,
    },
    /// The key is valid but may not do this.
    Authorization {
        /// Code, message, details.
        context: Box<ErrorContext>,
    },
    /// No such prompt, or no such version of it, in the projects the key may read.
    PromptNotFound {
        /// What was asked for.
        prompt_id: String,
        /// At most five prompts with a similar slug or name.
        suggested_prompts: Vec<String>,
        /// Code, message, details.
        context: Box<ErrorContext>,
    },
    /// The request, or the variables of a render, are wrong. Every fault is listed.
    Validation {
        /// The faults.
        validation_errors: Vec<ValidationIssue>,
        /// Code, message, details.
        context: Box<ErrorContext>,
    },
    /// The registry could not be reached. The source says why.
    Network {
        /// Code, message, details.
        context: Box<ErrorContext>,
    },
    /// The call's deadline passed, retries included.
    Timeout {
        /// The deadline the call had.
        timeout: Duration,
        /// Code, message, details.
        context: Box<ErrorContext>,
    },
    /// Too many requests.
    RateLimit {
        /// How long to wait before the next call.
        retry_after: Duration,
        /// Code, message, details.
        context: Box<ErrorContext>,
    },
    /// A fault on the registry's side.
    Server {
        /// The HTTP status.
        status_code: u16,
        /// Code, message, details.
        context: Box<ErrorContext>,
    },
    /// A cache operation that the caller asked for failed. Reads never fail with this: there a
    /// broken cache is a miss.
    Cache {
        /// Which cache: `memory` or `redis`.
        cache_type: String,
        /// Code, message, details.
        context: Box<ErrorContext>,
    },
    /// A telemetry operation that the caller asked for failed.
    Telemetry {
        /// Code, message, details.
        context: Box<ErrorContext>,
    },
    /// The write conflicts with what is there: a taken slug or version, a frozen version, a
    /// revision that is no longer current.
    Conflict {
        /// Code, message, details.
        context: Box<ErrorContext>,
    },
    /// Something other than a prompt is not there: a label, a route.
    NotFound {
        /// Code, message, details.
        context: Box<ErrorContext>,
    },
    /// The client's configuration is wrong.
    Config {
        /// Code, message, details.
        context: Box<ErrorContext>,
    },
    /// The registry's answer is not what the contract says.
    Decode {
        /// Code, message, details.
        context: Box<ErrorContext>,
    },
}

/// Which variant an [`Error`] is, for a `match` or a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the variant of Error with the same name")]
pub enum ErrorKind {
    Authentication,
    Authorization,
    PromptNotFound,
    Validation,
    Network,
    Timeout,
    RateLimit,
    Server,
    Cache,
    Telemetry,
    Conflict,
    NotFound,
    Config,
    Decode,
}

impl Error {
    /// Which variant this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Authentication { .. } => ErrorKind::Authentication,
            Self::Authorization { .. } => ErrorKind::Authorization,
            Self::PromptNotFound { .. } => ErrorKind::PromptNotFound,
            Self::Validation { .. } => ErrorKind::Validation,
            Self::Network { .. } => ErrorKind::Network,
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::RateLimit { .. } => ErrorKind::RateLimit,
            Self::Server { .. } => ErrorKind::Server,
            Self::Cache { .. } => ErrorKind::Cache,
            Self::Telemetry { .. } => ErrorKind::Telemetry,
            Self::Conflict { .. } => ErrorKind::Conflict,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Config { .. } => ErrorKind::Config,
            Self::Decode { .. } => ErrorKind::Decode,
        }
    }

    /// What every error carries.
    pub fn context(&self) -> &ErrorContext {
        match self {
            Self::Authentication { context }
            | Self::Authorization { context }
            | Self::PromptNotFound { context, .. }
            | Self::Validation { context, .. }
            | Self::Network { context }
            | Self::Timeout { context, .. }
            | Self::RateLimit { context, .. }
            | Self::Server { context, .. }
            | Self::Cache { context, .. }
            | Self::Telemetry { context }
            | Self::Conflict { context }
            | Self::NotFound { context }
            | Self::Config { context }
            | Self::Decode { context } => context,
        }
    }

    /// The code, as the contract spells it.
    pub fn code(&self) -> &str {
        self.context().code.as_str()
    }

    /// What happened, without code and request id.
    pub fn message(&self) -> &str {
        &self.context().message
    }

    /// What the registry added, by name.
    pub fn details(&self) -> &Map<String, Value> {
        &self.context().details
    }

    /// Whether calling again, unchanged, may succeed.
    ///
    /// # Troubleshooting
    ///
    /// The client has already retried within the deadline where that was safe
    /// ([`attempts`](Self::attempts) says how often), so wait before the next call.
    pub fn is_retryable(&self) -> bool {
        self.context().retryable
    }

    /// How long to wait before the next call, if the registry said so, or while it is left alone
    /// since it has been failing.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimit { retry_after, .. } => Some(*retry_after),
            _ => self.context().retry_after,
        }
    }

    /// The HTTP status of the answer; `None` if there was none.
    pub fn status(&self) -> Option<u16> {
        self.context().status
    }

    /// The id under which the registry logged the request.
    pub fn request_id(&self) -> Option<&str> {
        self.context().request_id.as_deref()
    }

    /// How many requests were sent; 0 when the call failed before the first.
    pub fn attempts(&self) -> u32 {
        self.context().attempts
    }

    /// A configuration error about `field`.
    pub fn config(field: &str, reason: impl fmt::Display) -> Self {
        let context = ErrorContext::new(ErrorCode::Config, format!("`{field}`: {reason}"))
            .detail("field", field);
        Self::Config { context: context.into() }
    }

    /// A validation error found before anything was sent.
    pub fn invalid(message: impl Into<String>, validation_errors: Vec<ValidationIssue>) -> Self {
        let context = ErrorContext::new(ErrorCode::Validation, message);
        Self::Validation { validation_errors, context: context.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let context = self.context();
        f.write_str(&context.message)?;
        if let Self::PromptNotFound { suggested_prompts, .. } = self
            && !suggested_prompts.is_empty()
        {
            write!(f, "; did you mean `{}`?", suggested_prompts.join("`, `"))?;
        }
        write!(f, " [{}", context.code)?;
        if let Some(id) = &context.request_id {
            write!(f, ", request {id}")?;
        }
        if context.attempts > 1 {
            write!(f, ", {} attempts", context.attempts)?;
        }
        f.write_str("]")?;
        if let Self::Validation { validation_errors, .. } = self {
            for issue in validation_errors {
                write!(f, "\n  - {issue}")?;
            }
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.context().source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// What every [`Error`] carries.
#[derive(Debug, Clone)]
pub struct ErrorContext {
    code: ErrorCode,
    message: String,
    details: Map<String, Value>,
    request_id: Option<String>,
    status: Option<u16>,
    attempts: u32,
    retryable: bool,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl ErrorContext {
    /// A code and a message that says what went wrong and what to do. Not retryable.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Map::new(),
            request_id: None,
            status: None,
            attempts: 0,
            retryable: false,
            retry_after: None,
            source: None,
        }
    }

    /// Adds one detail.
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Replaces the details.
    pub fn details(mut self, details: Map<String, Value>) -> Self {
        self.details = details;
        self
    }

    /// Sets the request id.
    pub fn request_id(mut self, id: Option<String>) -> Self {
        self.request_id = id;
        self
    }

    /// Sets the HTTP status of the answer.
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Sets how many requests were sent.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets whether calling again may succeed.
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }

    /// Sets how long to wait before calling again, where that is known.
    pub fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// Sets the error that caused this one.
    pub fn source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The code.
    pub fn code(&self) -> &ErrorCode {
        &self.code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_reads_as_a_user_would_meet_it() {
        let issues = vec![
            ValidationIssue::new("customer_name", "missing_variable", "not given")
                .at("content", 2, 7)
                .suggestion(Some("customer".to_owned())),
            ValidationIssue::new("tone", "missing_variable", "not given").at("content", 9, 1),
        ];
        let context = ErrorContext::new(ErrorCode::Validation, "2 variables are missing")
            .request_id(Some("r-1".to_owned()));
        let error = Error::Validation { validation_errors: issues, context: context.into() };
        assert_eq!(
            error.to_string(),
            "2 variables are missing [VALIDATION_ERROR, request r-1]\n  \
             - `customer_name` (content, line 2, column 7): not given; did you mean `customer`?\n  \
             - `tone` (content, line 9, column 1): not given"
        );
    }

    #[test]
    fn the_source_is_chained_and_not_printed() {
        let context = ErrorContext::new(ErrorCode::Network, "cannot reach the registry")
            .source(std::io::Error::other("refused"))
            .attempts(3)
            .retryable(true);
        let error = Error::Network { context: context.into() };
        assert_eq!(error.to_string(), "cannot reach the registry [NETWORK_ERROR, 3 attempts]");
        assert_eq!(StdError::source(&error).unwrap().to_string(), "refused");
        assert!(error.is_retryable());
    }
}
