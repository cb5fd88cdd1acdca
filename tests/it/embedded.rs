//! Every operation of the client against an embedded registry.

use std::future::IntoFuture;
use std::time::Duration;

use http::StatusCode;
use promptops_client::{
    Bump, Error, ErrorKind, LabelTarget, Message, ModelProvider, ModelSpecificPrompt, NewPrompt,
    PromptOpsClient, PromptResponse, PromptUpdate, SortBy, SortOrder, Source, TemplateFormat,
    TransportErrorKind, vars,
};
use promptops_transport::test_util::ScriptedTransport;

pub(crate) fn client() -> PromptOpsClient {
    PromptOpsClient::builder().base_url("sqlite::memory:").build().unwrap()
}

async fn with_greeting() -> PromptOpsClient {
    let client = client();
    client.create_prompt(NewPrompt::new("Greeting", "Hello {{ name }}!")).await.unwrap();
    client
}

#[tokio::test]
async fn create_gives_back_the_whole_prompt() {
    let client = client();
    let body = ModelSpecificPrompt::new(ModelProvider::OpenAi, "Hi {{ customer_name }}")
        .model_name("gpt-4")
        .instructions("Be brief.");
    let new = NewPrompt::new("Technical Support Response", "Hello {{customer_name}}!")
        .description("Response template for technical issues")
        .variables(["customer_name", "severity"])
        .target_models([ModelProvider::OpenAi, ModelProvider::Anthropic])
        .model_specific_prompts([body])
        .tags(["technical", "support"])
        .module("support");
    let created = client.create_prompt(new).await.unwrap();
    assert_eq!(created.slug, "technical-support-response");
    assert_eq!((created.version.as_str(), created.project_id.as_str()), ("1.0.0", "default"));
    assert_eq!(created.variables, ["customer_name", "severity"]);
    assert_eq!(created.target_models, ["openai", "anthropic"]);
    assert_eq!(created.created_by, "embedded");
    assert_eq!(created.digest.len(), 64);
    for id in [&created.id, &created.slug] {
        assert_eq!(client.get_prompt(id).await.unwrap(), created);
    }
}

#[tokio::test]
async fn get_selects_projects_and_versions() {
    let client = with_greeting().await;
    client.update_prompt("greeting", PromptUpdate::new().content("v2")).await.unwrap();
    client.set_label("greeting", "production", "v1.0.0").await.unwrap();
    let get = async |version: &str| client.get_prompt("greeting").version(version).await;
    assert_eq!(get("latest").await.unwrap().version, "1.1.0");
    assert_eq!(get("v1.0.0").await.unwrap().labels, ["production"]);
    assert_eq!(get("staging,production").await.unwrap().version, "1.0.0");

    let other = NewPrompt::new("Greeting", "other");
    client.create_prompt(other).project("support").await.unwrap();
    let other = client.get_prompt("greeting").project("support").use_cache(false).await.unwrap();
    assert_eq!(other.content, "other");

    let scoped =
        PromptOpsClient::builder().base_url("sqlite::memory:").project("team").build().unwrap();
    let created = scoped.create_prompt(NewPrompt::new("Scoped", "x")).await.unwrap();
    assert_eq!(created.project_id, "team");
    assert_eq!(scoped.get_prompt("scoped").await.unwrap(), created);
}

#[tokio::test]
async fn a_list_of_versions_has_all_of_them() {
    // More than a page of the registry's.
    const VERSIONS: usize = 1003;
    let client = with_greeting().await;
    for number in 1..VERSIONS {
        let update = PromptUpdate::new().content(format!("Hello {number}"));
        client.update_prompt("greeting", update).await.unwrap();
    }
    let versions = client.prompt_versions("greeting").await.unwrap();
    assert_eq!(versions.len(), VERSIONS);
    assert_eq!(versions[VERSIONS - 1].version, "1.0.0");
}

#[tokio::test]
async fn a_fetch_says_where_the_value_came_from_and_a_fallback_always_answers() {
    let client = with_greeting().await;
    let fetched = client.get_prompt("greeting").fetch().await.unwrap();
    assert_eq!((fetched.source, fetched.age), (Source::Network, Duration::ZERO));
    assert!(fetched.etag.is_some());

    let fallback = PromptResponse::default();
    let missing = client.get_prompt("missing").fallback(fallback.clone());
    let fetched = missing.fetch().await.unwrap();
    assert_eq!((fetched.source, fetched.etag), (Source::Fallback, None));
    let rendered = client.render_prompt("missing", vars! {}).fallback(fallback).await.unwrap();
    assert_eq!(rendered.rendered_content, "", "an empty fallback is one too");
}

