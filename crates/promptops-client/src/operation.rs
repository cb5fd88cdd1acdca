//! The operation table: method and idempotency of everything the client calls.

use http::Method;

/// One operation of the contract.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// Name, for errors and telemetry.
    pub(crate) name: &'static str,
    pub(crate) method: Method,
    pub(crate) repeat: Repeat,
}

/// Why a request that may have been carried out may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Its method says so.
    ByMethod,
    /// It changes nothing, though its method does not say so.
    Reads,
    /// It carries a key by which the registry knows it again.
    Keyed,
}

impl Operation {
    /// Whether it may change something.
    pub(crate) fn writes(&self) -> bool {
        self.method != Method::GET && self.repeat != Repeat::Reads
    }

    const fn new(name: &'static str, method: Method) -> Self {
        Self { name, method, repeat: Repeat::ByMethod }
    }

    const fn reads(name: &'static str, method: Method) -> Self {
        Self { name, method, repeat: Repeat::Reads }
    }

    const fn keyed(name: &'static str, method: Method) -> Self {
        Self { name, method, repeat: Repeat::Keyed }
    }
}

/// What is made of another operation, for telemetry.
pub(crate) const RENDER_PROMPT: &str = "render_prompt";
pub(crate) const VALIDATE_PROMPT: &str = "validate_prompt";

pub(crate) static HEALTH: Operation = Operation::new("health_check", Method::GET);
pub(crate) static GET_PROMPT: Operation = Operation::new("get_prompt", Method::GET);
pub(crate) static LIST_PROMPTS: Operation = Operation::new("list_prompts", Method::GET);
pub(crate) static CREATE_PROMPT: Operation = Operation::keyed("create_prompt", Method::POST);
pub(crate) static UPDATE_PROMPT: Operation = Operation::keyed("update_prompt", Method::PUT);
pub(crate) static DELETE_PROMPT: Operation = Operation::new("delete_prompt", Method::DELETE);
pub(crate) static PROMPT_VERSIONS: Operation = Operation::new("prompt_versions", Method::GET);
pub(crate) static DIFF_PROMPT: Operation = Operation::new("diff_prompt", Method::GET);
pub(crate) static LABELS: Operation = Operation::new("labels", Method::GET);
pub(crate) static SET_LABEL: Operation = Operation::keyed("set_label", Method::PUT);
pub(crate) static REMOVE_LABEL: Operation = Operation::new("remove_label", Method::DELETE);
pub(crate) static GET_PROMPTS: Operation = Operation::reads("get_prompts", Method::POST);
pub(crate) static CHANGES: Operation = Operation::new("changes", Method::GET);
pub(crate) static USAGE_STATS: Operation = Operation::new("get_usage_stats", Method::GET);
pub(crate) static API_KEYS: Operation = Operation::new("list_api_keys", Method::GET);
pub(crate) static CREATE_API_KEY: Operation = Operation::new("create_api_key", Method::POST);
pub(crate) static REVOKE_API_KEY: Operation = Operation::new("revoke_api_key", Method::DELETE);
pub(crate) static LIST_MODELS: Operation = Operation::new("list_models", Method::GET);
pub(crate) static COMPATIBILITY: Operation =
    Operation::reads("get_model_compatibility", Method::POST);
