use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioTimer;
use promptops_types::{Driver, Secret};

use super::connector::Connector;
use super::driver::Spawner;
use super::proxy::{Proxies, ProxySource};
use super::resolver::{Names, Resolver};
#[cfg(feature = "rustls")]
use super::tls::Roots;
use super::{HyperTransport, Pools};
use crate::TransportError;
#[cfg(any(doc, feature = "http2"))]
use crate::TransportErrorKind;

/// How long an address of one family is waited for before the other is tried beside it (RFC 8305, 5).
const HAPPY_EYEBALLS: Duration = Duration::from_millis(250);

/// How long a connection is silent before the system asks whether the peer is still there.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// How often a connection of HTTP/2 is asked whether its peer is still there.
#[cfg(feature = "http2")]
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long the peer has to answer that.
#[cfg(feature = "http2")]
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Builds a [`HyperTransport`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct HyperTransportBuilder {
    connect_timeout: Duration,
    request_timeout: Duration,
    idle_timeout: Duration,
    max_idle: usize,
    max_body_bytes: usize,
    allow_plain_http: bool,
    resolver: Names,
    proxy: ProxySource,
    driver: Option<Arc<dyn Driver>>,
    #[cfg(feature = "rustls")]
    roots: Roots,
    #[cfg(feature = "rustls")]
    authorities: Vec<Vec<u8>>,
    #[cfg(feature = "http2")]
    http2: bool,
}

impl Default for HyperTransportBuilder {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            // Shorter than what servers and load balancers commonly keep (60 s and more), so that
            // a connection is seldom used while the other side closes it.
            idle_timeout: Duration::from_secs(30),
            max_idle: 32,
            max_body_bytes: 12 * 1024 * 1024,
            allow_plain_http: false,
            resolver: Names::default(),
            proxy: ProxySource::default(),
            driver: None,
            #[cfg(feature = "rustls")]
            roots: Roots::default(),
            #[cfg(feature = "rustls")]
            authorities: Vec::new(),
            #[cfg(feature = "http2")]
            http2: false,
        }
    }
}

impl HyperTransportBuilder {
    /// Longest time to connect: the name, TCP, proxy and TLS together; 5 s. Addresses of both
    /// families are tried side by side, 250 ms apart.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Longest time of a request that has no [`Deadline`](crate::Deadline), connecting included;
    /// 30 s.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
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

    /// Largest answer, in bytes, after decompression; 12 MiB.
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

    /// Finds the addresses of hosts otherwise than by the system's resolver.
    pub fn resolver(mut self, resolver: impl Resolver) -> Self {
        self.resolver = Names::by(resolver);
        self
    }

    /// Opens connections elsewhere than in the runtime of the request that needs one. Those that there
    /// are by the time the driver runs are not used any more. Over HTTP/1.1 alone: [`build`](Self::build)
    /// refuses it together with HTTP/2, whose pings would belong to the request's runtime.
    pub fn driver(mut self, driver: impl Driver) -> Self {
        self.driver = Some(Arc::new(driver));
        self
    }

    /// Sends everything through this proxy, but what goes to this machine: `http://`, `https://`,
    /// `socks5://` or `socks5h://`, where the proxy resolves names; it may hold user and password.
    ///
    /// Unless this or [`no_proxy`](Self::no_proxy) is called, proxies are those of `http_proxy`,
    /// `https_proxy` and `all_proxy`, and `no_proxy` lists the exceptions, as curl reads them; the same
    /// names in capitals come second. For a CGI program `HTTP_PROXY` is none: there its visitor sets
    /// it.
    pub fn proxy(mut self, url: impl Into<Secret>) -> Self {
        self.proxy = ProxySource::Url(url.into());
        self
    }

    /// Uses no proxy, whatever the environment says.
    pub fn no_proxy(mut self) -> Self {
        self.proxy = ProxySource::Nowhere;
        self
    }

    /// Which certificate authorities are trusted; those of the web.
    #[cfg(feature = "rustls")]
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }

    /// Trusts certificate authorities of your own too: one in DER, or any number in PEM.
    #[cfg(feature = "rustls")]
    pub fn certificate_authority(mut self, certificates: impl Into<Vec<u8>>) -> Self {
        self.authorities.push(certificates.into());
        self
    }

    /// Offers HTTP/2 to registries over TLS; false. A connection then carries any number of
    /// requests, and is asked every 20 s whether the peer is still there.
    #[cfg(feature = "http2")]
    pub fn http2(mut self, offer: bool) -> Self {
        self.http2 = offer;
        self
    }

    /// Builds the transport. Opens no connection.
    ///
    /// # Errors
    /// [`TransportErrorKind::InvalidRequest`] for a certificate authority that is no certificate,
    /// and for a proxy that cannot be used; it names the environment variable.
    pub fn build(self) -> Result<HyperTransport, TransportError> {
        // What is not Unicode is no proxy's URL, and has to be told.
        let environment =
            |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        let proxies = Proxies::of(&self.proxy, environment)?;
        #[cfg(feature = "http2")]
        if self.http2 && self.driver.is_some() {
            let reason =
                "connections of HTTP/2 cannot be opened elsewhere; leave out `driver` or `http2`";
            return Err(TransportError::new(TransportErrorKind::InvalidRequest, reason));
        }
        let connector = Connector {
            tcp: self.tcp(),
            #[cfg(feature = "rustls")]
            tls: self.tls()?,
            proxies: proxies.clone(),
            time_limit: self.connect_timeout,
            spawner: Spawner::Current,
        };
        let pools = self.pools(connector.clone());
        let driven = self.driver.clone().map(|driver| {
            let spawner = Spawner::Driver(Arc::clone(&driver));
            (driver, self.pools(Connector { spawner, ..connector }))
        });
        Ok(HyperTransport {
            pools,
            driven,
            proxies,
            request_timeout: self.request_timeout,
            max_body_bytes: self.max_body_bytes,
            allow_plain_http: self.allow_plain_http,
        })
    }

    fn pools(&self, connector: Connector) -> Pools {
        let mut builder = Client::builder(connector.spawner.clone());
        builder.timer(TokioTimer::new());
        // Without a timer of its own, the pool never closes an idle connection.
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(self.idle_timeout);
        #[cfg(feature = "http2")]
        builder
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .http2_keep_alive_while_idle(true);
        Pools {
            client: builder.pool_max_idle_per_host(self.max_idle).build(connector.clone()),
            fresh: builder.pool_max_idle_per_host(0).build(connector),
        }
    }

    fn tcp(&self) -> HttpConnector<Names> {
        let mut tcp = HttpConnector::new_with_resolver(self.resolver.clone());
        tcp.set_connect_timeout(Some(self.connect_timeout));
        tcp.set_happy_eyeballs_timeout(Some(HAPPY_EYEBALLS));
        tcp.set_keepalive(Some(TCP_KEEPALIVE));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        tcp
    }

    #[cfg(feature = "rustls")]
    fn tls(&self) -> Result<super::connector::Tls, TransportError> {
        let proxy = super::tls::config(self.roots, &self.authorities)?;
        #[cfg_attr(not(feature = "http2"), expect(unused_mut, reason = "HTTP/2 changes it"))]
        let mut registry = proxy.clone();
        #[cfg(feature = "http2")]
        if self.http2 {
            registry.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        }
        Ok(super::connector::Tls { registry: registry.into(), proxy: proxy.into() })
    }
}
