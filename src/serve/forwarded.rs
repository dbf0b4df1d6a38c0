//! Floor 8. Where a request comes from, as far as proxies are believed: `X-Forwarded-For`, or `Forwarded` (RFC 7239).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies that are believed.
#[derive(Debug)]
pub(super) struct Proxies(Vec<IpNet>);

impl Proxies {
    pub(super) fn new(trusted: &[IpNet]) -> Self {
        Self(trusted.to_vec())
    }

    /// The client of a request that came from the address `peer`: the last one that no proxy has, as told by proxies
    /// that are believed. Of the two headers a proxy writes one, and the other may be the client's own: where both
    /// came and do not say the same, neither counts.
    pub(super) fn client(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        if !self.believes(peer) {
            return peer;
        }
        let plain = told(headers, &FORWARDED_FOR, |line| line.split(',').map(plain_address).collect());
        let standard = told(headers, &header::FORWARDED, forwarded_addresses);
        let client = match (plain, standard) {
            (Some(hops), None) | (None, Some(hops)) => self.last_stranger(hops),
            (Some(plain), Some(standard)) => {
                self.last_stranger(plain).filter(|client| self.last_stranger(standard) == Some(*client))
            }
            (None, None) => None,
        };
        client.unwrap_or(peer)
    }

    fn believes(&self, address: IpAddr) -> bool {
        self.0.iter().any(|proxy| proxy.contains(&address.to_canonical()))
    }

    /// The last hop that is no proxy. Hops are gone through from the last, as far as proxies have written them.
    fn last_stranger(&self, hops: Hops) -> Option<IpAddr> {
        let mut client = None;
        for hop in hops.into_iter().rev().map_while(|hop| hop) {
            client = Some(hop);
            if !self.believes(hop) {
                break;
            }
        }
        client
    }
}

/// The hops that a header tells, in its order. One without an address that can be read is none.
type Hops = Vec<Option<IpAddr>>;

/// What a header says, if it came.
fn told(headers: &HeaderMap, name: &HeaderName, read: fn(&str) -> Hops) -> Option<Hops> {
    let lines = headers.get_all(name).iter().map(|line| line.to_str().map_or(vec![None], read));
    headers.contains_key(name).then(|| lines.flatten().collect())
}

fn plain_address(hop: &str) -> Option<IpAddr> {
    hop.trim().parse().ok()
}

/// The hops of a line of `Forwarded`. One that hides its address, or is not well formed, has none.
fn forwarded_addresses(line: &str) -> Hops {
    let elements = split(line, ',').into_iter().filter(|element| !element.trim().is_empty());
    elements.map(forwarded_address).collect()
}

/// The address in `for=` of one hop: an IPv4 address, or an IPv6 address in brackets and quotes, with or without a port.
fn forwarded_address(element: &str) -> Option<IpAddr> {
    let mut found = None;
    for pair in split(element, ';').into_iter().filter(|pair| !pair.trim().is_empty()) {
        let (name, value) = pair.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("for") && found.replace(value.trim()).is_some() {
            return None;
        }
    }
    let value = found?;
    let value = match value.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"')?,
        None => value,
    };
    if let Some(bracketed) = value.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        let address = address.parse::<Ipv6Addr>().ok()?;
        let fits = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return fits.then_some(IpAddr::V6(address));
    }
    let (address, port) = value.split_once(':').map_or((value, None), |(address, port)| (address, Some(port)));
    let address = address.parse::<Ipv4Addr>().ok()?;
    port.is_none_or(is_port).then_some(IpAddr::V4(address))
}

/// Digits, or a name that begins with `_` in the place of them.
fn is_port(text: &str) -> bool {
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits || (text.len() > 1 && text.starts_with('_'))
}

