//! The client over real sockets, to the same routes that the embedded registry is called by.

use std::net::SocketAddr;

use promptops_client::{
    ErrorKind, ModelProvider, NewPrompt, PromptOpsClient, PromptUpdate, Source, vars,
};
use promptops_server::{Access, Registry};
use tokio::net::TcpListener;

use crate::quiet;

/// Serves a registry on a free port of this machine until the test ends.
pub(crate) async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = promptops_server::router(Registry::in_memory().unwrap());
    // Outermost, so that the routes find it: what a server's authentication will put there.
    let router = axum::Router::new()
        .fallback_service(router)
        .layer(axum::Extension(Access::full("over http")));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn client(address: SocketAddr) -> PromptOpsClient {
    quiet().base_url(format!("http://{address}/v1")).api_key("po_test").build().unwrap()
}

#[tokio::test]
async fn a_prompts_life_over_http() {
    let client = client(serve().await);
    let created = client.create_prompt(NewPrompt::new("Größe/1", "Hi {{ name }}")).await.unwrap();
    assert_eq!((created.slug.as_str(), created.created_by.as_str()), ("größe-1", "over http"));
    let fetched = client.get_prompt("größe-1").fetch().await.unwrap();
    assert_eq!((fetched.source, &*fetched.value), (Source::Network, &*created));

    let update = PromptUpdate::new().content("Hello {{ name }}");
    let etag = fetched.etag.unwrap();
    client.update_prompt("größe-1", update.clone()).if_match(&etag).await.unwrap();
    let stale = client.update_prompt("größe-1", update).if_match(&etag).await.unwrap_err();
    assert_eq!(stale.status(), Some(412));
    client.set_label("größe-1", "eu/west", "1.0.0").await.unwrap();
    let render = client
        .render_prompt("größe-1", vars! { "name" => "Ann" })
        .version("eu/west")
        .model(ModelProvider::OpenAi, "gpt-4")
        .await
        .unwrap();
    assert_eq!(render.rendered_content, "Hi Ann");
    assert_eq!(client.list_prompts().await.unwrap().len(), 1);
    assert_eq!(client.get_prompts(["größe-1", "gone"]).await.unwrap().total_found, 1);
    assert!(client.get_model_compatibility("größe-1", "openai", "gpt-4").await.unwrap());
    assert!(client.delete_prompt("größe-1").force(true).await.unwrap());
    let error = client.get_prompt("größe-1").await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::PromptNotFound, 1));
}

#[tokio::test]
async fn no_registry_is_a_network_error_after_three_attempts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = client(address).get_prompt("greeting").await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Network, 3));
    assert!(error.is_retryable());
    assert!(error.to_string().contains(&format!("cannot connect to {address}")), "{error}");
}
