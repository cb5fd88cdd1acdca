use std::fmt;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use promptops_types::{Driver, Error, TelemetryConfig};
use tokio::runtime::Handle;
use tokio::sync::{Mutex as Turn, Notify};

use crate::clock::{Limit, Stopwatch, sleep, unless, within};
use crate::queue::Queue;
use crate::{
    Batch, CallEvent, ExportFailure, Exported, Flushing, Ledger, SharedExporter, TelemetryExporter,
    TelemetryFailure, TelemetrySink,
};

/// Most bytes that wait. 2048 events with names as long as names may be (200 characters) fit.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// So often a batch is sent in vain; then it is dropped.
const MAX_TRIES: u32 = 10;

/// Wait before a batch is sent again, doubling with each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// Longest wait, whatever a receiver asks for.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// Longest time of one export, whatever its exporter waits for.
const EXPORT_LIMIT: Duration = Duration::from_secs(30);

/// Wait before a batch is sent again while somebody waits for it.
const URGENT_WAIT: Duration = Duration::from_millis(100);

/// A sink that gathers events and sends them in batches, beside the calls: when a batch is full, or
/// every [`flush_interval`](TelemetryConfig::flush_interval).
///
/// The queue is bounded by [`queue_size`](TelemetryConfig::queue_size) and by 4 MiB; beyond it the
/// oldest are dropped, and counted. A batch that may have arrived or not is sent again with the same
/// id, after 1 s, doubling up to 5 min, at most 10 times. What sends them is a task that is started
/// by the first event that comes in a tokio runtime, ends when nothing waits, and is started again in
/// whatever runtime the next event comes: none is needed to build one.
///
/// Dropping it sends what waits, if its task is running; [`shutdown`](TelemetrySink::shutdown) says
/// whether that succeeded.
pub struct Batcher {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    batch_size: AtomicUsize,
    /// Milliseconds between batches that are not full.
    interval: AtomicU64,
    exporter: SharedExporter,
    /// Held by the one that sends.
    turn: Turn<()>,
    /// Tells the task that a batch is full, or that this is the end.
    wake: Notify,
    /// Tells the task, while it waits before another try, that this is the end.
    over: Notify,
    /// Tells whoever sends that it is too late.
    closed: Notify,
    has_task: AtomicBool,
    is_over: AtomicBool,
    driver: OnceLock<Box<dyn Driver>>,
    last_failure: Mutex<Option<String>>,
}

impl Batcher {
    /// A sink that sends through `exporter`.
    pub fn new(config: &TelemetryConfig, exporter: impl TelemetryExporter) -> Self {
        let shared = Shared {
            queue: Mutex::new(Queue::new(config.queue_size, MAX_BYTES)),
            batch_size: AtomicUsize::new(config.batch_size.max(1)),
            interval: AtomicU64::new(millis(config.flush_interval)),
            exporter: SharedExporter::new(exporter),
            turn: Turn::default(),
            wake: Notify::new(),
            over: Notify::new(),
            closed: Notify::new(),
            has_task: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            driver: OnceLock::new(),
            last_failure: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Where its task runs while that runs, and if an event comes outside every runtime. What is given
    /// first stays.
    pub fn driver(&self, driver: impl Driver) {
        let _ = self.shared.driver.set(Box::new(driver));
    }
}

impl TelemetrySink for Batcher {
    #[inline]
    fn record(&self, event: CallEvent) {
        let waiting = self.shared.queue.lock().push(event);
        if waiting > 0 && !self.shared.has_task.load(SeqCst) {
            Shared::start(&self.shared);
        }
        // Once, when it gets full: after each batch the task looks by itself.
        if waiting == self.shared.batch_size.load(Relaxed) {
            self.shared.wake.notify_one();
        }
    }

    fn flush(&self, limit: Duration) -> Flushing<'_> {
        Box::pin(self.shared.flush(Limit::after(limit)))
    }

    fn shutdown(&self, limit: Duration) -> Flushing<'_> {
        Box::pin(async move {
            let closing = self.shared.queue.lock().drain().then(|| Closing(&self.shared));
            let flushed = self.shared.flush(Limit::after(limit)).await;
            drop(closing);
            flushed
        })
    }

