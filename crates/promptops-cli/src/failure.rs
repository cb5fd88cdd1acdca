//! How a command fails: what is told, and the exit code.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io;

use promptops_client::{Error, ErrorKind};
use promptops_files::Mistakes;
use serde_json::{Value, json};

/// The exit codes, beside 0 for done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    NotAllowed = 4,
    Unreachable = 5,
    Conflict = 6,
}

#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    what: What,
}

#[derive(Debug)]
enum What {
    /// What happened, and what to do.
    Told(String, Option<String>),
    Call(Box<Error>),
    Mistakes(Vec<Mistakes>),
    /// Whoever read the output reads no more.
    Closed,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, what: What::Told(message.into(), None) }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn mistakes(mistakes: Vec<Mistakes>) -> Self {
        Self { exit: Exit::Failed, what: What::Mistakes(mistakes) }
    }

    /// Says what to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        if let What::Told(_, told) = &mut self.what {
            *told = Some(help.into());
        }
        self
    }

    /// The exit code, 0 where there is nobody left to tell.
    pub(crate) fn code(&self) -> u8 {
        if matches!(self.what, What::Closed) { 0 } else { self.exit as u8 }
    }

    /// What happened, for people.
    pub(crate) fn text(&self, colours: bool) -> Option<String> {
        match &self.what {
            What::Closed => None,
            What::Mistakes(mistakes) => {
                let shown: Vec<_> = mistakes.iter().map(|file| file.render(colours)).collect();
                let count: usize = mistakes.iter().map(|file| file.all().len()).sum();
                let files = mistakes.len();
                Some(format!(
                    "{}\n\nerror: {}, in {}",
                    shown.join("\n\n"),
                    plural(count, "mistake"),
                    plural(files, "file"),
                ))
            }
            What::Told(message, help) => {
                Some(with_help(&format!("error: {message}"), help.as_deref()))
            }
            What::Call(error) => {
                let mut text = format!("error: {error}");
                let mut told = error.message().to_owned();
                let mut source = error.source();
                while let Some(cause) = source {
                    let cause_text = cause.to_string();
                    if !told.contains(&cause_text) {
                        let _ = write!(text, "\n  because: {cause_text}");
                        told += &cause_text;
                    }
                    source = cause.source();
                }
                Some(with_help(&text, advice(error.kind())))
            }
        }
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> Option<Value> {
        let error = match &self.what {
            What::Closed => return None,
            What::Mistakes(mistakes) => json!({
                "code": "MISTAKES",
                "message": "there are mistakes in files",
                "mistakes": mistakes,
            }),
            What::Told(message, help) => json!({
                "code": match self.exit {
                    Exit::Usage => "USAGE",
                    Exit::NotFound => "NOT_FOUND",
                    Exit::Conflict => "CONFLICT",
                    _ => "FAILED",
                },
                "message": message,
                "help": help,
            }),
            What::Call(error) => {
                let mut told = json!({
                    "code": error.code(),
                    "message": error.message(),
                    "help": advice(error.kind()),
                    "details": error.details(),
                    "request_id": error.request_id(),
                    "status": error.status(),
                    "attempts": error.attempts(),
                    "retryable": error.is_retryable(),
                });
                if let Error::Validation { validation_errors, .. } = &**error {
                    told["validation_errors"] = json!(validation_errors);
                }
                told
            }
        };
        Some(json!({ "error": error }))
    }
}

fn with_help(text: &str, help: Option<&str>) -> String {
    match help {
        Some(help) => format!("{text}\n  help: {help}"),
        None => text.to_owned(),
    }
}

/// What to do about a kind of error, where its message does not say.
fn advice(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Authentication => Some("give a key that works: --api-key, or PROMPTOPS_API_KEY"),
        ErrorKind::Authorization => {
            Some("ask for a key with the scope or the project: `promptops keys create`")
        }
        ErrorKind::Network => Some("is the registry running, and is --base-url right?"),
        ErrorKind::Timeout => Some("try again, or give it longer: --timeout SECONDS"),
        ErrorKind::RateLimit => Some("wait, then try again"),
        ErrorKind::Server => {
            Some("try again; if it goes on, look up the request id in the registry's log")
        }
        _ => None,
    }
}

/// A number of things.
pub(crate) fn plural(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error.kind() {
            ErrorKind::PromptNotFound | ErrorKind::NotFound => Exit::NotFound,
            ErrorKind::Authentication | ErrorKind::Authorization => Exit::NotAllowed,
            ErrorKind::Network | ErrorKind::Timeout => Exit::Unreachable,
            ErrorKind::Conflict => Exit::Conflict,
            ErrorKind::Config => Exit::Usage,
            _ => Exit::Failed,
        };
        Self { exit, what: What::Call(error.into()) }
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::new(Exit::Failed, message)
    }
}

/// What standard output says.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { exit: Exit::Failed, what: What::Closed };
        }
        Self::new(Exit::Failed, format!("cannot write the output: {error}"))
    }
}
