//! `promptops compat`.

use clap::Args;
use promptops_client::ModelCompatibility;

use crate::block_on;
use crate::failure::{Exit, Failure};
use crate::output::{BAD, GOOD};
use crate::settings::{Global, Registry};
use crate::values::Model;

/// Tells whether a prompt can be used with models
///
/// Exits with 1 if it cannot be used with one of them.
#[derive(Debug, Args)]
pub(crate) struct Compat {
    /// Slug or UUID
    prompt: String,

    /// Models, such as `openai/gpt-4`
    #[arg(required = true, value_name = "PROVIDER/MODEL")]
    models: Vec<Model>,

    /// Version, range, label, or several [default: latest]
    #[arg(long, value_name = "SELECTOR")]
    version: Option<String>,
}

impl Compat {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let session = global.session(Registry::IsThere)?;
        let reports: Vec<ModelCompatibility> = block_on(async {
            let mut reports = Vec::new();
            for Model { provider, name } in self.models {
                let Some(name) = name else {
                    return Err(Failure::usage(format!("`{provider}` names no model"))
                        .help("write PROVIDER/MODEL, such as openai/gpt-4"));
                };
                let mut request =
                    session.client.get_model_compatibility(&self.prompt, provider, name);
                if let Some(version) = &self.version {
                    request = request.version(version);
                }
                reports.push(request.report().await?);
            }
            Ok(reports)
        })?;
        if session.output.json {
            session.output.data(&reports)?;
        } else {
            for report in &reports {
                session.output.text(&shown(report))?;
            }
        }
        if reports.iter().all(|report| report.compatible) {
            return Ok(());
        }
        Err(Failure::new(Exit::Failed, "it cannot be used with all of these models"))
    }
}

fn shown(report: &ModelCompatibility) -> String {
    let (style, word) = if report.compatible { (GOOD, "fits") } else { (BAD, "does not fit") };
    let (provider, name) = (&report.provider, &report.name);
    let mut text =
        format!("{provider}/{name} {style}{word}{style:#} (score {:.2})\n", report.score);
    for issue in &report.issues {
        text += &format!("  - {issue}\n");
    }
    for advice in &report.recommendations {
        text += &format!("  * {advice}\n");
    }
    text
}
