//! Floor 7. Security schemes as the credential of a source, its secrets in variables of the environment.

use serde_json::{Map, Value, json};
use url::Url;

use super::{
    document::{Document, Family, items, members, text},
    operations::Operation,
    request::is_token,
};
use crate::{
    import::{Variable, write::variable},
    plan::is_local,
};

/// How requests are signed, as far as a source can say it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Signing {
    /// The schemes, by name.
    pub(super) schemes: Vec<String>,
    /// The scopes that the operation names.
    pub(super) scopes: Vec<String>,
    /// The value of `auth`.
    pub(super) auth: Option<Value>,
    /// Further keys, which a source sends as fixed headers and query parameters.
    pub(super) headers: Map<String, Value>,
    pub(super) query: Map<String, Value>,
    /// The variables that are used.
    pub(super) variables: Vec<Variable>,
    /// What a person should know.
    pub(super) notes: Vec<String>,
}

/// Names of headers and parameters that carry an API key, whichever operation is signed by it: no model
/// fills them in.
pub(super) fn keys(document: Document<'_>) -> Vec<String> {
    let known = document.parts("securityDefinitions", "securitySchemes").into_iter().flatten();
    let keys = known.filter_map(|(_, scheme)| document.follow(scheme));
    let keys = keys.filter(|scheme| text(scheme.get("type")) == Some("apiKey"));
    keys.filter_map(|scheme| text(scheme.get("name")).map(str::to_owned)).collect()
}

/// The ways in which an operation can be signed: each a list of schemes that are needed together.
fn ways<'d>(operation: &Operation<'d>, document: Document<'d>) -> Vec<Vec<(&'d str, &'d Value, &'d Value)>> {
    let own = operation.value.get("security").or_else(|| document.root.get("security"));
    let known = document.parts("securityDefinitions", "securitySchemes");
    let each = items(own).map(|way| {
        let schemes = members(Some(way)).map(|(name, scopes)| {
            let scheme = known.and_then(|known| known.get(name)).and_then(|it| document.follow(it));
            (name.as_str(), scheme.unwrap_or(&Value::Null), scopes)
        });
        schemes.collect::<Vec<_>>()
    });
    each.filter(|way| !way.is_empty()).collect()
}

/// How an operation is signed. Of several ways the one that a bridge can go best is taken.
pub(super) fn of(operation: &Operation<'_>, document: Document<'_>, context: &Context<'_>) -> Signing {
    let ways = ways(operation, document);
    let best = ways.iter().map(|way| (way.iter().map(|(_, scheme, _)| weight(scheme)).sum::<u32>(), way));
    let Some((_, way)) = best.min_by_key(|(weight, _)| *weight) else { return Signing::default() };
    let mut signing = Signing::default();
    for (name, scheme, scopes) in way {
        signing.schemes.push((*name).to_owned());
        signing.scopes.extend(items(Some(scopes)).filter_map(Value::as_str).map(str::to_owned));
        add(name, scheme, &mut signing, (document, context));
    }
    signing
}

/// What an OAuth token in a variable means.
const ONE_TOKEN: &str = "the bridge sends one access token for all callers; `passthrough` would send each caller's own";

/// What the values of a source are made of.
pub(super) struct Context<'c> {
    /// Begins the names of variables: the name of the bridge, with the host where there are several.
    pub(super) prefix: &'c str,
    /// The base of the source.
    pub(super) base: &'c Url,
}

/// How well a bridge can go a way; less is better.
fn weight(scheme: &Value) -> u32 {
    let flows = |name: &str| scheme.get("flows").is_some_and(|flows| flows.get(name).is_some());
    let machine = flows("clientCredentials") || text(scheme.get("flow")) == Some("application");
    match (text(scheme.get("type")), text(scheme.get("scheme")).map(str::to_ascii_lowercase).as_deref()) {
        (Some("http"), Some("bearer")) => 1,
        (Some("apiKey"), _) if text(scheme.get("in")) == Some("header") => 2,
        (Some("oauth2"), _) if machine => 3,
        (Some("http"), Some("basic")) | (Some("basic"), _) => 4,
        (Some("apiKey"), _) => 5,
        (Some("oauth2" | "openIdConnect"), _) => 6,
        _ => 50,
    }
}