#[tokio::test]
async fn render_chooses_the_body_and_reports_what_was_used() {
    let client = client();
    let new = NewPrompt::new("Reply", "Dear {{ name }}").model_specific_prompts([
        ModelSpecificPrompt::new("openai", "Hi {{ name }}, {{ tone }}")
            .model_name("gpt-4")
            .instructions("You are {{ tone }}."),
    ]);
    client.create_prompt(new).await.unwrap();
    let variables = vars! { "name" => "{{ tone }}", "tone" => "kind", "spare" => 1 };
    let own = client.render_prompt("reply", &variables).await.unwrap();
    assert_eq!(own.rendered_content, "Dear {{ tone }}", "a value is data");
    assert_eq!(own.unused_variables, ["tone", "spare"]);
    assert!(!own.cache_hit && own.processing_time_ms >= 0.0);

    let chosen = client
        .render_prompt("reply", &variables)
        .model(ModelProvider::OpenAi, "gpt-4-turbo")
        .await
        .unwrap();
    assert_eq!(chosen.body.model_name.as_deref(), Some("gpt-4"));
    let roles: Vec<_> = chosen.messages.iter().map(|m| (&*m.role, &*m.content)).collect();
    assert_eq!(roles, [("system", "You are kind."), ("user", "Hi {{ tone }}, kind")]);
    assert_eq!(chosen.variables_used, ["tone", "name"]);

    let strict = client.render_prompt("reply", &variables).strict(true).await.unwrap_err();
    assert_eq!(strict.kind(), ErrorKind::Validation);
}

#[tokio::test]
async fn chat_jinja_and_verbatim_prompts_render() {
    #[derive(serde::Serialize)]
    struct Ask<'a> {
        tone: &'a str,
        question: &'a str,
    }

    let client = client();
    let chat = [Message::new("system", "Be {{ tone }}."), Message::new("user", "{{ question }}")];
    client.create_prompt(NewPrompt::chat("Chat", chat)).await.unwrap();
    let ask = Ask { tone: "brief", question: "Why?" };
    let render = client.render_prompt("chat", &ask).await.unwrap();
    assert_eq!(render.rendered_content, "Be brief.\n\nWhy?");
    assert_eq!(render.messages.len(), 2);

    let jinja = NewPrompt::new("Jinja", "{% for i in items %}{{ i }};{% endfor %}")
        .template_format(TemplateFormat::Jinja);
    assert_eq!(client.create_prompt(jinja).await.unwrap().variables, ["items"]);
    let render = client.render_prompt("jinja", vars! { "items" => [1, true, null] }).await.unwrap();
    assert_eq!(render.rendered_content, "1;true;;");

    let verbatim =
        NewPrompt::new("Verbatim", "{{ ref('x') }}").template_format(TemplateFormat::None);
    client.create_prompt(verbatim).await.unwrap();
    let render = client.render_prompt("verbatim", vars! {}).await.unwrap();
    assert_eq!(render.rendered_content, "{{ ref('x') }}");
}

