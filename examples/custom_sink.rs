//! Telemetry that goes elsewhere: a sink that counts by prompt and version, and an exporter that writes
//! batches somewhere behind the client's own queue.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use promptops_client::{
    Batch, Batcher, CallEvent, Error, ExportFailure, Exported, NewPrompt, PromptOpsClient,
    TelemetryConfig, TelemetryExporter, TelemetrySink, vars,
};

/// Renders by prompt and version.
#[derive(Debug, Clone, Default)]
struct Renders(Arc<Mutex<BTreeMap<String, u64>>>);

impl TelemetrySink for Renders {
    // It is called while somebody waits for the prompt: it returns at once.
    fn record(&self, event: CallEvent) {
        if let (Some(prompt), Some(version)) = (event.prompt(), event.version()) {
            let mut renders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *renders.entry(format!("{prompt} {version}")).or_default() += 1;
        }
    }
}

/// Prints batches. The queue in front of it, its bounds, and another try after a failure are
/// [`Batcher`]'s.
#[derive(Debug)]
struct Printer;

impl TelemetryExporter for Printer {
    async fn export(&self, batch: &Batch) -> Result<Exported, ExportFailure> {
        for event in batch.events() {
            let outcome = event.error().map_or("ok", |code| code.as_str());
            println!("{} {} {outcome}", event.operation(), event.prompt().unwrap_or("-"));
        }
        Ok(Exported::new(batch.events().len()))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let telemetry = TelemetryConfig::default().sample_rate(1.0);
    let builder =
        || PromptOpsClient::builder().base_url("sqlite::memory:").telemetry(telemetry.clone());

    let renders = Renders::default();
    work(&builder().telemetry_sink(renders.clone()).build()?).await?;
    println!("{:?}", renders.0.lock().unwrap_or_else(PoisonError::into_inner));

    work(&builder().telemetry_sink(Batcher::new(&telemetry, Printer)).build()?).await
}

async fn work(client: &PromptOpsClient) -> Result<(), Error> {
    client.create_prompt(NewPrompt::new("Greeting", "Hello {{ name }}!")).await?;
    for name in ["Ann", "Ben"] {
        client.render_prompt("greeting", vars! { "name" => name }).await?;
    }
    client.shutdown().await
}
