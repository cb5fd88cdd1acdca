//! Ctrl-C during work of many writes: each is whole, and no more begin.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::output::tell;

/// Exit code of a process that was told to stop at once.
const STOPPED: i32 = 130;

/// Whether somebody wants the work to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on. What is under way goes on after the first Ctrl-C; the second ends the process.
    pub(crate) fn listen() -> Self {
        let interrupt = Self::default();
        let told = interrupt.clone();
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_err() {
                return;
            }
            told.0.store(true, Relaxed);
            tell("stopping when what is under way is done; press Ctrl-C again to stop at once");
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(STOPPED);
            }
        });
        interrupt
    }

    /// Something to write to that fails from then on.
    pub(crate) fn ends<W: Write>(self, to: W) -> Stoppable<W> {
        Stoppable { to, interrupt: self }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// What is written of work that can be stopped: a part of it is of no use.
pub(crate) struct Stoppable<W> {
    to: W,
    interrupt: Interrupt,
}

impl<W: Write> Write for Stoppable<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.interrupt.is_wanted() {
            return Err(io::Error::other("stopped; nothing is written"));
        }
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
