//! Floor 4. Habits of other formats: whole documents and shapes that are told once, with what to write here, and not
//! key by key.

use serde_json::{Map, Value};

use super::{
    Walker,
    words::{self, Place, Role},
};
use crate::{
    diag::{Code, Diagnostic},
    yaml::{Entry, Kind, Node},
};

/// Keys that other formats say in two words where this one has a key for both.
const PAIRS: [(&str, &str, &str); 2] = [("method", "path", "get"), ("port", "host", "listen")];

/// Mappings of which every member has its name as its key.
const NAMED: [&str; 6] = ["sources", "tools", "resources", "prompts", "params", "fields"];

impl<'a> Walker<'a> {
    /// Tells of a mapping that is written in another format as a whole. Then nothing else is said about it.
    pub(super) fn is_foreign(
        &mut self,
        entries: &[Entry],
        properties: Option<&'a Map<String, Value>>,
        schema: &'a Value,
        place: Place<'_>,
    ) -> bool {
        let entry = |name: &str| entries.iter().find(|entry| entry.key.value == name);
        let fault = match (place.role, place.name) {
            (Role::File, _) => document(&entry),
            (Role::Key, "params") if properties.is_none() => {
                let known = self.schema.pointer("/$defs/ParamSpec/properties").and_then(Value::as_object);
                known.and_then(|known| schema_as_params(&entry, known, place))
            }
            (Role::Key, "auth") => properties.and_then(|known| kind_of_auth(&entry, known)),
            _ => None,
        };
        let Some(fault) = fault else { return false };
        for entry in entries {
            self.hide_misspelt(entry, schema);
        }
        self.diagnostics.push(fault);
        true
    }
}

type Find<'e> = dyn Fn(&str) -> Option<&'e Entry> + 'e;

fn document(entry: &Find<'_>) -> Option<Diagnostic> {
    let (found, message, help) = if let Some(found) = entry("openapi").or_else(|| entry("swagger")) {
        let help = "`mcp-bridge import openapi FILE -o BRIDGE` makes a bridge file of it";
        (found, "this is an OpenAPI document and no bridge file", help)
    } else if let Some(found) = entry("mcpServers") {
        let help = "`mcp-bridge init` writes a bridge file, and `mcp-bridge connect` prints such settings for it";
        (found, "these are the settings of a client and no bridge file", help)
    } else {
        return None;
    };
    Some(Diagnostic::error(Code::UnknownKey, found.key.span, message).help(help))
}

/// `params: { type: object, properties: … }` is a whole JSON Schema, for which there is another key.
/// Two arguments may have these names, too: then what stands under `properties` describes one of them.
fn schema_as_params(entry: &Find<'_>, known: &Map<String, Value>, place: Place<'_>) -> Option<Diagnostic> {
    let kind = entry("type")?.value.scalar()?;
    let members = entry("properties")?;
    let Kind::Map(inner) = &members.value.kind else { return None };
    if kind.text != "object" || inner.iter().all(|entry| known.contains_key(&entry.key.value)) {
        return None;
    }
    let message = "`params` names the arguments themselves, and this is a whole JSON Schema";
    let fault = Diagnostic::error(Code::WrongType, place.span, message);
    let fault = fault.context(members.key.span, "the arguments are one level too deep");
    Some(fault.replace("a whole JSON Schema stands under `input_schema`", place.span, "input_schema"))
}

/// `auth: { type: bearer, … }`: here the kind is the key.
fn kind_of_auth(entry: &Find<'_>, known: &Map<String, Value>) -> Option<Diagnostic> {
    let kind = entry("type").or_else(|| entry("kind"))?;
    let text = kind.value.scalar()?.text.as_str();
    let names = known.keys().map(String::as_str);
    let meant = known.contains_key(text).then_some(text).or_else(|| words::meant(text, names))?;
    let shape = match meant {
        "bearer" => "\"${TOKEN}\"",
        "basic" => "{ username: \"${USER}\", password: \"${PASSWORD}\" }",
        "api_key" => "{ header: X-Api-Key, value: \"${KEY}\" }",
        _ => "…",
    };
    let fault = Diagnostic::error(Code::UnknownKey, kind.key.span, "the kind of `auth` is a key and not a value");
    Some(fault.help(format!("write `auth: {{ {meant}: {shape} }}`")))
}

/// What is said about one of two keys that are one key here, unless it is said at the other one: the key that is
/// meant, and what to write.
pub(super) fn pair(name: &str, within: &Node, known: &[&str]) -> Option<(&'static str, Option<String>)> {
    let (first, second, ours) =
        *PAIRS.iter().find(|(first, second, ours)| (*first == name || *second == name) && known.contains(ours))?;
    if name == second && within.entry(first).is_some() {
        return Some((ours, None));
    }
    let text = |key: &str| within.entry(key).and_then(|entry| entry.value.scalar()).map(|it| it.text.as_str());
    let help = if ours == "get" {
        let method = text(first).map(str::to_ascii_lowercase).filter(|method| known.contains(&method.as_str()));
        let path = text(second).filter(|path| path.starts_with('/')).unwrap_or("/products");
        format!("the path stands under its method: `{}: {path}`", method.as_deref().unwrap_or("get"))
    } else {
        "address and port stand in one key: `listen: 127.0.0.1:8080`".to_owned()
    };
    Some((ours, Some(help)))
}

/// How a list is written that should be a mapping from names.
pub(super) fn by_name(node: &Node, place: Place<'_>) -> Option<String> {
    let Kind::List(items) = &node.kind else { return None };
    if !NAMED.contains(&place.name) {
        return None;
    }
    let first = items.first()?;
    let name = ["name", "id"].iter().find_map(|key| Some(first.entry(key)?.value.scalar()?.text.as_str()));
    let name = name.filter(|name| !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_'));
    Some(match name {
        Some(name) => format!("each has its name as its key: `{name}:` in the place of `- name: {name}`"),
        None => "each has its name as its key, in the place of `-`".to_owned(),
    })
}
