//! Sends events to the registry's `/usage/log`, or elsewhere.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use promptops_telemetry::{Batch, CallEvent, ExportFailure, Exported, TelemetryExporter};
use promptops_transport::{Pipeline, Transport};
use promptops_types::{Error, RetryConfig, SystemTime, TelemetryConfig, TimeSource, UsageEvent};
use serde::Deserialize;

use crate::builder::http;
use crate::call::AGENT;
use crate::decode::{Origin, decode};

/// What tells a batch that is sent again from another.
const BATCH_ID: HeaderName = HeaderName::from_static("x-promptops-batch-id");

/// Longest time of one request.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Sends events as the contract has them.
pub(crate) struct UsageExporter {
    /// With the credential and the middleware of the client's calls, but neither their retries nor
    /// their circuit breaker: telemetry takes nothing from them.
    registry: Pipeline,
    log: Uri,
    /// Where events go now.
    target: ArcSwap<Target>,
}

struct Target {
    uri: Uri,
    /// The way there, if it is not the registry: without its credential.
    elsewhere: Option<Pipeline>,
}

/// What the registry says of a batch.
#[derive(Deserialize)]
struct Accepted {
    accepted: usize,
}

impl UsageExporter {
    /// # Errors
    /// [`Error::Config`] that names the endpoint.
    pub(crate) fn new(
        registry: Pipeline,
        base: &str,
        config: &TelemetryConfig,
    ) -> Result<Self, Error> {
        let log = format!("{base}/client/usage/log").parse::<Uri>();
        let log = log.map_err(|error| Error::config("base_url", error))?;
        let target = Target::new(&log, config)?;
        Ok(Self { registry, log, target: ArcSwap::from_pointee(target) })
    }

    fn request(uri: &Uri, batch: &Batch) -> Result<Request<Bytes>, ExportFailure> {
        let usage: Vec<UsageEvent> = batch.events().iter().map(CallEvent::to_usage).collect();
        let unsendable = |error: &dyn fmt::Display| ExportFailure::permanent(error.to_string());
        let body = serde_json::to_vec(&usage).map_err(|error| unsendable(&error))?;
        let id = HeaderValue::from_str(batch.id()).map_err(|error| unsendable(&error))?;
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(BATCH_ID, id);
        Ok(request)
    }
}

impl Target {
    fn new(log: &Uri, config: &TelemetryConfig) -> Result<Self, Error> {
        let Some(endpoint) = &config.endpoint else {
            return Ok(Self { uri: log.clone(), elsewhere: None });
        };
        let refused = |error| Error::config("telemetry.endpoint", error);
        let uri: Uri = endpoint.parse().map_err(refused)?;
        let origin = |uri: &Uri| {
            let port = uri.port_u16().or(match uri.scheme_str() {
                Some("https") => Some(443),
                _ => Some(80),
            });
            (uri.scheme().cloned(), uri.host().map(str::to_lowercase), port)
        };
        let elsewhere = (origin(&uri) != origin(log)).then(|| elsewhere(endpoint)).transpose()?;
        Ok(Self { uri, elsewhere })
    }
}

fn elsewhere(endpoint: &str) -> Result<Pipeline, Error> {
    let transport = http("telemetry.endpoint", endpoint)?;
    Ok(Pipeline::new(transport, &RetryConfig::none()))
}

impl TelemetryExporter for UsageExporter {
    async fn export(&self, batch: &Batch) -> Result<Exported, ExportFailure> {
        let target = self.target.load_full();
        let pipeline = target.elsewhere.as_ref().unwrap_or(&self.registry);
        let mut request = Self::request(&target.uri, batch)?;
        request.extensions_mut().insert(pipeline.deadline(TIME_LIMIT));
        let response = pipeline.send(request).await;
        let response = response.map_err(|error| ExportFailure::retryable(error.to_string()))?;
        let is_success = response.status().is_success();
        let origin = Origin { request_id: batch.id(), prompt_id: None, now: SystemTime.now() };
        match decode::<Accepted>(&response, &origin) {
            Ok(told) => Ok(Exported::new(told.accepted)),
            // Another collector's answer may be anything.
            Err(_) if is_success => Ok(Exported::new(batch.events().len())),
            Err(error) if error.is_retryable() => {
                let failure = ExportFailure::retryable(error.to_string());
                Err(failure.with_retry_after(error.retry_after()))
            }
            Err(error) => Err(ExportFailure::permanent(error.to_string())),
        }
    }

    fn configure(&self, config: &TelemetryConfig) -> Result<(), Error> {
        self.target.store(Arc::new(Target::new(&self.log, config)?));
        Ok(())
    }
}

impl fmt::Debug for UsageExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsageExporter")
            .field("uri", &self.target.load().uri)
            .finish_non_exhaustive()
    }
}
