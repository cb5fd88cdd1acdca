//! The trace of the caller, if the application has OpenTelemetry: it goes with the requests of a call.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use promptops_client::{Middleware, Next, TransportError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::said;

tokio::task_local! {
    /// The headers that the application's propagator gave.
    static HEADERS: Vec<(HeaderName, HeaderValue)>;
}

type Running<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A future in whose requests the caller's trace goes on.
///
/// # Errors
/// What is no `Exception`, such as an interrupt. Tracing that does not work is no reason not to call.
pub(crate) fn scoped<T: 'static>(py: Python<'_>, future: Running<T>) -> PyResult<Running<T>> {
    match headers(py) {
        Ok(Some(headers)) => Ok(Box::pin(HEADERS.scope(headers, future))),
        Ok(None) => Ok(future),
        Err(error) => said(py, error).map(|_| future),
    }
}

/// What `opentelemetry.propagate.inject` writes, if the application traces.
fn headers(py: Python<'_>) -> PyResult<Option<Vec<(HeaderName, HeaderValue)>>> {
    let modules = py.import("sys")?.getattr("modules")?;
    if !modules.contains("opentelemetry.trace")? {
        return Ok(None);
    }
    let propagate = py.import("opentelemetry.propagate")?;
    let carrier = PyDict::new(py);
    propagate.call_method1("inject", (&carrier,))?;
    let mut headers = Vec::new();
    for (name, value) in carrier.iter() {
        let (name, value): (String, String) = (name.extract()?, value.extract()?);
        // Only whose trace it is: baggage is the application's own.
        let is_trace = matches!(name.to_ascii_lowercase().as_str(), "traceparent" | "tracestate");
        if let (true, Ok(name), Ok(value)) =
            (is_trace, HeaderName::try_from(name), HeaderValue::try_from(value))
        {
            headers.push((name, value));
        }
    }
    Ok((!headers.is_empty()).then_some(headers))
}

/// Puts the caller's trace into each request.
#[derive(Debug)]
pub(crate) struct Traced;

impl Middleware for Traced {
    async fn handle(
        &self,
        mut request: Request<Bytes>,
        next: Next<'_>,
    ) -> Result<Response<Bytes>, TransportError> {
        let _ = HEADERS.try_with(|headers| {
            for (name, value) in headers {
                request.headers_mut().insert(name.clone(), value.clone());
            }
        });
        next.run(request).await
    }
}
