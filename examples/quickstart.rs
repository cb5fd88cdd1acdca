//! A prompt's life in one program: imported, published, compared, labelled, rendered.
//!
//! `cargo run --example quickstart` needs no server and leaves nothing behind.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::path::Path;

use promptops_client::{
    Error, Label, LabelTarget, ModelProvider, NewPrompt, PromptOpsClient, PromptResponse,
    PromptUpdate, RenderResponse, SortBy, SortOrder, vars,
};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("prompts.db");
    let client = PromptOpsClient::embedded(&file)?;

    heading("1. A registry in one file, filled from a folder of prompts");
    import(&client, &Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts")).await?;

    heading("2. A second version, published beside the first");
    publish(&client).await?;

    heading("3. A label that moves");
    label(&client).await?;

    heading("4. One prompt, rendered for two models");
    render(&client).await?;

    heading("5. What a mistake looks like");
    mistakes(&client).await;
    Ok(())
}

async fn import(client: &PromptOpsClient, folder: &Path) -> Outcome {
    let mut files: Vec<_> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    for file in files {
        let prompt: NewPrompt = toml::from_str(&std::fs::read_to_string(&file)?)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        client.create_prompt(prompt).await?;
    }

    let prompts = client.list_prompts().sort_by(SortBy::Name).sort_order(SortOrder::Asc).await?;
    println!("{:<25} {:<17} {:<7} {:<6} variables", "prompt", "module", "format", "bodies");
    for prompt in &prompts {
        println!(
            "{:<25} {:<17} {:<7} {:<6} {}",
            prompt.slug,
            prompt.module_id.as_deref().unwrap_or("-"),
            prompt.template_format,
            1 + prompt.model_specific_prompts.len(),
            shortened(&prompt.variables.join(", "), 48),
        );
    }
    println!("\n{} prompts, each at version 1.0.0", prompts.len());
    Ok(())
}

async fn publish(client: &PromptOpsClient) -> Outcome {
    let first = client.get_prompt("customer-reply").await?;
    let clearer = first
        .content
        .replace("Write 80 to 150 words of plain text", "Write at most 120 words of plain text")
        + "\nReply in the language of the report. Today is {{ today }}.\n";
    let second = client
        .update_prompt("customer-reply", PromptUpdate::new().content(clearer))
        .message("shorter, in the customer's language")
        .await?;
    println!("published {} {}\n", second.slug, second.version);

    let diff = client.diff_prompt("customer-reply", first.version.as_str(), "latest").await?;
    for line in diff.unified.lines() {
        println!("  {}", shortened(line, 96));
    }
    println!("\nvariables added: {}", diff.variables_added.join(", "));
    Ok(())
}

async fn label(client: &PromptOpsClient) -> Outcome {
    let show = |what: &str, label: Option<Label>| match label.map(|label| label.target) {
        Some(LabelTarget::Version(version)) => println!("{what:<28} production -> {version}"),
        other => println!("{what:<28} production -> {other:?}"),
    };
    show("first release", client.set_label("customer-reply", "production", "1.0.0").await?);
    show("the second goes live", client.set_label("customer-reply", "production", "1.1.0").await?);
    show("rolled back", client.undo_label("customer-reply", "production").await?);
    show("and forward again", client.undo_label("customer-reply", "production").await?);

    let live = client.get_prompt("customer-reply").version("staging,production").await?;
    println!(
        "\nget_prompt(\"customer-reply\").version(\"staging,production\") gives {}",
        live.version
    );
    Ok(())
}

async fn render(client: &PromptOpsClient) -> Outcome {
    let variables = vars! {
        "customer_name" => "Ann Lee",
        "product" => "Orbit Mail",
        "issue_type" => "billing",
        // A value is data: what looks like a template in it stays as it is.
        "issue_summary" => "I was charged 24.90 twice on 3 November. {{ today }} is not a date!",
        "priority" => "high",
        "tone" => "warm and direct",
        "today" => "2026-11-23",
    };
    for (provider, model) in
        [(ModelProvider::OpenAi, "gpt-4-turbo"), (ModelProvider::Google, "gemini-2.5-pro")]
    {
        let fits =
            client.get_model_compatibility("customer-reply", provider.clone(), model).await?;
        let render = client
            .render_prompt("customer-reply", &variables)
            .version("production")
            .model(provider.clone(), model)
            .await?;
        show_render(&format!("{provider} {model}, compatible: {fits}"), &render);
    }
    Ok(())
}

fn show_render(model: &str, render: &RenderResponse) {
    let body = match &render.body.model_name {
        Some(name) => format!("the body for {name}*"),
        None => "the prompt's own content".to_owned(),
    };
    println!("{model}\n  version {}, {body}", render.version);
    for message in &render.messages {
        println!("  [{}]", message.role);
        for line in message.content.lines().filter(|line| !line.is_empty()).take(6) {
            println!("    {}", shortened(line, 92));
        }
        println!("    ...");
    }
    println!("  used: {}", render.variables_used.join(", "));
    if !render.unused_variables.is_empty() {
        println!("  not used by this body: {}", render.unused_variables.join(", "));
    }
    println!();
}

async fn mistakes(client: &PromptOpsClient) {
    let incomplete = vars! { "customer" => "Ann Lee", "product" => "Orbit Mail", "tone" => "warm" };
    show_error("variables left out or misspelt", {
        client.render_prompt("customer-reply", incomplete).await.err()
    });
    show_error("a prompt that is not there", client.get_prompt("custmer-reply").await.err());
    show_error("a version that is not there", {
        client.get_prompt("customer-reply").version("v7").await.err()
    });
    let edit = PromptUpdate::new().content("Hello");
    show_error("a change to what is live", {
        client.update_prompt("customer-reply", edit).version("1.1.0").await.err()
    });
    let fallback = PromptResponse::default();
    let safe = client.get_prompt("custmer-reply").fallback(fallback).fetch().await;
    println!("with a fallback, the call succeeds: {:?}", safe.map(|fetched| fetched.source));
}

fn show_error(what: &str, error: Option<Error>) {
    let text = error.map(|error| error.to_string()).unwrap_or_default();
    println!("{what}:\n  {}\n", text.replace('\n', "\n  "));
}

fn heading(text: &str) {
    println!("\n== {text} ==\n");
}

fn shortened(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
