//! The errors of calls that got no answer.

use std::time::Duration;

use promptops_transport::{RetryRule, TransportError, TransportErrorKind};
use promptops_types::{Error, ErrorCode, ErrorContext};

use super::Call;

impl Call {
    /// The error of a call that got no answer.
    pub(crate) fn failed(
        &self,
        error: TransportError,
        timeout: Duration,
        is_over: bool,
        id: Option<&str>,
    ) -> Error {
        let operation = self.operation.name;
        let attempts = error.attempts();
        let context = |code, message, error: TransportError| {
            let kind = error.kind();
            let retryable =
                kind.retry_rule() != RetryRule::Never || kind == TransportErrorKind::CircuitOpen;
            let context = ErrorContext::new(code, message).retryable(retryable);
            let context = context.retry_after(error.retry_after()).source(error);
            Box::new(context.request_id(id.map(str::to_owned)).attempts(attempts))
        };
        let message = format!("{operation} failed: {error}");
        match error.kind() {
            TransportErrorKind::Timeout => {
                // An attempt may have a limit of its own, and so may a transport.
                let message = if is_over {
                    format!("{operation} did not finish within {timeout:?}: {error}")
                } else {
                    message
                };
                Error::Timeout { timeout, context: context(ErrorCode::Timeout, message, error) }
            }
            TransportErrorKind::InvalidResponse => {
                Error::Decode { context: context(ErrorCode::Decode, message, error) }
            }
            TransportErrorKind::InvalidRequest => {
                Error::Config { context: context(ErrorCode::Config, message, error) }
            }
            _ => Error::Network { context: context(ErrorCode::Network, message, error) },
        }
    }

    /// Nothing can have this name, and as a path segment it would name something else.
    pub(super) fn no_such_thing(&self, name: &str) -> Error {
        if self.prompt_id.as_deref() == Some(name) {
            let message = format!("no prompt can be `{name}`");
            return Error::PromptNotFound {
                prompt_id: name.to_owned(),
                suggested_prompts: Vec::new(),
                context: ErrorContext::new(ErrorCode::PromptNotFound, message).into(),
            };
        }
        let message = format!("nothing can be named `{name}`");
        Error::NotFound { context: ErrorContext::new(ErrorCode::NotFound, message).into() }
    }
}
