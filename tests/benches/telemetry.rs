//! What telemetry costs a hit of the cache in memory, beside a push onto crossbeam's `ArrayQueue`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints and may panic")]

mod row;
mod timed;

use std::future::{Future, IntoFuture};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crossbeam_queue::ArrayQueue;
use promptops_client::{
    Batch, Batcher, CallEvent, ExportFailure, Exported, NewPrompt, PromptOpsClient, Source,
    TelemetryConfig, TelemetryExporter, TelemetrySink, Timestamp,
};
use promptops_telemetry::Sampler;

use crate::row::{Target, compare, fact, median};
use crate::timed::{count, each, now, of_many, seconds_since};

const ROUNDS: usize = 25;
const CALLS: usize = 200_000;

/// A rate at which nothing is ever drawn, though it is asked each time.
const HARDLY_EVER: f64 = 1e-15;

fn main() {
    // As calls are: in a runtime. What sends events never gets to run, and the oldest make room.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _in_it = runtime.enter();
    let clients = [None, Some(0.0), Some(HARDLY_EVER), Some(1.0)].map(hitting);
    let mut hits_ns = [const { Vec::new() }; 4];
    let [mut push_ns, mut record_ns, mut draw_ns] = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        push_ns.push(push());
        record_ns.push(record());
        for (taken, one) in hits_ns.iter_mut().zip(hits(&clients)) {
            taken.push(one);
        }
        draw_ns.push(draws());
    }
    let [without_ns, off_ns, out_ns, on_ns] = hits_ns;
    let against = |theirs| ("ArrayQueue, an event pushed", theirs);
    let recorded: Vec<f64> = on_ns.iter().zip(&off_ns).map(|(on, off)| on - off).collect();
    let most = Some(Target::AtMost(2.0));
    compare("what a recorded hit costs more", against(&push_ns[..]), (&recorded, "ns"), most);
    compare("`record` alone, the queue full", against(&push_ns[..]), (&record_ns, "ns"), None);
    let peer = ("a hit with telemetry off", &off_ns[..]);
    let most = Some(Target::AtMost(1.2));
    compare("a hit that is sampled out", peer, (&out_ns, "ns"), most);
    let peer = ("a client without telemetry", &without_ns[..]);
    compare("a hit with telemetry off, at a rate of 0", peer, (&off_ns, "ns"), None);
    let off = median(draw_ns);
    let what = "telemetry off: what a call asks instead, alone";
    fact(what, "", &format!("{off:.2} ns"), "at most 2 ns", off <= 2.0);
}

fn event() -> CallEvent {
    CallEvent::new("get_prompt", Timestamp::default())
        .with_prompt("customer-service-greeting")
        .with_version("1.2.0")
        .with_source(Source::Near)
}

/// Is never asked.
#[derive(Debug)]
struct Nowhere;

impl TelemetryExporter for Nowhere {
    async fn export(&self, batch: &Batch) -> Result<Exported, ExportFailure> {
        Ok(Exported::new(batch.events().len()))
    }
}

/// A client with a prompt in its cache; its telemetry at a rate, or not at all.
fn hitting(rate: Option<f64>) -> PromptOpsClient {
    let builder = PromptOpsClient::builder().base_url("sqlite::memory:");
    let builder = match rate {
        Some(rate) => {
            let telemetry = TelemetryConfig::default().sample_rate(rate);
            builder.telemetry_sink(Batcher::new(&telemetry, Nowhere)).telemetry(telemetry)
        }
        None => builder.telemetry(TelemetryConfig::disabled()),
    };
    let client = builder.build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Another one: it can be waited for here.
    let filling = client.clone();
    let filled = std::thread::spawn(move || runtime.block_on(async { fill(&filling).await }));
    filled.join().unwrap();
    client
}

async fn fill(client: &PromptOpsClient) {
    client.create_prompt(NewPrompt::new("Greeting", "Hello")).await.unwrap();
    client.get_prompt("greeting").await.unwrap();
    client.flush_telemetry().await.unwrap();
}

/// Nanoseconds of a hit of each, by turns of few: what slows the machine down slows all of them down.
fn hits<const N: usize>(clients: &[PromptOpsClient; N]) -> [f64; N] {
    const TURN: usize = 1_000;
    let mut context = Context::from_waker(Waker::noop());
    let mut taken = [0.0; N];
    for _ in 0..CALLS / TURN {
        for (client, taken) in clients.iter().zip(&mut taken) {
            *taken += each(TURN, |_| {
                let hit = pin!(client.get_prompt("greeting").into_future());
                assert!(matches!(black_box(hit.poll(&mut context)), Poll::Ready(Ok(_))));
            });
        }
    }
    taken.map(|sum| sum / count(CALLS / TURN))
}

/// Nanoseconds of one of as many as a queue holds, with what is made ready before not counted.
fn each_of_a_queue<Q>(queue: impl Fn() -> Q, mut push: impl FnMut(&Q, CallEvent)) -> f64 {
    const HELD: usize = 2048;
    let mut seconds = 0.0;
    for _ in 0..CALLS / HELD {
        let events: Vec<CallEvent> = (0..HELD).map(|_| event()).collect();
        let queue = queue();
        let started = now();
        for event in events {
            push(&queue, event);
        }
        seconds += seconds_since(started);
    }
    of_many(seconds, CALLS / HELD * HELD)
}

fn push() -> f64 {
    each_of_a_queue(|| ArrayQueue::new(2048), |queue, event| drop(black_box(queue.push(event))))
}

fn record() -> f64 {
    let sink = Batcher::new(&TelemetryConfig::default(), Nowhere);
    // Full, as it is at its worst: the oldest makes room.
    (0..2048).for_each(|_| sink.record(event()));
    each_of_a_queue(|| &sink, |sink, event| sink.record(event))
}

fn draws() -> f64 {
    let sampler = Sampler::new(0.0);
    each(CALLS, |_| assert!(!black_box(&sampler).draw()))
}
