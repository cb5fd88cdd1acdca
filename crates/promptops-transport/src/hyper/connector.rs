//! One connection: the name, TCP, a proxy, TLS.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Extensions, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::Error as ClientError;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Intercept;
use tower_service::Service;

use super::driver::Spawner;
use super::proxy::Proxies;
use super::resolver::Names;
use super::root_cause;
use crate::clock::within;
use crate::{Clock, TokioClock};

type BoxError = Box<dyn StdError + Send + Sync>;

/// What makes connections to hosts, over TCP or through what a proxy gives.
#[cfg(feature = "rustls")]
type Secured<C> = hyper_rustls::HttpsConnector<C>;

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) tcp: HttpConnector<Names>,
    #[cfg(feature = "rustls")]
    pub(super) tls: Tls,
    pub(super) proxies: Proxies,
    /// For everything up to the first byte of a request.
    pub(super) time_limit: Duration,
    /// Where a connection is opened and kept going.
    pub(super) spawner: Spawner,
}

/// TLS to a registry, and to a proxy, which is always spoken to in HTTP/1.1.
#[cfg(feature = "rustls")]
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) registry: Arc<rustls::ClientConfig>,
    pub(super) proxy: Arc<rustls::ClientConfig>,
}

#[cfg(feature = "rustls")]
fn secured<C>(connector: C, config: &Arc<rustls::ClientConfig>) -> Secured<C> {
    let names = Arc::new(hyper_rustls::DefaultServerNameResolver::default());
    hyper_rustls::HttpsConnector::new(connector, config.clone(), false, names)
}

impl Connector {
    /// Connects through whatever stands between.
    async fn connect(self, uri: Uri) -> Result<Stream, BoxError> {
        let Some(proxy) = self.proxies.between(&uri) else { return self.direct(uri).await };
        let address = proxy.uri().clone();
        self.through(&proxy, uri).await.map_err(|source| {
            let reason = root_cause(&*source).to_string();
            ThroughProxy { address, reason, source }.into()
        })
    }

    #[cfg(feature = "rustls")]
    async fn direct(self, uri: Uri) -> Result<Stream, BoxError> {
        connect(secured(self.tcp, &self.tls.registry), uri).await
    }

    #[cfg(not(feature = "rustls"))]
    async fn direct(self, uri: Uri) -> Result<Stream, BoxError> {
        connect(self.tcp, uri).await
    }

    async fn through(self, proxy: &Intercept, uri: Uri) -> Result<Stream, BoxError> {
        let address = proxy.uri().clone();
        if matches!(address.scheme_str(), Some("socks5" | "socks5h")) {
            // The proxy resolves the name: here it would block the thread.
            let mut socks = SocksV5::new(address, self.tcp.clone());
            if let Some((user, password)) = proxy.raw_auth() {
                socks = socks.with_auth(user.to_owned(), password.to_owned());
            }
            return self.over(socks, uri).await;
        }
        if uri.scheme_str() != Some("https") {
            return Ok(Stream { is_forwarded: true, ..self.proxy(address).await? });
        }
        let mut tunnel = Tunnel::new(address, ToProxy(self.clone()));
        if let Some(authorization) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        self.over(tunnel, uri).await
    }

    /// Connects over what a proxy gives: TLS to the registry, where the URI asks for it.
    async fn over<C>(self, connector: C, uri: Uri) -> Result<Stream, BoxError>
    where
        C: Service<Uri> + Send,
        C::Response: Io + 'static,
        C::Error: Into<BoxError>,
        C::Future: Send + 'static,
    {
        #[cfg(feature = "rustls")]
        let connector = secured(connector, &self.tls.registry);
        connect(connector, uri).await
    }

    /// Connects to a proxy itself.
    async fn proxy(self, address: Uri) -> Result<Stream, BoxError> {
        #[cfg(feature = "rustls")]
        return connect(secured(self.tcp, &self.tls.proxy), address).await;
        #[cfg(not(feature = "rustls"))]
        connect(self.tcp, address).await
    }
}

