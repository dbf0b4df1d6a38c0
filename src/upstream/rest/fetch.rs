//! Floor 5. Fetches the few documents that issuers of tokens and their clients publish: no redirects, no headers of
//! anybody's, small answers, and nothing inside of the own network that the author did not name
//! (auth.md §4.3).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use http::{
    HeaderMap, HeaderName,
    header::{ACCEPT, AGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, DATE, EXPIRES},
};
use reqwest::{
    Client, RequestBuilder, Response,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use serde_json::Value;
use url::{Host, Url};

use crate::{plan::is_local, secret::Secret};

/// Bytes of a document at most.
const LARGEST: usize = 256 << 10;
/// Bytes of a document that a stranger named (auth.md §3.5).
const LARGEST_OF_A_STRANGER: usize = 5 << 10;
/// How long such a document is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
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

/// How a client shows its secret (RFC 6749 §2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// In the header, as every server has to take it.
    InAHeader,
    /// Among what is sent.
    InTheForm,
}

/// A document that a stranger named.
#[derive(Clone, Debug)]
pub struct Published {
    /// The document.
    pub document: Value,
    /// How long its server says that it may be kept; `None` where it says nothing.
    pub fresh: Option<Duration>,
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

    /// Fetches a JSON document that a stranger named: a small one, soon, and from where documents usually
    /// are, unless the author named the place.
    ///
    /// # Errors
    /// [`FetchFault`].
    pub async fn published(&self, url: &Url, named: Named) -> Result<Published, FetchFault> {
        if named == Named::InADocument && url.port().is_some() {
            return Err(FetchFault::Address(place(url)));
        }
        let request = self.client(url, named)?.get(url.clone()).timeout(PATIENCE);
        let answer = answered(url, request).await?;
        let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if kind != "application/json" && !(kind.starts_with("application/") && kind.ends_with("+json")) {
            return Err(FetchFault::Broken(place(url), "it does not say that it is JSON".into()));
        }
        let fresh = fresh(answer.headers(), Utc::now().timestamp());
        Ok(Published { document: whole(url, answer, LARGEST_OF_A_STRANGER).await?, fresh })
    }

    /// Fetches what an issuer says about whoever has a token of it (OpenID Connect Core 1.0 §5.3).
    ///
    /// # Errors
    /// [`FetchFault`].
    pub async fn about(&self, url: &Url, token: &Secret<String>) -> Result<Value, FetchFault> {
        let bearer = Secret::new(format!("Bearer {}", token.expose()));
        let request = self.client(url, Named::InTheFile)?.get(url.clone());
        read(url, request.header(AUTHORIZATION, bearer.expose())).await
    }

    /// Posts a form with a client's credential (RFC 6749 §2.3.1) and reads the JSON answer.
    ///
    /// # Errors
    /// [`FetchFault`].
    pub async fn ask(
        &self,
        url: &Url,
        (id, secret): (&str, &Secret<String>),
        shown: Shown,
        form: &[(&str, &str)],
    ) -> Result<Value, FetchFault> {
        let request = self.client(url, Named::InTheFile)?.post(url.clone());
        read(url, credited(request, (id, secret), shown, form)).await
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
    whole(url, answered(url, request).await?, LARGEST).await
}

fn broken(url: &Url, error: reqwest::Error) -> FetchFault {
    FetchFault::Broken(place(url), error.without_url().to_string())
}

/// The beginning of an answer that is one.
async fn answered(url: &Url, request: RequestBuilder) -> Result<Response, FetchFault> {
    let response = request.header(ACCEPT, "application/json").send().await.map_err(|error| broken(url, error))?;
    match response.status() {
        http::StatusCode::OK => Ok(response),
        status => Err(FetchFault::Status(place(url), status.as_u16())),
    }
}

/// The rest of it, and no more than so many bytes.
async fn whole(url: &Url, mut response: Response, largest: usize) -> Result<Value, FetchFault> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(url, error))? {
        if body.len() + chunk.len() > largest {
            return Err(FetchFault::Broken(place(url), "it is too large".into()));
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|_| FetchFault::Broken(place(url), "it is not JSON".into()))
}

