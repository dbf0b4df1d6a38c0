//! Floor 8. Host and Origin, on every route: what keeps a web page from calling a server on the
//! person's own machine under another name (DNS rebinding; auth.md §4.1).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderValue, Uri, header};

use crate::plan::Server;

/// The names a request may be for, and the pages it may come from.
#[derive(Debug)]
pub(super) struct Guard {
    hosts: Vec<String>,
    origins: Vec<String>,
    /// Whether clients come over TLS, here or at a proxy.
    is_secure: bool,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suspicious {
    /// There is not exactly one `Host`.
    NoHost,
    /// The `Host` is not one that is served.
    Host,
    /// The page is not one that may call.
    Origin,
}

impl Guard {
    pub(super) fn new(server: &Server, address: SocketAddr) -> Self {
        let mut hosts = server.allowed_hosts.clone();
        if !address.ip().is_unspecified() {
            hosts.push(address.to_string());
        }
        let is_secure = server.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
        Self { hosts, origins: server.allowed_origins.clone(), is_secure }
    }

    /// Tells browsers to stay with TLS, where clients come over it.
    pub(super) fn seal(&self, headers: &mut HeaderMap) {
        if self.is_secure {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
    }

    /// Looks at a request before anything else does. The origin of a page that may call is
    /// returned, for the headers that tell the browser so.
    pub(super) fn check<'a>(&self, uri: &Uri, headers: &'a HeaderMap) -> Result<Option<&'a HeaderValue>, Suspicious> {
        // HTTP/2 carries the host in the target, and so may HTTP/1: then both must be known.
        let target = uri.authority().map(http::uri::Authority::as_str);
        let mut named = headers.get_all(header::HOST).iter();
        let header = named.next().and_then(|host| host.to_str().ok());
        if target.or(header).is_none() || named.next().is_some() {
            return Err(Suspicious::NoHost);
        }
        if ![target, header].into_iter().flatten().all(|host| self.knows(host)) {
            return Err(Suspicious::Host);
        }
        if !headers.contains_key(header::ORIGIN) {
            return Ok(None);
        }
        let origin = only(headers, header::ORIGIN).ok_or(Suspicious::Origin)?;
        match origin.to_str() {
            Ok(text) if self.may_call(text) => Ok(Some(origin)),
            _ => Err(Suspicious::Origin),
        }
    }

    fn knows(&self, host: &str) -> bool {
        if self.hosts.iter().any(|known| known == host) {
            return true;
        }
        let lower = host.to_ascii_lowercase();
        let Some(name) = name_of(&lower) else { return false };
        is_loopback(name) || self.hosts.iter().any(|known| *known == lower || known == name)
    }

    fn may_call(&self, origin: &str) -> bool {
        let lower = origin.to_ascii_lowercase();
        let local = lower.strip_prefix("http://").or_else(|| lower.strip_prefix("https://"));
        local.and_then(name_of).is_some_and(is_loopback) || self.origins.contains(&lower)
    }
}

fn only(headers: &HeaderMap, name: header::HeaderName) -> Option<&HeaderValue> {
    let mut all = headers.get_all(name).iter();
    all.next().filter(|_| all.next().is_none())
}

/// A host without its port; an address of IPv6 keeps its brackets. `None` when anything but a
/// port follows.
fn name_of(host: &str) -> Option<&str> {
    let end = match host.strip_prefix('[') {
        Some(inner) => inner.find(']')? + 2,
        None => host.find(':').unwrap_or(host.len()),
    };
    let (name, rest) = host.split_at_checked(end)?;
    let port = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    (rest.is_empty() || rest.strip_prefix(':').is_some_and(port)).then_some(name)
}

