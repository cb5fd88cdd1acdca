//! The batcher: nothing lost, nothing counted twice, nobody waited for.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use promptops_telemetry::{
    Batch, Batcher, CallEvent, ExportFailure, Exported, TelemetryExporter, TelemetrySink, contract,
};
use promptops_types::{Driver, Task, TelemetryConfig, Timestamp};
use tokio::sync::Notify;

/// What a receiver does with each batch, and what it has seen.
#[derive(Debug, Clone, Default)]
struct Receiver {
    script: Arc<Mutex<Vec<Answer>>>,
    /// The ids of the batches, as they came.
    ids: Arc<Mutex<Vec<String>>>,
    /// What was counted, each batch once.
    counted: Arc<Mutex<(HashSet<String>, usize)>>,
    sent: Arc<Notify>,
}

#[derive(Debug, Clone)]
enum Answer {
    Fails,
    /// It counts the batch, and the answer is lost.
    Vanishes,
    Refuses(usize),
    Forbids,
    Hangs,
}

impl Receiver {
    fn scripted(script: impl IntoIterator<Item = Answer>) -> Self {
        let receiver = Self::default();
        *receiver.script.lock().unwrap() = script.into_iter().collect();
        receiver
    }

    fn ids(&self) -> Vec<String> {
        self.ids.lock().unwrap().clone()
    }

    fn counted(&self) -> usize {
        self.counted.lock().unwrap().1
    }

    fn count(&self, batch: &Batch) {
        let mut counted = self.counted.lock().unwrap();
        if counted.0.insert(batch.id().to_owned()) {
            counted.1 += batch.events().len();
        }
    }
}

impl TelemetryExporter for Receiver {
    async fn export(&self, batch: &Batch) -> Result<Exported, ExportFailure> {
        self.ids.lock().unwrap().push(batch.id().to_owned());
        self.sent.notify_one();
        let events = batch.events().len();
        let answer = {
            let mut script = self.script.lock().unwrap();
            (!script.is_empty()).then(|| script.remove(0))
        };
        match answer {
            None => {
                self.count(batch);
                Ok(Exported::new(events))
            }
            Some(Answer::Fails) => Err(ExportFailure::retryable("503")),
            Some(Answer::Vanishes) => {
                self.count(batch);
                Err(ExportFailure::retryable("no answer"))
            }
            Some(Answer::Refuses(refused)) => Ok(Exported::new(events - refused)),
            Some(Answer::Forbids) => Err(ExportFailure::permanent("403")),
            Some(Answer::Hangs) => std::future::pending().await,
        }
    }
}

/// A runtime that always runs.
#[derive(Debug)]
struct Beside(tokio::runtime::Handle);

impl Driver for Beside {
    fn is_running(&self) -> bool {
        true
    }

    fn spawn(&self, task: Task) {
        self.0.spawn(task);
    }
}

fn event() -> CallEvent {
    CallEvent::new("get_prompt", Timestamp::default()).with_prompt("greeting")
}

fn record(sink: &Batcher, events: usize) {
    (0..events).for_each(|_| sink.record(event()));
}

fn config(batch_size: usize) -> TelemetryConfig {
    let mut config = TelemetryConfig::default();
    config.batch_size = batch_size;
    config
}

fn batcher(receiver: &Receiver) -> Batcher {
    Batcher::new(&config(10), receiver.clone())
}

