//! Where the workspace reads the time. Nothing outside a file of this name asks the system.

use std::fmt;
#[cfg(feature = "test-util")]
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, UNIX_EPOCH};

use crate::Timestamp;

/// A source of wall-clock and monotonic time, injected so that a test can move it.
pub trait TimeSource: fmt::Debug + Send + Sync + 'static {
    /// The wall-clock time, in UTC. It may step backwards when the system's clock is set.
    fn now(&self) -> Timestamp;

    /// Time passed since a fixed, arbitrary moment. It never goes backwards.
    fn monotonic(&self) -> Duration;

    /// The same as [`monotonic`](Self::monotonic) to some milliseconds, where that is quicker to read:
    /// for ages, not for measuring.
    fn coarse(&self) -> Duration {
        self.monotonic()
    }

    /// The same as [`now`](Self::now) to some milliseconds, where that is quicker to read: for what is
    /// written down, not for measuring.
    fn coarse_now(&self) -> Timestamp {
        self.now()
    }
}

impl<T: TimeSource + ?Sized> TimeSource for Arc<T> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }

    fn monotonic(&self) -> Duration {
        (**self).monotonic()
    }

    fn coarse(&self) -> Duration {
        (**self).coarse()
    }

    fn coarse_now(&self) -> Timestamp {
        (**self).coarse_now()
    }
}

/// The operating system's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemTime;

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

impl TimeSource for SystemTime {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        let since_epoch =
            std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        ORIGIN.elapsed()
    }

    /// Up to 20 ms behind, or as late as the system lets a thread wait: a thread of this process reads
    /// the clock so often, and this gives what it found. It begins with the first call and lasts as long
    /// as the process.
    fn coarse(&self) -> Duration {
        match TICK.load(Relaxed) {
            NO_TICK => first_tick(),
            millis => Duration::from_millis(millis),
        }
    }

    /// As far behind as [`coarse`](TimeSource::coarse).
    fn coarse_now(&self) -> Timestamp {
        // What was stored before it is seen with it.
        if TICK.load(Acquire) == NO_TICK {
            first_tick();
            return self.now();
        }
        Timestamp::from_unix_micros(WALL_TICK.load(Relaxed))
    }
}

impl SystemTime {
    /// To be called in a process that was forked, by whoever forks processes with threads: the thread that
    /// reads the clock for [`coarse`](TimeSource::coarse) is not there, and begins anew with the next call.
    /// Async-signal-safe: it only stores to atomics.
    pub fn forked() {
        TICK.store(NO_TICK, Release);
        IS_TICKING.store(false, Release);
    }
}

/// How often the clock is read for [`SystemTime::coarse`].
const BETWEEN_TICKS: Duration = Duration::from_millis(20);

/// Nobody ticks yet.
const NO_TICK: u64 = u64::MAX;

/// Milliseconds since the origin, as read last.
static TICK: AtomicU64 = AtomicU64::new(NO_TICK);

/// Whether a thread has begun to tick; where there can be none, the clock is read each time.
static IS_TICKING: AtomicBool = AtomicBool::new(false);

/// Microseconds since the Unix epoch, as read before that.
static WALL_TICK: AtomicI64 = AtomicI64::new(0);

/// Begins to tick.
#[cold]
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
fn first_tick() -> Duration {
    if !IS_TICKING.swap(true, AcqRel) {
        let ticker = std::thread::Builder::new().name("promptops-tick".to_owned());
        let _ = ticker.spawn(|| {
            loop {
                let millis = ORIGIN.elapsed().as_millis();
                WALL_TICK.store(SystemTime.now().unix_micros(), Relaxed);
                TICK.store(u64::try_from(millis).unwrap_or(NO_TICK - 1), Release);
                std::thread::sleep(BETWEEN_TICKS);
            }
        });
    }
    ORIGIN.elapsed()
}

/// A clock that stands still until a test moves it.
#[cfg(feature = "test-util")]
#[derive(Debug)]
pub struct ManualTime {
    wall: AtomicI64,
    monotonic: AtomicU64,
}

#[cfg(feature = "test-util")]
impl ManualTime {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Self {
        Self { wall: start.unix_micros().into(), monotonic: 0.into() }
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let micros = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        self.monotonic.fetch_add(micros, SeqCst);
        self.wall.fetch_add(i64::try_from(micros).unwrap_or(i64::MAX), SeqCst);
    }

    /// Sets the wall clock, forward or back. No time passes.
    pub fn set(&self, now: Timestamp) {
        self.wall.store(now.unix_micros(), SeqCst);
    }
}

#[cfg(feature = "test-util")]
impl TimeSource for ManualTime {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.wall.load(SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.monotonic.load(SeqCst))
    }
}