/// The parts of a text between separators that do not stand in quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(|char: char| {
        let ends = char == separator && !quoted;
        quoted ^= char == '"' && !escaped;
        escaped = char == '\\' && quoted && !escaped;
        ends
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// What came from the peer in `X-Forwarded-For` and in `Forwarded`, and which address counts.
    type Case = (&'static str, &'static [&'static str], &'static [&'static str], &'static str);

    const CASES: &[Case] = &[
        ("192.0.2.1", &["198.51.100.7"], &[], "192.0.2.1"),
        ("192.0.2.1", &[], &["for=198.51.100.7"], "192.0.2.1"),
        ("10.0.0.1", &[], &[], "10.0.0.1"),
        ("10.0.0.1", &["198.51.100.7"], &[], "198.51.100.7"),
        ("::ffff:10.0.0.1", &["198.51.100.7"], &[], "198.51.100.7"),
        ("::1", &["203.0.113.9, 198.51.100.7, 10.2.3.4"], &[], "198.51.100.7"),
        ("10.0.0.1", &["203.0.113.9", "198.51.100.7"], &[], "198.51.100.7"),
        ("10.0.0.1", &["198.51.100.7, nonsense"], &[], "10.0.0.1"),
        ("10.0.0.1", &["10.0.0.2, 10.0.0.3"], &[], "10.0.0.2"),
        ("10.0.0.1", &[], &["for=198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", &[], &["by=203.0.113.43;FOR=198.51.100.7;proto=https"], "198.51.100.7"),
        ("10.0.0.1", &[], &["for=203.0.113.9, for=198.51.100.7;proto=http, for=10.2.3.4"], "198.51.100.7"),
        ("10.0.0.1", &[], &["for=203.0.113.9", "for=198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", &[], &["for=\"198.51.100.7:4711\""], "198.51.100.7"),
        ("10.0.0.1", &[], &["for=198.51.100.7;"], "198.51.100.7"),
        ("::1", &[], &["for=\"[2001:db8::7]\""], "2001:db8::7"),
        ("::1", &[], &["for=\"[2001:db8::7]:4711\";proto=https"], "2001:db8::7"),
        ("10.0.0.1", &[], &["for=203.0.113.9;host=\"a,b\\\", for=192.0.2.9\", for=10.9.9.9"], "203.0.113.9"),
        ("10.0.0.1", &[], &["for=unknown"], "10.0.0.1"),
        ("10.0.0.1", &[], &["for=203.0.113.9, for=_hidden, for=10.2.3.4"], "10.2.3.4"),
        ("10.0.0.1", &[], &["for=2001:db8::7"], "10.0.0.1"),
        ("10.0.0.1", &[], &["for=198.51.100.7;for=203.0.113.9"], "10.0.0.1"),
        ("10.0.0.1", &[], &["for=\"198.51.100.7"], "10.0.0.1"),
        ("10.0.0.1", &[], &["proto=https"], "10.0.0.1"),
        ("10.0.0.1", &["198.51.100.7"], &["for=198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", &["198.51.100.7"], &["for=203.0.113.9"], "10.0.0.1"),
        ("10.0.0.1", &["198.51.100.7"], &["for=unknown"], "10.0.0.1"),
        ("10.0.0.1", &["nonsense"], &["for=203.0.113.9"], "10.0.0.1"),
    ];

    #[test]
    fn an_address_is_believed_of_proxies_that_are_trusted_and_of_nobody_else() {
        let proxies = Proxies::new(&["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        for (peer, plain, standard, expected) in CASES {
            let mut headers = HeaderMap::new();
            for (name, lines) in [(FORWARDED_FOR, plain), (header::FORWARDED, standard)] {
                for line in *lines {
                    headers.append(&name, HeaderValue::from_str(line).unwrap());
                }
            }
            let client = proxies.client(&headers, peer.parse().unwrap());
            assert_eq!(client.to_string(), *expected, "{peer} {plain:?} {standard:?}");
        }
    }

    #[test]
    fn without_trusted_proxies_nobody_is_believed() {
        let headers = HeaderMap::from_iter([(FORWARDED_FOR, HeaderValue::from_static("198.51.100.7"))]);
        let client = Proxies::new(&[]).client(&headers, "127.0.0.1".parse().unwrap());
        assert_eq!(client.to_string(), "127.0.0.1");
    }
}