async fn connect<C>(mut connector: C, uri: Uri) -> Result<Stream, BoxError>
where
    C: Service<Uri>,
    C::Response: Io + 'static,
    C::Error: Into<BoxError>,
{
    std::future::poll_fn(|context| connector.poll_ready(context)).await.map_err(Into::into)?;
    let io = connector.call(uri).await.map_err(Into::into)?;
    Ok(Stream { io: Box::new(io), is_forwarded: false, used: Used::default() })
}

type Connecting = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        let (connector, time_limit) = (self.clone(), self.time_limit);
        let connecting = async move {
            let timer = TokioClock.sleep(time_limit);
            within(timer, connector.connect(uri)).await.unwrap_or_else(|| {
                let reason = format!("it took longer than {time_limit:?}");
                Err(io::Error::new(io::ErrorKind::TimedOut, reason).into())
            })
        };
        let connecting = self.spawner.clone().run(connecting);
        Box::pin(async move {
            connecting.await.unwrap_or_else(|| Err(io::Error::other("its driver ended").into()))
        })
    }
}

/// The way to a proxy, as a connector for the tunnel over it.
#[derive(Clone)]
struct ToProxy(Connector);

impl Service<Uri> for ToProxy {
    type Response = Stream;
    type Error = BoxError;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, address: Uri) -> Connecting {
        Box::pin(self.0.clone().proxy(address))
    }
}

/// A registry that could not be reached through a proxy.
#[derive(Debug)]
struct ThroughProxy {
    address: Uri,
    reason: String,
    #[cfg_attr(not(feature = "rustls"), expect(dead_code, reason = "`Untrusted` looks inside"))]
    source: BoxError,
}

impl fmt::Display for ThroughProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "through the proxy {}: {}", self.address, self.reason)
    }
}

impl StdError for ThroughProxy {
    // None: it stands for the innermost error, which it quotes. `Untrusted` looks inside.
}

/// Anything that bytes go over.
trait Io: Read + Write + Connection + Send + Unpin {}

impl<T: Read + Write + Connection + Send + Unpin> Io for T {}

/// A connection.
pub(super) struct Stream {
    io: Box<dyn Io>,
    /// Whether a proxy forwards each request, and so has to see its whole URI.
    is_forwarded: bool,
    used: Used,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let connected = Connected::new().proxy(self.is_forwarded).extra(self.used.clone());
        if self.io.connected().is_negotiated_h2() { connected.negotiated_h2() } else { connected }
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.io).poll_write_vectored(context, bytes)
    }
}

/// Whether a connection has answered a request. Every answer and every failure carries its
/// connection's.
#[derive(Debug, Clone, Default)]
pub(super) struct Used(Arc<AtomicBool>);

impl Used {
    /// Whether the connection that a request failed on had answered one before.
    pub(super) fn by(error: &ClientError) -> bool {
        let Some(connection) = error.connect_info() else { return false };
        let mut extras = Extensions::new();
        connection.get_extras(&mut extras);
        extras.get::<Self>().is_some_and(|used| used.0.load(Ordering::Relaxed))
    }

    /// Notes that the connection of an answer has answered, and takes the note off the answer.
    pub(super) fn mark(answer: &mut Extensions) {
        if let Some(used) = answer.remove::<Self>() {
            used.0.store(true, Ordering::Relaxed);
        }
    }
}

/// A peer whose certificate does not vouch for it.
pub(super) struct Untrusted;

impl Untrusted {
    #[cfg(not(feature = "rustls"))]
    pub(super) fn is_in(_: &(dyn StdError + 'static)) -> bool {
        false
    }

    /// Whether an error, or one that it stands for, is that.
    #[cfg(feature = "rustls")]
    pub(super) fn is_in(error: &(dyn StdError + 'static)) -> bool {
        let mut error = Some(error);
        while let Some(cause) = error {
            if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
                return matches!(tls, rustls::Error::InvalidCertificate(_));
            }
            error = if let Some(proxied) = cause.downcast_ref::<ThroughProxy>() {
                Some(&*proxied.source)
            } else if let Some(io) = cause.downcast_ref::<io::Error>() {
                // Its `source` is that of the error inside.
                io.get_ref().map(|inner| inner as &(dyn StdError + 'static))
            } else {
                cause.source()
            };
        }
        false
    }
}
