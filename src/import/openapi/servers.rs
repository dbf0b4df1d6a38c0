//! Floor 7. Where the operations of a document are sent: its servers, with their variables filled in and
//! relative addresses resolved.

use serde_json::Value;
use url::Url;

use super::{
    document::{Document, Family, items, members, text},
    operations::Operation,
};

/// The base of an operation.
///
/// # Errors
/// Why none is known.
pub(super) fn base(operation: &Operation<'_>, document: Document<'_>, given: &Given) -> Result<Url, String> {
    if let Some(base) = &given.base {
        return Ok(base.clone());
    }
    let written = match document.family {
        Family::Swagger2 => Some(of_2(operation, document, given)),
        Family::OpenApi3 => of_3(operation, document),
    };
    let address = match (written, &given.found_at) {
        (Some(address), found) => absolute(&address, found.as_ref()),
        // Without servers an API lives where its document does (OpenAPI 3.0, `servers`).
        (None, Some(found)) => absolute("/", Some(found)),
        (None, None) => None,
    };
    address.and_then(usable).ok_or_else(|| "the document does not say where the API is".to_owned())
}

/// What is known besides the document.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    /// The base that the person wants.
    pub(super) base: Option<Url>,
    /// Where the document was found.
    pub(super) found_at: Option<Url>,
}

fn absolute(address: &str, found_at: Option<&Url>) -> Option<Url> {
    match (Url::parse(address), found_at) {
        (Ok(url), _) => Some(url),
        (Err(_), Some(found)) => found.join(address).ok(),
        (Err(_), None) => None,
    }
}

/// The address as the base of a source: scheme, host and path.
pub(super) fn usable(mut url: Url) -> Option<Url> {
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return None;
    }
    url.set_query(None);
    url.set_fragment(None);
    let bare = url.set_username("").is_ok() && url.set_password(None).is_ok();
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    let plain = !url.as_str().contains(['{', '}']) && !url.as_str().contains("%7B");
    (bare && plain).then_some(url)
}

fn of_2(operation: &Operation<'_>, document: Document<'_>, given: &Given) -> String {
    let own = operation.value.get("schemes").or_else(|| document.root.get("schemes"));
    let schemes: Vec<&str> = items(own).filter_map(Value::as_str).collect();
    let found = given.found_at.as_ref().map_or("https", Url::scheme);
    let scheme = if schemes.contains(&"https") {
        "https"
    } else if schemes.contains(&"http") {
        "http"
    } else {
        found
    };
    let path = text(document.root.get("basePath")).unwrap_or("/");
    match text(document.root.get("host")) {
        Some(host) => format!("{scheme}://{host}/{}", path.trim_start_matches('/')),
        None => format!("/{}", path.trim_start_matches('/')),
    }
}

fn of_3(operation: &Operation<'_>, document: Document<'_>) -> Option<String> {
    let lists = [operation.value.get("servers"), operation.item.get("servers"), document.root.get("servers")];
    let servers = lists.into_iter().find(|list| items(*list).next().is_some()).flatten();
    let filled: Vec<String> = items(servers).filter_map(filled).collect();
    let is_https = |address: &&String| address.starts_with("https:");
    filled.iter().find(is_https).or_else(|| filled.first()).cloned()
}

/// The address of a server with its variables filled in.
fn filled(server: &Value) -> Option<String> {
    let mut address = text(server.get("url"))?.to_owned();
    for (name, variable) in members(server.get("variables")) {
        let first = items(variable.get("enum")).next();
        let value = variable.get("default").or(first).and_then(|value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
        if let Some(value) = value {
            address = address.replace(&format!("{{{name}}}"), &value);
        }
    }
    (!address.contains('{')).then_some(address)
}
