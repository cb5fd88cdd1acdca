use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::{Transport, TransportError, TransportErrorKind};

#[cfg(feature = "rustls")]
type Connector = hyper_rustls::HttpsConnector<HttpConnector>;
#[cfg(not(feature = "rustls"))]
type Connector = HttpConnector;

/// HTTP/1.1 over TCP and TLS, with a pool of connections. A clone shares the pool.
///
/// Certificates are always checked, against the certificate authorities of the web and those that
/// were added; there is no way to turn that off. Redirects are not followed: a redirect is a
/// response like any other. A credential goes over plain `http://` to this machine only, unless
/// that was allowed.
///
/// Requests need a tokio runtime with I/O and time enabled. Put a
/// [`Pipeline`](crate::Pipeline) around it for deadlines: a connection has a time limit of its own,
/// a request has not.
#[derive(Clone)]
pub struct HyperTransport {
    client: Client<Connector, Full<Bytes>>,
    max_body_bytes: usize,
    allow_plain_http: bool,
}

impl fmt::Debug for HyperTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HyperTransport")
            .field("max_body_bytes", &self.max_body_bytes)
            .field("allow_plain_http", &self.allow_plain_http)
            .finish_non_exhaustive()
    }
}

/// Builds a [`HyperTransport`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct HyperTransportBuilder {
    connect_timeout: Duration,
    idle_timeout: Duration,
    max_idle: usize,
    max_body_bytes: usize,
    allow_plain_http: bool,
    authorities: Vec<Vec<u8>>,
}

impl Default for HyperTransportBuilder {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            // Shorter than what servers and load balancers commonly keep (60 s and more), so that
            // a connection is seldom used while the other side closes it.
            idle_timeout: Duration::from_secs(30),
            max_idle: 32,
            max_body_bytes: 64 * 1024 * 1024,
            allow_plain_http: false,
            authorities: Vec::new(),
        }
    }
}

impl HyperTransportBuilder {
    /// Longest time to connect over TCP, all addresses of the host together; 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a connection is kept for the next request; 30 s.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Most connections kept for one host; 32.
    pub fn max_idle(mut self, connections: usize) -> Self {
        self.max_idle = connections;
        self
    }

    /// Largest response, in bytes; 64 MiB.
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// Sends credentials over plain `http://` to other machines too; false. Whoever is between
    /// reads them.
    pub fn allow_plain_http(mut self, allow: bool) -> Self {
        self.allow_plain_http = allow;
        self
    }

    /// Trusts a certificate authority of your own, besides those of the web. DER.
    #[cfg(feature = "rustls")]
    pub fn certificate_authority(mut self, der: impl Into<Vec<u8>>) -> Self {
        self.authorities.push(der.into());
        self
    }

    /// Builds the transport. Opens no connection.
    ///
    /// # Errors
    /// [`TransportErrorKind::InvalidRequest`] for a certificate authority that is no certificate.
    pub fn build(self) -> Result<HyperTransport, TransportError> {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(self.connect_timeout));
        http.set_nodelay(true);
        http.enforce_http(false);
        let client = Client::builder(TokioExecutor::new())
            // Without a timer, idle connections are never closed.
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(self.idle_timeout)
            .pool_max_idle_per_host(self.max_idle)
            .build(connector(http, &self.authorities)?);
        Ok(HyperTransport {
            client,
            max_body_bytes: self.max_body_bytes,
            allow_plain_http: self.allow_plain_http,
        })
    }
}

#[cfg(not(feature = "rustls"))]
#[expect(clippy::unnecessary_wraps, reason = "as with TLS")]
fn connector(http: HttpConnector, _: &[Vec<u8>]) -> Result<Connector, TransportError> {
    Ok(http)
}

#[cfg(feature = "rustls")]
fn connector(http: HttpConnector, authorities: &[Vec<u8>]) -> Result<Connector, TransportError> {
    use std::sync::Arc;

    use rustls::pki_types::CertificateDer;

    let refused = |error: rustls::Error| {
        TransportError::new(
            TransportErrorKind::InvalidRequest,
            "TLS cannot be set up: a certificate authority is not a certificate",
        )
        .with_source(error)
    };
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for authority in authorities {
        roots.add(CertificateDer::from(authority.clone())).map_err(refused)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(http))
}

impl HyperTransport {
    /// A transport with the defaults of [`HyperTransportBuilder`].
    ///
    /// # Errors
    /// [`TransportErrorKind::InvalidRequest`] where TLS cannot be set up.
    pub fn new() -> Result<Self, TransportError> {
        Self::builder().build()
    }

    /// A builder.
    pub fn builder() -> HyperTransportBuilder {
        HyperTransportBuilder::default()
    }

    /// Refuses to send a credential where others read it.
    fn check(&self, request: &Request<Bytes>) -> Result<(), TransportError> {
        let uri = request.uri();
        let is_plain = uri.scheme_str() == Some("http");
        if is_plain
            && !self.allow_plain_http
            && !is_loopback(uri)
            && request.headers().contains_key(AUTHORIZATION)
        {
            return Err(TransportError::new(
                TransportErrorKind::InvalidRequest,
                format!(
                    "the API key would go to {} unencrypted; use https, or allow plain http on \
                     the transport",
                    uri.host().unwrap_or_default()
                ),
            ));
        }
        Ok(())
    }
}

/// Whether a host is this machine by its name or address.
fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Transport for HyperTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.check(&request)?;
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let response = self.client.request(request.map(Full::new)).await.map_err(|error| {
            if error.is_connect() {
                let message = format!("cannot connect to {host}: {}", root_cause(&error));
                return TransportError::new(TransportErrorKind::Connect, message)
                    .with_source(error);
            }
            let message = format!("the connection to {host} broke: {}", root_cause(&error));
            TransportError::new(TransportErrorKind::Interrupted, message).with_source(error)
        })?;
        let (parts, body) = response.into_parts();
        match Limited::new(body, self.max_body_bytes).collect().await {
            Ok(collected) => Ok(Response::from_parts(parts, collected.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => Err(TransportError::new(
                TransportErrorKind::InvalidResponse,
                format!("the answer of {host} is larger than {} bytes", self.max_body_bytes),
            )),
            Err(error) => Err(TransportError::new(
                TransportErrorKind::Interrupted,
                format!("the answer of {host} broke off: {}", root_cause(&*error)),
            )),
        }
    }
}

/// The innermost error: the ones around it say less.
fn root_cause<'e>(error: &'e (dyn StdError + 'static)) -> &'e (dyn StdError + 'static) {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause
}
