//! What a `base_url` may be.

use std::path::PathBuf;

use http::Uri;
use promptops_types::Error;

/// What stands for the URL of a registry in this process. `.invalid` never resolves (RFC 2606).
pub(crate) const IN_PROCESS: &str = "http://in-process.invalid/v1";

/// Where a registry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BaseUrl {
    /// `https://host/v1`, without a slash at the end.
    Http(String),
    /// `sqlite:PATH`.
    SqliteFile(PathBuf),
    /// `sqlite::memory:`.
    SqliteMemory,
}

impl BaseUrl {
    /// What every path is appended to.
    pub(crate) fn base(&self) -> String {
        match self {
            Self::Http(url) => url.clone(),
            Self::SqliteFile(_) | Self::SqliteMemory => IN_PROCESS.to_owned(),
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |reason: &str| {
            let expected = "write https://HOST/v1, http://HOST/v1, sqlite:PATH or sqlite::memory:";
            Err(Error::config("base_url", format!("{reason}; {expected}")))
        };
        match text.strip_prefix("sqlite:") {
            Some(":memory:") => return Ok(Self::SqliteMemory),
            Some("" | "//") => return refuse("names no file"),
            Some(path) => return Ok(Self::SqliteFile(PathBuf::from(path))),
            None => {}
        }
        let Ok(uri) = text.parse::<Uri>() else { return refuse("is not a URL") };
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return refuse("has no scheme that this client knows");
        }
        // A password in a URL ends up in logs.
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return refuse("holds a user name; give the key as `api_key`");
        }
        if text.contains(['?', '#']) {
            return refuse("has a query or a fragment");
        }
        Ok(Self::Http(text.trim_end_matches('/').to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_the_rest_is_refused_with_what_to_write() {
        let http = |text: &str| BaseUrl::Http(text.to_owned());
        for (text, expected) in [
            ("https://api.example.com/v1/", http("https://api.example.com/v1")),
            ("http://127.0.0.1:8080/v1", http("http://127.0.0.1:8080/v1")),
            ("sqlite::memory:", BaseUrl::SqliteMemory),
            ("sqlite:a b/prompts.db", BaseUrl::SqliteFile("a b/prompts.db".into())),
        ] {
            assert_eq!(BaseUrl::parse(text).unwrap(), expected);
        }
        for text in [
            "",
            "prompts.db",
            "ftp://x",
            "sqlite:",
            "https://u:pw@h/v1",
            "http://h/v1?a=b",
            "https://h/v1#x",
        ] {
            let error = BaseUrl::parse(text).unwrap_err().to_string();
            assert!(error.starts_with("`base_url`: ") && error.contains("sqlite:PATH"), "{error}");
            assert!(!error.contains("pw"), "{error}");
        }
    }
}
