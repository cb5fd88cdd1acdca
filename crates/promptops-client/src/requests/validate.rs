use promptops_template::PromptTemplate;
use promptops_types::{Error, ErrorKind, ValidationIssue};

use super::selection::{Selection, selection_setters};
use super::{GetPrompt, awaitable};
use crate::operation::VALIDATE_PROMPT;

/// A request that checks a prompt.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct ValidatePrompt {
    prompt: GetPrompt,
}

/// Whether a prompt is valid, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValidationReport {
    /// Whether the prompt exists and its templates are sound.
    pub valid: bool,
    /// What is wrong.
    pub issues: Vec<ValidationIssue>,
}

impl ValidatePrompt {
    pub(crate) fn new(prompt: GetPrompt) -> Self {
        Self { prompt }
    }

    fn selection_mut(&mut self) -> &mut Selection {
        self.prompt.selection_mut()
    }

    selection_setters!();

    /// Says what is wrong: the prompt or version is missing, a template does not parse, a
    /// placeholder is not among the variables.
    ///
    /// # Errors
    /// Whatever keeps the registry from answering. A prompt that is not there is an answer.
    pub async fn report(mut self) -> Result<ValidationReport, Error> {
        let began = self.prompt.client().observer().begin();
        let got = self.prompt.get().await;
        let mut call = got.observed(&self.prompt);
        // That there is none is what was asked for.
        call.error = call.error.filter(|error| error.kind() != ErrorKind::PromptNotFound);
        call.operation = VALIDATE_PROMPT;
        self.prompt.client().observer().ended(began, &call);
        let issues = match got.fetched.map(|fetched| fetched.value) {
            Ok(prompt) => match PromptTemplate::parse(&prompt) {
                Ok(templates) => templates.undeclared(&prompt.variables),
                Err(error) => error.issues(),
            },
            Err(Error::PromptNotFound { prompt_id, context, .. }) => {
                let error = Error::NotFound { context };
                vec![ValidationIssue::new(prompt_id, "not_found", error.message())]
            }
            Err(error) => return Err(error),
        };
        Ok(ValidationReport { valid: issues.is_empty(), issues })
    }

    async fn send(self) -> Result<bool, Error> {
        self.report().await.map(|report| report.valid)
    }
}

awaitable!(ValidatePrompt => bool);