#[tokio::test]
async fn lists_filter_sort_and_page() {
    let client = client();
    for (name, module, tag) in [("Beta", "m", "x"), ("Alpha", "m", "y"), ("Gamma", "n", "x")] {
        let new = NewPrompt::new(name, "t").module(module).tags([tag]).description("100% sure");
        client.create_prompt(new).await.unwrap();
    }
    let names = async |request: promptops_client::requests::ListPrompts| {
        let prompts = request.sort_by(SortBy::Name).sort_order(SortOrder::Asc).await.unwrap();
        prompts.iter().map(|prompt| prompt.name.clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(client.list_prompts()).await, "Alpha Beta Gamma");
    assert_eq!(names(client.list_prompts().module("m")).await, "Alpha Beta");
    assert_eq!(names(client.list_prompts().tags(["x"])).await, "Beta Gamma");
    assert_eq!(names(client.list_prompts().query("alph")).await, "Alpha");
    assert_eq!(names(client.list_prompts().query("0% s")).await, "Alpha Beta Gamma");
    assert_eq!(names(client.list_prompts().skip(1).limit(1)).await, "Beta");
    assert_eq!(names(client.list_prompts().project("other")).await, "");
    let page = client.list_prompts().limit(2).page().await.unwrap();
    assert_eq!((page.total, page.has_more, page.prompts.len()), (3, true, 2));
    assert_eq!(page.prompts[0].name, "Gamma", "the newest first, unless said otherwise");
}

#[tokio::test]
async fn update_publishes_edits_and_respects_if_match() {
    let client = with_greeting().await;
    let etag = client.get_prompt("greeting").fetch().await.unwrap().etag.unwrap();
    let update = |text: &str| client.update_prompt("greeting", PromptUpdate::new().content(text));
    let second = update("two").bump(Bump::Major).message("why").if_match(&etag).await.unwrap();
    assert_eq!(second.version, "2.0.0");
    let edited = update("edited").version("1.0.0").await.unwrap();
    assert_eq!((edited.version.as_str(), edited.content.as_str()), ("1.0.0", "edited"));
    let stale = update("three").if_match(&etag).await.unwrap_err();
    assert_eq!((stale.kind(), stale.status()), (ErrorKind::Conflict, Some(412)));
    let same = client.update_prompt("greeting", PromptUpdate::new().content("two"));
    assert_eq!(same.await.unwrap_err().code(), "VERSION_EXISTS");
    assert_eq!(update("two").force(true).await.unwrap().version, "2.1.0");
    let beta = update("beta").version("3.0.0-beta.1").create_new_version(true).await.unwrap();
    assert_eq!(beta.version, "3.0.0-beta.1");
    assert_eq!(client.get_prompt("greeting").await.unwrap().version, "2.1.0");

    let versions = client.prompt_versions("greeting").await.unwrap();
    let versions: Vec<_> = versions.iter().map(|prompt| prompt.version.as_str()).collect();
    assert_eq!(versions, ["3.0.0-beta.1", "2.1.0", "2.0.0", "1.0.0"], "the newest first");
}

#[tokio::test]
async fn delete_says_what_is_gone() {
    let client = with_greeting().await;
    client.update_prompt("greeting", PromptUpdate::new().content("two")).await.unwrap();
    client.set_label("greeting", "production", "1.0.0").await.unwrap();
    let frozen = client.delete_prompt("greeting").version("1.0.0").await.unwrap_err();
    assert_eq!(frozen.code(), "VERSION_FROZEN");
    let deleted = client.delete_prompt("greeting").version("1.0.0").force(true).report().await;
    let deleted = deleted.unwrap();
    assert_eq!(
        (deleted.versions, deleted.labels),
        (vec!["1.0.0".into()], vec!["production".into()])
    );
    assert!(client.delete_prompt("greeting").await.unwrap());
    let error = client.delete_prompt("greeting").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PromptNotFound);
}

#[tokio::test]
async fn labels_are_set_weighted_undone_and_removed() {
    let client = with_greeting().await;
    client.update_prompt("greeting", PromptUpdate::new().content("two")).await.unwrap();
    client.set_label("greeting", "production", "1.0.0").await.unwrap();
    let weights = [("1.0.0", 50), ("1.1.0", 50)];
    client.set_label_weights("greeting", "team/eu west", weights).await.unwrap();
    let labels = client.labels("greeting").await.unwrap();
    assert_eq!(labels.len(), 2);
    assert!(matches!(labels[1].target, LabelTarget::Weights(_)));
    let mut seen = std::collections::BTreeSet::new();
    for user in 0..20 {
        let request =
            || client.get_prompt("greeting").version("team/eu west").key(user.to_string());
        let version = request().await.unwrap().version.clone();
        assert_eq!(request().await.unwrap().version, version);
        seen.insert(version);
    }
    assert_eq!(seen.len(), 2);
    client.set_label("greeting", "production", "1.1.0").await.unwrap();
    let undone = client.undo_label("greeting", "production").await.unwrap().unwrap();
    assert_eq!(undone.target.to_string(), "1.0.0");
    assert!(client.remove_label("greeting", "production").await.unwrap());
    let error = client.remove_label("greeting", "production").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn validate_answers_yes_or_no_and_why() {
    let client = with_greeting().await;
    assert!(client.validate_prompt("greeting").await.unwrap());
    assert!(!client.validate_prompt("greeting").version("9.9.9").await.unwrap());
    let report = client.validate_prompt("missing").report().await.unwrap();
    assert!(!report.valid);
    assert!(report.issues[0].message.contains("no prompt `missing`"), "{report:?}");
}

#[tokio::test]
async fn a_batch_finds_some_and_names_the_rest() {
    let client = with_greeting().await;
    client.create_prompt(NewPrompt::new("batch", "a slug like a path of ours")).await.unwrap();
    let batch = client.get_prompts(["greeting", "batch", "missing"]).await.unwrap();
    assert_eq!(batch.prompts.keys().collect::<Vec<_>>(), ["batch", "greeting"]);
    assert_eq!(batch.errors["missing"].code.as_str(), "PROMPT_NOT_FOUND");
    assert_eq!((batch.total_requested, batch.total_found), (3, 2));
    assert_eq!(client.get_prompt("batch").await.unwrap().slug, "batch");

    let selected = promptops_client::BatchEntry::selected("greeting", "v1");
    let batch = client.get_prompts([selected]).include_versions(true).await.unwrap();
    assert_eq!(batch.versions["greeting@v1"], ["1.0.0"]);
    let many: Vec<_> = (0..1001).map(|n| format!("missing-{n}")).collect();
    assert_eq!(client.get_prompts(many).await.unwrap().errors.len(), 1001);
}

#[tokio::test]
async fn models_and_compatibility() {
    let client = client();
    let new = NewPrompt::new("Reply", "Hello").target_models(["openai"]);
    client.create_prompt(new).await.unwrap();
    let models = client.list_models().provider(ModelProvider::OpenAi).await.unwrap();
    let gpt4 = models.iter().find(|model| model.name == "gpt-4").unwrap();
    assert_eq!((gpt4.context_window, gpt4.currency.as_str()), (Some(8192), "USD"));
    let vision = client.list_models().capability("vision").await.unwrap();
    assert!(vision.iter().all(|model| model.capabilities.contains(&"vision".to_owned())));
    assert!(client.list_models().await.unwrap().len() > models.len());

    let fits = async |provider, model: &str| {
        client.get_model_compatibility("reply", provider, model).await.unwrap()
    };
    assert!(fits(ModelProvider::OpenAi, "gpt-4").await);
    assert!(!fits(ModelProvider::Anthropic, "claude-3-sonnet").await);
    let report = client.get_model_compatibility("reply", "anthropic", "claude-3-sonnet").report();
    let report = report.await.unwrap();
    assert_eq!(report.issues, ["the prompt is written for openai"]);
    let error = client.get_model_compatibility("missing", "openai", "gpt-4").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PromptNotFound);
}

