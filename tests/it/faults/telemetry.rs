//! Rows 29 to 31: telemetry touches no caller, loses nothing when it ends well, and counts nothing twice.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use promptops_client::{
    Batch, Batcher, ExportFailure, Exported, HyperTransport, NewPrompt, PromptOpsClient,
    TelemetryConfig, TelemetryExporter,
};
use promptops_registry::StatsQuery;
use promptops_server::Access;
use promptops_transport::{Clock, TokioClock};
use promptops_types::TimeSource;
use tokio::runtime::{Builder, Runtime};

use super::server::Losing;
use super::{row, runs, seed, since, size};
use crate::server::start;

/// What is behind the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    Works,
    Slow,
    Dead,
    Fails,
}

#[derive(Debug)]
struct Receiver {
    behind: Behind,
    counted: Arc<AtomicU64>,
}

impl TelemetryExporter for Receiver {
    async fn export(&self, batch: &Batch) -> Result<Exported, ExportFailure> {
        match self.behind {
            Behind::Works => {}
            Behind::Slow => TokioClock.sleep(Duration::from_millis(50)).await,
            Behind::Dead => std::future::pending().await,
            Behind::Fails => return Err(ExportFailure::retryable("503")),
        }
        self.counted.fetch_add(batch.events().len() as u64, Ordering::SeqCst);
        Ok(Exported::new(batch.events().len()))
    }
}

fn client(behind: Option<Behind>, counted: &Arc<AtomicU64>) -> PromptOpsClient {
    let telemetry = match behind {
        Some(_) => TelemetryConfig::default().sample_rate(1.0),
        None => TelemetryConfig::disabled(),
    };
    let receiver = Receiver { behind: behind.unwrap_or(Behind::Works), counted: counted.clone() };
    PromptOpsClient::builder()
        .base_url("sqlite::memory:")
        .telemetry_sink(Batcher::new(&telemetry, receiver))
        .telemetry(telemetry)
        .build()
        .unwrap()
}