const LIMIT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn it_keeps_the_contract() {
    contract::check(|| batcher(&Receiver::default())).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_goes_at_once_and_the_rest_in_its_time() {
    let receiver = Receiver::default();
    let sink = batcher(&receiver);
    let began = tokio::time::Instant::now();
    record(&sink, 10);
    receiver.sent.notified().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    record(&sink, 3);
    receiver.sent.notified().await;
    assert_eq!(began.elapsed(), config(10).flush_interval);
    assert_eq!(receiver.counted(), 13);
}

#[tokio::test(start_paused = true)]
async fn a_batch_whose_answer_is_lost_is_sent_again_under_its_id_and_counted_once() {
    let receiver = Receiver::scripted([Answer::Vanishes, Answer::Fails]);
    let sink = batcher(&receiver);
    record(&sink, 25);
    sink.flush(LIMIT).await.unwrap();
    let ids = receiver.ids();
    assert_eq!(ids.len(), 5);
    assert!(ids[0] == ids[1] && ids[1] == ids[2]);
    assert_eq!(receiver.counted(), 25);
    assert_eq!(sink.ledger().exported, 25);
    assert_eq!(sink.last_failure(), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_dropped_and_told() {
    let receiver = Receiver::scripted([Answer::Refuses(4), Answer::Forbids]);
    let sink = batcher(&receiver);
    record(&sink, 20);
    let failure = sink.flush(LIMIT).await.unwrap_err();
    assert_eq!(failure.to_string(), "14 telemetry events could not be sent: 403");
    let ledger = sink.ledger();
    assert_eq!((ledger.exported, ledger.dropped, ledger.pending), (6, 14, 0));
    assert_eq!(sink.last_failure().as_deref(), Some("403"));
}

#[tokio::test(start_paused = true)]
async fn a_dead_receiver_is_given_up_after_a_while_and_costs_the_oldest() {
    let mut config = config(10);
    config.queue_size = 20;
    let receiver = Receiver::scripted(vec![Answer::Fails; 10]);
    let sink = Batcher::new(&config, receiver.clone());
    record(&sink, 50);
    assert_eq!(sink.ledger().dropped, 30);
    let failure = sink.shutdown(LIMIT).await.unwrap_err();
    assert_eq!(failure.to_string(), "20 telemetry events could not be sent: 503");
    assert!(sink.ledger().is_balanced() && sink.ledger().pending == 0);
}

#[tokio::test(start_paused = true)]
async fn an_end_is_in_time_though_the_receiver_hangs() {
    let sink = batcher(&Receiver::scripted([Answer::Hangs]));
    record(&sink, 12);
    let began = tokio::time::Instant::now();
    let failure = sink.shutdown(LIMIT).await.unwrap_err();
    assert!(began.elapsed() <= LIMIT + Duration::from_millis(5), "{:?}", began.elapsed());
    assert_eq!(failure.unsent, 12);
    assert!(sink.ledger().is_balanced());
}

#[tokio::test(start_paused = true)]
async fn an_end_calls_back_what_its_task_was_sending() {
    let receiver = Receiver::scripted([Answer::Hangs]);
    let sink = batcher(&receiver);
    record(&sink, 10);
    receiver.sent.notified().await;
    assert_eq!(sink.shutdown(LIMIT).await.unwrap_err().unsent, 10);
    let ledger = sink.ledger();
    assert_eq!((ledger.dropped, ledger.pending), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn events_that_come_while_it_ends_are_not_taken_for_those_that_wait() {
    let receiver = Receiver::default();
    let sink = batcher(&receiver);
    record(&sink, 35);
    let ending = sink.shutdown(LIMIT);
    let (ended, ()) = tokio::join!(ending, async { record(&sink, 500) });
    ended.unwrap();
    let ledger = sink.ledger();
    assert!(ledger.is_balanced());
    assert_eq!((ledger.exported + ledger.dropped, ledger.pending), (535, 0));
    assert!(receiver.counted() >= 35, "what waited was sent: {ledger}");
}

#[tokio::test(start_paused = true)]
async fn what_its_task_loses_is_told_by_whoever_flushes() {
    let receiver = Receiver::scripted([Answer::Forbids]);
    let sink = batcher(&receiver);
    record(&sink, 10);
    // The task has its turn first.
    let flushing = sink.flush(LIMIT);
    let (flushed, ()) = tokio::join!(flushing, receiver.sent.notified());
    assert_eq!(flushed.unwrap_err().unsent, 10);
}

#[tokio::test(start_paused = true)]
async fn full_batches_do_not_hurry_the_next_try() {
    let mut config = config(10);
    config.queue_size = 20;
    let receiver = Receiver::scripted([Answer::Fails, Answer::Fails]);
    let sink = Batcher::new(&config, receiver.clone());
    let began = tokio::time::Instant::now();
    record(&sink, 10);
    receiver.sent.notified().await;
    tokio::task::yield_now().await;
    record(&sink, 50);
    receiver.sent.notified().await;
    assert_eq!(began.elapsed(), Duration::from_secs(1));
    record(&sink, 50);
    receiver.sent.notified().await;
    assert_eq!(began.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_shorter_interval_counts_from_now_on() {
    let receiver = Receiver::default();
    let mut config = config(10);
    config.flush_interval = Duration::from_hours(1);
    let sink = Batcher::new(&config, receiver.clone());
    let began = tokio::time::Instant::now();
    record(&sink, 1);
    tokio::task::yield_now().await;
    config.flush_interval = Duration::from_secs(1);
    sink.configure(&config).unwrap();
    receiver.sent.notified().await;
    assert_eq!(began.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_export_that_hangs_is_given_up_and_made_again() {
    let receiver = Receiver::scripted([Answer::Hangs]);
    let sink = batcher(&receiver);
    record(&sink, 10);
    receiver.sent.notified().await;
    receiver.sent.notified().await;
    let ids = receiver.ids();
    assert_eq!((ids.len(), receiver.counted()), (2, 10));
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_is_dropped_loses_nothing() {
    let receiver = Receiver::scripted([Answer::Hangs]);
    let sink = batcher(&receiver);
    record(&sink, 5);
    tokio::select! {
        _ = sink.flush(LIMIT) => panic!("it hangs"),
        () = receiver.sent.notified() => {}
    }
    assert_eq!(sink.ledger().pending, 5);
    sink.flush(LIMIT).await.unwrap();
    let ids = receiver.ids();
    assert_eq!((ids.len(), receiver.counted()), (2, 5));
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn its_task_outlives_no_runtime_and_begins_again_in_the_next() {
    let receiver = Receiver::default();
    let sink = batcher(&receiver);
    record(&sink, 3);
    for turn in 1..=3 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            record(&sink, 10);
            receiver.sent.notified().await;
        });
        drop(runtime);
        assert_eq!(sink.ledger().emitted, 3 + 10 * turn);
    }
    assert!(sink.ledger().is_balanced());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(sink.shutdown(LIMIT)).unwrap();
    assert_eq!(receiver.counted(), 33);
}

#[test]
fn outside_a_runtime_it_sends_from_the_one_it_was_given() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
    let receiver = Receiver::default();
    let sink = batcher(&receiver);
    sink.driver(Beside(runtime.handle().clone()));
    record(&sink, 10);
    runtime.block_on(receiver.sent.notified());
    assert_eq!(receiver.ids().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_waits_when_the_last_one_goes_is_sent() {
    let receiver = Receiver::default();
    let sink = batcher(&receiver);
    record(&sink, 3);
    drop(sink);
    receiver.sent.notified().await;
    assert_eq!(receiver.counted(), 3);
}