#[tokio::test]
async fn diffs_show_what_changed() {
    let client = with_greeting().await;
    client.update_prompt("greeting", PromptUpdate::new().content("Dear {{ you }}")).await.unwrap();
    let diff = client.diff_prompt("greeting", "1.0.0", "latest").await.unwrap();
    assert!(diff.unified.contains("-Hello {{ name }}!\n+Dear {{ you }}\n"), "{}", diff.unified);
    assert_eq!(
        (diff.variables_added, diff.variables_removed),
        (vec!["you".into()], vec!["name".into()])
    );
}

#[tokio::test]
async fn a_file_is_shared_by_clones_and_reopened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompts.db");
    let client = PromptOpsClient::embedded(&path).unwrap();
    let clone = client.clone();
    let task = tokio::spawn(clone.create_prompt(NewPrompt::new("Kept", "x")).into_future());
    task.await.unwrap().unwrap();
    drop((client, clone));
    let client = PromptOpsClient::embedded(&path).unwrap();
    assert_eq!(client.get_prompt("kept").await.unwrap().content, "x");
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_at_its_deadline() {
    let never = promptops_client::from_fn(|_| std::future::pending());
    let client = PromptOpsClient::builder()
        .base_url("http://127.0.0.1:1/v1")
        .transport(never)
        .timeout(Duration::from_secs(7))
        .build()
        .unwrap();
    let error = client.get_prompt("greeting").await.unwrap_err();
    let Error::Timeout { timeout, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*timeout, Duration::from_secs(7));
    assert!(error.is_retryable() && error.to_string().contains("within 7s"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn failed_calls_are_retried_and_errors_say_how_often() {
    let client = |script: &ScriptedTransport| {
        PromptOpsClient::builder()
            .base_url("https://prompts.example.com/v1")
            .transport(script.clone())
            .build()
            .unwrap()
    };
    let prompt = http::Response::new(bytes::Bytes::from_static(b"{\"id\": \"p\"}"));
    let script = ScriptedTransport::new().then_status(StatusCode::BAD_GATEWAY).then(prompt.clone());
    assert_eq!(client(&script).get_prompt("greeting").await.unwrap().id, "p");

    let script = ScriptedTransport::new();
    let error = client(&script).get_prompt("greeting").await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Network, 3));
    assert!(error.to_string().contains("3 attempts"), "{error}");

    // A create carries a key by which the registry knows it again, the same in each attempt.
    let script = ScriptedTransport::new().then_error(TransportErrorKind::Interrupted).then(prompt);
    client(&script).create_prompt(NewPrompt::new("n", "x")).await.unwrap();
    let keys: Vec<_> =
        script.requests().iter().map(|sent| sent.headers()["idempotency-key"].clone()).collect();
    assert_eq!((keys.len(), &keys[0]), (2, &keys[1]));

    // A delete without a key is repeated too: gone twice is gone.
    let script = ScriptedTransport::new().then_status(StatusCode::UNAUTHORIZED);
    let error = client(&script).delete_prompt("greeting").await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Authentication, 1));
}
