//! The server over real sockets: who may ask, what is made once, what is told to whom.

mod auth;
mod changes;
mod connections;
mod keyed;
mod lists;
pub(crate) mod matrix;
mod nodes;
pub(crate) mod process;
mod usage;

use std::net::SocketAddr;

use promptops_client::{PromptOpsClient, RetryConfig};
use promptops_server::{
    Access, ApiKey, MasterKey, NewKey, Registry, Scope, Server, ServerConfig, Stopper,
};
use promptops_types::Secret;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// A running server.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) registry: Registry,
    pub(crate) master: MasterKey,
    pub(crate) stopper: Stopper,
    pub(crate) task: JoinHandle<()>,
    /// May do everything.
    pub(crate) admin: Secret,
}

pub(crate) async fn start() -> Running {
    start_with(Registry::in_memory().unwrap(), MasterKey::random().unwrap()).await
}

pub(crate) async fn start_with(registry: Registry, master: MasterKey) -> Running {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = ServerConfig::default();
    let server = Server::bind(any, registry.clone(), master.clone(), config).await.unwrap();
    let (address, stopper) = (server.local_addr().unwrap(), server.stopper());
    let task = tokio::spawn(server.run());
    let new = NewKey { name: "admin".to_owned(), ..all() };
    let (_, admin) = registry.create_key(&Access::full("test"), new).await.unwrap();
    Running { address, registry, master, stopper, task, admin }
}

/// A key for everything.
pub(crate) fn all() -> NewKey {
    NewKey { name: "all".to_owned(), scopes: Some(Scope::ALL.into()), ..NewKey::default() }
}

impl Running {
    pub(crate) async fn key(&self, new: NewKey) -> (ApiKey, Secret) {
        self.registry.create_key(&Access::full("test"), new).await.unwrap()
    }

    pub(crate) fn client(&self, key: &Secret) -> PromptOpsClient {
        PromptOpsClient::builder()
            .base_url(format!("http://{}/v1", self.address))
            .api_key(key.clone())
            .retry(RetryConfig::none())
            .cache(promptops_client::CacheConfig::none())
            .build()
            .unwrap()
    }

    /// Sends a request as it is written, and gives the status, the head and the body of the answer.
    pub(crate) async fn send(&self, head: &str, headers: &str, body: &str) -> Answer {
        ask(self.address, head, headers, body).await
    }

    /// The body of a path that asks for no key.
    pub(crate) async fn text(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    pub(crate) async fn get(&self, path: &str, key: &Secret) -> Answer {
        let header = format!("authorization: Bearer {}\r\n", key.expose());
        self.send(&format!("GET {path}"), &header, "").await
    }
}

/// Sends a request as it is written to whoever listens there.
pub(crate) async fn ask(address: SocketAddr, head: &str, headers: &str, body: &str) -> Answer {
    let length = body.len();
    let request = format!(
        "{head} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Refused early, not all of it may be taken.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    Answer::read(&String::from_utf8_lossy(&answer))
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Answer {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = serde_json::from_str(body).unwrap_or(Value::Null);
        Self { status, head: head.to_lowercase(), body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}
