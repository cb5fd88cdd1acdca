//! Connections to Redis, or to a cluster: made and replaced by a pool, and held. Many calls share one
//! at the same time.
//!
//! A checkout would cost two commands more for each call: the pool asks a connection whether it is
//! well.

use std::fmt;

use deadpool_redis::redis::aio::{ConnectionLike, MultiplexedConnection, PubSub};
use deadpool_redis::redis::{
    AsyncConnectionConfig, Client, Cmd, Pipeline, RedisError, RedisResult, Value,
};
use deadpool_redis::{Connection, Manager, Pool, PoolError, Runtime};
use promptops_types::{Error, Secret};

use super::clock::within;
use std::time::Duration;

#[cfg(feature = "redis-cluster")]
use deadpool_redis::cluster;
#[cfg(feature = "redis-cluster")]
use deadpool_redis::redis::cluster_async::ClusterConnection;

/// Longest time to connect, with TLS and all. No caller waits for it.
pub(super) const CONNECT: Duration = Duration::from_secs(2);

/// A connection that calls share; a clone is the same connection.
#[derive(Clone)]
pub(super) enum Link {
    One(MultiplexedConnection),
    #[cfg(feature = "redis-cluster")]
    Cluster(ClusterConnection),
}

impl Link {
    pub(super) async fn command(&mut self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::One(link) => link.req_packed_command(command).await,
            #[cfg(feature = "redis-cluster")]
            Self::Cluster(link) => link.req_packed_command(command).await,
        }
    }

    /// The answers, failed ones among them. In a cluster all keys have to be in one slot.
    pub(super) async fn pipeline(&mut self, pipeline: &Pipeline) -> RedisResult<Vec<Value>> {
        let count = pipeline.len();
        match self {
            Self::One(link) => link.req_packed_commands(pipeline, 0, count).await,
            #[cfg(feature = "redis-cluster")]
            Self::Cluster(link) => link.req_packed_commands(pipeline, 0, count).await,
        }
    }
}

/// Links with their places in the pool.
pub(super) enum Held {
    One(Vec<Connection>),
    #[cfg(feature = "redis-cluster")]
    Cluster(Vec<cluster::Connection>),
}

impl Held {
    pub(super) fn links(&self) -> Vec<Link> {
        match self {
            Self::One(held) => held.iter().map(|held| Link::One((**held).clone())).collect(),
            #[cfg(feature = "redis-cluster")]
            Self::Cluster(held) => {
                held.iter().map(|held| Link::Cluster((**held).clone())).collect()
            }
        }
    }

    /// Takes them out of the pool, which makes others then.
    pub(super) fn discard(self) {
        match self {
            Self::One(held) => {
                for held in held {
                    drop(Connection::take(held));
                }
            }
            #[cfg(feature = "redis-cluster")]
            Self::Cluster(held) => {
                for held in held {
                    drop(cluster::Connection::take(held));
                }
            }
        }
    }
}

/// Where Redis is.
pub(super) struct Address {
    pools: Pools,
    connections: usize,
    /// For the subscription, which needs a connection of its own.
    client: Client,
}

enum Pools {
    One(Pool),
    #[cfg(feature = "redis-cluster")]
    Cluster(cluster::Pool),
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("connections", &self.connections).finish_non_exhaustive()
    }
}

/// The name of the setting that an address comes from.
const SETTING: &str = "cache.redis_url";

/// What is wrong with a URL, without the URL: it may hold a password.
fn refused(reason: impl fmt::Display) -> Error {
    Error::config(
        SETTING,
        format!(
            "{reason}; give `redis://[USER:PASSWORD@]HOST[:PORT][/DB]`, `rediss://…` for TLS, \
             `unix:///PATH` for a socket, or `redis-cluster://HOST:PORT,HOST:PORT`"
        ),
    )
}

