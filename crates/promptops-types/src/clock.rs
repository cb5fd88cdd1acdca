//! Where the workspace reads the time. Nothing outside a file of this name asks the system.

use std::fmt;
use std::sync::LazyLock;
#[cfg(feature = "test-util")]
use std::sync::atomic::Ordering::SeqCst;
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

    /// What the system counts at each of its ticks.
    fn coarse(&self) -> Duration {
        coarsetime::Instant::now().duration_since(*COARSE_ORIGIN).into()
    }
}

static COARSE_ORIGIN: LazyLock<coarsetime::Instant> = LazyLock::new(coarsetime::Instant::now);

/// A clock that stands still until a test moves it.
#[cfg(feature = "test-util")]
#[derive(Debug)]
pub struct ManualTime {
    wall: std::sync::atomic::AtomicI64,
    monotonic: std::sync::atomic::AtomicU64,
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
