//! Traces and metrics of a client, exported by OTLP over HTTP to a collector at
//! `OTEL_EXPORTER_OTLP_ENDPOINT` (`http://localhost:4318` unless set).
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use opentelemetry::global;
use opentelemetry::trace::{FutureExt, TraceContextExt, Tracer};
use opentelemetry_otlp::{MetricExporter, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use promptops_client::{NewPrompt, PromptOpsClient, vars};

fn main() -> Result<(), Box<dyn Error>> {
    // The providers come first: a client uses those that there are when it is built.
    let resource = Resource::builder().with_service_name("support-desk").build();
    let traces = SdkTracerProvider::builder()
        .with_batch_exporter(SpanExporter::builder().with_http().build()?)
        .with_resource(resource.clone())
        .build();
    let metrics = SdkMeterProvider::builder()
        .with_periodic_exporter(MetricExporter::builder().with_http().build()?)
        .with_resource(resource)
        .build();
    global::set_tracer_provider(traces.clone());
    global::set_meter_provider(metrics.clone());

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = PromptOpsClient::builder().base_url("sqlite::memory:").build()?;
    runtime.block_on(answer_a_customer(&client))?;
    traces.shutdown()?;
    // What a client counts is read while metrics are collected: it has to be there yet.
    metrics.shutdown()?;
    drop(client);
    println!("exported");
    Ok(())
}

async fn answer_a_customer(client: &PromptOpsClient) -> Result<(), promptops_client::Error> {
    client.create_prompt(NewPrompt::new("Greeting", "Hello {{ name }}!")).await?;

    // The application's own span: those of the client's calls are below it.
    let tracer = global::tracer("support-desk");
    let span = tracer.start("answer a customer");
    let context = opentelemetry::Context::current_with_span(span);
    let rendered = async {
        // The first call asks the registry; the second is a hit, which has no span.
        client.render_prompt("greeting", vars! { "name" => "Ann" }).await?;
        client.render_prompt("greeting", vars! { "name" => "Ben" }).await
    };
    let rendered = rendered.with_context(context.clone()).await?;
    context.span().end();
    println!("{}", rendered.rendered_content);
    client.shutdown().await
}
