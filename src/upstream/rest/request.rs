//! Floor 5. Builds requests: address, headers and body of one call. The address is put together
//! as text and checked against the source's base before anything is sent (auth.md §4.3).

use std::borrow::Cow;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT, CONTENT_TYPE, COOKIE, USER_AGENT},
};
use url::Url;

use super::{
    Place, RestCall,
    auth::Signer,
    pairs::{self, append_pair, scalar, separate},
    path, payload,
};
use crate::{
    plan::{
        self, RestSource,
        rest::{Method, Reserved},
    },
    template::{RenderError, Scope},
    upstream::{FailureClass, UpstreamError},
};

/// Longest path and query of a request, in bytes. Common servers refuse more than 8 to 16 KiB.
const MAX_TARGET: usize = 32 * 1024;

/// Longest value of a header, in bytes.
const MAX_HEADER: usize = 8 * 1024;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("mcp-bridge/", env!("CARGO_PKG_VERSION")));
const ACCEPTED: HeaderValue = HeaderValue::from_static("application/json, */*;q=0.8");

/// One request as it is sent. It stands in a box wherever it waits: in place it would be copied into each
/// of the futures on its way.
#[derive(Clone)]
pub(super) struct Outgoing {
    pub(super) method: http::Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
}

/// What all requests of a source have in common, prepared once.
pub(super) struct Frame {
    base: Url,
    /// The path of the base without a `/` at its end.
    prefix: String,
    /// The source's fixed parameters, encoded.
    query: String,
    headers: HeaderMap,
    signer: Signer,
}

impl Frame {
    /// Prepares what is the same for every call.
    ///
    /// # Errors
    /// [`FailureClass::Internal`] for a base or a header that `check` would have refused.
    pub(super) fn new(name: &str, source: &RestSource, signer: Signer) -> Result<Self, UpstreamError> {
        let base = &source.base;
        let plain = base.username().is_empty() && base.password().is_none() && base.fragment().is_none();
        if !plain || !base.has_host() || !matches!(base.scheme(), "http" | "https") {
            return Err(internal(format!("The base of `{name}` is no plain address.")));
        }
        let mut query = String::new();
        for (key, value) in &source.query {
            append_pair(&mut query, key, value);
        }
        let mut headers = HeaderMap::with_capacity(source.headers.len() + 8);
        headers.insert(ACCEPT, ACCEPTED);
        headers.insert(USER_AGENT, AGENT);
        for (key, text) in &source.headers {
            headers.insert(header_name(key)?, header_value(key, text)?);
        }
        let prefix = base.path().trim_end_matches('/').to_owned();
        let mut base = base.clone();
        base.set_query(None);
        Ok(Self { base, prefix, query, headers, signer })
    }

    /// Builds the request of one call.
    ///
    /// # Errors
    /// [`FailureClass::Arguments`] for values that cannot stand where the author put them,
    /// [`FailureClass::Credential`] when the caller's own credential is missing,
    /// [`FailureClass::Internal`] when the address would leave the base.
    pub(super) fn build(
        &self,
        request: &plan::rest::Request,
        call: &RestCall<'_>,
    ) -> Result<Box<Outgoing>, UpstreamError> {
        let url = self.url(request, call.scope)?;
        let payload = request.body.as_ref().map(|body| payload::build(body, call.scope)).transpose()?;
        let mut headers = self.headers(request, call)?;
        let body = payload.map(|payload| {
            headers.entry(CONTENT_TYPE).or_insert(payload.content_type);
            payload.bytes
        });
        Ok(Box::new(Outgoing { method: method(request.method), url, headers, body }))
    }

    /// The address that every request is below, without a query.
    pub(super) const fn base(&self) -> &Url {
        &self.base
    }

