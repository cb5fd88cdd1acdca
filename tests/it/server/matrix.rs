//! Every route, what it needs and what it shows: the one table of them, held against the description
//! that the server gives of itself. A route that is not in it fails.

use std::collections::BTreeSet;

use promptops_client::NewPrompt;
use promptops_server::{Access, NewKey, Scope};
use promptops_types::Secret;
use serde_json::Value;

use super::{Running, all, start};

/// Who may ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Needs {
    Nobody,
    /// Whoever has a key.
    AnyKey,
    Read,
    Write,
    Admin,
}

/// What of other projects could be seen in an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shows {
    /// The prompt that the path names: another project's is as one that is not there.
    ThePrompt,
    /// Prompts, or what was done to them: those of other projects are left out.
    Prompts,
    /// Nothing of projects.
    Nothing,
}

/// A route, and a request of it for the prompt `plan` in the project `own`.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) query: &'static str,
    pub(crate) body: &'static str,
    pub(crate) needs: Needs,
    pub(crate) shows: Shows,
}

const fn route(
    method: &'static str,
    path: &'static str,
    query: &'static str,
    body: &'static str,
    needs: Needs,
    shows: Shows,
) -> Route {
    Route { method, path, query, body, needs, shows }
}

use Needs::{Admin, AnyKey, Nobody, Read, Write};
use Shows::{Nothing, Prompts, ThePrompt};

pub(crate) const ROUTES: [Route; 25] = [
    route("GET", "/prompts", "", "", Read, Prompts),
    route("POST", "/prompts", "", r#"{"name": "New", "content": "x"}"#, Write, Nothing),
    route("GET", "/prompts/{id}", "", "", Read, ThePrompt),
    route("PUT", "/prompts/{id}", "", r#"{"content": "y"}"#, Write, ThePrompt),
    route("DELETE", "/prompts/{id}", "force=true", "", Write, ThePrompt),
    route("POST", "/prompts/batch", "", r#"{"prompt_ids": ["plan"]}"#, Read, Prompts),
    route("GET", "/prompts/{id}/versions", "", "", Read, ThePrompt),
    route("GET", "/prompts/{id}/versions/{version}", "", "", Read, ThePrompt),
    route("POST", "/prompts/{id}/render", "", r#"{"variables": {"x": 1}}"#, Read, ThePrompt),
    route("GET", "/prompts/{id}/model/{provider}/{name}", "", "", Read, ThePrompt),
    route("GET", "/prompts/{id}/labels", "", "", Read, ThePrompt),
    route("PUT", "/prompts/{id}/labels/{label}", "", r#"{"version": "1.0.0"}"#, Write, ThePrompt),
    route("DELETE", "/prompts/{id}/labels/{label}", "", "", Write, ThePrompt),
    route("GET", "/prompts/{id}/diff", "from=1.0.0&to=1.0.0", "", Read, ThePrompt),
    route("GET", "/models", "", "", AnyKey, Nothing),
    route(
        "POST",
        "/models/compatibility",
        "",
        r#"{"prompt_content": "x", "models": [{"provider": "openai", "name": "gpt-4"}]}"#,
        AnyKey,
        Nothing,
    ),
    route("GET", "/auth/api-keys", "", "", Admin, Prompts),
    route("POST", "/auth/api-keys", "", r#"{"name": "child"}"#, Admin, Nothing),
    route("DELETE", "/auth/api-keys/{id}", "", "", Admin, Nothing),
    route("POST", "/usage/log", "", r#"{"operation": "get_prompt"}"#, Read, Nothing),
    route("GET", "/usage/stats", "", "", Read, Prompts),
    route("GET", "/usage/limits", "", "", AnyKey, Nothing),
    route("GET", "/changes", "", "", Read, Prompts),
    route("GET", "/health", "", "", Nobody, Nothing),
    route("POST", "/auth/validate", "", r#"{"api_key": "x"}"#, Nobody, Nothing),
];

impl Route {
    /// The request line for a prompt of a project; in none where that is empty.
    pub(crate) fn line(&self, id: &str, project: &str) -> String {
        let path = self
            .path
            .replace("{id}", id)
            .replace("{version}", "1.0.0")
            .replace("{provider}", "openai")
            .replace("{name}", "gpt-4")
            .replace("{label}", "prod");
        let project =
            if project.is_empty() { String::new() } else { format!("project_id={project}") };
        let query = [self.query, &project].into_iter().filter(|part| !part.is_empty());
        let query = query.collect::<Vec<_>>().join("&");
        format!("{} /v1/client{path}?{query}", self.method)
    }
}

#[tokio::test]
async fn the_table_has_every_route_of_the_description() {
    let server = start().await;
    let text = server.text("/openapi.json").await;
    let description: Value = serde_json::from_str(&text).unwrap();
    let described: BTreeSet<String> = description["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let known: BTreeSet<String> =
        ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(known, described, "a route and its row in ROUTES come and go together");
    let ids: BTreeSet<Option<&str>> = description["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str())
        .collect();
    assert_eq!(ids.len(), ROUTES.len(), "each operation has a name of its own");
}

/// What a caller is told when it asks, on a server of its own so that no failure counts for others.
async fn asked(server: &Running, route: &Route, key: Option<&Secret>) -> u16 {
    let access = Access::full("test");
    // What the request before may have deleted.
    let new = NewPrompt::new("Plan", "Hi {{ x }}").slug("plan");
    let _ = server.registry.create(&access, Some("own"), new).await;
    let label = "prod".parse().unwrap();
    let to = promptops_types::LabelTarget::Version("1.0.0".parse().unwrap());
    let plan = promptops_registry::PromptRef::new("plan").in_project(Some("own"));
    let _ = server.registry.set_label(&access, &plan, &label, to, None).await;
    let header = key.map(|key| format!("authorization: Bearer {}\r\n", key.expose()));
    let line = route.line("plan", "own");
    server.send(&line, &header.unwrap_or_default(), route.body).await.status
}

#[tokio::test]
async fn every_route_asks_for_what_it_needs() {
    let server = start().await;
    let key = async |scopes: &[Scope]| {
        let scopes = Some(scopes.iter().copied().collect());
        let projects = Some(["own".to_owned()].into());
        server.key(NewKey { scopes, projects, ..all() }).await.1
    };
    let (reader, writer) = (key(&[Scope::Read]).await, key(&[Scope::Write]).await);
    let admin = key(&[Scope::Admin]).await;
    let (revoked, revoked_text) = server.key(all()).await;
    server.registry.revoke_key(&Access::full("test"), &revoked.id).await.unwrap();
    for route in &ROUTES {
        let line = route.line("plan", "own");
        for (who, key, may) in [
            ("nobody", None, vec![Nobody]),
            ("revoked", Some(&revoked_text), vec![Nobody]),
            ("reader", Some(&reader), vec![Nobody, AnyKey, Read]),
            ("writer", Some(&writer), vec![Nobody, AnyKey, Read, Write]),
            ("admin", Some(&admin), vec![Nobody, AnyKey, Admin]),
        ] {
            let status = asked(&server, route, key).await;
            let is_known = !matches!(who, "nobody" | "revoked");
            match (may.contains(&route.needs), is_known) {
                (true, _) => assert!(!matches!(status, 401 | 403), "{who}: {line}: {status}"),
                (false, true) => assert_eq!(status, 403, "{who}: {line}"),
                (false, false) => assert_eq!(status, 401, "{who}: {line}"),
            }
            assert!(status < 500, "{who}: {line}: {status}");
        }
    }
}
