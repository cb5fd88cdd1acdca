use std::sync::Arc;

use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use http::{Method, Uri};
use promptops_registry::{Access, Scope};
use promptops_types::{BatchRequest, BatchResponse, ErrorCode, PromptResponse, Success};

use crate::App;
use crate::error::{ApiError, no_such_method};
use crate::extract::{Caller, Json, Path, prompt, selector};
use crate::reply::Reply;

/// Most bytes of prompts in one answer, as JSON: with what is around them they fit in the 12 MiB that
/// the client takes.
const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;

/// The bytes of a prompt as JSON.
fn size(prompt: &PromptResponse) -> usize {
    /// Counts what is written.
    struct Counter(usize);

    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut counter = Counter(0);
    // A prompt is JSON, and counting does not fail.
    let _ = serde_json::to_writer(&mut counter, prompt);
    counter.0
}

/// Many prompts at once: one that is missing does not fail the others.
#[utoipa::path(
    post,
    path = "/prompts/batch",
    tag = "prompts",
    request_body = BatchRequest,
    responses((status = 200, description = "Those that were found, and why the others were not", body = Success<BatchResponse>)),
)]
pub(crate) async fn batch(
    State(app): State<App>,
    Caller(access): Caller,
    Path(id): Path<String>,
    method: Method,
    uri: Uri,
    request: Request,
) -> Result<Reply, Response> {
    // It is found by the path of a prompt: a path of its own would hide a prompt with that slug.
    if id != "batch" {
        return Err(no_such_method(method, uri).await);
    }
    let body = Json::from_request(request, &app).await;
    let found = async { found(&app, &access, body?.0).await };
    found.await.map_err(ApiError::into_response)
}

/// Those that are found, and why the others are not.
async fn found(app: &App, access: &Access, body: BatchRequest) -> Result<Reply, ApiError> {
    access.require(Scope::Read)?;
    if body.prompt_ids.len() > BatchRequest::MAX {
        let message = format!(
            "names {} prompts; at most {} in one batch",
            body.prompt_ids.len(),
            BatchRequest::MAX
        );
        return Err(ApiError::invalid("prompt_ids", "too_many", message));
    }
    let mut response = BatchResponse::default();
    response.total_requested = body.prompt_ids.len() as u64;
    let mut bytes = 0;
    for entry in &body.prompt_ids {
        let key = entry.asked();
        let reference = prompt(entry.id().to_owned(), body.project_id.clone());
        let found = match selector(entry.version()) {
            Ok(selector) => {
                app.registry.get(access, &reference, &selector, None).await.map_err(ApiError::from)
            }
            Err(error) => Err(error),
        };
        let size = found.as_ref().map_or(0, |found| size(&found.prompt));
        match found {
            Ok(found) if bytes + size > MAX_BATCH_BYTES => {
                let message = format!(
                    "the batch is larger than {MAX_BATCH_BYTES} bytes; ask for \
                    this prompt in another"
                );
                let error = ApiError::new(ErrorCode::PayloadTooLarge, message);
                response.errors.insert(key, error.detail("prompt_id", found.prompt.id).into_body());
            }
            Ok(mut found) => {
                bytes += size;
                if body.include_metadata == Some(false) {
                    found.prompt.metadata.clear();
                }
                // A prompt that goes between the two reads was there for the first.
                if body.include_versions
                    && let Ok(numbers) = app.registry.version_numbers(access, &reference).await
                {
                    let numbers = numbers.iter().map(ToString::to_string).collect();
                    response.versions.insert(key.clone(), numbers);
                }
                response.prompts.insert(key, Arc::new(found.prompt));
            }
            Err(error) => _ = response.errors.insert(key, error.into_body()),
        }
    }
    response.total_found = response.prompts.len() as u64;
    Reply::ok(&response)
}
