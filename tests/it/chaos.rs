//! A proxy that does to a connection what networks do, as a seed says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use promptops_transport::{Clock, TokioClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How often each thing happens: to a connection, or to a piece that goes over it, of 1000.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Odds {
    /// The connection is closed before anything was read.
    pub(crate) refused: u32,
    /// A piece is not passed on, and the connection is reset.
    pub(crate) reset: u32,
    /// Half a piece is passed on, and the connection is closed.
    pub(crate) cut: u32,
    /// Nothing more is passed on, and the connection stays open.
    pub(crate) stalled: u32,
    /// A piece waits for up to 20 ms.
    pub(crate) delayed: u32,
    /// A piece arrives in two.
    pub(crate) split: u32,
}

/// The proxy. It stops when it is dropped.
pub(crate) struct ChaosProxy {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    faults: AtomicU64,
    open: AtomicU64,
}

/// An open connection, counted while it lives.
struct Open(Arc<Seen>);

impl Open {
    fn count(seen: &Arc<Seen>) -> Self {
        seen.open.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(seen))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl ChaosProxy {
    /// A proxy to `target`. The same seed does the same to the same connections.
    pub(crate) async fn start(target: SocketAddr, seed: u64, odds: Odds) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::new(Seen::default());
        let counted = Arc::clone(&counts);
        let accepting = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            for number in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                let chance = Rng::with_seed(seed.wrapping_add(number << 32));
                connections.spawn(pass(stream, target, chance, odds, Open::count(&counted)));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, seen: counts, accepting }
    }

    /// How many faults there were; delays and splits are none.
    pub(crate) fn faults(&self) -> u64 {
        self.seen.faults.load(Ordering::SeqCst)
    }

    /// How many connections clients have open to it.
    pub(crate) fn open_connections(&self) -> u64 {
        self.seen.open.load(Ordering::SeqCst)
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass(stream: TcpStream, target: SocketAddr, mut chance: Rng, odds: Odds, open: Open) {
    let faults = &open.0.faults;
    if chance.u32(..1000) < odds.refused {
        faults.fetch_add(1, Ordering::SeqCst);
        return;
    }
    let Ok(other) = TcpStream::connect(target).await else { return };
    for side in [&stream, &other] {
        let _ = side.set_nodelay(true);
    }
    let (back, forth) = (chance.fork(), chance);
    let ((from_client, to_client), (from_server, to_server)) =
        (stream.into_split(), other.into_split());
    tokio::select! {
        () = copy(from_client, to_server, forth, odds, faults) => {}
        () = copy(from_server, to_client, back, odds, faults) => {}
    }
}

/// Passes pieces on until something happens to one, or the sender has finished.
async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut chance: Rng,
    odds: Odds,
    faults: &AtomicU64,
) {
    let mut piece = vec![0; 4096];
    loop {
        let Ok(length @ 1..) = from.read(&mut piece).await else { return };
        let fate = chance.u32(..1000);
        let fatal = [odds.reset, odds.cut, odds.stalled];
        let bounds = [fatal[0], fatal[0] + fatal[1], fatal.iter().sum()];
        if fate < bounds[2] {
            faults.fetch_add(1, Ordering::SeqCst);
        }
        if fate < bounds[0] {
            let _ = to.as_ref().set_zero_linger();
            return;
        }
        if fate < bounds[1] {
            let _ = to.write_all(&piece[..length / 2]).await;
            return;
        }
        if fate < bounds[2] {
            std::future::pending::<()>().await;
        }
        if chance.u32(..1000) < odds.delayed {
            TokioClock.sleep(Duration::from_millis(chance.u64(..20))).await;
        }
        let at = if chance.u32(..1000) < odds.split { chance.usize(..length) } else { 0 };
        for part in [&piece[..at], &piece[at..length]] {
            if !part.is_empty() && to.write_all(part).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}
