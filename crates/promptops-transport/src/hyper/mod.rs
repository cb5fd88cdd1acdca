//! HTTP over TCP and TLS: one request out, one answer in.

mod body;
mod builder;
mod connector;
mod driver;
mod proxy;
mod resolver;
#[cfg(feature = "rustls")]
mod tls;

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, PROXY_AUTHORIZATION,
};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::Full;
use hyper_util::client::legacy::{Client, Error as ClientError};
use promptops_types::Driver;

use self::body::{Body, Encoding};
pub use self::builder::HyperTransportBuilder;
use self::connector::{Connector, Untrusted, Used};
use self::proxy::Proxies;
pub use self::resolver::Resolver;
#[cfg(feature = "rustls")]
pub use self::tls::Roots;
use crate::clock::within;
use crate::host::host_and_port;
use crate::{
    Attempt, Clock, FreshConnection, Outcome, TokioClock, Transport, TransportError,
    TransportErrorKind, is_loopback,
};

/// HTTP over TCP and TLS, with a pool of connections. A clone shares the pool.
///
/// HTTP/1.1, or HTTP/2 where that was asked for and the registry agrees. Answers compressed with gzip
/// are decoded, within the limit of a body. A request that dies on a connection that was used before
/// has most likely met a peer that closed it while it was idle: the error says so
/// ([`TransportError::is_stale_connection`]), a [`FreshConnection`] in the request's extensions asks
/// for another one, and a [`Pipeline`](crate::Pipeline) does that once a call.
///
/// Certificates are always checked; there is no way to turn that off. Redirects are not followed: a
/// redirect is a response like any other. A credential goes over plain `http://` to this machine
/// only, unless that was allowed. Proxies are taken from the environment unless told otherwise; to
/// this machine there is never one.
///
/// Requests need a tokio runtime with I/O and time enabled. A request that comes from no
/// [`Pipeline`](crate::Pipeline), which keeps the time itself, ends after
/// [`request_timeout`](HyperTransportBuilder::request_timeout).
///
/// # Cancel safety
/// A dropped request closes its connection, or its stream of HTTP/2. A connection that was still being
/// made goes on for at most the time limit of connecting, and is kept for the next request.
#[derive(Clone)]
pub struct HyperTransport {
    pools: Pools,
    /// The driver, and its connections.
    driven: Option<(Arc<dyn Driver>, Pools)>,
    proxies: Proxies,
    request_timeout: Duration,
    max_body_bytes: usize,
    allow_plain_http: bool,
}

#[derive(Clone)]
struct Pools {
    client: Client<Connector, Full<Bytes>>,
    /// Keeps no connections: each request has one of its own.
    fresh: Client<Connector, Full<Bytes>>,
}

impl fmt::Debug for HyperTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HyperTransport")
            .field("request_timeout", &self.request_timeout)
            .field("max_body_bytes", &self.max_body_bytes)
            .field("allow_plain_http", &self.allow_plain_http)
            .finish_non_exhaustive()
    }
}

impl HyperTransport {
    /// A transport with the defaults of [`HyperTransportBuilder`].
    ///
    /// # Errors
    /// As [`HyperTransportBuilder::build`].
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
        let is_plain = uri.scheme_str() != Some("https");
        if is_plain
            && !self.allow_plain_http
            && has_credential(request.headers())
            && !is_loopback(uri)
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

    /// The exchange, boxed: it is large, and what is around it is moved about.
    fn exchange(&self, request: Request<Bytes>) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        let is_fresh = request.extensions().get::<FreshConnection>().is_some();
        let pools = match &self.driven {
            Some((driver, pools)) if driver.is_running() => pools,
            _ => &self.pools,
        };
        let client = if is_fresh { &pools.fresh } else { &pools.client };
        let uri = request.uri().clone();
        let limit = self.max_body_bytes;
        let responding = client.request(request.map(Full::new));
        Box::pin(async move {
            let host = host_and_port(&uri);
            let response = responding.await.map_err(|error| failed(error, host))?;
            let (mut parts, body) = response.into_parts();
            Used::mark(&mut parts.extensions);
            let encoding = Encoding::of(&parts.headers);
            let body = Body::read(body, encoding, limit).await.map_err(|error| error.of(host))?;
            if encoding == Encoding::Gzip {
                parts.headers.remove(CONTENT_ENCODING);
                parts.headers.remove(CONTENT_LENGTH);
            }
            Ok(Response::from_parts(parts, body))
        })
    }

    /// A request as it goes out.
    fn prepared(&self, mut request: Request<Bytes>) -> Result<Request<Bytes>, TransportError> {
        self.check(&request)?;
        if !request.headers().contains_key(ACCEPT_ENCODING) {
            request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let Some(authorization) = self.proxies.authorization(request.uri()) {
            request.headers_mut().insert(PROXY_AUTHORIZATION, authorization);
        }
        Ok(request)
    }
}

impl Transport for HyperTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let is_timed = request.extensions().get::<Attempt>().is_some();
        let exchange = self.exchange(self.prepared(request)?);
        if is_timed {
            return exchange.await;
        }
        let limit = self.request_timeout;
        within(TokioClock.sleep(limit), exchange).await.unwrap_or_else(|| {
            let message = format!("no answer came within {limit:?}");
            Err(TransportError::new(TransportErrorKind::Timeout, message))
        })
    }
}

/// Whether a request carries what nobody else may read.
fn has_credential(headers: &HeaderMap) -> bool {
    headers.contains_key(AUTHORIZATION) || headers.values().any(HeaderValue::is_sensitive)
}

/// What it means that no head of an answer came.
fn failed(error: ClientError, host: &str) -> TransportError {
    let was_used = Used::by(&error);
    let (kind, message) = if Untrusted::is_in(&error) {
        let message = format!("{host} is not to be trusted: {}", root_cause(&error));
        (TransportErrorKind::UntrustedPeer, message)
    } else if error.is_connect() {
        let message = format!("cannot connect to {host}: {}", root_cause(&error));
        (TransportErrorKind::Connect, message)
    } else {
        let message = format!("the connection to {host} broke: {}", root_cause(&error));
        (TransportErrorKind::Interrupted, message)
    };
    TransportError::new(kind, message).with_stale_connection(was_used).with_source(error)
}

/// The innermost error: the ones around it say less.
fn root_cause<'e>(error: &'e (dyn StdError + 'static)) -> &'e (dyn StdError + 'static) {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause
}
