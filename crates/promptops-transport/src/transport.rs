use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

use crate::TransportError;

/// Sends a request and gives the response. Implementors write `async fn send`.
///
/// Bodies are buffered and limited by the transport; streaming is a non-goal. A status is never an
/// error: only a response that does not come is one.
///
/// # Cancel safety
/// Dropping the future may leave the request carried out or not.
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends one request. Its URI is absolute.
    ///
    /// # Errors
    /// [`TransportError`], whose kind says whether the request may be sent again.
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Bytes>, TransportError>> + Send;
}

pub(crate) type Sending<'a> =
    Pin<Box<dyn Future<Output = Result<Response<Bytes>, TransportError>> + Send + 'a>>;

/// The object-safe form of [`Transport`].
trait DynTransport: fmt::Debug + Send + Sync {
    fn send(&self, request: Request<Bytes>) -> Sending<'_>;
}

impl<T: Transport> DynTransport for T {
    fn send(&self, request: Request<Bytes>) -> Sending<'_> {
        Box::pin(Transport::send(self, request))
    }
}

/// Any transport behind one type; a clone shares it.
#[derive(Debug, Clone)]
pub struct SharedTransport(Arc<dyn DynTransport>);

impl SharedTransport {
    /// Wraps a transport.
    pub fn new(transport: impl Transport) -> Self {
        Self(Arc::new(transport))
    }

    /// The future as it is inside, without another around it.
    pub(crate) fn sending(&self, request: Request<Bytes>) -> Sending<'_> {
        self.0.send(request)
    }
}

impl Transport for SharedTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.0.send(request).await
    }
}

/// A transport made of a function; see [`from_fn`].
#[derive(Clone)]
pub struct FnTransport<F>(F);

/// A transport that calls a function: for tests, or for a few lines around another client.
pub fn from_fn<F, O>(send: F) -> FnTransport<F>
where
    F: Fn(Request<Bytes>) -> O + Send + Sync + 'static,
    O: Future<Output = Result<Response<Bytes>, TransportError>> + Send,
{
    FnTransport(send)
}

impl<F> fmt::Debug for FnTransport<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FnTransport")
    }
}

impl<F, O> Transport for FnTransport<F>
where
    F: Fn(Request<Bytes>) -> O + Send + Sync + 'static,
    O: Future<Output = Result<Response<Bytes>, TransportError>> + Send,
{
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Bytes>, TransportError>> + Send {
        (self.0)(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RetryRule, TransportErrorKind};

    #[tokio::test]
    async fn a_shared_transport_sends_through_the_one_it_holds() {
        let refused = from_fn(|request: Request<Bytes>| async move {
            let message = format!("cannot connect to {}", request.uri());
            Err(TransportError::new(TransportErrorKind::Connect, message)
                .with_source(std::io::Error::other("refused")))
        });
        let shared = SharedTransport::new(refused).clone();
        let request = Request::get("http://127.0.0.1:1/").body(Bytes::new()).unwrap();
        let error = Transport::send(&shared, request).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot connect to http://127.0.0.1:1/");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "refused");
        assert_eq!(error.kind().retry_rule(), RetryRule::Always);
    }
}
