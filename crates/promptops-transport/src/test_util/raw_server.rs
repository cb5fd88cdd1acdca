use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::locked;
use crate::{Clock, TokioClock};

/// What a [`RawServer`] does on a connection, one step after the other. After the last it closes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Step {
    /// Reads a request: its head, and the body that `content-length` announces.
    Read,
    /// Writes bytes.
    Write(Bytes),
    /// Writes bytes one by one, with this long between them.
    Drip(Bytes, Duration),
    /// Writes these bytes again and again until the peer has enough.
    Endless(Bytes),
    /// Says that nothing more comes, and keeps reading.
    HalfClose,
    /// Does nothing until the peer closes.
    Stall,
    /// Resets the connection (RST).
    Reset,
}

impl Step {
    /// Writes text.
    pub fn write(text: impl Into<String>) -> Self {
        Self::Write(text.into().into())
    }

    /// Writes a whole answer with this body.
    pub fn answer(status: &str, body: &str) -> Self {
        let length = body.len();
        Self::write(format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}"))
    }
}

/// A server on a free port of this machine that follows a script, byte by byte: what no HTTP library
/// can be made to do. It stops when it is dropped, its connections with it.
pub struct RawServer {
    address: SocketAddr,
    seen: Arc<Seen>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    open: AtomicUsize,
    requests: Mutex<Vec<Bytes>>,
}

impl RawServer {
    /// Starts a server that does on its connection number `n`, counted from 0, what `script(n)`
    /// says.
    ///
    /// # Errors
    /// Where this machine gives no port.
    pub async fn start(
        script: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Seen::default());
        let accepting = tokio::spawn(accept(listener, Arc::clone(&seen), script));
        Ok(Self { address, seen, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// How many of them are open.
    pub fn open_connections(&self) -> usize {
        self.seen.open.load(Ordering::SeqCst)
    }

    /// The requests it has read, head and body, in order.
    pub fn requests(&self) -> Vec<Bytes> {
        locked(&self.seen.requests).clone()
    }
}

impl fmt::Debug for RawServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawServer")
            .field("address", &self.address)
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    seen: Arc<Seen>,
    script: impl Fn(usize) -> Vec<Step> + Send + 'static,
) {
    // Dropped with this task, which ends every connection.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let number = seen.connections.fetch_add(1, Ordering::SeqCst);
        let (steps, seen) = (script(number), Arc::clone(&seen));
        connections.spawn(async move {
            let open = Open::count(&seen);
            // A peer that goes away ends the script.
            let _ = follow(steps, stream, &seen).await;
            drop(open);
        });
        while connections.try_join_next().is_some() {}
    }
}

/// An open connection, counted while it lives.
struct Open<'s>(&'s AtomicUsize);

impl<'s> Open<'s> {
    fn count(seen: &'s Seen) -> Self {
        seen.open.fetch_add(1, Ordering::SeqCst);
        Self(&seen.open)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn follow(steps: Vec<Step>, mut stream: TcpStream, seen: &Seen) -> io::Result<()> {
    stream.set_nodelay(true)?;
    for step in steps {
        match step {
            Step::Read => {
                let request = read_request(&mut stream).await?;
                locked(&seen.requests).push(request);
            }
            Step::Write(bytes) => stream.write_all(&bytes).await?,
            Step::Drip(bytes, wait) => {
                for byte in bytes {
                    stream.write_all(&[byte]).await?;
                    TokioClock.sleep(wait).await;
                }
            }
            Step::Endless(bytes) => loop {
                stream.write_all(&bytes).await?;
            },
            Step::HalfClose => stream.shutdown().await?,
            Step::Stall => while stream.read(&mut [0; 1024]).await? > 0 {},
            Step::Reset => {
                stream.set_zero_linger()?;
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Reads one request; an error where the peer closes first.
async fn read_request(stream: &mut TcpStream) -> io::Result<Bytes> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    request.extend(body);
    Ok(request.into())
}
