//! The conformance vectors once more, through a registry: client and server give the same bytes.

use bytes::Bytes;
use http::Request;
use promptops_client::{NewPrompt, PromptOpsClient, TemplateFormat};
use promptops_server::{Access, InProcess, Registry};
use serde_json::{Value, json};

use crate::embedded::client;

/// What a registry does with one case: the client's render and the server's, which are the same.
async fn render(
    client: &PromptOpsClient,
    server: &InProcess,
    name: &str,
    new: NewPrompt,
    variables: &Value,
    model: &Value,
) -> Result<Value, String> {
    let provider = model["provider"].as_str().map(str::to_owned);
    let model = model["name"].as_str().map(str::to_owned);
    let mut create = serde_json::to_value(&new).unwrap();
    create["slug"] = json!(name);
    let created = post(server, "/prompts", &create).await;
    assert_eq!(created["success"], true, "{name}: {created}");
    client.create_prompt(new.slug(name)).await.unwrap_or_else(|error| panic!("{name}: {error}"));

    let mut request = client.render_prompt(name, variables);
    request = match (provider.clone(), model.clone()) {
        (Some(provider), Some(model)) => request.model(provider, model),
        (Some(provider), None) => request.provider(provider),
        _ => request,
    };
    let rendered = request.await;
    let body = json!({"variables": variables, "model_provider": provider, "model_name": model});
    let answer = post(server, &format!("/prompts/{name}/render"), &body).await;
    match rendered {
        Ok(render) => {
            let mut ours = serde_json::to_value(render).unwrap();
            let mut theirs = answer["data"].clone();
            for field in ["prompt_id", "processing_time_ms"] {
                ours[field] = Value::Null;
                theirs[field] = Value::Null;
            }
            assert_eq!(ours, theirs, "{name}");
            Ok(ours)
        }
        Err(error) => {
            assert_eq!(answer["error"]["code"], error.code(), "{name}");
            Err(error.code().to_owned())
        }
    }
}

async fn post(server: &InProcess, path: &str, body: &Value) -> Value {
    let request = Request::post(format!("/v1/client{path}"))
        .header("content-type", "application/json")
        .body(Bytes::from(body.to_string()))
        .unwrap();
    serde_json::from_slice(server.call(request).await.body()).unwrap()
}

fn server() -> InProcess {
    InProcess::new(Registry::in_memory().unwrap(), Access::full("vectors"))
}

#[tokio::test]
async fn templates_come_back_from_the_registry_byte_for_byte() {
    let (client, server) = (client(), server());
    let mut checked = 0;
    for (json, format) in [
        (include_str!("../vectors/simple.json"), TemplateFormat::Simple),
        (include_str!("../vectors/none.json"), TemplateFormat::None),
        (include_str!("../vectors/jinja.json"), TemplateFormat::Jinja),
    ] {
        let vectors: Value = serde_json::from_str(json).unwrap();
        for case in vectors["cases"].as_array().unwrap() {
            let name = case["name"].as_str().unwrap();
            let template = case["template"].as_str().unwrap();
            if template.is_empty() || case["expect"]["error"] == "syntax" {
                continue; // A registry takes no prompt without a text, and none that is malformed.
            }
            let new = NewPrompt::new(name, template).template_format(format.clone());
            let rendered =
                render(&client, &server, name, new, &case["variables"], &Value::Null).await;
            match case["expect"]["output"].as_str() {
                Some(expected) => assert_eq!(rendered.unwrap()["rendered_content"], expected),
                None => assert_eq!(rendered.unwrap_err(), "VALIDATION_ERROR", "{name}"),
            }
            checked += 1;
        }
    }
    assert!(checked > 200, "{checked}");
}

#[tokio::test]
async fn whole_prompts_render_alike_in_the_client_and_on_the_server() {
    let (client, server) = (client(), server());
    let vectors: Value = serde_json::from_str(include_str!("../vectors/prompts.json")).unwrap();
    for case in vectors["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let mut prompt = case["prompt"].clone();
        prompt["name"] = json!(name);
        if prompt["messages"].as_array().is_some_and(|messages| !messages.is_empty()) {
            prompt["content"] = json!(""); // What a registry keeps of a chat prompt.
        }
        let new: NewPrompt = serde_json::from_value(prompt).unwrap();
        let rendered =
            render(&client, &server, name, new, &case["variables"], &case["model"]).await;
        let expect = &case["expect"];
        match rendered {
            Ok(render) => {
                for field in ["rendered_content", "messages", "variables_used", "body"] {
                    assert_eq!(render[field], expect[field], "{name}: {field}");
                }
            }
            Err(code) => {
                assert_eq!(
                    (code.as_str(), expect["error"].is_string()),
                    ("VALIDATION_ERROR", true)
                );
            }
        }
    }
}
