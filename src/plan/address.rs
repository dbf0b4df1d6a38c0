//! Floor 3. What can be told of an address without asking anybody, for checking and for serving alike.

use url::{Host, Url};

/// Whether an address is one of this machine, where nothing is overheard on the way.
#[must_use]
pub fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_local() {
        for (url, expected) in [
            ("http://localhost:8080/x", true),
            ("http://127.0.0.1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:1", true),
            ("http://localhost.example.com", false),
            ("http://0.0.0.0", false),
            ("http://[::]", false),
            ("http://10.0.0.1", false),
            ("mailto:someone@localhost", false),
        ] {
            assert_eq!(Url::parse(url).is_ok_and(|url| is_local(&url)), expected, "{url}");
        }
    }
}