    fn ledger(&self) -> Ledger {
        self.shared.queue.lock().ledger()
    }

    fn last_failure(&self) -> Option<String> {
        self.shared.last_failure.lock().clone()
    }

    fn configure(&self, config: &TelemetryConfig) -> Result<(), Error> {
        self.shared.exporter.configure(config)?;
        self.shared.batch_size.store(config.batch_size.max(1), Relaxed);
        self.shared.interval.store(millis(config.flush_interval), Relaxed);
        self.shared.queue.lock().resize(config.queue_size);
        self.shared.wake.notify_one();
        Ok(())
    }
}

/// However a shutdown ends, nothing is sent after it.
struct Closing<'s>(&'s Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.queue.lock().close();
        self.0.end();
        self.0.closed.notify_waiters();
    }
}

impl Drop for Batcher {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl fmt::Debug for Batcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batcher")
            .field("ledger", &self.ledger())
            .field("exporter", &self.shared.exporter)
            .finish_non_exhaustive()
    }
}

/// How one batch went.
enum Sent {
    /// There was none.
    Nothing,
    Arrived,
    /// Some of its events, or all of them, never will.
    Lost,
    /// It waits for another try.
    Unsent {
        wait: Duration,
    },
}

/// A batch that is on its way. Whoever is dropped while it sends leaves it for the next.
struct OnItsWay<'s> {
    shared: &'s Shared,
    batch: Option<Batch>,
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.shared.queue.lock().put_back(batch);
        }
    }
}

/// Somebody who waits for events to be sent, until that is dropped.
struct Waiting<'s> {
    shared: &'s Shared,
    number: u64,
}

impl Waiting<'_> {
    fn end(self) -> u64 {
        self.shared.queue.lock().end_flush(self.number)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.queue.lock().end_flush(self.number);
    }
}

/// The mark of a task that runs; its runtime may drop it at any await.
struct Running(Arc<Shared>);

