//! `promptops validate`.

use std::path::{Path, PathBuf};

use clap::Args;
use promptops_client::{Error, ErrorCode, ErrorContext, ValidationIssue};
use serde_json::json;

use crate::block_on;
use crate::failure::{Failure, plural};
use crate::folder::{ReadFailure, chosen, entries, is_prompt_file};
use crate::settings::{Global, Registry};

/// Finds the mistakes in prompt files, or in stored prompts
///
/// Without arguments, in the whole folder. What it finds good, a registry takes. Exits with 1 if there are
/// mistakes.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// Prompt files, folders, or the slug or UUID of a stored prompt
    #[arg(value_name = "PATH|PROMPT")]
    what: Vec<String>,

    /// Of a stored prompt [default: latest]
    #[arg(long, value_name = "SELECTOR")]
    version: Option<String>,
}

impl Validate {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let is_file = |what: &&String| is_prompt_file(Path::new(what)) || Path::new(what).is_dir();
        let (files, prompts): (Vec<_>, Vec<_>) = self.what.iter().partition(is_file);
        let output = global.output();
        let mut checked = 0;
        if !files.is_empty() || prompts.is_empty() {
            let folder = global.folder()?;
            let paths: Vec<PathBuf> = files.into_iter().map(PathBuf::from).collect();
            let found = if paths.is_empty() { entries(&folder)? } else { chosen(&folder, &paths)? };
            let mut mistakes = Vec::new();
            for entry in &found {
                match entry.read() {
                    Ok(_) => checked += 1,
                    Err(ReadFailure::Mistakes(more)) => mistakes.push(more),
                    Err(ReadFailure::Failed(failure)) => return Err(failure),
                }
            }
            if !mistakes.is_empty() {
                return Err(Failure::mistakes(mistakes));
            }
        }
        if !prompts.is_empty() {
            let session = global.session(Registry::IsThere)?;
            block_on(async {
                for prompt in &prompts {
                    let mut request = session.client.validate_prompt(prompt);
                    if let Some(version) = &self.version {
                        request = request.version(version);
                    }
                    let report = request.report().await?;
                    if !report.valid {
                        return Err(invalid(prompt, report.issues).into());
                    }
                }
                Ok(())
            })?;
            checked += prompts.len();
        }
        if output.json {
            return output.data(&json!({ "valid": checked }));
        }
        output.line(&format!("{} without mistakes", plural(checked, "prompt")))
    }
}

/// The error of a stored prompt: that there is none, or what is wrong with it.
fn invalid(prompt: &str, issues: Vec<ValidationIssue>) -> Error {
    match issues.as_slice() {
        [issue] if issue.code == "not_found" => Error::PromptNotFound {
            prompt_id: prompt.to_owned(),
            suggested_prompts: Vec::new(),
            context: ErrorContext::new(ErrorCode::PromptNotFound, &issue.message).into(),
        },
        _ => Error::invalid(format!("{prompt} is not valid"), issues),
    }
}