fn is_loopback(name: &str) -> bool {
    let bracketed = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match bracketed {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback()),
        None => name == "localhost" || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_to_stay_with_tls_where_clients_come_over_it() {
        for (url, expected) in
            [(None, false), (Some("http://localhost:8080"), false), (Some("https://a.example"), true)]
        {
            let server = Server { public_url: url.map(str::to_owned), ..Server::default() };
            let mut headers = HeaderMap::new();
            Guard::new(&server, SocketAddr::from(([127, 0, 0, 1], 8080))).seal(&mut headers);
            assert_eq!(headers.contains_key(header::STRICT_TRANSPORT_SECURITY), expected, "{url:?}");
        }
    }

    fn verdict(host: &[&str], origin: &[&str]) -> Result<(), Suspicious> {
        let server = Server {
            allowed_hosts: vec!["mcp.example.com".into()],
            allowed_origins: vec!["https://app.example.com".into()],
            ..Server::default()
        };
        let guard = Guard::new(&server, SocketAddr::from(([192, 0, 2, 1], 8080)));
        let mut headers = HeaderMap::new();
        for value in host {
            headers.append(header::HOST, value.parse().unwrap());
        }
        for value in origin {
            headers.append(header::ORIGIN, value.parse().unwrap());
        }
        guard.check(&Uri::from_static("/mcp"), &headers).map(|_| ())
    }

    #[test]
    fn only_names_of_this_server_are_served() {
        for (host, expected) in [
            (&["localhost:8080"][..], Ok(())),
            (&["127.0.0.1"], Ok(())),
            (&["[::1]:8080"], Ok(())),
            (&["MCP.example.com"], Ok(())),
            (&["mcp.example.com:443"], Ok(())),
            (&["192.0.2.1:8080"], Ok(())),
            (&["192.0.2.1:9090"], Err(Suspicious::Host)),
            (&["evil.example.com"], Err(Suspicious::Host)),
            (&["localhost.evil.example"], Err(Suspicious::Host)),
            (&["127.0.0.1.evil.example"], Err(Suspicious::Host)),
            (&["evil.example@localhost"], Err(Suspicious::Host)),
            (&["[::1]"], Ok(())),
            (&["[::1]evil.example"], Err(Suspicious::Host)),
            (&["[::1].evil.example"], Err(Suspicious::Host)),
            (&["[::1]:80.evil.example"], Err(Suspicious::Host)),
            (&["[[::1]]"], Err(Suspicious::Host)),
            (&["[::1"], Err(Suspicious::Host)),
            (&["[127.0.0.1]"], Err(Suspicious::Host)),
            (&["::1"], Err(Suspicious::Host)),
            (&["[::2]"], Err(Suspicious::Host)),
            (&["localhost:80:80"], Err(Suspicious::Host)),
            (&["mcp.example.com:evil"], Err(Suspicious::Host)),
            (&[], Err(Suspicious::NoHost)),
            (&["localhost", "localhost"], Err(Suspicious::NoHost)),
        ] {
            assert_eq!(verdict(host, &[]), expected, "{host:?}");
        }
    }

    #[test]
    fn only_known_pages_may_call() {
        for (origin, expected) in [
            (&[][..], Ok(())),
            (&["http://localhost:6274"], Ok(())),
            (&["http://127.0.0.1:1234"], Ok(())),
            (&["https://app.example.com"], Ok(())),
            (&["https://app.example.com:444"], Err(Suspicious::Origin)),
            (&["http://app.example.com"], Err(Suspicious::Origin)),
            (&["null"], Err(Suspicious::Origin)),
            (&["https://evil.example"], Err(Suspicious::Origin)),
            (&["http://localhost.evil.example"], Err(Suspicious::Origin)),
            (&["http://[::1]:6274"], Ok(())),
            (&["http://[::1].evil.example"], Err(Suspicious::Origin)),
            (&["http://[::1]evil.example"], Err(Suspicious::Origin)),
            (&["http://[[::1]]"], Err(Suspicious::Origin)),
            (&["http://localhost:80@evil.example"], Err(Suspicious::Origin)),
            (&["http://localhost", "http://localhost"], Err(Suspicious::Origin)),
        ] {
            assert_eq!(verdict(&["localhost"], origin), expected, "{origin:?}");
        }
    }
}