    /// Whether an address of the base's origin is below the base.
    pub(super) fn is_below(&self, url: &Url) -> bool {
        url.path().strip_prefix(&*self.prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The parameter that signs a request, encoded as it is sent.
    pub(super) fn signature(&self) -> Option<&str> {
        self.signer.query()
    }

    /// A query without the parameter that signs a request, whatever value it has.
    pub(super) fn unsigned(&self, query: &str) -> String {
        let name = |pair: &str| pair.split('=').next().unwrap_or("").to_owned();
        let decoded = |name: &str| percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned();
        let secret = self.signer.query().map(|pair| decoded(&name(pair)));
        let kept = query.split('&').filter(|pair| !pair.is_empty() && Some(decoded(&name(pair))) != secret);
        kept.collect::<Vec<_>>().join("&")
    }

    /// What every request says about itself, and nothing of the source or the tool.
    pub(super) fn plain_headers() -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, ACCEPTED), (USER_AGENT, AGENT)])
    }

    fn url(&self, request: &plan::rest::Request, scope: &dyn Scope) -> Result<Url, UpstreamError> {
        let mut target = String::with_capacity(self.prefix.len() + self.query.len() + 128);
        target.push_str(&self.prefix);
        let segments = path::append(&mut target, &request.path, scope)?;
        let mut url = self.base.clone();
        url.set_path(&target);

        let path = target.len();
        target.clear();
        for param in &request.query {
            let value = param.value.resolve(scope);
            let value = value.map_err(|error| unresolved("query parameter", &param.name, &error))?;
            pairs::append(&mut target, &param.name, &value.unwrap_or_default(), param.style)?;
        }
        for fixed in [self.query.as_str(), self.signer.query().unwrap_or("")] {
            if !fixed.is_empty() {
                separate(&mut target);
                target.push_str(fixed);
            }
        }
        if path + target.len() > MAX_TARGET {
            let told = format!("The values are too long for an address, which has {} KiB at most.", MAX_TARGET / 1024);
            return Err(UpstreamError::new(FailureClass::Arguments, told));
        }
        if !target.is_empty() {
            url.set_query(Some(&target));
        }
        if !self.holds(&url, segments) {
            return Err(internal("The address built from these values is not below the base of the source."));
        }
        Ok(url)
    }

    /// The address of a further page, if it is below the base. A key that the source adds to every
    /// query is taken out of it, and added again when it is sent.
    pub(super) fn page(&self, from: &Url, address: &str) -> Option<Url> {
        let mut url = from.join(address).ok()?;
        url.set_fragment(None);
        let below = url.path().strip_prefix(&*self.prefix)?;
        let fits = url.origin() == self.base.origin()
            && url.username().is_empty()
            && url.password().is_none()
            && (below.is_empty() || below.starts_with('/'));
        if !fits {
            return None;
        }
        if let Some((name, _)) = self.signer.query().and_then(|pair| pair.split_once('=')) {
            without(&mut url, name);
        }
        Some(url)
    }

    /// Turns a request to a further page.
    pub(super) fn turn(&self, url: &mut Url, place: &Place) -> Result<(), UpstreamError> {
        match place {
            Place::At(address) => {
                let elsewhere = || internal("The address of a page is not below the base of the source.");
                let mut page = self.page(&self.base, address).ok_or_else(elsewhere)?;
                if let Some(pair) = self.signer.query() {
                    append(&mut page, pair);
                }
                *url = page;
            }
            Place::With(name, value) => {
                let mut pair = String::new();
                append_pair(&mut pair, name, value);
                if let Some((name, _)) = pair.split_once('=') {
                    without(url, name);
                }
                append(url, &pair);
            }
        }
        Ok(())
    }

    /// Whether an address is below the base and has as many segments as were written. The
    /// encoding makes this true for every value; it is asked all the same, because a credential
    /// goes wherever the address points.
    fn holds(&self, url: &Url, segments: usize) -> bool {
        let below = url.path().strip_prefix(&*self.prefix).unwrap_or("");
        url.scheme() == self.base.scheme()
            && url.host_str() == self.base.host_str()
            && url.port() == self.base.port()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
            && (segments == 0 || below.starts_with('/'))
            && below.bytes().filter(|byte| *byte == b'/').count() == segments.max(usize::from(self.prefix.is_empty()))
    }

    fn headers(&self, request: &plan::rest::Request, call: &RestCall<'_>) -> Result<HeaderMap, UpstreamError> {
        let mut headers = self.headers.clone();
        for (name, tree) in &request.headers {
            let value = tree.resolve(call.scope).map_err(|error| unresolved("header", name, &error))?;
            let Some(value) = value.filter(|value| !value.is_null()) else { continue };
            let Some(text) = scalar(&value) else {
                let told = format!("The header `{name}` must be one text, number or boolean.");
                return Err(UpstreamError::new(FailureClass::Arguments, told));
            };
            headers.insert(header_name(name)?, header_value(name, &text)?);
        }
        if let Some(cookies) = cookies(request, call.scope)? {
            headers.insert(COOKIE, cookies);
        }
        self.signer.sign(&mut headers, call)?;
        Ok(headers)
    }
}

/// Takes a parameter, named as it is encoded, out of a query.
fn without(url: &mut Url, name: &str) {
    let Some(query) = url.query() else { return };
    let is_other = |pair: &&str| pair.split('=').next() != Some(name);
    let kept: Vec<&str> = query.split('&').filter(is_other).collect();
    let kept = kept.join("&");
    url.set_query((!kept.is_empty()).then_some(&*kept));
}

/// Adds an encoded pair to a query.
fn append(url: &mut Url, pair: &str) {
    let mut query = url.query().unwrap_or("").to_owned();
    separate(&mut query);
    query.push_str(pair);
    url.set_query(Some(&query));
}

fn method(method: Method) -> http::Method {
    match method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Patch => http::Method::PATCH,
        Method::Delete => http::Method::DELETE,
        Method::Head => http::Method::HEAD,
    }
}

