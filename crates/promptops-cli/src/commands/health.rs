//! `promptops health`.

use clap::Args;
use promptops_client::HealthState;

use crate::block_on;
use crate::failure::{Exit, Failure};
use crate::output::{BAD, CHANGED, GOOD};
use crate::settings::{Global, Registry};

/// Tells how the registry is
///
/// Exits with 5 if it is unhealthy.
#[derive(Debug, Args)]
pub(crate) struct Health {}

impl Health {
    #[expect(clippy::unused_self, reason = "as every command")]
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let session = global.session(Registry::IsThere)?;
        let health = block_on(async { Ok(session.client.health_check().await?) })?;
        let is_unhealthy = health.status == HealthState::Unhealthy;
        if session.output.json {
            session.output.data(&health)?;
        } else {
            let style = match health.status {
                HealthState::Healthy => GOOD,
                HealthState::Unhealthy => BAD,
                _ => CHANGED,
            };
            let took = health.dependencies.get("api").and_then(|api| api.latency_ms);
            let took = took.map(|ms| format!(" in {ms:.1} ms")).unwrap_or_default();
            session.output.line(&format!("{style}{}{style:#}{took}", health.status))?;
            for error in &health.errors {
                session.output.line(&format!("  {error}"))?;
            }
        }
        if is_unhealthy {
            return Err(Failure::new(Exit::Unreachable, "the registry is unhealthy")
                .help("is it running, and are --base-url and the key right?"));
        }
        Ok(())
    }
}
