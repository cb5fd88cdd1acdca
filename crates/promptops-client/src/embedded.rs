//! The registry in this process, as a transport.

use bytes::Bytes;
use http::{Request, Response};
use promptops_server::{Access, InProcess, Registry};
use promptops_transport::{Transport, TransportError};
use promptops_types::Error;

use crate::base_url::BaseUrl;

/// Who the audit trail names.
const ACTOR: &str = "embedded";

/// Calls the server's routes without a socket.
#[derive(Debug)]
pub(crate) struct EmbeddedTransport(InProcess);

impl EmbeddedTransport {
    /// Opens the registry that a `sqlite:` URL names. Blocks while the file is opened.
    pub(crate) fn open(url: &BaseUrl) -> Result<Self, Error> {
        let registry = match url {
            BaseUrl::SqliteFile(path) => Registry::open(path),
            _ => Registry::in_memory(),
        };
        let registry = registry.map_err(|error| Error::config("base_url", error))?;
        Ok(Self(InProcess::new(registry, Access::full(ACTOR))))
    }
}

impl Transport for EmbeddedTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        Ok(self.0.call(request).await)
    }
}