/// How long an answer may be kept (RFC 9111 §4.2.1, §4.2.3); `None` where nothing is said.
fn fresh(headers: &HeaderMap, now: i64) -> Option<Duration> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    let said: Vec<String> = lines.flat_map(|line| line.split(',')).map(|it| it.trim().to_ascii_lowercase()).collect();
    if said.iter().any(|it| it == "no-store" || it == "no-cache" || it.starts_with("no-cache=")) {
        return Some(Duration::ZERO);
    }
    let age = |name: &str| said.iter().find_map(|it| it.strip_prefix(name)?.trim_matches('"').parse::<u64>().ok());
    if let Some(age) = age("s-maxage=").or_else(|| age("max-age=")) {
        let already = text(&AGE).and_then(|it| it.trim().parse::<u64>().ok()).unwrap_or(0);
        return Some(Duration::from_secs(age.saturating_sub(already)));
    }
    let time = |text: &str| DateTime::parse_from_rfc2822(text).ok().map(|time| time.timestamp());
    let since = text(&DATE).and_then(time).unwrap_or(now);
    // A time that cannot be read is over (RFC 9111 §5.3).
    text(&EXPIRES)
        .map(|end| Duration::from_secs(time(end).unwrap_or(since).saturating_sub(since).try_into().unwrap_or(0)))
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

/// A form, with the client's credential.
fn credited(
    request: RequestBuilder,
    (id, secret): (&str, &Secret<String>),
    shown: Shown,
    form: &[(&str, &str)],
) -> RequestBuilder {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(form);
    let request = match shown {
        Shown::InAHeader => {
            let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let pair = Secret::new(format!("{}:{}", encode(id), encode(secret.expose())));
            request.header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(pair.expose())))
        }
        Shown::InTheForm => {
            body.append_pair("client_id", id).append_pair("client_secret", secret.expose());
            request
        }
    };
    request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.finish())
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
    fn a_document_is_kept_as_long_as_its_headers_say() {
        let date = "Sat, 21 Nov 2026 12:00:00 GMT";
        for (lines, expected) in [
            (&[][..], None),
            (&[("cache-control", "public")], None),
            (&[("cache-control", "public, max-age=600")], Some(600)),
            (&[("cache-control", "Max-Age=600"), ("age", "90")], Some(510)),
            (&[("cache-control", "max-age=600"), ("age", "900")], Some(0)),
            (&[("cache-control", "max-age=600, s-maxage=60")], Some(60)),
            (&[("cache-control", "max-age=600"), ("cache-control", "no-store")], Some(0)),
            (&[("cache-control", "no-cache"), ("expires", "Sat, 21 Nov 2026 13:00:00 GMT")], Some(0)),
            (&[("date", date), ("expires", "Sat, 21 Nov 2026 13:00:00 GMT")], Some(3600)),
            (&[("date", date), ("expires", "Sat, 21 Nov 2026 11:00:00 GMT")], Some(0)),
            (&[("date", date), ("expires", "0")], Some(0)),
            (&[("cache-control", "max-age=x")], None),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, value.parse().unwrap());
            }
            assert_eq!(fresh(&headers, 0), expected.map(Duration::from_secs), "{lines:?}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_even_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let fetcher = Fetcher::new().unwrap();
        for host in ["localhost", "127.0.0.1"] {
            let url = Url::parse(&format!("https://{host}:{port}/client.json")).unwrap();
            assert!(fetcher.document(&url, Named::InADocument).await.is_err(), "{url}");
            assert!(fetcher.published(&url, Named::InADocument).await.is_err(), "{url}");
        }
        let nobody = std::future::poll_fn(|context| std::task::Poll::Ready(listener.poll_accept(context).is_pending()));
        assert!(nobody.await, "somebody came");
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
