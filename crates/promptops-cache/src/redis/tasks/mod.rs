//! What goes on beside the calls: connecting, writing and listening.

mod connect;
mod invalidate;
mod listen;
mod write;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use self::connect::connect;
pub(super) use self::invalidate::{invalidate, new_generation};
use self::listen::listen;
use self::write::write;
pub(super) use self::write::{Queue, Write};
use super::shared::{Shared, State};

/// Shortest and longest wait before Redis is tried again.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// All of it, until the runtime ends or the cache is dropped.
pub(super) async fn run(shared: Arc<Shared>, queue: Arc<Queue>, _running: Running) {
    tokio::join!(connect(&shared), write(&shared, &queue), listen(&shared));
}

/// That the tasks run. Connections die with the runtime that they were made in: when it is dropped,
/// though they have not begun, the next call begins anew.
pub(super) struct Running {
    shared: Arc<Shared>,
    is_running: Arc<AtomicBool>,
}

impl Running {
    pub(super) fn new(shared: &Arc<Shared>, is_running: &Arc<AtomicBool>) -> Self {
        Self { shared: Arc::clone(shared), is_running: Arc::clone(is_running) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.set_subscribed(false);
        self.shared.state.send_replace(State::Connecting);
        self.is_running.store(false, Relaxed);
    }
}
