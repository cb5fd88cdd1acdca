//! Row 36: the description of the server against the server.

use std::path::Path;
use std::process::Command;

use promptops_client::{NewPrompt, PromptUpdate};
use promptops_types::Secret;

use super::{row, runs, seed};
use crate::server::{Running, all, start};

/// The settings of the tests, and more lines of them.
fn config(more: &str) -> tempfile::NamedTempFile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemathesis.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(file.path(), format!("{text}\n{more}")).unwrap();
    file
}

/// How many cases a run of Schemathesis made, if all of them passed.
async fn run(server: &Running, key: &Secret, settings: &str, only: &[&str]) -> u64 {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin/schemathesis");
    assert!(program.is_file(), "no Schemathesis: `cargo xtask test` installs it");
    let config = config(settings);
    let mut command = Command::new(program);
    command
        .arg("--config-file")
        .arg(config.path())
        .args(["run", &format!("http://{}/openapi.json", server.address)])
        .args(["--header", &format!("Authorization: Bearer {}", key.expose())])
        .args(["--checks", "all", "--max-examples", &runs(200).max(10).to_string()])
        .args(["--seed", &seed().to_string()])
        .args(only)
        // It keeps what it has found there.
        .current_dir(config.path().parent().unwrap());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{errors}");
    let passed = told.split("generated, ").nth(1).and_then(|rest| rest.split(' ').next());
    passed.and_then(|passed| passed.parse().ok()).unwrap_or_else(|| panic!("{told}"))
}

/// A server with one prompt, and a key for everything.
async fn ready() -> (Running, Secret) {
    let server = start().await;
    let client = server.client(&server.admin);
    client.create_prompt(NewPrompt::new("Greeting", "Hello {{ name }}")).await.unwrap();
    let update = PromptUpdate::new().content("Hi {{ name }}");
    client.update_prompt("greeting", update).await.unwrap();
    client.set_label("greeting", "production", "1.0.0").await.unwrap();
    let (_, key) = server.key(all()).await;
    (server, key)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_36_the_server_is_what_its_description_says() {
    // A run that revokes its own key would end there: that operation has a run of its own, without what
    // other operations have told.
    let (server, key) = ready().await;
    let anything = run(&server, &key, "", &["--exclude-operation-id", "keys_revoke"]).await;
    let revoke = ["--include-operation-id", "keys_revoke", "--phases", "examples,coverage,fuzzing"];
    let revoked = run(&server, &key, "", &revoke).await;
    // A prompt that is there, so that more is seen than that it is missing.
    let (server, key) = ready().await;
    let there = "[[operations]]\ninclude-path-regex = '^/prompts/.id.'\n\
                 parameters = { \"path.id\" = \"greeting\" }";
    let of_it = ["--include-path-regex", r"^/prompts/\{id\}", "--exclude-method", "DELETE"];
    let of_it = run(&server, &key, there, &of_it).await;
    let cases = anything + revoked + of_it;
    let measured = format!("0 failures in {cases} cases of Schemathesis, all checks");
    row(36, "drift between OpenAPI and the server", "none", measured, true);
}
