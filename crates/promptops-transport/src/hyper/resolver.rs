use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

/// Finds the addresses of a host: service discovery, DNS of your own. Implementors write
/// `async fn resolve`.
pub trait Resolver: fmt::Debug + Send + Sync + 'static {
    /// The addresses of `host`, the best first. It is inside the time limit of connecting.
    ///
    /// # Errors
    /// Whatever keeps it from an answer.
    fn resolve(&self, host: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;
}

type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// The object-safe form of [`Resolver`].
trait DynResolver: fmt::Debug + Send + Sync {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a>;
}

impl<R: Resolver> DynResolver for R {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        Box::pin(Resolver::resolve(self, host))
    }
}

/// How host names become addresses: by the system's resolver, or one of the caller's.
#[derive(Debug, Clone, Default)]
pub(super) struct Names(Option<Arc<dyn DynResolver>>);

impl Names {
    pub(super) fn by(resolver: impl Resolver) -> Self {
        Self(Some(Arc::new(resolver)))
    }
}

impl Service<Name> for Names {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let own = self.0.clone();
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = match own {
                None => GaiResolver::new().call(name).await?.collect(),
                // Port 0 is replaced by the request's.
                Some(resolver) => {
                    let found = resolver.resolve(name.as_str()).await?;
                    found.into_iter().map(|address| SocketAddr::new(address, 0)).collect()
                }
            };
            Ok(addresses.into_iter())
        })
    }
}
