use crate::open_enum::open_enum;

open_enum! {
    /// What went wrong, as the REST contract spells it.
    pub enum ErrorCode {
        /// The request is malformed: bad JSON, a bad query, a bad selector.
        BadRequest = "BAD_REQUEST",
        /// No valid credentials.
        Authentication = "AUTHENTICATION_ERROR",
        /// Valid credentials that do not allow this.
        Authorization = "AUTHORIZATION_ERROR",
        /// No such prompt, or no such version of it.
        PromptNotFound = "PROMPT_NOT_FOUND",
        /// No such label, route or other thing.
        NotFound = "NOT_FOUND",
        /// The route exists, but not for this method.
        MethodNotAllowed = "METHOD_NOT_ALLOWED",
        /// The version number is taken, or the content is already published.
        VersionExists = "VERSION_EXISTS",
        /// A label points at the version, so it cannot be edited or deleted.
        VersionFrozen = "VERSION_FROZEN",
        /// Another prompt of the project has the slug.
        SlugTaken = "SLUG_TAKEN",
        /// `If-Match` names a revision that is no longer current.
        PreconditionFailed = "PRECONDITION_FAILED",
        /// The body is larger than the limit.
        PayloadTooLarge = "PAYLOAD_TOO_LARGE",
        /// The body is not JSON.
        UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE",
        /// Fields of the request, or variables of a render, are missing or wrong.
        Validation = "VALIDATION_ERROR",
        /// Too many requests.
        RateLimit = "RATE_LIMIT_ERROR",
        /// A fault of the registry.
        Internal = "INTERNAL_ERROR",
        /// The registry cannot answer now.
        Unavailable = "UNAVAILABLE",
        /// The registry could not be reached.
        Network = "NETWORK_ERROR",
        /// The call's deadline passed.
        Timeout = "TIMEOUT_ERROR",
        /// A cache operation failed.
        Cache = "CACHE_ERROR",
        /// A telemetry operation failed.
        Telemetry = "TELEMETRY_ERROR",
        /// The client's configuration is wrong.
        Config = "CONFIG_ERROR",
        /// The answer is not what the contract says.
        Decode = "DECODE_ERROR",
    }
}

impl ErrorCode {
    /// The HTTP status a registry answers with; `None` for codes that only a client makes.
    pub fn status(&self) -> Option<u16> {
        Some(match self {
            Self::BadRequest => 400,
            Self::Authentication => 401,
            Self::Authorization => 403,
            Self::PromptNotFound | Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::VersionExists | Self::VersionFrozen | Self::SlugTaken => 409,
            Self::PreconditionFailed => 412,
            Self::PayloadTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Validation => 422,
            Self::RateLimit => 429,
            Self::Internal => 500,
            Self::Unavailable => 503,
            Self::Network
            | Self::Timeout
            | Self::Cache
            | Self::Telemetry
            | Self::Config
            | Self::Decode
            | Self::Other(_) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_code_round_trips() {
        let code: ErrorCode = serde_json::from_str("\"TEAPOT\"").unwrap();
        assert_eq!(code, ErrorCode::Other("TEAPOT".to_owned()));
        assert_eq!(serde_json::to_string(&code).unwrap(), "\"TEAPOT\"");
        assert!(!code.is_known());
    }
}
