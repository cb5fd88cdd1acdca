//! What a user meets who gives something wrong: read as they would read it.

use promptops_client::{Error, ErrorKind, NewPrompt, PromptOpsClient, PromptUpdate, vars};

use crate::embedded::client;

fn text(error: &Error) -> String {
    // Request ids differ from run to run.
    let text = error.to_string();
    match (text.find(", request "), text.find(']')) {
        (Some(from), Some(to)) => format!("{}{}", &text[..from], &text[to..]),
        _ => text,
    }
}

async fn refused(client: &PromptOpsClient, new: NewPrompt) -> String {
    let error = client.create_prompt(new).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Validation, "{error:?}");
    assert!(error.request_id().is_some());
    assert_eq!(client.list_prompts().page().await.unwrap().total, 0, "nothing is half-written");
    text(&error)
}

#[tokio::test]
async fn every_missing_variable_is_named_with_its_place_and_a_near_match() {
    let client = client();
    let content = "Hello {{ customer_name }},\nyour {{ order.id }} is {{ state }}.";
    client.create_prompt(NewPrompt::new("Order", content)).await.unwrap();
    let given = vars! { "custmer_name" => "Ann", "order" => {"number": 7} };
    let error = client.render_prompt("order", given).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "3 variables are missing [VALIDATION_ERROR]\n  \
         - `customer_name` (content, line 1, column 7): is not given; did you mean `custmer_name`?\n  \
         - `order.id` (content, line 2, column 6): is not given\n  \
         - `state` (content, line 2, column 24): is not given"
    );
    let error = client.render_prompt("order", 7).await.unwrap_err();
    assert!(error.to_string().contains("variables are an object"), "{error}");
}

#[tokio::test]
async fn wrong_fields_are_all_named() {
    let client = client();
    assert_eq!(
        refused(&client, NewPrompt::new("", "{{ a }}").variables(["b"]).tags(["x,y"])).await,
        "3 fields are wrong [VALIDATION_ERROR]\n  \
         - `a` (content, line 1, column 1): is used by a placeholder but not in `variables`; add \
         it, or leave `variables` out\n  \
         - `name`: is empty\n  \
         - `tags`: `x,y` has a comma; write two tags"
    );
    assert_eq!(
        refused(&client, NewPrompt::new("n", "")).await,
        "`content`: is empty; give `content` or `messages` [VALIDATION_ERROR]\n  \
         - `content`: is empty; give `content` or `messages`"
    );
    let broken = NewPrompt::new("n", "line\n{% if %}")
        .template_format(promptops_client::TemplateFormat::Jinja);
    let told = refused(&client, broken).await;
    assert!(told.contains("(content, line 2"), "{told}");
    let future = NewPrompt::new("n", "x").template_format("mustache".into());
    let told = refused(&client, future).await;
    assert!(told.contains("`mustache` is not one of simple, jinja, none"), "{told}");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_with_the_limit() {
    let client = client();
    let told = refused(&client, NewPrompt::new("n", "x".repeat(2 << 20))).await;
    assert_eq!(
        told,
        "`content` has 2097152 bytes; at most 1048576 are allowed [PAYLOAD_TOO_LARGE]"
    );
    let told = refused(&client, NewPrompt::new("n", "x".repeat(10 << 20))).await;
    assert!(told.contains("larger than 8388608 bytes"), "{told}");
    client.create_prompt(NewPrompt::new("n", "x".repeat(1 << 20))).await.unwrap();
}

#[tokio::test]
async fn names_round_trip_or_are_refused() {
    let client = client();
    for (name, slug) in [
        ("a/b", "team/reply v2"),
        ("it's \"quoted\"", "it's \"quoted\""),
        ("🎉", "🎉"),
        ("Größe", "größe?x=1&y#z%20"),
        ("dots", "a..b."),
    ] {
        let created = client.create_prompt(NewPrompt::new(name, "x").slug(slug)).await.unwrap();
        let found = client.get_prompt(slug).await.unwrap();
        assert_eq!(
            (&found.id, found.slug.as_str(), found.name.as_str()),
            (&created.id, slug, name)
        );
        client.set_label(slug, "label/ä &?#%", "1.0.0").await.unwrap();
        let labelled = client.get_prompt(slug).version("label/ä &?#%").await.unwrap();
        assert_eq!(labelled.labels, ["label/ä &?#%"]);
        client.delete_prompt(slug).force(true).await.unwrap();
    }
    for (new, part) in [
        (NewPrompt::new("nul\0", "x"), "U+0000"),
        (NewPrompt::new("n", "x").slug(".hidden"), "begins with a dot"),
        (NewPrompt::new("n", "x").slug("a/../b"), "begins with a dot"),
        (NewPrompt::new("n".repeat(201), "x"), "longer than 200 characters"),
        (NewPrompt::new("n", "x").version("1.0"), "such as 1.2.0"),
    ] {
        let told = refused(&client, new).await;
        assert!(told.contains(part), "{told}");
    }
    for id in ["", ".", "..", "\0", "a/b/../c", "%2e%2e"] {
        let error = client.get_prompt(id).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::PromptNotFound | ErrorKind::NotFound),
            "{id:?}: {error:?}"
        );
    }
}

#[tokio::test]
async fn conflicts_and_bad_selectors_say_what_to_do() {
    let client = client();
    client.create_prompt(NewPrompt::new("Greeting", "x")).await.unwrap();
    let taken = client.create_prompt(NewPrompt::new("Greeting", "y")).await.unwrap_err();
    assert_eq!(
        text(&taken),
        "project `default` already has a prompt `greeting`; update that one, or give another slug \
         [SLUG_TAKEN]"
    );
    assert_eq!((taken.kind(), taken.status()), (ErrorKind::Conflict, Some(409)));

    client.set_label("greeting", "production", "1.0.0").await.unwrap();
    let update = PromptUpdate::new().content("z");
    let frozen = client.update_prompt("greeting", update).version("1.0.0").await.unwrap_err();
    assert_eq!(
        text(&frozen),
        "version 1.0.0 of prompt `greeting` is frozen: label `production` points at it; publish a \
         new version, or move the label first [VERSION_FROZEN]"
    );
    for selector in ["1.2.3.4", "a,,b", "v1.x", ""] {
        let error = client.get_prompt("greeting").version(selector).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Validation, "BAD_REQUEST"));
        assert!(error.to_string().contains("is not a version, a label or a chain"), "{error}");
    }
    let error = client.set_label("greeting", "latest", "1.0.0").await.unwrap_err();
    assert!(error.to_string().contains("`latest` is reserved"), "{error}");
    let error = client.set_label("greeting", "a", "not-a-version").await.unwrap_err();
    assert!(error.to_string().contains("such as 1.2.0"), "{error}");
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes.txt");
    std::fs::write(&notes, "not a database, only a text that is long enough to be one").unwrap();
    let error = PromptOpsClient::embedded(&notes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("is not a PromptOps registry"), "{error}");
    let error = PromptOpsClient::embedded(folder.path().join("no/folder.db")).unwrap_err();
    assert!(error.to_string().contains("check the path"), "{error}");
}
