use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use promptops_registry::Registry;
use promptops_types::SystemTime;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::clock::within;
use crate::metrics::Metrics;
use crate::tls::{Reloader, Tls, TlsFiles};
use crate::{App, MasterKey, Peer, network_router};

/// Longest time that the body of a request may take.
const BODY_TIME: Duration = Duration::from_secs(10);

/// How a server behaves. Every limit has a default that protects it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Most connections; others wait to be taken. 10 000.
    pub max_connections: usize,
    /// Longest time until the head of a request is there, and longest time without one; 10 s.
    pub head_timeout: Duration,
    /// Longest time for what is under way when the server stops; 10 s.
    pub grace: Duration,
    /// The certificates to serve with; plain HTTP without.
    pub tls: Option<TlsFiles>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            head_timeout: Duration::from_secs(10),
            grace: Duration::from_secs(10),
            tls: None,
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
}

/// Stops a server; a clone stops the same one.
#[derive(Clone)]
pub struct Stopper {
    stopping: Arc<AtomicBool>,
    told: Arc<Notify>,
    /// Wakes those who wait for changes.
    written: Arc<Notify>,
}

impl Stopper {
    /// Takes no more connections, and ends those there are when what is under way on them is done.
    pub fn stop(&self) {
        self.stopping.store(true, SeqCst);
        self.told.notify_waiters();
        self.written.notify_waiters();
    }

    async fn stopped(&self) {
        let told = self.told.notified();
        let mut told = std::pin::pin!(told);
        // It is heard from here on, whether it was told before or not.
        told.as_mut().enable();
        if !self.stopping.load(SeqCst) {
            told.await;
        }
    }
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopper").field("stopping", &self.stopping).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens at an address. Nothing is answered until [`run`](Self::run).
    ///
    /// # Errors
    /// When the address cannot be listened at, or the certificates cannot be used.
    pub async fn bind(
        address: SocketAddr,
        registry: Registry,
        master: MasterKey,
        config: ServerConfig,
    ) -> io::Result<Self> {
        let tls = Tls::new(config.tls.clone())?;
        let listener = TcpListener::bind(address).await?;
        let mut app = App::new(registry, Arc::new(SystemTime), master);
        app.body_time = Some(BODY_TIME);
        let stopper = Stopper {
            stopping: Arc::clone(&app.stopping),
            told: Arc::default(),
            written: Arc::clone(&app.written),
        };
        let metrics = Arc::clone(&app.metrics);
        Ok(Self { listener, router: network_router(app), config, tls, metrics, stopper })
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
        let Self { listener, router, config, tls, metrics, stopper } = self;
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
            let _ = within(Duration::from_millis(50), std::future::pending::<()>()).await;
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
        .serve_connection(TokioIo::new(stream), service);
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
