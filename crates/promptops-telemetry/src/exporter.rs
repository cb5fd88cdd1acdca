use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use promptops_types::{Error, TelemetryConfig};

use crate::CallEvent;

/// Events that are sent together.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    id: String,
    events: Vec<CallEvent>,
    /// How often it was sent in vain.
    pub(crate) tries: u32,
    /// The number of its first event.
    pub(crate) first: u64,
}

impl Batch {
    pub(crate) fn new(first: u64, events: Vec<CallEvent>) -> Self {
        Self { id: uuid::Uuid::new_v4().to_string(), events, tries: 0, first }
    }

    /// What tells it from every other batch. One that is sent again, since nobody knows whether it had
    /// arrived, has the same: the receiver counts it once.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The events, the oldest first; at least one.
    pub fn events(&self) -> &[CallEvent] {
        &self.events
    }
}

/// Sends batches somewhere. Implementors write `async fn export`.
pub trait TelemetryExporter: fmt::Debug + Send + Sync + 'static {
    /// Sends one batch. There is never more than one on its way.
    ///
    /// # Errors
    /// [`ExportFailure`], which says whether it may be sent again.
    ///
    /// # Cancel safety
    /// A batch whose future is dropped is sent again, with the same id.
    fn export(&self, batch: &Batch)
    -> impl Future<Output = Result<Exported, ExportFailure>> + Send;

    /// Takes other settings, such as where to send to.
    ///
    /// # Errors
    /// [`Error::Config`] that names the setting; nothing is changed then.
    fn configure(&self, config: &TelemetryConfig) -> Result<(), Error> {
        let _ = config;
        Ok(())
    }
}

/// How a batch arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// Events that the receiver has counted; it has refused the others.
    pub accepted: usize,
}

impl Exported {
    /// So many events were counted.
    pub fn new(accepted: usize) -> Self {
        Self { accepted }
    }
}

/// A batch that did not arrive, or nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct ExportFailure {
    /// What happened.
    pub message: String,
    /// Whether sending it again may succeed.
    pub is_retryable: bool,
    /// How long to wait before that, if the receiver said so.
    pub retry_after: Option<Duration>,
}

impl ExportFailure {
    /// One after which the batch may be sent again.
    pub fn retryable(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_retryable: true, retry_after: None }
    }

    /// One that would happen again.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_retryable: false, retry_after: None }
    }

    /// With a wait that the receiver asked for.
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }
}

type Exporting<'a> = Pin<Box<dyn Future<Output = Result<Exported, ExportFailure>> + Send + 'a>>;

/// The object-safe form of [`TelemetryExporter`].
trait DynExporter: fmt::Debug + Send + Sync {
    fn export<'a>(&'a self, batch: &'a Batch) -> Exporting<'a>;
    fn configure(&self, config: &TelemetryConfig) -> Result<(), Error>;
}

impl<E: TelemetryExporter> DynExporter for E {
    fn export<'a>(&'a self, batch: &'a Batch) -> Exporting<'a> {
        Box::pin(TelemetryExporter::export(self, batch))
    }

    fn configure(&self, config: &TelemetryConfig) -> Result<(), Error> {
        TelemetryExporter::configure(self, config)
    }
}

/// Any exporter behind one type; a clone shares it.
#[derive(Debug, Clone)]
pub struct SharedExporter(Arc<dyn DynExporter>);

impl SharedExporter {
    /// Wraps an exporter.
    pub fn new(exporter: impl TelemetryExporter) -> Self {
        Self(Arc::new(exporter))
    }
}

impl TelemetryExporter for SharedExporter {
    async fn export(&self, batch: &Batch) -> Result<Exported, ExportFailure> {
        self.0.export(batch).await
    }

    fn configure(&self, config: &TelemetryConfig) -> Result<(), Error> {
        self.0.configure(config)
    }
}
