use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use promptops_registry::{Access, Registry, USAGE_KEPT};
use promptops_types::SystemTime;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::clock::{pause, within};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::progress::Progress;
#[cfg(feature = "redis")]
use crate::rates::Rates;
use crate::tls::{Reloader, Tls, TlsFiles};
use crate::{MasterKey, Parts, Peer, network_router};

/// How often the store is looked at for what other processes have written.
const LOOK: Duration = Duration::from_millis(500);

/// Connections that wait to be taken; the system may have less.
const BACKLOG: u32 = 4096;

/// How often old usage is forgotten.
const FORGET: Duration = Duration::from_hours(1);

/// Longest time that nothing of an answer is taken.
const WRITE_TIME: Duration = Duration::from_secs(30);

/// How a server behaves. Every limit has a default that protects it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Most connections; others wait to be taken. 10 000.
    pub max_connections: usize,
    /// Most requests that are answered at a time; others wait a moment, and are then told to come back.
    /// 1000.
    pub max_in_flight: usize,
    /// Longest time until the head of a request is there, and longest time without one; 10 s.
    pub head_timeout: Duration,
    /// Longest time for what is under way when the server stops; 10 s.
    pub grace: Duration,
    /// The certificates to serve with; plain HTTP without.
    pub tls: Option<TlsFiles>,
    /// How long usage is kept; 90 days.
    pub usage_kept: Duration,
    /// The Redis that limits are shared through with other servers: `redis://HOST:PORT`. Each counts by
    /// itself without.
    #[cfg(feature = "redis")]
    pub redis: Option<promptops_types::Secret>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_in_flight: 1000,
            head_timeout: Duration::from_secs(10),
            grace: Duration::from_secs(10),
            tls: None,
            usage_kept: Duration::from_micros(USAGE_KEPT.unsigned_abs()),
            #[cfg(feature = "redis")]
            redis: None,
        }
    }
}

/// A registry behind a socket.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    router: Router,
    config: ServerConfig,
    tls: Tls,
    metrics: Arc<Metrics>,
    stopper: Stopper,
    registry: Registry,
    tell: watch::Sender<u64>,
}

/// Stops a server; a clone stops the same one.
#[derive(Debug, Clone)]
pub struct Stopper(Arc<watch::Sender<bool>>);

impl Stopper {
    /// Takes no more connections, and ends those there are when what is under way on them is done.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    async fn stopped(&self) {
        // It fails only where nobody can tell any more.
        let _ = self.0.subscribe().wait_for(|is_stopping| *is_stopping).await;
    }
}

