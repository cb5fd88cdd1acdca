//! The description of the contract for programs, OpenAPI 3.1, made of the routes; and the page to read it.

use std::collections::BTreeSet;

use axum::Router;
use http::StatusCode;
use utoipa::OpenApi as _;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Ref, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, OpenApi, RefOr, Required, Response, ResponseBuilder, Server,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::App;
use crate::routes::Beside;
use promptops_types::Failure;

/// What the scheme of API keys is called.
const API_KEY: &str = "api_key";

/// Where the description is, and the page to read it.
const DESCRIPTION: &str = "/openapi.json";
const PAGE: &str = "/docs";

/// The description of every route: of those that ask for a key, and of those that do not.
pub(crate) fn describe(mut keyed: OpenApi, mut open: OpenApi) -> OpenApi {
    keyed.merge(Beside::openapi());
    each(&mut keyed, |path, method, operation| {
        operation.security = Some(vec![SecurityRequirement::new(API_KEY, Vec::<String>::new())]);
        add_headers(path, method, operation);
        add_errors(operation, &errors(path, method));
    });
    each(&mut open, |_, method, operation| {
        operation.security = Some(Vec::new());
        let errors: &[u16] = if method == "POST" { &[400, 413, 415, 422] } else { &[] };
        add_errors(operation, &errors.iter().copied().collect());
    });
    keyed.merge(open);
    keyed.info = InfoBuilder::new()
        .title("PromptOps")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Prompts: versioned, labelled, rendered, watched. Every answer is in an envelope: \
             `success`, then `data` or `error`, and `metadata` with the id of the request.",
        ))
        .build();
    keyed.servers = Some(vec![Server::new(crate::BASE_PATH)]);
    let components = keyed.components.get_or_insert_default();
    let mut schemas = vec![(Failure::name().into_owned(), Failure::schema())];
    Failure::schemas(&mut schemas);
    components.schemas.extend(schemas);
    components
        .add_security_scheme(API_KEY, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    keyed
}

/// The routes that serve it.
pub(crate) fn served(description: OpenApi) -> Router<App> {
    let config = Config::from(DESCRIPTION).try_it_out_enabled(true).validator_url("none");
    SwaggerUi::new(PAGE).config(config).url(DESCRIPTION, description).into()
}

/// Every operation of a description, with its path and method.
fn each(api: &mut OpenApi, mut change: impl FnMut(&str, &str, &mut Operation)) {
    for (path, item) in &mut api.paths.paths {
        let PathItem { get, put, post, delete, .. } = item;
        let operations = [("GET", get), ("PUT", put), ("POST", post), ("DELETE", delete)];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                // The handler's name is only one among those of its subject.
                let tag = operation.tags.as_ref().and_then(|tags| tags.first());
                if let (Some(tag), Some(id)) = (tag, &operation.operation_id) {
                    operation.operation_id = Some(format!("{tag}_{id}"));
                }
                change(path, method, operation);
            }
        }
    }
}

/// The headers that an operation takes and gives.
fn add_headers(path: &str, method: &str, operation: &mut Operation) {
    let mut take = |name: &str, description: &str, pattern: Option<&str>| {
        let schema = ObjectBuilder::new().schema_type(Type::String).pattern(pattern);
        let header = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(schema));
        operation.parameters.get_or_insert_default().push(RefOr::T(header.build()));
    };
    let is_prompt_write = path.starts_with("/prompts") && path != "/prompts/batch";
    if matches!(method, "PUT" | "DELETE") && is_prompt_write {
        take("If-Match", "ETags of the state that is to be changed; 412 for another", None);
    }
    if (method == "PUT" && is_prompt_write) || (method == "POST" && path == "/prompts") {
        let description =
            "The same key and request within 24 hours gives the same answer, once done";
        take("Idempotency-Key", description, Some("^[!-~]{1,255}$"));
    }
    if path == "/usage/log" {
        let description = "The same id is counted once";
        take("X-PromptOps-Batch-Id", description, Some("^[!-~]{1,255}$"));
    }
    if path == "/changes" {
        take("Last-Event-ID", "A cursor, in the place of `since`", None);
    }
    if method == "GET" && path != "/changes" {
        take(
            "If-None-Match",
            "ETags of what is known already; 304 where nothing has changed",
            None,
        );
        let unchanged =
            ResponseBuilder::new().description("What is known is what there is").build();
        operation.responses.responses.insert("304".to_owned(), unchanged.into());
    }
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            for window in ["Minute", "Hour", "Day"] {
                for part in ["Limit", "Remaining", "Reset"] {
                    let header = HeaderBuilder::new()
                        .schema(Some(ObjectBuilder::new().schema_type(Type::Integer)))
                        .build();
                    let name = format!("X-RateLimit-{part}-{window}");
                    response.headers.insert(name, RefOr::T(header));
                }
            }
        }
    }
}

/// The errors that an operation may answer with, beside those that any may.
fn errors(path: &str, method: &str) -> BTreeSet<u16> {
    let mut errors: BTreeSet<u16> = [400, 401, 403, 429, 503].into();
    if path.contains('{') || path == "/models/compatibility" {
        errors.insert(404);
    }
    if matches!(method, "POST" | "PUT") {
        errors.extend([413, 415]);
    }
    if matches!(method, "POST" | "PUT" | "DELETE") && path.starts_with("/prompts") {
        errors.extend([404, 409, 412]);
    }
    errors.insert(422);
    errors
}

/// What every operation may answer with when it cannot do what it was asked.
fn add_errors(operation: &mut Operation, errors: &BTreeSet<u16>) {
    for status in errors {
        let description = StatusCode::from_u16(*status).ok().and_then(|s| s.canonical_reason());
        let response = failure(description.unwrap_or("An error"));
        operation.responses.responses.insert(status.to_string(), response.into());
    }
    let any = failure("Any other error: what went wrong, where, and what to do");
    operation.responses.responses.insert("default".to_owned(), any.into());
}

fn failure(description: &str) -> Response {
    let schema = RefOr::<utoipa::openapi::Schema>::Ref(Ref::from_schema_name("Failure"));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content("application/json", content).build()
}
