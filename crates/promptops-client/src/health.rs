//! How well the client and what it needs are.

use std::collections::BTreeMap;
use std::time::Duration;

use promptops_cache::CacheBackend;
use promptops_transport::CircuitState;
use promptops_types::{CacheLevel, DependencyHealth, Error, ErrorKind, HealthState, HealthStatus};
use serde::Deserialize;

use crate::PromptOpsClient;
use crate::call::Call;
use crate::operation::HEALTH;

/// Longest time of a check: whoever asks wants to know soon.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// What a registry says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RegistryHealth {
    status: Option<HealthState>,
}

impl PromptOpsClient {
    /// Checks the client and what it needs, within 5 s or the client's timeout, whichever is shorter.
    /// Both are asked at the same time, once, whatever the state of the circuit.
    ///
    /// | dependency | healthy | degraded | unhealthy |
    /// |---|---|---|---|
    /// | `api` | it answers that it is well | it says that it is degraded, or the circuit is not closed | it does not answer, says that it is unhealthy, or refused the key the last time |
    /// | `cache` | every tier answers, or nothing is cached | Redis, or a backend of your own, does not answer | never: calls go on without it |
    /// | `telemetry` | events are sent, or off | the last batch could not be sent | never |
    ///
    /// The whole is unhealthy if `api` is, degraded if anything else is not healthy, and healthy
    /// otherwise. While it is unhealthy, what is cached is still served
    /// ([`stale_if_error`](promptops_types::CacheConfig::stale_if_error)).
    ///
    /// # Errors
    /// None now: what is wrong is told in the answer.
    ///
    /// # Cancel safety
    /// It reads, so it can be dropped at any await.
    pub async fn health_check(&self) -> Result<HealthStatus, Error> {
        let timestamp = self.time().now();
        let (api, cache) = futures_util::future::join(self.api_health(), self.cache_health()).await;
        let dependencies: BTreeMap<String, DependencyHealth> = [
            ("api".to_owned(), api),
            ("cache".to_owned(), cache),
            ("telemetry".to_owned(), self.telemetry_health()),
        ]
        .into();
        let all_healthy = dependencies.values().all(|it| it.status == HealthState::Healthy);
        let status = match dependencies["api"].status {
            HealthState::Unhealthy => HealthState::Unhealthy,
            _ if all_healthy => HealthState::Healthy,
            _ => HealthState::Degraded,
        };
        let errors = dependencies.iter().filter_map(|(name, dependency)| {
            dependency.error.as_ref().map(|error| format!("{name}: {error}"))
        });
        let mut health = HealthStatus::new(status, timestamp);
        health.errors = errors.collect();
        health.dependencies = dependencies;
        Ok(health)
    }

    /// Connects to what the client needs, so that the first call does not have to. What cannot be
    /// reached is logged and no error: calls try again, and what is cached is served meanwhile. Calls
    /// work without it.
    ///
    /// # Errors
    /// None now.
    pub async fn initialize(&self) -> Result<(), Error> {
        let health = self.health_check().await?;
        if health.status != HealthState::Healthy {
            let errors = health.errors.join("; ");
            tracing::warn!(status = health.status.as_str(), %errors, "the client is not healthy");
        }
        Ok(())
    }

    async fn api_health(&self) -> DependencyHealth {
        let settings = self.settings();
        let limit = TIME_LIMIT.min(settings.config.timeout);
        let deadline = settings.pipeline.deadline(limit);
        let started = self.time().monotonic();
        let mut call = Call::new(&HEALTH).segment("health").direct();
        let answered = call.send_unobserved::<RegistryHealth>(self, deadline).await;
        let took = self.time().monotonic().saturating_sub(started);
        let (mut status, mut error) = match answered {
            Ok(answer) => match answer.data.status.unwrap_or(HealthState::Healthy) {
                HealthState::Healthy => (HealthState::Healthy, None),
                told => {
                    let error = format!("the registry says that it is {told}");
                    (told, Some(error))
                }
            },
            Err(error) if error.kind() == ErrorKind::Timeout => {
                let error = format!("the registry did not answer within {limit:?}");
                (HealthState::Unhealthy, Some(error))
            }
            Err(error) => (HealthState::Unhealthy, Some(error.to_string())),
        };
        if let (Some(refusal), true) = (self.observer().refusal(), error.is_none()) {
            (status, error) = (HealthState::Unhealthy, Some(refusal));
        }
        if status == HealthState::Healthy && self.circuit_state() != CircuitState::Closed {
            let reason = "calls have been failing; the registry is being tried again".to_owned();
            (status, error) = (HealthState::Degraded, Some(reason));
        }
        dependency(status, Some(took), error)
    }

    async fn cache_health(&self) -> DependencyHealth {
        let tiers = std::sync::Arc::clone(&self.cache().tiers());
        let Some(far) = &tiers.far else {
            let is_off = self.settings().config.cache.level == CacheLevel::None;
            let took = (!is_off).then_some(Duration::ZERO);
            return dependency(HealthState::Healthy, took, None);
        };
        let settings = self.settings();
        let deadline = settings.pipeline.deadline(TIME_LIMIT.min(settings.config.timeout));
        let started = self.time().monotonic();
        let pinged = settings.pipeline.by(deadline, far.ping()).await;
        let took = self.time().monotonic().saturating_sub(started);
        let error = match pinged {
            Ok(Ok(())) => return dependency(HealthState::Healthy, Some(took), None),
            Ok(Err(failure)) => failure.to_string(),
            Err(error) => error.to_string(),
        };
        dependency(HealthState::Degraded, Some(took), Some(error))
    }

    fn telemetry_health(&self) -> DependencyHealth {
        let is_on = self.settings().config.telemetry.enabled;
        match self.observer().sink().last_failure().filter(|_| is_on) {
            None => dependency(HealthState::Healthy, None, None),
            Some(error) => dependency(HealthState::Degraded, None, Some(error)),
        }
    }
}

fn dependency(
    status: HealthState,
    latency: Option<Duration>,
    error: Option<String>,
) -> DependencyHealth {
    let mut health = DependencyHealth::new(status);
    health.latency_ms = latency.map(|latency| latency.as_secs_f64() * 1e3);
    health.error = error;
    health
}