impl Server {
    /// Listens at an address. Nothing is answered until [`run`](Self::run).
    ///
    /// # Errors
    /// When the address cannot be listened at, or the certificates cannot be used.
    #[expect(clippy::unused_async, reason = "a socket is made inside a runtime, as awaiting says")]
    pub async fn bind(
        address: SocketAddr,
        registry: Registry,
        master: MasterKey,
        config: ServerConfig,
    ) -> io::Result<Self> {
        let tls = Tls::new(config.tls.clone())?;
        let listener = listen(address)?;
        let mut app = Parts::new(registry.clone(), Arc::new(SystemTime), master);
        #[cfg(feature = "redis")]
        if let Some(url) = &config.redis {
            let rates = Rates::shared(Arc::clone(&app.time), url).map_err(io::Error::other)?;
            app.rates = Arc::new(rates);
        }
        app.limits = Some(Arc::new(Limits::new(config.max_in_flight)));
        let (tell, changed) = watch::channel(*app.changed.borrow());
        app.changed = changed;
        let stopper = Stopper(Arc::clone(&app.stopping));
        let metrics = Arc::clone(&app.metrics);
        let router = network_router(app);
        Ok(Self { listener, router, config, tls, metrics, stopper, registry, tell })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What stops it.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// What reads its certificates again.
    pub fn reloader(&self) -> Reloader {
        Reloader(self.tls.clone())
    }

    /// Answers until it is stopped, then finishes what is under way, for as long as
    /// [`ServerConfig::grace`] at most.
    ///
    /// # Cancel safety
    /// Dropped, it drops every connection.
    pub async fn run(self) {
        let Self { listener, router, config, tls, metrics, stopper, registry, tell } = self;
        let following = [
            AbortOnDrop(tokio::spawn(follow(registry.clone(), tell)).abort_handle()),
            AbortOnDrop(tokio::spawn(forget(registry, config.usage_kept)).abort_handle()),
        ];
        let room = Arc::new(Semaphore::new(config.max_connections.max(1)));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener, &room) => accepted,
                () = stopper.stopped() => break,
                Some(_) = connections.join_next() => continue,
            };
            let Some((stream, peer, permit)) = accepted else { continue };
            let (router, stopper) = (router.clone(), stopper.clone());
            let (head_timeout, acceptor) = (config.head_timeout, tls.acceptor());
            let open = Open::new(&metrics);
            connections.spawn(async move {
                // An answer is one write, which is not to wait for another.
                let _ = stream.set_nodelay(true);
                match acceptor {
                    None => connection(stream, peer, router, head_timeout, &stopper).await,
                    Some(acceptor) => {
                        let accepted = within(head_timeout, acceptor.accept(stream)).await;
                        if let Some(Ok(stream)) = accepted {
                            connection(stream, peer, router, head_timeout, &stopper).await;
                        } else {
                            tracing::debug!(%peer, "a TLS handshake failed");
                        }
                    }
                }
                drop((permit, open));
            });
        }
        drop(listener);
        let finished = async { while connections.join_next().await.is_some() {} };
        if within(config.grace, finished).await.is_none() {
            tracing::warn!("connections were cut off: they did not end in time");
        }
        drop(following);
    }
}

/// Listens with a long queue: of those who do not fit in, some would think that they are connected.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // As `TcpListener::bind` does: on Windows it would mean something else.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Tells of every change, once for all who wait: of this process at once, of others as soon as the store
/// knows, or at the next look.
async fn follow(registry: Registry, tell: watch::Sender<u64>) {
    let mut told = registry.watch();
    let access = Access::full("change feed");
    loop {
        let after = *tell.borrow();
        match registry.changes(&access, None, after, 1000).await {
            Ok(found) => {
                if let Some(last) = found.last() {
                    tell.send_replace(last.seq);
                    continue;
                }
            }
            Err(error) => tracing::warn!(%error, "changes cannot be looked for"),
        }
        if let Some(Err(_)) = within(LOOK, told.changed()).await {
            // Nothing is told any more.
            pause(LOOK).await;
        }
    }
}

/// Forgets what was used too long ago, now and then.
async fn forget(registry: Registry, kept: Duration) {
    let kept = i64::try_from(kept.as_micros()).unwrap_or(i64::MAX);
    loop {
        if let Err(error) = registry.forget_usage(kept).await {
            tracing::warn!(%error, "old usage cannot be forgotten");
        }
        pause(FORGET).await;
    }
}

/// A task that ends with what it is for.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection that is counted.
struct Open(Arc<Metrics>);

impl Open {
    fn new(metrics: &Arc<Metrics>) -> Self {
        metrics.connections.inc();
        Self(Arc::clone(metrics))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}

type Accepted = (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

/// The next connection, when there is room for it.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> Option<Accepted> {
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, permit)),
        Err(error) => {
            // It is the connection that has gone, or files that there are none left of.
            tracing::warn!(%error, "a connection was not taken");
            pause(Duration::from_millis(50)).await;
            None
        }
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
    head_timeout: Duration,
    stopper: &Stopper,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        router.clone().oneshot(request)
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(Progress::new(stream, WRITE_TIME)), service);
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stopper.stopped() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection ended");
    }
}
