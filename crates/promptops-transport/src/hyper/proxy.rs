//! Which proxy stands between this machine and a registry.

use std::sync::Arc;

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use promptops_types::Secret;

use crate::{TransportError, TransportErrorKind, is_loopback};

/// What names proxies, the first that is set: as curl writes it, then in capitals.
const VARIABLES: [[&str; 2]; 4] = [
    ["all_proxy", "ALL_PROXY"],
    ["http_proxy", SPOOFED],
    ["https_proxy", "HTTPS_PROXY"],
    ["no_proxy", "NO_PROXY"],
];

/// Set by web servers for CGI programs.
const CGI: &str = "REQUEST_METHOD";

/// There this one is a header of the visitor's (CVE-2016-5385).
const SPOOFED: &str = "HTTP_PROXY";

/// Where proxies are named.
#[derive(Debug, Clone, Default)]
pub(super) enum ProxySource {
    #[default]
    Environment,
    Nowhere,
    Url(Secret),
}

/// The proxies in use.
#[derive(Debug, Clone, Default)]
pub(super) struct Proxies {
    matcher: Option<Arc<Matcher>>,
    /// Whether a proxy that forwards plain requests asks who sends them.
    asks: bool,
}

impl Proxies {
    pub(super) fn of(
        source: &ProxySource,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, TransportError> {
        match source {
            ProxySource::Nowhere => Ok(Self::default()),
            ProxySource::Url(url) => {
                check("the proxy", url.expose())?;
                Ok(Self::matching(Matcher::builder().all(url.expose().to_owned())))
            }
            ProxySource::Environment => {
                let is_cgi = environment(CGI).is_some();
                let environment = |name: &str| {
                    let value = environment(name).filter(|_| !(is_cgi && name == SPOOFED));
                    value.filter(|value| !value.is_empty())
                };
                let mut values = [const { String::new() }; 4];
                for (names, value) in VARIABLES.iter().zip(&mut values) {
                    let found = names.iter().find_map(|name| Some((name, environment(name)?)));
                    let Some((name, found)) = found else { continue };
                    if *name != "NO_PROXY" && *name != "no_proxy" {
                        check(name, &found)?;
                    }
                    *value = found;
                }
                let [all, http, https, no] = values;
                Ok(Self::matching(Matcher::builder().all(all).http(http).https(https).no(no)))
            }
        }
    }

    fn matching(builder: hyper_util::client::proxy::matcher::Builder) -> Self {
        let matcher = builder.build();
        let forwarding = matcher.intercept(&Uri::from_static("http://prompts.invalid/"));
        let asks = forwarding.is_some_and(|proxy| proxy.basic_auth().is_some());
        Self { matcher: Some(Arc::new(matcher)), asks }
    }

    /// The proxy for a request. There is none to this machine, whatever the environment says: the
    /// request would reach another machine, with its key.
    pub(super) fn between(&self, uri: &Uri) -> Option<Intercept> {
        if is_loopback(uri) {
            return None;
        }
        self.matcher.as_ref()?.intercept(uri)
    }

    /// What a forwarding proxy wants to see with each request. A tunnel is asked for it once.
    pub(super) fn authorization(&self, uri: &Uri) -> Option<HeaderValue> {
        if !self.asks || uri.scheme_str() == Some("https") {
            return None;
        }
        self.between(uri)?.basic_auth().cloned()
    }
}

/// Refuses a proxy that would silently be none. Its URL may hold a password, and is not quoted.
fn check(name: &str, url: &str) -> Result<(), TransportError> {
    let probe = Uri::from_static("https://prompts.invalid/");
    let proxy = Matcher::builder().all(url.to_owned()).build().intercept(&probe);
    let scheme = proxy.as_ref().and_then(|proxy| proxy.uri().scheme_str());
    if matches!(scheme, Some("http" | "socks5" | "socks5h")) {
        return Ok(());
    }
    if cfg!(feature = "rustls") && scheme == Some("https") {
        return Ok(());
    }
    Err(TransportError::new(
        TransportErrorKind::InvalidRequest,
        format!(
            "{name} is not the URL of a proxy that this transport knows; write http://HOST:PORT, \
             https://HOST:PORT, socks5://HOST:PORT or socks5h://HOST:PORT"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_environment(set: &[(&str, &str)]) -> Result<Proxies, TransportError> {
        let set: Vec<(String, String)> =
            set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Proxies::of(&ProxySource::Environment, move |name| {
            Some(set.iter().find(|(set, _)| set == name)?.1.clone())
        })
    }

    fn between(proxies: &Proxies, uri: &str) -> Option<String> {
        Some(proxies.between(&uri.parse().unwrap())?.uri().to_string())
    }

    #[test]
    fn the_environment_is_read_as_curl_reads_it() {
        let proxies = from_environment(&[
            ("https_proxy", "http://secure.example:3128"),
            ("HTTPS_PROXY", "http://ignored.example"),
            ("all_proxy", "any.example:8080"),
            ("NO_PROXY", "internal.example, 10.0.0.0/8, [2001:db8::1]"),
        ])
        .unwrap();
        for (uri, expected) in [
            ("https://api.example/v1", Some("http://secure.example:3128/")),
            ("http://api.example/v1", Some("http://any.example:8080/")),
            ("https://internal.example/", None),
            ("https://a.internal.example/", None),
            ("https://notinternal.example/", Some("http://secure.example:3128/")),
            ("https://10.1.2.3/", None),
            ("https://11.1.2.3/", Some("http://secure.example:3128/")),
        ] {
            assert_eq!(between(&proxies, uri).as_deref(), expected, "{uri}");
        }
        let none = from_environment(&[]).unwrap();
        assert_eq!(between(&none, "https://api.example/"), None);
        let star = [("ALL_PROXY", "http://p"), ("NO_PROXY", "*")];
        assert_eq!(between(&from_environment(&star).unwrap(), "https://api.example/"), None);
    }

    #[test]
    fn this_machine_is_never_behind_a_proxy_and_a_visitor_names_none() {
        let proxies = from_environment(&[("ALL_PROXY", "http://p.example")]).unwrap();
        for uri in ["http://localhost:8080/", "http://127.0.0.2/", "https://[::1]:1/"] {
            assert_eq!(between(&proxies, uri), None, "{uri}");
        }
        let cgi = [
            ("REQUEST_METHOD", "GET"),
            ("HTTP_PROXY", "http://visitor.example"),
            ("HTTPS_PROXY", "http://p.example"),
        ];
        let cgi = from_environment(&cgi).unwrap();
        assert_eq!(between(&cgi, "http://api.example/"), None, "the visitor's");
        assert!(between(&cgi, "https://api.example/").is_some(), "the machine's");
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_named_and_not_quoted() {
        for url in ["ftp://user:hunter2@p", "socks4://p:1", "http://", "::"] {
            let error = from_environment(&[("HTTP_PROXY", url)]).unwrap_err();
            assert!(error.to_string().starts_with("HTTP_PROXY is not"), "{error}");
            assert!(!error.to_string().contains("hunter2"));
        }
        from_environment(&[("HTTP_PROXY", "")]).unwrap();
    }

    #[test]
    fn a_password_goes_to_a_forwarding_proxy_only() {
        let proxies = from_environment(&[("ALL_PROXY", "http://u:p@proxy.example")]).unwrap();
        let authorization = |uri: &str| proxies.authorization(&uri.parse().unwrap());
        assert_eq!(authorization("http://api.example/").unwrap(), "Basic dTpw");
        assert_eq!(authorization("https://api.example/"), None, "the tunnel is asked for it");
        assert_eq!(authorization("http://127.0.0.1/"), None);
        assert!(!format!("{proxies:?}").contains("dTpw"));
    }
}
