use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use promptops_registry::{Access, Registry};
use tower::ServiceExt;

/// The contract's routes called inside the process: the same code as behind a socket, without one.
/// A clone shares the registry.
#[derive(Debug, Clone)]
pub struct InProcess {
    router: Router,
    access: Access,
}

impl InProcess {
    /// Calls the routes over `registry` as `access`.
    pub fn new(registry: Registry, access: Access) -> Self {
        Self { router: crate::router(registry), access }
    }

    /// Answers one request. Only the path, query and headers of its URI matter, not the host.
    ///
    /// # Cancel safety
    /// A dropped write is made whole or not at all.
    pub async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        let mut request = request.map(Body::from);
        request.extensions_mut().insert(self.access.clone());
        let answered: Result<_, Infallible> = self.router.clone().oneshot(request).await;
        let (mut parts, body) = match answered {
            Ok(response) => response.into_parts(),
            Err(never) => match never {},
        };
        let bytes = match body.collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(error) => {
                tracing::error!(%error, "a body in memory could not be read");
                parts.status = StatusCode::INTERNAL_SERVER_ERROR;
                Bytes::new()
            }
        };
        Response::from_parts(parts, bytes)
    }
}
