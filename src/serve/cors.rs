//! Floor 8. What a browser must be told so that an allowed page can read answers.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};

const METHODS: &str = "POST, GET, DELETE, OPTIONS";
const HEADERS: &str = "authorization, content-type, accept, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, last-event-id, x-api-key";
const EXPOSED: &str = "mcp-session-id, mcp-protocol-version, www-authenticate";

/// Lets a page read the answer.
pub(super) fn admit(origin: &HeaderValue, response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
}

/// Answers a browser that asks before it calls.
pub(super) fn preflight() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}
