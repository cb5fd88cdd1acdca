use std::collections::HashSet;
use std::error::Error as StdError;
use std::fmt;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{
    CaptureConnection, HttpConnector, HttpInfo, capture_connection,
};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::{Transport, TransportError, TransportErrorKind, is_idempotent};

#[cfg(feature = "rustls")]
type Connector = hyper_rustls::HttpsConnector<HttpConnector>;
#[cfg(not(feature = "rustls"))]
type Connector = HttpConnector;

/// HTTP/1.1 over TCP and TLS, with a pool of connections. A clone shares the pool.
///
/// An idempotent request that dies on a connection that was used before is sent once more on a fresh
/// one: the peer has most likely closed the connection while it was idle. Answers compressed with
/// gzip are decoded, within the limit of a body.
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
    /// Keeps no connections: each request has one of its own.
    fresh: Client<Connector, Full<Bytes>>,
    used: Arc<Mutex<UsedConnections>>,
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
        let connector = connector(http, &self.authorities)?;
        let client = Client::builder(TokioExecutor::new())
            // Without a timer, idle connections are never closed.
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(self.idle_timeout)
            .pool_max_idle_per_host(self.max_idle)
            .build(connector.clone());
        let fresh =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(HyperTransport {
            client,
            fresh,
            used: Arc::default(),
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

/// Connections that have answered, by their address on this side. An address that comes back for
/// another connection costs one more attempt, no more.
#[derive(Debug, Default)]
struct UsedConnections(HashSet<SocketAddr>);

impl UsedConnections {
    /// Connections remembered: many more than a pool holds.
    const MOST: usize = 4096;

    fn add(&mut self, connection: SocketAddr) {
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        self.0.insert(connection);
    }
}

impl Transport for HyperTransport {
    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.check(&request)?;
        if !request.headers().contains_key(ACCEPT_ENCODING) {
            request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let again = is_idempotent(&request).then(|| request.clone());
        let mut captured = None;
        let outcome = self.attempt(&self.client, request, &mut captured).await;
        let connection = captured.and_then(|captured| local_address(&captured));
        match (outcome, again, connection) {
            (Err(error), Some(request), Some(connection))
                if error.kind() == TransportErrorKind::Interrupted
                    && self.used().0.remove(&connection) =>
            {
                self.attempt(&self.fresh, request, &mut None).await
            }
            (Ok(response), _, Some(connection)) => {
                self.used().add(connection);
                Ok(response)
            }
            (outcome, ..) => outcome,
        }
    }
}

impl HyperTransport {
    fn used(&self) -> MutexGuard<'_, UsedConnections> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request over a connection, which is told in `captured`.
    async fn attempt(
        &self,
        client: &Client<Connector, Full<Bytes>>,
        request: Request<Bytes>,
        captured: &mut Option<CaptureConnection>,
    ) -> Result<Response<Bytes>, TransportError> {
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let mut request = request.map(Full::new);
        *captured = Some(capture_connection(&mut request));
        let response = client.request(request).await.map_err(|error| {
            if error.is_connect() {
                let message = format!("cannot connect to {host}: {}", root_cause(&error));
                return TransportError::new(TransportErrorKind::Connect, message)
                    .with_source(error);
            }
            let message = format!("the connection to {host} broke: {}", root_cause(&error));
            TransportError::new(TransportErrorKind::Interrupted, message).with_source(error)
        })?;
        let (mut parts, body) = response.into_parts();
        let limit = self.max_body_bytes;
        let too_large = || {
            let message = format!("the answer of {host} is larger than {limit} bytes");
            TransportError::new(TransportErrorKind::InvalidResponse, message)
        };
        let body = match Limited::new(body, limit).collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(too_large()),
            Err(error) => {
                let message = format!("the answer of {host} broke off: {}", root_cause(&*error));
                return Err(TransportError::new(TransportErrorKind::Interrupted, message));
            }
        };
        let encoding = parts.headers.get(CONTENT_ENCODING);
        if !encoding.is_some_and(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"gzip")) {
            return Ok(Response::from_parts(parts, body));
        }
        parts.headers.remove(CONTENT_ENCODING);
        parts.headers.remove(CONTENT_LENGTH);
        match decompress(&body, limit) {
            Ok(Some(body)) => Ok(Response::from_parts(parts, body)),
            Ok(None) => Err(too_large()),
            Err(error) => {
                let message = format!("the answer of {host} is not gzip, though it says so");
                Err(TransportError::new(TransportErrorKind::InvalidResponse, message)
                    .with_source(error))
            }
        }
    }
}

/// What a compressed body holds; `None` if it is more than `limit` bytes.
fn decompress(body: &[u8], limit: usize) -> std::io::Result<Option<Bytes>> {
    let mut text = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    flate2::read::GzDecoder::new(body).take(most).read_to_end(&mut text)?;
    Ok((text.len() <= limit).then(|| text.into()))
}

/// The address on this side of the connection that a request went over.
fn local_address(captured: &CaptureConnection) -> Option<SocketAddr> {
    let mut extras = http::Extensions::new();
    captured.connection_metadata().as_ref()?.get_extras(&mut extras);
    extras.get::<HttpInfo>().map(HttpInfo::local_addr)
}

/// The innermost error: the ones around it say less.
fn root_cause<'e>(error: &'e (dyn StdError + 'static)) -> &'e (dyn StdError + 'static) {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause
}
