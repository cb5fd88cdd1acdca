use std::net::IpAddr;

use http::Uri;
use http::uri::Authority;

/// Host and port of a URI as they are written; never a user or a password.
pub(crate) fn host_and_port(uri: &Uri) -> &str {
    let authority = uri.authority().map_or("", Authority::as_str);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// Whether the host of a URI is this machine, by the name `localhost` or by its address.
pub fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{host_and_port, is_loopback};

    #[test]
    fn a_password_is_no_part_of_the_host() {
        let host = |uri: &str| host_and_port(&uri.parse().unwrap()).to_owned();
        assert_eq!(host("https://u:p@h.example:8443/v1"), "h.example:8443");
        assert_eq!(host("http://[::1]:1/"), "[::1]:1");
        assert_eq!(host("/v1"), "");
    }

    #[test]
    fn this_machine_is_known_by_name_and_address() {
        for uri in
            ["http://localhost:1/", "http://LOCALHOST/", "http://127.9.9.9/", "http://[::1]/"]
        {
            assert!(is_loopback(&uri.parse().unwrap()), "{uri}");
        }
        for uri in ["http://localhost.example/", "http://10.0.0.1/", "http://[2001:db8::1]/", "/"] {
            assert!(!is_loopback(&uri.parse().unwrap()), "{uri}");
        }
    }
}
