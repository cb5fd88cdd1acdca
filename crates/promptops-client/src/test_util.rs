//! For tests of an application: a registry of given prompts without network, database or server, and
//! time that a test moves.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! use promptops_client::test_util::FakeRegistry;
//! use promptops_client::{Source, vars};
//!
//! let registry = FakeRegistry::new().prompt("greeting", "Hello {{ name }}!");
//! let client = registry.client();
//! let render = client.render_prompt("greeting", vars! { "name" => "Ann" }).await?;
//! assert_eq!(render.rendered_content, "Hello Ann!");
//!
//! // The registry goes away: what is cached is still served.
//! registry.fail(503);
//! assert_eq!(client.get_prompt("greeting").fetch().await?.source, Source::Near);
//! assert_eq!(registry.requests(), 1);
//! # Ok::<(), promptops_client::Error>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
pub use promptops_transport::test_util::{
    Exchange, ManualClock, RecordingTransport, ScriptedTransport,
};
use promptops_transport::{Transport, TransportError, TransportErrorKind};
pub use promptops_types::ManualTime;
use promptops_types::PromptResponse;
use serde_json::{Value, json};

use crate::{ClientBuilder, PromptOpsClient, TelemetryConfig};

/// A registry that has the prompts it is given, and gives them: it is a [`Transport`]. It knows no
/// versions but each prompt's own, no labels and no writes; for those there is `sqlite::memory:`. A clone
/// is the same registry.
#[derive(Debug, Clone, Default)]
pub struct FakeRegistry {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    prompts: BTreeMap<String, PromptResponse>,
    failure: Option<Failure>,
    requests: usize,
}

#[derive(Debug, Clone, Copy)]
enum Failure {
    Status(u16),
    Unreachable,
}

impl FakeRegistry {
    /// A registry without prompts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a prompt of version 1.0.0 with this slug, which is its id and name too.
    pub fn prompt(self, slug: impl Into<String>, content: impl Into<String>) -> Self {
        let mut prompt = PromptResponse::default();
        prompt.slug = slug.into();
        prompt.id.clone_from(&prompt.slug);
        prompt.name.clone_from(&prompt.slug);
        prompt.content = content.into();
        "1.0.0".clone_into(&mut prompt.version);
        self.whole_prompt(prompt)
    }

    /// Adds a prompt, in the place of one that has its slug.
    pub fn whole_prompt(self, prompt: PromptResponse) -> Self {
        self.state().prompts.insert(prompt.slug.clone(), prompt);
        self
    }

    /// Answers everything with this status from now on; with 200, as before.
    pub fn fail(&self, status: u16) {
        self.state().failure = (status != 200).then_some(Failure::Status(status));
    }

    /// Cannot be reached from now on.
    pub fn disconnect(&self) {
        self.state().failure = Some(Failure::Unreachable);
    }

    /// How many requests have come, retries included.
    pub fn requests(&self) -> usize {
        self.state().requests
    }

    /// A client of this registry, without telemetry.
    ///
    /// # Panics
    /// Never: these settings are good.
    #[expect(clippy::expect_used, reason = "these settings are good")]
    pub fn client(&self) -> PromptOpsClient {
        self.builder().build().expect("these settings are good")
    }

    /// A builder for such a client.
    pub fn builder(&self) -> ClientBuilder {
        PromptOpsClient::builder()
            .base_url("https://registry.test/v1")
            .transport(self.clone())
            .telemetry(TelemetryConfig::disabled())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn answer(&self, method: &Method, path: &str) -> (u16, Value) {
        let id = path.strip_prefix("/v1/client/prompts/").filter(|id| !id.contains('/'));
        match (method, id) {
            (&Method::GET, Some(id)) => {
                let id = percent_decode_str(id).decode_utf8_lossy();
                match self.prompts.get(&*id) {
                    Some(prompt) => (200, json!(prompt)),
                    None => refusal(404, "PROMPT_NOT_FOUND", &format!("no prompt `{id}`")),
                }
            }
            (&Method::GET, None) if path == "/v1/client/prompts" => {
                let prompts: Vec<_> = self.prompts.values().collect();
                (200, json!({ "prompts": prompts, "total": prompts.len() }))
            }
            (&Method::GET, None) if path == "/v1/client/health" => {
                (200, json!({ "status": "healthy" }))
            }
            _ => refusal(404, "NOT_FOUND", "a fake registry only gives prompts"),
        }
    }
}

fn refusal(status: u16, code: &str, message: &str) -> (u16, Value) {
    let error = json!({ "code": code, "message": message, "details": {} });
    (status, json!({ "success": false, "error": error }))
}

impl Transport for FakeRegistry {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let (status, body) = {
            let mut state = self.state();
            state.requests += 1;
            match state.failure {
                Some(Failure::Unreachable) => {
                    let message = "cannot connect to registry.test: it was disconnected";
                    return Err(TransportError::new(TransportErrorKind::Connect, message));
                }
                Some(Failure::Status(status)) => refusal(status, "", "told to fail"),
                None => state.answer(request.method(), request.uri().path()),
            }
        };
        let mut response = Response::new(Bytes::from(body.to_string()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        Ok(response)
    }
}
