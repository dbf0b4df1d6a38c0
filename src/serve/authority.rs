//! Floor 8. The authorization server over HTTP: what of a request it is given, and which headers its answers
//! carry. No page of it is framed, kept, or followed by the address that it was opened with.

use std::net::IpAddr;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header},
};
use http_body_util::{BodyExt, Limited};

use super::{
    callers::{Head, only},
    http::BODY_TIMEOUT,
};
use crate::{
    authority::{Answer, Authority, Class, Inquiry, Route},
    engine::seconds,
};

/// Bytes of a form at most (auth.md §3.2).
const BODY_MAX: usize = 16 << 10;
const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Answers a request for a path of the authorization server; `None` for any other path.
pub(super) async fn respond(
    authority: &Authority,
    head: &Head,
    body: &mut Body,
    address: IpAddr,
) -> Option<Response<Body>> {
    let path = head.uri.path();
    let (looked, sent) = Route::at(path)?;
    let for_programs = Route::is_for_programs(path);
    let mut response = match (&head.method, looked, sent) {
        (&Method::OPTIONS, ..) if for_programs => plain(StatusCode::NO_CONTENT),
        (&Method::GET | &Method::HEAD, Some(route), _) => answer(authority, route, head, &Bytes::new(), address).await,
        (&Method::POST, _, Some(route)) => match read(route, head, body).await {
            Ok(body) => answer(authority, route, head, &body, address).await,
            Err(status) => plain(status),
        },
        _ => not_here(looked.is_some(), sent.is_some()),
    };
    let headers = response.headers_mut();
    for (name, value) in [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if for_programs {
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, OPTIONS"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, accept, mcp-protocol-version"),
            (header::ACCESS_CONTROL_EXPOSE_HEADERS, "www-authenticate, retry-after"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    } else {
        for (name, value) in [
            (header::X_FRAME_OPTIONS, "DENY"),
            // No `form-action`: browsers hold it against where a client sends people on to (auth.md T17).
            (
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
            ),
            (header::REFERRER_POLICY, "same-origin"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if head.method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    Some(response)
}

async fn answer(authority: &Authority, route: Route, head: &Head, body: &[u8], address: IpAddr) -> Response<Body> {
    let headers = &head.headers;
    let cookies: Vec<&str> = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok()).collect();
    // Of two headers nobody can say which is meant, so it is one that fits nobody.
    let authorization = headers.contains_key(header::AUTHORIZATION).then(|| text(headers, &header::AUTHORIZATION));
    let inquiry = Inquiry {
        route,
        query: head.uri.query().unwrap_or_default().as_bytes(),
        body,
        authorization: authorization.map(Option::unwrap_or_default),
        cookies: &cookies,
        origin: text(headers, &header::ORIGIN),
        site: text(headers, &FETCH_SITE),
        address,
    };
    // Its future is large, and nearly every request goes elsewhere.
    written(Box::pin(authority.answer(inquiry)).await)
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    only(headers, name.as_str()).and_then(|value| std::str::from_utf8(value).ok())
}

/// Reads what was sent, in the one form that is expected: a page elsewhere cannot send JSON unasked.
async fn read(route: Route, head: &Head, body: &mut Body) -> Result<Bytes, StatusCode> {
    let expected = if route == Route::Register { JSON } else { FORM };
    let given = text(&head.headers, &header::CONTENT_TYPE).unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case(expected) {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, BODY_MAX).collect()).await {
        Ok(Ok(read)) => Ok(read.to_bytes()),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

fn written(answer: Answer) -> Response<Body> {
    let (class, kind, body) = match answer {
        Answer::To { address, cookie } => {
            let mut response = plain(StatusCode::SEE_OTHER);
            match HeaderValue::try_from(address) {
                Ok(address) => response.headers_mut().insert(header::LOCATION, address),
                Err(_) => return plain(StatusCode::BAD_REQUEST),
            };
            if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::try_from(cookie.text()).ok()) {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            return response;
        }
        Answer::Page { class, html } => (class, "text/html; charset=utf-8", html),
        Answer::Document { class, json } => (class, JSON, json),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status(class);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    match class {
        Class::Unknown => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"mcp-bridge\""));
        }
        Class::TooOften(wait) => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait)));
        }
        Class::Fine | Class::Created | Class::Faulty | Class::Forbidden | Class::Unavailable => {}
    }
    response
}

const fn status(class: Class) -> StatusCode {
    match class {
        Class::Fine => StatusCode::OK,
        Class::Created => StatusCode::CREATED,
        Class::Faulty => StatusCode::BAD_REQUEST,
        Class::Unknown => StatusCode::UNAUTHORIZED,
        Class::Forbidden => StatusCode::FORBIDDEN,
        Class::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
        Class::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn not_here(looks: bool, sends: bool) -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
    let allowed = match (looks, sends) {
        (true, true) => "GET, HEAD, POST",
        (true, false) => "GET, HEAD",
        (false, _) => "POST, OPTIONS",
    };
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}
