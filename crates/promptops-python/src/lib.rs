#![doc = include_str!("../README.md")]

#[cfg(not(unix))]
compile_error!(
    "the asyncio client wakes its loop through a pair of Unix sockets: systems without them are not \
     supported yet"
);

mod call;
mod client;
mod config;
mod core;
mod data;
mod errors;
mod hub;
mod json;
mod logging;
mod ready;
mod runtime;
mod trace;
mod variables;

use pyo3::prelude::*;

/// Runs the command line with its arguments, the program's name first; gives its exit code.
#[pyfunction]
fn run_command(py: Python<'_>, arguments: Vec<std::ffi::OsString>) -> u8 {
    py.detach(|| promptops_cli::run(arguments))
}

#[pymodule]
fn _promptops(module: &Bound<'_, PyModule>) -> PyResult<()> {
    runtime::watch_forks();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(run_command, module)?)?;
    module.add_class::<client::AsyncClient>()?;
    module.add("BlockingPromptOpsClient", module.py().get_type::<client::BlockingClient>())?;
    module.add_class::<variables::PromptVariables>()?;
    module.add_class::<data::PromptResponse>()?;
    module.add_class::<data::ModelSpecificPrompt>()?;
    module.add_class::<data::RenderResponse>()?;
    module.add_class::<data::ModelInfo>()?;
    module.add_class::<data::ClientStats>()?;
    module.add_class::<data::CacheStats>()?;
    module.add_class::<data::TelemetrySummary>()?;
    module.add_class::<data::HealthStatus>()?;
    Ok(())
}
