//! The registry in this process, as a transport.

use bytes::Bytes;
use http::{Request, Response};
use promptops_server::{Access, InProcess, Registry};
use promptops_transport::{Transport, TransportError};
use promptops_types::Error;

use crate::base_url::{BaseUrl, IN_PROCESS};

/// Who the audit trail names.
const ACTOR: &str = "embedded";

/// A registry in this process as a transport: it calls the server's routes without a socket. What a
/// client with a `sqlite:` URL uses; on its own it is for custom stacks.
#[derive(Debug)]
pub struct EmbeddedTransport(InProcess);

impl EmbeddedTransport {
    /// What the paths of the contract are appended to.
    pub const BASE_URL: &str = IN_PROCESS;

    /// Opens the registry that `sqlite:PATH` or `sqlite::memory:` names. Blocks while the file is
    /// opened.
    ///
    /// # Errors
    /// [`Error::Config`] that names the file and why it cannot be opened.
    pub fn open(url: &str) -> Result<Self, Error> {
        Self::open_parsed(&BaseUrl::parse(url)?)
    }

    pub(crate) fn open_parsed(url: &BaseUrl) -> Result<Self, Error> {
        let registry = match url {
            BaseUrl::SqliteFile(path) => Registry::open(path),
            BaseUrl::SqliteMemory => Registry::in_memory(),
            BaseUrl::Http(_) => {
                let reason = "is no embedded registry; write sqlite:PATH or sqlite::memory:";
                return Err(Error::config("base_url", reason));
            }
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