impl Address {
    pub(super) fn parse(
        url: &Secret,
        ca_certificate: Option<&[u8]>,
        connections: usize,
    ) -> Result<Self, Error> {
        let url = url.expose();
        let (urls, is_cluster) = match url.split_once("-cluster://") {
            Some((scheme @ ("redis" | "rediss"), nodes)) => {
                // A user and a password belong to all nodes.
                let (credentials, hosts) = match nodes.rsplit_once('@') {
                    Some((credentials, hosts)) => (format!("{credentials}@"), hosts),
                    None => (String::new(), nodes),
                };
                let node = |host| format!("{scheme}://{credentials}{host}");
                (hosts.trim_end_matches('/').split(',').map(node).collect(), true)
            }
            _ => (vec![url.to_owned()], false),
        };
        let needs_tls =
            urls.iter().any(|url| url.starts_with("rediss") || url.starts_with("valkeys"));
        let clients = urls.into_iter().map(|url| client(url, needs_tls, ca_certificate));
        let clients = clients.collect::<Result<Vec<_>, _>>()?;
        let Some(client) = clients.first().cloned() else { return Err(refused("names no host")) };
        let pools = if is_cluster {
            cluster_pool(&clients, connections)?
        } else {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(CONNECT))
                // Each call has a limit of its own.
                .set_response_timeout(None);
            let info = client.get_connection_info().clone();
            let manager =
                Manager::new_with_config(info, config).map_err(|e| refused(e.category()))?;
            let pool = Pool::builder(manager)
                // Those that are replaced are held until the others are there.
                .max_size(2 * connections)
                .runtime(Runtime::Tokio1)
                .timeouts(timeouts())
                .build();
            Pools::One(pool.map_err(refused)?)
        };
        Ok(Self { pools, connections, client })
    }

    /// Connects anew.
    ///
    /// # Errors
    /// Why not.
    pub(super) async fn connect(&self) -> Result<Held, String> {
        match &self.pools {
            Pools::One(pool) => {
                let mut held = Vec::with_capacity(self.connections);
                while held.len() < self.connections {
                    held.push(pool.get().await.map_err(|error| told(&error))?);
                }
                Ok(Held::One(held))
            }
            #[cfg(feature = "redis-cluster")]
            Pools::Cluster(pool) => {
                let mut held = Vec::with_capacity(self.connections);
                while held.len() < self.connections {
                    held.push(pool.get().await.map_err(|error| told(&error))?);
                }
                Ok(Held::Cluster(held))
            }
        }
    }

    /// A connection that listens to a channel.
    pub(super) async fn subscribe(&self, channel: &str) -> Result<PubSub, String> {
        let subscribed = within(CONNECT, async {
            let mut pub_sub = self.client.get_async_pubsub().await?;
            pub_sub.subscribe(channel).await?;
            Ok(pub_sub)
        });
        match subscribed.await {
            Some(subscribed) => subscribed.map_err(|error: RedisError| error.to_string()),
            None => Err(format!("no connection within {CONNECT:?}")),
        }
    }
}

fn told(error: &PoolError) -> String {
    match error {
        PoolError::Backend(error) => error.to_string(),
        PoolError::Timeout(_) => format!("no connection within {CONNECT:?}"),
        error => error.to_string(),
    }
}

fn timeouts() -> deadpool_redis::Timeouts {
    deadpool_redis::Timeouts { wait: Some(CONNECT), create: Some(CONNECT), recycle: Some(CONNECT) }
}

#[cfg(feature = "redis-cluster")]
fn cluster_pool(clients: &[Client], connections: usize) -> Result<Pools, Error> {
    let nodes = clients.iter().map(|client| client.get_connection_info().clone()).collect();
    let manager = cluster::Manager::new(nodes, false).map_err(|error| refused(error.category()))?;
    let pool = cluster::Pool::builder(manager)
        .max_size(2 * connections)
        .runtime(Runtime::Tokio1)
        .timeouts(timeouts())
        .build();
    Ok(Pools::Cluster(pool.map_err(refused)?))
}

#[cfg(not(feature = "redis-cluster"))]
fn cluster_pool(_: &[Client], _: usize) -> Result<Pools, Error> {
    Err(Error::config(SETTING, "a cluster needs the cargo feature `redis-cluster`; enable it"))
}

#[cfg(feature = "redis-tls")]
fn client(url: String, is_tls: bool, ca_certificate: Option<&[u8]>) -> Result<Client, Error> {
    use deadpool_redis::redis::TlsCertificates;

    if !is_tls {
        return Client::open(url).map_err(|error| refused(error.category()));
    }
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // The driver takes the process's, and panics where several are compiled in and none is chosen.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let root_cert = ca_certificate.map(<[u8]>::to_vec);
    Client::build_with_tls(url, TlsCertificates { client_tls: None, root_cert })
        .map_err(|error| refused(error.category()))
}

#[cfg(not(feature = "redis-tls"))]
fn client(url: String, is_tls: bool, _: Option<&[u8]>) -> Result<Client, Error> {
    if is_tls {
        let reason = "`rediss:` needs the cargo feature `redis-tls`; enable it";
        return Err(Error::config(SETTING, reason));
    }
    Client::open(url).map_err(|error| refused(error.category()))
}
