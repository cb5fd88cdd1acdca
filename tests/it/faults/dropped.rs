//! Row 32: any call, dropped at any await, leaves nothing behind.

use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http::Request;
use promptops_client::{
    CircuitState, NewPrompt, PromptOpsClient, PromptUpdate, RetryConfig, TelemetryConfig, vars,
};
use promptops_transport::{Clock, HyperTransport, Pipeline, TokioClock, Transport};
use tokio::runtime::Runtime;

use super::{row, runs, seed};
use crate::chaos::{ChaosProxy, Odds};
use crate::over_http::serve;

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Slow and in pieces, so that there are many awaits to drop at, and now and then a reset, so that
/// some calls are dropped while they wait to try again.
const SLOW: Odds = Odds { refused: 0, reset: 20, cut: 20, stalled: 0, delayed: 100, split: 500 };

/// Most polls before a call is dropped: the first sends, and few need more than this.
const MOST_POLLS: usize = 8;

fn running<T>(request: impl IntoFuture<Output = T, IntoFuture: Send + 'static>) -> Running {
    let future = request.into_future();
    Box::pin(async {
        let _ = future.await;
    })
}

/// Every operation of the client, and the pipeline by itself.
fn operation(number: usize, client: &PromptOpsClient, stages: &Pipeline, url: &str) -> Running {
    match number % 23 {
        0 => running(client.get_prompt("kept").use_cache(false)),
        1 => running(client.render_prompt("kept", vars! { "name" => "Ann" })),
        2 => running(client.list_prompts().limit(5).use_cache(false)),
        3 => running(client.create_prompt(NewPrompt::new("New", "Hi {{ name }}"))),
        4 => running(client.update_prompt("changed", PromptUpdate::new().description("d"))),
        5 => running(client.delete_prompt("none")),
        6 => running(client.validate_prompt("kept")),
        7 => running(client.get_model_compatibility("kept", "openai", "gpt-4")),
        8 => running(client.list_models().use_cache(false)),
        9 => running(client.get_prompts(["kept", "changed", "none"])),
        10 => running(client.prompt_versions("kept")),
        11 => running(client.diff_prompt("changed", "1.0.0", "latest")),
        12 => running(client.labels("changed")),
        13 => running(client.set_label("changed", "production", "1.0.0")),
        14 => running(client.undo_label("changed", "production")),
        15 => running(client.remove_label("changed", "production")),
        16 => running(client.get_prompt("kept").fetch()),
        17 => running(client.prefetch(["kept", "changed"])),
        18 => running(client.clear_cache().prompt("kept")),
        19 => {
            let client = client.clone();
            Box::pin(async move {
                let _ = client.flush_telemetry().await;
            })
        }
        20 => {
            let client = client.clone();
            Box::pin(async move {
                let _ = client.health_check().await;
            })
        }
        21 => {
            let client = client.clone();
            Box::pin(async move {
                let _ = client.initialize().await;
            })
        }
        _ => {
            let request = Request::get(url).body(Bytes::new()).unwrap();
            let stages = stages.clone();
            Box::pin(async move {
                let _ = stages.send(request).await;
            })
        }
    }
}

/// Polls a future so often, whenever it is woken, and drops it.
async fn poll_times(future: Running, polls: usize) -> bool {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        future.as_mut().poll(context).map(|()| true)
    })
    .await
}

/// Waits until a gauge shows what it should, 10 s at most.
async fn settles(gauge: impl Fn() -> bool) -> bool {
    for _ in 0..1000 {
        if gauge() {
            return true;
        }
        TokioClock.sleep(Duration::from_millis(10)).await;
    }
    false
}

#[test]
fn row_32_a_dropped_call_leaves_nothing() {
    let servers = Runtime::new().unwrap();
    let (proxy, registry) = servers.block_on(async {
        let registry = serve().await;
        (ChaosProxy::start(registry, seed(), SLOW).await, registry)
    });
    let warm = Runtime::new().unwrap();
    warm.block_on(async {
        let url = format!("http://{registry}/v1");
        let client = PromptOpsClient::builder().base_url(url).build().unwrap();
        client.create_prompt(NewPrompt::new("Kept", "Hello {{ name }}")).await.unwrap();
        client.create_prompt(NewPrompt::new("Changed", "Hello")).await.unwrap();
        client.update_prompt("changed", PromptUpdate::new().content("Dear")).await.unwrap();
    });
    drop(warm);
    let drops = runs(10_000);
    let callers = 8;
    let clients = Runtime::new().unwrap();
    let tasks = || clients.metrics().num_alive_tasks();
    let (begun, dropped) = clients.block_on(async {
        let url = format!("http://{}/v1", proxy.address);
        let telemetry = TelemetryConfig::default().sample_rate(1.0).batch_size(10);
        let builder = PromptOpsClient::builder().base_url(&url).telemetry(telemetry);
        let client = builder.build().unwrap();
        let pipeline = Pipeline::new(HyperTransport::new().unwrap(), &RetryConfig::default());
        let pipeline = pipeline.circuit_breaker();
        let list = format!("{url}/client/prompts/kept");
        let running: Vec<_> = (0..callers)
            .map(|caller| {
                let (client, pipeline, list) = (client.clone(), pipeline.clone(), list.clone());
                tokio::spawn(async move {
                    let mut chance = Rng::with_seed(seed().wrapping_add(caller));
                    let (mut begun, mut dropped) = (0, 0);
                    while dropped < drops / usize::try_from(callers).unwrap() {
                        let call = operation(chance.usize(..), &client, &pipeline, &list);
                        let was_dropped = !poll_times(call, chance.usize(1..=MOST_POLLS)).await;
                        begun += 1;
                        dropped += usize::from(was_dropped);
                        if was_dropped && dropped % 20 == 0 {
                            // The network may fail it; it may not be another's answer.
                            match client.get_prompt("kept").use_cache(false).await {
                                Ok(next) => assert_eq!(next.content, "Hello {{ name }}"),
                                Err(error) => assert!(error.is_retryable(), "{error}"),
                            }
                        }
                    }
                    (begun, dropped)
                })
            })
            .collect();
        let (mut begun, mut dropped) = (0, 0);
        for caller in running {
            let of_one: (usize, usize) = caller.await.unwrap();
            begun += of_one.0;
            dropped += of_one.1;
        }
        for _ in 0..20 {
            let request = Request::get(&list).body(Bytes::new()).unwrap();
            let _ = pipeline.send(request).await;
        }
        assert_eq!(pipeline.circuit_state(&list.parse().unwrap()), CircuitState::Closed);
        assert_eq!(client.circuit_state(), CircuitState::Closed);
        let _ = client.shutdown().await;
        let told = client.telemetry_summary();
        let parts = told.exported_events + told.dropped_events;
        assert_eq!((told.pending_events, parts), (0, told.emitted_events), "{told:?}");
        (begun, dropped)
    });
    let settled = servers.block_on(settles(|| tasks() == 0));
    assert!(settled, "{} tasks are left", tasks());
    let settled = servers.block_on(settles(|| proxy.open_connections() == 0));
    assert!(settled, "{} connections are left open", proxy.open_connections());
    drop(clients);
    let measured = format!(
        "{dropped} dropped of {begun} calls of 23 kinds; 0 tasks, connections and events left, circuit closed"
    );
    let promised = "10 000 drops; gauges back to start";
    row(32, "any public future dropped at any await", promised, measured, true);
}
