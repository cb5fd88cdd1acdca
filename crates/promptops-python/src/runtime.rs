//! The runtime of the process, and what a fork does to it.

use std::sync::Mutex;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicPtr, AtomicU64};

use promptops_client::Error;
use promptops_types::SystemTime;
use tokio::runtime::{Builder, Runtime};

/// The runtime, once there is one. Of one that was forked away only its memory is left, for ever:
/// its threads are in the parent.
static RUNTIME: AtomicPtr<Runtime> = AtomicPtr::new(std::ptr::null_mut());

/// How often this process is the child of a fork.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Which of its ancestors this process is not: what was made in another generation has no threads.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Relaxed)
}

/// In a child: what had threads has none.
#[cfg(unix)]
extern "C" fn forked() {
    GENERATION.fetch_add(1, Relaxed);
    RUNTIME.store(std::ptr::null_mut(), Release);
    SystemTime::forked();
}

/// Asks to be told of forks, whoever forks.
#[cfg(unix)]
pub(crate) fn watch_forks() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // SAFETY: `forked` only stores to atomics, which is allowed between a fork and whatever follows,
        // and it is there as long as the process, since extension modules are not unloaded.
        #[expect(unsafe_code, reason = "no safe interface to pthread_atfork")]
        let _ = unsafe { libc::pthread_atfork(None, None, Some(forked)) };
    });
}

#[cfg(not(unix))]
pub(crate) fn watch_forks() {}

/// The runtime, started if need be.
///
/// # Errors
/// [`Error::Config`] where the system has no threads for it.
pub(crate) fn runtime() -> Result<&'static Runtime, Error> {
    if let Some(runtime) = running() {
        return Ok(runtime);
    }
    start()
}

fn running() -> Option<&'static Runtime> {
    let runtime = RUNTIME.load(Acquire);
    // SAFETY: it is null, or was leaked by `start` and is never freed.
    #[expect(unsafe_code, reason = "a pointer that a fork can take away at once, without a lock")]
    unsafe {
        runtime.as_ref()
    }
}

#[cold]
fn start() -> Result<&'static Runtime, Error> {
    // Held by nobody for ever: a child's copy may be, if the parent forked in the middle of this.
    static STARTING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = STARTING.try_lock();
    if let Some(runtime) = running() {
        return Ok(runtime);
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("promptops")
        .enable_all()
        .build()
        .map_err(|error| Error::config("runtime", error))?;
    let leaked: &'static Runtime = Box::leak(Box::new(runtime));
    RUNTIME.store(std::ptr::from_ref(leaked).cast_mut(), Release);
    Ok(leaked)
}
