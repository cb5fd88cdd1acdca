use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

use crate::TransportError;

/// Something around a request: it may change the request, the response, or answer by itself.
/// Implementors write `async fn handle`. Where it runs, once a call or once an attempt, is the
/// pipeline's.
pub trait Middleware: fmt::Debug + Send + Sync + 'static {
    /// Handles a request; `next.run(request)` passes it on.
    ///
    /// # Errors
    /// Whatever it, or what follows it, cannot do.
    fn handle(
        &self,
        request: Request<Bytes>,
        next: Next<'_>,
    ) -> impl Future<Output = Result<Response<Bytes>, TransportError>> + Send;
}

pub(crate) type Answering<'a> =
    Pin<Box<dyn Future<Output = Result<Response<Bytes>, TransportError>> + Send + 'a>>;

/// The object-safe form of [`Middleware`].
trait DynMiddleware: fmt::Debug + Send + Sync {
    fn handle<'a>(&'a self, request: Request<Bytes>, next: Next<'a>) -> Answering<'a>;
}

impl<M: Middleware> DynMiddleware for M {
    fn handle<'a>(&'a self, request: Request<Bytes>, next: Next<'a>) -> Answering<'a> {
        Box::pin(Middleware::handle(self, request, next))
    }
}

/// Any middleware behind one type; a clone shares it.
#[derive(Debug, Clone)]
pub struct SharedMiddleware(Arc<dyn DynMiddleware>);

impl SharedMiddleware {
    /// Wraps a middleware.
    pub fn new(middleware: impl Middleware) -> Self {
        Self(Arc::new(middleware))
    }
}

impl Middleware for SharedMiddleware {
    async fn handle(
        &self,
        request: Request<Bytes>,
        next: Next<'_>,
    ) -> Result<Response<Bytes>, TransportError> {
        self.0.handle(request, next).await
    }
}

/// What stands behind the last middleware of a slot.
pub(crate) trait Endpoint: Send + Sync {
    fn call(&self, request: Request<Bytes>) -> Answering<'_>;
}

/// What follows a middleware.
pub struct Next<'a> {
    rest: &'a [SharedMiddleware],
    end: &'a dyn Endpoint,
}

impl<'a> Next<'a> {
    pub(crate) fn new(rest: &'a [SharedMiddleware], end: &'a dyn Endpoint) -> Self {
        Self { rest, end }
    }

    /// Passes a request on.
    ///
    /// # Errors
    /// Whatever follows cannot do.
    pub fn run(
        self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Bytes>, TransportError>> + Send + use<'a> {
        match self.rest {
            [] => self.end.call(request),
            [first, rest @ ..] => first.0.handle(request, Next { rest, end: self.end }),
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("rest", &self.rest).finish_non_exhaustive()
    }
}
