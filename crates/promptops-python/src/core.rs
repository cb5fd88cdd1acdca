//! The client behind a Python object, which a fork replaces by another one.

use std::sync::{Arc, Mutex, PoisonError};

use promptops_client::{self as client, ClientConfig, PromptOpsClient};
use pyo3::prelude::*;

use crate::data::PromptResponse;
use crate::errors::{self, raised};
use crate::runtime::generation;
use crate::trace::Traced;

/// A client of this process.
pub(crate) struct Core {
    /// The one that was made first, and in which generation.
    first: PromptOpsClient,
    born: u64,
    /// Those of children, by generation; only the last one is used. It is held for moments, and never
    /// while other threads of Python may run, so that a fork finds it free.
    forked: Mutex<Vec<(u64, PromptOpsClient)>>,
    /// Prompts that were given last.
    objects: [Mutex<Option<Py<PromptResponse>>>; PLACES],
}

/// So many prompts are kept as objects of Python beyond those that the program holds.
const PLACES: usize = 64;

impl Core {
    pub(crate) fn new(py: Python<'_>, config: ClientConfig) -> PyResult<Self> {
        crate::logging::begin();
        let first = build(py, config)?;
        let objects = std::array::from_fn(|_| Mutex::default());
        Ok(Self { first, born: generation(), forked: Mutex::default(), objects })
    }

    /// The client, made anew where this process was forked since.
    pub(crate) fn client(&self, py: Python<'_>) -> PyResult<PromptOpsClient> {
        if generation() == self.born {
            return Ok(self.first.clone());
        }
        self.after_fork(py)
    }

    /// The client, if this process is the one that made it.
    #[inline]
    pub(crate) fn own(&self) -> Option<&PromptOpsClient> {
        (generation() == self.born).then_some(&self.first)
    }

    /// A prompt as Python has it: while it is in the cache it is one object, however often it is asked
    /// for.
    #[inline]
    pub(crate) fn object<'py>(
        &self,
        py: Python<'py>,
        prompt: Arc<client::PromptResponse>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let address = Arc::as_ptr(&prompt).addr();
        let place = &self.objects[(address >> 4 ^ address >> 11) % PLACES];
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(object) = &*place
            && Arc::ptr_eq(&object.get().0, &prompt)
        {
            return Ok(object.bind(py).clone().into_any());
        }
        let object = Bound::new(py, PromptResponse(prompt))?;
        let before = place.replace(object.clone().unbind());
        drop(place);
        // It may be the last reference to it, and free a prompt.
        drop(before);
        Ok(object.into_any())
    }

    #[cold]
    fn after_fork(&self, py: Python<'_>) -> PyResult<PromptOpsClient> {
        if let Some(client) = self.of_this_process() {
            return Ok(client);
        }
        let config = Arc::unwrap_or_clone(self.first.config());
        if config.base_url == "sqlite::memory:" {
            let reason = "a registry in memory is not there in a forked process; use sqlite:PATH, or \
                          make the client after the fork";
            return Err(errors::config(py, "base_url", reason));
        }
        // Without the lock: other threads of Python run meanwhile, and may want it. The one that is
        // here first is everybody's.
        let client = build(py, config)?;
        if let Some(earlier) = self.of_this_process() {
            return Ok(earlier);
        }
        let mut forked = self.forked.lock().unwrap_or_else(PoisonError::into_inner);
        // Those of other generations have threads no more: nothing of them may be dropped.
        std::mem::forget(std::mem::take(&mut *forked));
        forked.push((generation(), client.clone()));
        Ok(client)
    }

    fn of_this_process(&self) -> Option<PromptOpsClient> {
        let forked = self.forked.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, client) = forked.iter().find(|(born, _)| *born == generation())?;
        Some(client.clone())
    }
}

impl Drop for Core {
    /// Of a client of another process the connections are that one's, its threads are not here, and its
    /// locks may be held by them: it is not dropped.
    fn drop(&mut self) {
        if generation() != self.born {
            std::mem::forget(self.first.clone());
        }
        let forked = self.forked.get_mut().unwrap_or_else(PoisonError::into_inner);
        for (born, client) in forked.drain(..) {
            if born != generation() {
                std::mem::forget(client);
            }
        }
    }
}

fn build(py: Python<'_>, config: ClientConfig) -> PyResult<PromptOpsClient> {
    let builder = PromptOpsClient::builder().config(config).per_attempt(Traced);
    // A registry in a file is opened here, and may be waited for.
    py.detach(|| builder.build()).map_err(|error| raised(py, &error))
}
