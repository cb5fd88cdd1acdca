//! The client behind a Python object, which a fork replaces by another one.

use std::sync::{Arc, Mutex, PoisonError};

use promptops_client::{ClientConfig, PromptOpsClient};
use pyo3::prelude::*;

use crate::errors::{self, raised};
use crate::runtime::generation;
use crate::trace::Traced;

/// A client of this process.
pub(crate) struct Core {
    /// The one that was made first, and in which generation.
    first: PromptOpsClient,
    born: u64,
    /// Those of children, by generation; only the last one is used.
    forked: Mutex<Vec<(u64, PromptOpsClient)>>,
}

impl Core {
    pub(crate) fn new(py: Python<'_>, config: ClientConfig) -> PyResult<Self> {
        let first = build(py, config)?;
        Ok(Self { first, born: generation(), forked: Mutex::default() })
    }

    /// The client, made anew where this process was forked since.
    pub(crate) fn client(&self, py: Python<'_>) -> PyResult<PromptOpsClient> {
        if generation() == self.born {
            return Ok(self.first.clone());
        }
        self.after_fork(py)
    }

    #[cold]
    fn after_fork(&self, py: Python<'_>) -> PyResult<PromptOpsClient> {
        let now = generation();
        let mut forked = self.forked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = forked.iter().find(|(generation, _)| *generation == now) {
            return Ok(client.clone());
        }
        let config = Arc::unwrap_or_clone(self.first.config());
        if config.base_url == "sqlite::memory:" {
            let reason = "a registry in memory is not there in a forked process; use sqlite:PATH, or \
                          make the client after the fork";
            return Err(errors::config(py, "base_url", reason));
        }
        let client = build(py, config)?;
        // Those of other generations have threads no more: nothing of them may be dropped.
        std::mem::forget(std::mem::take(&mut *forked));
        forked.push((now, client.clone()));
        Ok(client)
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if generation() != self.born {
            // Its connections are the parent's, and its locks may be held by threads that are not here.
            std::mem::forget(self.first.clone());
        }
    }
}

fn build(py: Python<'_>, config: ClientConfig) -> PyResult<PromptOpsClient> {
    let builder = PromptOpsClient::builder().config(config).per_attempt(Traced);
    // A registry in a file is opened here, and may be waited for.
    py.detach(|| builder.build()).map_err(|error| raised(py, &error))
}
