use std::net::IpAddr;

use http::Uri;

/// Whether the host of a URI is this machine, by the name `localhost` or by its address.
pub fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

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
