//! The contract of every transport, kept by each of ours.

use bytes::Bytes;
use http::{Request, Response};
use promptops_server::{Access, InProcess, Registry};
use promptops_transport::{
    HyperTransport, Pipeline, SharedTransport, Transport, TransportError, contract,
};
use promptops_types::RetryConfig;

use crate::over_http::serve;

/// What the embedded client puts in the place of a socket.
#[derive(Debug)]
struct Routes(InProcess);

impl Transport for Routes {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        Ok(self.0.call(request).await)
    }
}

#[tokio::test]
async fn routes_in_process_keep_the_contract() {
    let registry = Registry::in_memory().unwrap();
    let routes = Routes(InProcess::new(registry, Access::full("contract")));
    contract::check(&SharedTransport::new(routes), "http://in-process.invalid/v1").await;
}

#[tokio::test]
async fn hyper_keeps_the_contract_alone_and_in_a_pipeline() {
    let hyper = HyperTransport::new().unwrap();
    contract::check(&hyper, &format!("http://{}/v1", serve().await)).await;
    let pipeline = Pipeline::new(hyper, &RetryConfig::default()).circuit_breaker();
    contract::check(&pipeline, &format!("http://{}/v1", serve().await)).await;
}