/// The cookies of a request in one header; `None` where none has a value.
fn cookies(request: &plan::rest::Request, scope: &dyn Scope) -> Result<Option<HeaderValue>, UpstreamError> {
    let mut line = String::new();
    for (name, tree) in &request.cookies {
        let value = tree.resolve(scope).map_err(|error| unresolved("cookie", name, &error))?;
        let Some(value) = value.filter(|value| !value.is_null()) else { continue };
        // RFC 6265 §4.1.1: with anything else a value could end its cookie and begin another one.
        let octet = |byte: u8| matches!(byte, 0x21 | 0x23..=0x2B | 0x2D..=0x3A | 0x3C..=0x5B | 0x5D..=0x7E);
        let Some(text) = scalar(&value).filter(|text| text.bytes().all(octet)) else {
            let told =
                format!("The cookie `{name}` holds visible ASCII characters without blanks, `\"`, `,`, `;` and `\\`.");
            return Err(UpstreamError::new(FailureClass::Arguments, told));
        };
        let separator = if line.is_empty() { "" } else { "; " };
        line.extend([separator, name, "=", &text]);
    }
    if line.is_empty() { Ok(None) } else { header_value("cookie", &line).map(Some) }
}

/// A name that may be sent. `check` refuses the others with a place; this is the second line.
fn header_name(name: &str) -> Result<HeaderName, UpstreamError> {
    let known = HeaderName::from_bytes(name.as_bytes()).ok().filter(|known| Reserved::of(known.as_str()).is_none());
    known.ok_or_else(|| internal(format!("The header `{name}` cannot be set.")))
}

fn header_value(name: &str, text: &str) -> Result<HeaderValue, UpstreamError> {
    let visible = text.len() <= MAX_HEADER && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    // A header that cannot be sent fails the call: without it the request would mean another thing.
    HeaderValue::from_str(text).ok().filter(|_| visible).ok_or_else(|| {
        let told =
            format!("The header `{name}` can hold visible ASCII characters only, {} KiB at most.", MAX_HEADER / 1024);
        UpstreamError::new(FailureClass::Arguments, told)
    })
}

#[cold]
pub(super) fn unresolved(what: &str, name: &str, error: &RenderError) -> UpstreamError {
    let told = format!("The {what} `{name}` of the request could not be built from these arguments.");
    UpstreamError::new(FailureClass::Arguments, told).caused_by(error)
}

#[cold]
pub(super) fn internal(told: impl Into<Cow<'static, str>>) -> UpstreamError {
    UpstreamError::new(FailureClass::Internal, told)
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;
    use crate::{
        plan::{
            Auth, SourceId,
            rest::{Parameter, Parse, PathTemplate, Piece, Segment, Style},
        },
        template::Tree,
    };

    fn frame() -> Frame {
        let source = RestSource {
            base: "https://api.shop.example:8443/v1".parse().unwrap(),
            headers: Vec::new(),
            query: vec![("fixed".into(), "1".into())],
            auth: Auth::None,
            timeout: std::time::Duration::ZERO,
            connect_timeout: std::time::Duration::ZERO,
            max_response: 0,
            concurrency: 1,
            bounds: plan::Bounds::default(),
            network: Box::default(),
            redirects: plan::Redirects::Refused,
        };
        Frame::new("shop", &source, Signer::Nothing).unwrap()
    }

    fn request() -> plan::rest::Request {
        let segments = vec![
            Segment::Pieces(vec![Piece::Literal("orders".into())]),
            Segment::Pieces(vec![Piece::Literal("n-".into()), Piece::Param("x".into())]),
        ];
        let value = Tree::compile(&"{{x}}".into()).unwrap();
        plan::rest::Request {
            source: SourceId(0),
            method: Method::Get,
            path: PathTemplate { segments, source: "/orders/n-{x}".into() },
            query: vec![Parameter { name: "x".into(), value, style: Style::Repeated }],
            headers: Vec::new(),
            cookies: Vec::new(),
            body: None,
            parse: Parse::Auto,
            success: Vec::new(),
            error_when: None,
            errors: Vec::new(),
            placed: Vec::new(),
            care: plan::Care::default(),
        }
    }

    proptest! {
        #[test]
        fn a_value_is_refused_or_arrives_whole_in_its_own_place(value in r"(\PC|[./\\%?#@:;&=+]|%2[eEfF]|%5[cC]|\.\.){0,12}") {
            let scope = Map::from_iter([("x".to_owned(), Value::from(value.as_str()))]);
            match frame().url(&request(), &scope) {
                Err(error) => prop_assert_eq!(error.class(), FailureClass::Arguments),
                Ok(url) => {
                    prop_assert_eq!(url.origin().ascii_serialization(), "https://api.shop.example:8443");
                    let placed = url.path().strip_prefix("/v1/orders/n-").unwrap();
                    prop_assert!(!placed.contains('/'));
                    prop_assert_eq!(percent_decode_str(placed).decode_utf8().unwrap(), value.as_str());
                    let pairs: Vec<_> = url.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
                    prop_assert_eq!(pairs, [("x".to_owned(), value), ("fixed".to_owned(), "1".to_owned())]);
                    prop_assert_eq!(url.fragment(), None);
                }
            }
        }
    }
}
