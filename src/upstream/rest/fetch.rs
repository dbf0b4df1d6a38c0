//! Floor 5. Fetches the few documents that issuers of tokens publish: no redirects, no headers of
//! anybody's, small answers, and nothing inside of the own network that the author did not name
//! (auth.md §4.3).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{
    Client, RequestBuilder,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use serde_json::Value;
use url::{Host, Url};

use crate::{plan::is_local, secret::Secret};

/// Bytes of a document at most.
const LARGEST: usize = 256 << 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Whose word an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// The author's: it may be anywhere.
    InTheFile,
    /// A document's: it must be on the open internet.
    InADocument,
}

/// Fetches documents.
#[derive(Clone, Debug)]
pub struct Fetcher {
    trusting: Client,
    strict: Client,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum FetchFault {
    /// The address is not one to ask.
    #[error("{0} is not an address that is asked")]
    Address(String),
    /// The answer is not the document.
    #[error("{0} answered with status {1}")]
    Status(String, u16),
    /// There was no answer, or not a whole one, or none that can be read.
    #[error("{0}: {1}")]
    Broken(String, String),
}

impl Fetcher {
    /// Makes the clients. Nothing is connected to.
    ///
    /// # Errors
    /// When the system has no certificates to trust.
    pub fn new() -> Result<Self, String> {
        let client = || {
            Client::builder()
                .redirect(Policy::none())
                .referer(false)
                .no_proxy()
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(TIMEOUT)
                .user_agent(concat!("mcp-bridge/", env!("CARGO_PKG_VERSION")))
        };
        let told = |error: reqwest::Error| error.without_url().to_string();
        let strict = client().https_only(true).dns_resolver(Arc::new(OpenInternet)).build().map_err(told)?;
        Ok(Self { trusting: client().build().map_err(told)?, strict })
    }

    /// Fetches a JSON document.
    ///
    /// # Errors
    /// [`FetchFault`]: never with more of the address than its origin and path.
    pub async fn document(&self, url: &Url, named: Named) -> Result<Value, FetchFault> {
        let client = self.client(url, named)?;
        read(url, client.get(url.clone())).await
    }

    /// Posts a form with a client's credential (RFC 7662 §2.1) and reads the JSON answer.
    ///
    /// # Errors
    /// [`FetchFault`].
    pub async fn ask(
        &self,
        url: &Url,
        client: (&str, &Secret<String>),
        form: &[(&str, &str)],
    ) -> Result<Value, FetchFault> {
        let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = Secret::new(format!("{}:{}", encode(client.0), encode(client.1.expose())));
        let basic = format!("Basic {}", STANDARD.encode(pair.expose()));
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.client(url, Named::InTheFile)?.post(url.clone()).header(AUTHORIZATION, basic);
        read(url, request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)).await
    }

    fn client(&self, url: &Url, named: Named) -> Result<&Client, FetchFault> {
        let refused = || FetchFault::Address(place(url));
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) => None,
            None => return Err(refused()),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused());
        }
        match (named, url.scheme()) {
            (Named::InTheFile, "https") => Ok(&self.trusting),
            (Named::InTheFile, "http") if is_local(url) => Ok(&self.trusting),
            (Named::InADocument, "https") if literal.is_none_or(is_open) => Ok(&self.strict),
            _ => Err(refused()),
        }
    }
}

async fn read(url: &Url, request: RequestBuilder) -> Result<Value, FetchFault> {
    let broken = |error: reqwest::Error| FetchFault::Broken(place(url), error.without_url().to_string());
    let mut response = request.header(ACCEPT, "application/json").send().await.map_err(broken)?;
    let status = response.status();
    if status != http::StatusCode::OK {
        return Err(FetchFault::Status(place(url), status.as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > LARGEST {
            return Err(FetchFault::Broken(place(url), "it is too large".into()));
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|_| FetchFault::Broken(place(url), "it is not JSON".into()))
}

/// An address without what may be secret of it.
fn place(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// Finds the addresses of names, and only those on the open internet. They are the ones that are
/// connected to, so nothing can change in between.
#[derive(Debug)]
struct OpenInternet;

impl Resolve for OpenInternet {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let open: Vec<SocketAddr> = found.filter(|address| is_open(address.ip())).collect();
            if open.is_empty() {
                return Err("the name has no address on the open internet".into());
            }
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}

/// Whether an address belongs to the open internet. What carries an IPv4 address inside is held
/// against that one.
fn is_open(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_open_v4(address),
        IpAddr::V6(address) => is_open_v6(address),
    }
}

fn is_open_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let special = (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 198 && (18..20).contains(&b))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113)
        || (a == 192 && b == 88 && c == 99);
    !(a == 0
        || a >= 224
        || shared
        || special
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local())
}

fn is_open_v6(address: Ipv6Addr) -> bool {
    let bits = address.to_bits();
    let [first, second, ..] = address.segments();
    // Only 2000::/3 is given out; of it, tunnels and documentation are left out. NAT64, mapped and
    // compatible addresses, unique local and link-local ones lie outside of it.
    let given_out = bits >> 125 == 1;
    let teredo_and_special = first == 0x2001 && second < 0x0200;
    let documentation = (first == 0x2001 && second == 0x0db8) || first == 0x3fff;
    let six_to_four = first == 0x2002;
    given_out && !teredo_and_special && !documentation && !six_to_four
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_open_internet_is_open() {
        for (address, open) in [
            ("8.8.8.8", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("198.18.0.1", false),
            ("203.0.113.5", false),
            ("2606:4700:4700::1111", true),
            ("::1", false),
            ("::", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("64:ff9b::7f00:1", false),
            ("64:ff9b:1::1", false),
            ("fe80::1", false),
            ("fc00::1", false),
            ("ff02::1", false),
            ("2001:db8::1", false),
            ("2002:7f00:1::", false),
            ("2001::1", false),
        ] {
            assert_eq!(is_open(address.parse().unwrap()), open, "{address}");
        }
    }

    #[test]
    fn an_address_out_of_a_document_leads_nowhere_inside() {
        let fetcher = Fetcher::new().unwrap();
        for (url, in_file, in_document) in [
            ("https://idp.example/jwks", true, true),
            ("https://10.0.0.7/jwks", true, false),
            ("https://0x7f.1/jwks", true, false),
            ("https://2130706433/jwks", true, false),
            ("https://[::ffff:127.0.0.1]/jwks", true, false),
            ("https://[64:ff9b::7f00:1]/jwks", true, false),
            ("http://127.0.0.1:8080/jwks", true, false),
            ("http://localhost/jwks", true, false),
            ("http://idp.example/jwks", false, false),
            ("file:///etc/passwd", false, false),
            ("https://user:pass@idp.example/jwks", false, false),
        ] {
            let parsed = Url::parse(url).unwrap();
            assert_eq!(fetcher.client(&parsed, Named::InTheFile).is_ok(), in_file, "{url} in the file");
            assert_eq!(fetcher.client(&parsed, Named::InADocument).is_ok(), in_document, "{url} in a document");
        }
    }
}