/// Hits at a pace of 50 000 a second and more, while somebody else reads the books. Gives how many, at
/// which pace, how long the slowest one in a thousand took, and how many readings did not balance.
async fn load(client: &PromptOpsClient, calls: u64) -> (f64, Duration, u64, u64) {
    client.create_prompt(NewPrompt::new("Greeting", "Hello")).await.unwrap();
    client.get_prompt("greeting").await.unwrap();
    let (is_over, wrong) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let reader = {
        let (client, is_over, wrong) = (client.clone(), is_over.clone(), wrong.clone());
        std::thread::spawn(move || {
            let mut most = 0;
            while !is_over.load(Ordering::SeqCst) {
                let told = client.telemetry_summary();
                let parts = told.exported_events + told.dropped_events + told.pending_events;
                wrong.fetch_add(u64::from(parts != told.emitted_events), Ordering::SeqCst);
                most = most.max(told.pending_events);
                std::thread::yield_now();
            }
            most
        })
    };
    let started = TokioClock.monotonic();
    let mut took = Vec::new();
    for number in 0..calls {
        let call = (number % 100 == 0).then(|| TokioClock.monotonic());
        client.get_prompt("greeting").await.unwrap();
        if let Some(call) = call {
            took.push(since(call));
            // Now and then the sender gets its turn, on a runtime of one thread too.
            tokio::task::yield_now().await;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a pace")]
    let pace = calls as f64 / since(started).as_secs_f64();
    is_over.store(true, Ordering::SeqCst);
    let most = reader.join().unwrap();
    took.sort();
    (pace, took[took.len() * 999 / 1000], wrong.load(Ordering::SeqCst), most)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_29_a_sink_that_is_slow_dead_or_failing_touches_no_caller() {
    let calls = runs(200_000) as u64;
    let counted = Arc::default();
    let (_, undisturbed, ..) = load(&client(None, &counted), calls).await;
    let (mut slowest_pace, mut mismatches, mut most_pending) = (f64::MAX, 0, 0);
    let (mut worst, mut longest_close) = (undisturbed, Duration::ZERO);
    for behind in [Behind::Slow, Behind::Dead, Behind::Fails] {
        let client = client(Some(behind), &counted);
        let (pace, slow, wrong, most) = load(&client, calls).await;
        slowest_pace = slowest_pace.min(pace);
        (worst, mismatches) = (worst.max(slow), mismatches + wrong);
        most_pending = most_pending.max(most);
        let started = TokioClock.monotonic();
        let closed = client.shutdown().await;
        longest_close = longest_close.max(since(started));
        assert_eq!(closed.is_ok(), behind == Behind::Slow, "{behind:?}: {closed:?}");
        let told = client.telemetry_summary();
        let parts = told.exported_events + told.dropped_events + told.pending_events;
        assert_eq!((parts, told.pending_events), (told.emitted_events, 0), "{behind:?}: {told:?}");
        assert_eq!(told.emitted_events, calls + 2);
    }
    assert_eq!(mismatches, 0);
    assert!(most_pending <= 2048, "{most_pending} waited");
    let measured = format!(
        "{mismatches} mismatches at {slowest_pace:.0} events a second and more, {most_pending} \
         pending at most, closed in {:.2} s; p99.9 of a hit {worst:.1?}, undisturbed {undisturbed:.1?}",
        longest_close.as_secs_f64(),
    );
    let met = slowest_pace >= 50_000.0 && longest_close <= Duration::from_millis(5050);
    let promised = "0 mismatches at 50 000 events a second; close within 5 s";
    row(29, "telemetry sink slow, dead, failing", promised, measured, met);
}

fn runtimes() -> [Runtime; 2] {
    let one = Builder::new_current_thread().enable_all().build().unwrap();
    let several = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    [one, several]
}

#[test]
fn row_30_a_healthy_sink_is_closed_without_a_loss() {
    let closes = runs(1000);
    let mut chance = Rng::with_seed(seed());
    let runtimes = runtimes();
    let mut lossless = 0;
    for number in 0..closes {
        let counted = Arc::default();
        let client = client(Some(Behind::Works), &counted);
        let hits = chance.u64(..300);
        let work = async {
            client.create_prompt(NewPrompt::new("Greeting", "Hello")).await.unwrap();
            for _ in 0..hits {
                client.get_prompt("greeting").await.unwrap();
            }
        };
        match number % 3 {
            flavour @ (0 | 1) => runtimes[flavour].block_on(async {
                work.await;
                client.shutdown().await.unwrap();
                client.shutdown().await.unwrap();
            }),
            _ => {
                // Closed by a client without async, inside the runtime of the other.
                runtimes[0].block_on(async {
                    work.await;
                    let blocking =
                        promptops_client::blocking::PromptOpsClient::from(client.clone());
                    blocking.shutdown().unwrap();
                    blocking.shutdown().unwrap();
                });
            }
        }
        lossless += usize::from(counted.load(Ordering::SeqCst) == hits + 1);
    }
    assert_eq!(lossless, closes);
    let measured = format!("{lossless} of {closes}: one thread, several, and blocking; each twice");
    row(
        30,
        "close with a healthy sink",
        "nothing lost, no deadlock; 1 000 of 1 000",
        measured,
        true,
    );
}

#[tokio::test]
async fn row_31_a_batch_that_is_sent_twice_is_counted_once() {
    let server = start().await;
    let lost = Arc::new(AtomicUsize::new(0));
    let losing = Losing {
        inner: HyperTransport::new().unwrap(),
        lost: Arc::clone(&lost),
        chance: Mutex::new(Rng::with_seed(seed())),
    };
    let client = PromptOpsClient::builder()
        .base_url(format!("http://{}/v1", server.address))
        .api_key(server.admin.clone())
        .telemetry(TelemetryConfig::default().sample_rate(1.0).queue_size(20_000))
        .timeout(Duration::from_mins(2))
        .transport(losing)
        .build()
        .unwrap();
    client.create_prompt(NewPrompt::new("Greeting", "Hello")).await.unwrap();
    let events = runs(10_000) as u64;
    while client.telemetry_summary().emitted_events < events {
        let _ = client.get_prompt("greeting").await;
    }
    client.flush_telemetry().await.unwrap();
    let (access, all) = (Access::full("test"), StatsQuery::default());
    let counted = server.registry.usage_stats(&access, &all).await.unwrap().totals.requests;
    let told = client.telemetry_summary();
    assert_eq!((told.exported_events, told.dropped_events), (events, 0), "{told:?}");
    assert_eq!(counted, events, "{told:?}");
    let lost = lost.load(Ordering::SeqCst);
    assert!(lost > 0 || size() == super::Size::Small, "no answer was lost");
    let measured = format!("{counted} counted of {events}, {lost} answers lost and sent again");
    row(31, "a batch sent twice", "counted once, exact over 10 000 events", measured, true);
}