impl Running {
    fn begin(shared: &Arc<Shared>) -> Option<Self> {
        (!shared.has_task.swap(true, SeqCst)).then(|| Self(Arc::clone(shared)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.has_task.store(false, SeqCst);
    }
}

impl Shared {
    /// Starts the task: with the driver if that runs, else in this runtime, else with the driver all the
    /// same.
    #[cold]
    fn start(this: &Arc<Self>) {
        let driver = this.driver.get();
        let runtime = match driver {
            Some(driver) if driver.is_running() => None,
            _ => Handle::try_current().ok(),
        };
        if driver.is_none() && runtime.is_none() {
            return;
        }
        let Some(running) = Running::begin(this) else { return };
        let sending = Arc::clone(this).send_until_empty(Some(running));
        match (runtime, driver) {
            (Some(runtime), _) => drop(runtime.spawn(sending)),
            (None, Some(driver)) => driver.spawn(Box::pin(sending)),
            (None, None) => {}
        }
    }

    fn end(&self) {
        self.is_over.store(true, SeqCst);
        self.wake.notify_one();
        self.over.notify_one();
    }

    async fn send_one(&self) -> Sent {
        let _turn = self.turn.lock().await;
        // From here on it is told of the end.
        let closed = self.closed.notified();
        let batch = self.queue.lock().take(self.batch_size.load(Relaxed));
        let mut on_its_way = OnItsWay { shared: self, batch };
        let Some(batch) = &on_its_way.batch else { return Sent::Nothing };
        let exporting = within(EXPORT_LIMIT, self.exporter.export(batch));
        let outcome = match unless(closed, exporting).await {
            Some(Some(outcome)) => outcome,
            Some(None) => {
                let message = format!("a batch was not sent within {EXPORT_LIMIT:?}");
                Err(ExportFailure::retryable(message))
            }
            // The end came first, and counted it with what it dropped.
            None => return Sent::Nothing,
        };
        let Some(batch) = on_its_way.batch.take() else { return Sent::Nothing };
        self.settle(batch, outcome)
    }

    fn settle(&self, mut batch: Batch, outcome: Result<Exported, ExportFailure>) -> Sent {
        let events = batch.events().len();
        let failure = match outcome {
            Ok(exported) => {
                self.queue.lock().arrived(&batch, exported.accepted);
                let refused = events.saturating_sub(exported.accepted);
                let reason = format!("{refused} of {events} events were refused");
                *self.last_failure.lock() = (refused > 0).then_some(reason);
                return if refused == 0 { Sent::Arrived } else { Sent::Lost };
            }
            Err(failure) => failure,
        };
        batch.tries += 1;
        *self.last_failure.lock() = Some(failure.message.clone());
        if !failure.is_retryable || batch.tries >= MAX_TRIES {
            self.queue.lock().give_up(&batch);
            tracing::warn!(%failure, events, "telemetry events were dropped");
            return Sent::Lost;
        }
        tracing::debug!(%failure, events, "telemetry events could not be sent yet");
        let doubled = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(batch.tries - 1));
        let wait = doubled.max(failure.retry_after.unwrap_or_default()).min(LONGEST_WAIT);
        self.queue.lock().put_back(batch);
        Sent::Unsent { wait }
    }

    /// Sends what had been recorded when this began, and says what of it was dropped meanwhile, by
    /// whomever.
    async fn flush(&self, limit: Limit) -> Result<(), TelemetryFailure> {
        let waiting = Waiting { shared: self, number: self.queue.lock().begin_flush() };
        let flushing = async {
            let mut wait = URGENT_WAIT;
            while self.queue.lock().left(waiting.number) > 0 {
                match self.send_one().await {
                    Sent::Nothing => break,
                    Sent::Arrived | Sent::Lost => wait = URGENT_WAIT,
                    Sent::Unsent { .. } => {
                        sleep(wait).await;
                        wait *= 2;
                    }
                }
            }
        };
        within(limit.remaining(), flushing).await;
        let unsent = waiting.end();
        if unsent == 0 {
            return Ok(());
        }
        let reason = self.last_failure.lock().clone();
        let reason = reason.unwrap_or_else(|| "no answer came in time".to_owned());
        Err(TelemetryFailure::new(unsent, reason))
    }

    fn is_full(&self) -> bool {
        self.queue.lock().pending() >= self.batch_size.load(Relaxed)
    }

    fn is_over(&self) -> bool {
        self.is_over.load(SeqCst)
    }

    /// Waits until there is something to send: a full batch, or what has waited for long enough. A wake
    /// may mean another interval.
    async fn wait(&self) {
        let began = Stopwatch::start();
        while !self.is_full() && !self.is_over() {
            let interval = Duration::from_millis(self.interval.load(Relaxed));
            let left = interval.saturating_sub(began.elapsed());
            if left.is_zero() {
                return;
            }
            within(left, self.wake.notified()).await;
        }
    }

    /// Sends full batches at once, and the rest when its time has come, until nothing waits.
    async fn send_until_empty(self: Arc<Self>, mut running: Option<Running>) {
        let mut is_due = false;
        while running.is_some() {
            if !is_due {
                self.wait().await;
            }
            is_due = false;
            match self.send_one().await {
                Sent::Arrived | Sent::Lost => {}
                Sent::Unsent { .. } if self.is_over() => return,
                Sent::Unsent { wait } => {
                    // The end does not wait.
                    within(wait, self.over.notified()).await;
                    is_due = true;
                }
                Sent::Nothing => {
                    drop(running.take());
                    // An event that has come since may have seen a task.
                    if self.queue.lock().pending() > 0 {
                        running = Running::begin(&self);
                    }
                }
            }
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