fn add(name: &str, scheme: &Value, to: &mut Signing, (document, context): (Document<'_>, &Context<'_>)) {
    let mut take = |tail: &str, meaning: String| {
        let name = format!("{}_{tail}", shouted(context.prefix));
        to.variables.push(Variable { name: name.clone(), meaning });
        variable(&name)
    };
    let kind = text(scheme.get("type")).unwrap_or("");
    let http = text(scheme.get("scheme")).unwrap_or("").to_ascii_lowercase();
    let auth = match (kind, http.as_str()) {
        ("http", "bearer") => json!({ "bearer": take("TOKEN", "the bearer token".into()) }),
        ("http", "basic") | ("basic", _) => json!({ "basic": {
            "username": take("USERNAME", "the user name".into()),
            "password": take("PASSWORD", "the password".into()),
        }}),
        ("apiKey", _) => {
            let key = text(scheme.get("name")).unwrap_or("").to_owned();
            let place = text(scheme.get("in")).unwrap_or("").to_owned();
            return api_key(name, (&place, &key), to, context);
        }
        ("oauth2", _) => {
            if let Some(url) = client_credentials(scheme, document, context) {
                json!({ "client_credentials": {
                    "token_url": url,
                    "client_id": take("CLIENT_ID", "the id of this server as an OAuth client".into()),
                    "client_secret": take("CLIENT_SECRET", "its secret".into()),
                }})
            } else {
                let value = take("TOKEN", "an OAuth access token".into());
                to.notes.push(format!("`{name}` is OAuth for a person: {ONE_TOKEN}"));
                json!({ "bearer": value })
            }
        }
        ("openIdConnect", _) => json!({ "bearer": take("TOKEN", "an access token of the identity provider".into()) }),
        _ => {
            to.notes.push(format!(
                "the security scheme `{name}` ({}) cannot be expressed: requests are not signed by it",
                if http.is_empty() { kind } else { &http }
            ));
            return;
        }
    };
    settle(name, auth, to);
}

fn named(name: &str, meaning: &str, to: &mut Signing) -> String {
    to.variables.push(Variable { name: name.to_owned(), meaning: meaning.to_owned() });
    variable(name)
}

fn settle(name: &str, auth: Value, to: &mut Signing) {
    if to.auth.is_none() {
        to.auth = Some(auth);
    } else {
        to.notes
            .push(format!("`{name}` is needed together with another credential, and a source has one: it is left out"));
    }
}

fn api_key(name: &str, (place, key): (&str, &str), to: &mut Signing, context: &Context<'_>) {
    let fits = match place {
        "header" | "cookie" => {
            is_token(key)
                && !["host", "connection", "content-length", "te", "cookie"]
                    .contains(&key.to_ascii_lowercase().as_str())
        }
        "query" => !key.is_empty() && !key.contains("{{"),
        _ => false,
    };
    if !fits {
        to.notes.push(format!("the API key `{name}` cannot be expressed: requests are not signed by it"));
        return;
    }
    // The first key has a plain name; further ones are told apart by theirs.
    let tail = if to.variables.is_empty() { "API_KEY".to_owned() } else { shouted(key) };
    let meaning = match place {
        "query" => format!("the API key, sent as the query parameter `{key}`"),
        "cookie" => format!("the API key, sent as the cookie `{key}`"),
        _ => format!("the API key, sent in the header `{key}`"),
    };
    let value = named(&format!("{}_{tail}", shouted(context.prefix)), &meaning, to);
    if to.auth.is_none() {
        to.auth = Some(match place {
            "query" => json!({ "api_key": { "query": key, "value": value } }),
            "cookie" => json!({ "api_key": { "header": "Cookie", "value": format!("{key}={value}") } }),
            _ => json!({ "api_key": { "header": key, "value": value } }),
        });
        return;
    }
    let lower = key.to_ascii_lowercase();
    match place {
        "query" => {
            to.query.insert(key.to_owned(), value.into());
        }
        "header" if lower != "authorization" => {
            to.headers.insert(key.to_owned(), value.into());
        }
        _ => {
            to.variables.pop();
            to.notes.push(format!(
                "`{name}` is needed together with another credential, and a source has one: it is left out"
            ));
        }
    }
}

/// The token endpoint of a client of its own, if there is such a flow.
fn client_credentials(scheme: &Value, document: Document<'_>, context: &Context<'_>) -> Option<String> {
    let flow = match document.family {
        Family::Swagger2 => (text(scheme.get("flow")) == Some("application")).then_some(scheme)?,
        Family::OpenApi3 => scheme.get("flows")?.get("clientCredentials")?,
    };
    let written = text(flow.get("tokenUrl"))?;
    let url = Url::parse(written).or_else(|_| context.base.join(written)).ok()?;
    let fine = (url.scheme() == "https" || (url.scheme() == "http" && is_local(&url)))
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none();
    fine.then(|| url.to_string())
}

/// A name as variables of the environment are written.
pub(super) fn shouted(name: &str) -> String {
    let name: String =
        name.chars().map(|it| if it.is_ascii_alphanumeric() { it.to_ascii_uppercase() } else { '_' }).collect();
    let name = name.trim_matches('_').to_owned();
    if name.starts_with(|first: char| first.is_ascii_digit()) { format!("API_{name}") } else { name }
}
