//! The contract of every transport, kept by each of ours.

use promptops_client::EmbeddedTransport;
use promptops_transport::{HyperTransport, Pipeline, SharedTransport, contract};
use promptops_types::RetryConfig;
use tokio::net::TcpListener;

use crate::over_http::serve;

#[tokio::test]
async fn the_embedded_registry_keeps_the_contract() {
    let embedded = EmbeddedTransport::open("sqlite::memory:").unwrap();
    contract::check(&SharedTransport::new(embedded), EmbeddedTransport::BASE_URL).await;
    let error = EmbeddedTransport::open("https://h/v1").unwrap_err();
    assert!(error.message().contains("sqlite:PATH"), "{error}");
}

#[tokio::test]
async fn hyper_keeps_the_contract_alone_and_in_a_pipeline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let hyper = HyperTransport::new().unwrap();
    contract::check(&hyper, &format!("http://{}/v1", serve().await)).await;
    contract::check_unreachable(&hyper, &nobody).await;
    let pipeline = Pipeline::new(hyper, &RetryConfig::default()).circuit_breaker();
    contract::check(&pipeline, &format!("http://{}/v1", serve().await)).await;
    contract::check_unreachable(&SharedTransport::new(pipeline), &nobody).await;
}
