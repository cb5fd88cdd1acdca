#![doc = include_str!("../README.md")]

mod call;
mod client;
mod config;
mod core;
mod data;
mod errors;
mod hub;
mod json;
mod ready;
mod runtime;
mod trace;
mod variables;

use pyo3::prelude::*;

#[pymodule]
fn _promptops(module: &Bound<'_, PyModule>) -> PyResult<()> {
    runtime::watch_forks();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
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
