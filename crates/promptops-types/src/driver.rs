use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// Something to be polled until it ends.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A runtime of its own for what goes on beside calls: connections that are kept, events that are sent.
///
/// Both make progress only while the runtime that they belong to runs. What is shared by several
/// runtimes, some of which are blocked or stand still at times, needs one that always runs.
pub trait Driver: fmt::Debug + Send + Sync + 'static {
    /// Whether it runs. Until it does, things belong to the runtimes that begin them; once it does, it
    /// goes on.
    fn is_running(&self) -> bool;

    /// Runs a task, with I/O and time; starts the runtime if need be.
    fn spawn(&self, task: Task);
}
