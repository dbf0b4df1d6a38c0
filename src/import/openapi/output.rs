//! Floor 7. What is kept of an answer, from the schema of the success that the document describes: the
//! members that a model can use, where the answer is a plain object or a list of such.

use serde_json::{Map, Value, json};

use super::{
    document::{Document, Family, is_true, members},
    operations::Operation,
    shape::{Kind, Shape},
};

/// Members that are kept at most.
const FIELDS_MAX: usize = 20;
/// Members of an object inside of an item, up to which it is kept whole.
const SMALL: usize = 6;
/// Members whose values are known by what they are called (rest.md §8).
const TELLING: [&str; 6] = ["name", "title", "login", "username", "id", "key"];
/// Names that tell where the next page is: a list that has them beside it is left as it is.
const CURSORS: [&str; 5] = ["cursor", "next", "token", "links", "after"];
/// What a page says about itself beside its list.
const PAGING: [&str; 17] = [
    "count", "total", "page", "size", "limit", "offset", "more", "object", "kind", "type", "start", "end", "max",
    "status", "success", "code", "message",
];
/// Members of addresses that only programs follow.
const LINKS: [&str; 5] = ["_links", "links", "self", "href", "_embedded"];

/// The value of `output`, if it is worth one.
pub(super) fn of(operation: &Operation<'_>, document: Document<'_>) -> Option<Map<String, Value>> {
    let schema = success(operation, document)?;
    let shape = Shape::of(schema, document);
    if shape.is_circular || shape.is_lost || shape.is_simplified {
        return None;
    }
    let (select, item) = match shape.kind? {
        Kind::Array => ("$[*]".to_owned(), shape.inner(shape.items?, document)),
        Kind::Object => match list_of(&shape, document) {
            List::Only(name, item) => (format!("{}[*]", path("$", name)?), *item),
            List::WithCursor => return None,
            List::None => (String::new(), shape),
        },
        _ => return None,
    };
    let fields = fields(&item, document)?;
    let mut output = Map::new();
    if !select.is_empty() {
        output.insert("select".into(), select.into());
    }
    output.insert("fields".into(), Value::Object(fields));
    Some(output)
}

/// Whether nothing speaks against asking for JSON.
pub(super) fn is_json(operation: &Operation<'_>, document: Document<'_>) -> bool {
    let successes = members(operation.value.get("responses")).filter(|(status, _)| status.starts_with('2'));
    let mut contents = successes.filter_map(|(_, response)| document.follow(response)?.get("content")?.as_object());
    let produced = operation.value.get("produces").or_else(|| document.root.get("produces")).and_then(Value::as_array);
    let of_2 = produced.is_none_or(|all| all.is_empty() || all.iter().filter_map(Value::as_str).any(names_json));
    of_2 && contents.all(|content| content.is_empty() || content.keys().any(|name| names_json(name)))
}

fn names_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or("").trim();
    essence == "*/*" || essence.ends_with("/json") || essence.ends_with("+json")
}

/// The schema of the first success.
fn success<'d>(operation: &Operation<'d>, document: Document<'d>) -> Option<&'d Value> {
    let responses = operation.value.get("responses");
    let mut all: Vec<(&String, &Value)> = members(responses).filter(|(status, _)| status.starts_with('2')).collect();
    all.sort_by_key(|(status, _)| *status);
    let response = document.follow(all.first()?.1)?;
    match document.family {
        Family::Swagger2 => response.get("schema"),
        Family::OpenApi3 => members(response.get("content")).find(|(name, _)| names_json(name))?.1.get("schema"),
    }
}

enum List<'d> {
    None,
    /// One list of objects, with nothing beside it that a model needs to go on.
    Only(&'d str, Box<Shape<'d>>),
    WithCursor,
}

fn list_of<'d>(shape: &Shape<'d>, document: Document<'d>) -> List<'d> {
    let mut lists = Vec::new();
    let mut has_cursor = false;
    for (name, schema) in &shape.properties {
        let inner = shape.inner(schema, document);
        let lower = name.to_ascii_lowercase();
        has_cursor |= CURSORS.iter().any(|word| lower.contains(word));
        if inner.kind == Some(Kind::Array)
            && let Some(items) = inner.items
        {
            let item = inner.inner(items, document);
            if item.has_members() {
                lists.push((*name, item));
            }
        } else if inner.kind == Some(Kind::Object) && !LINKS.contains(&lower.as_str()) && inner.properties.len() > 8 {
            return List::None;
        }
    }
    // Beside its list a page says how long it is, and nothing of its own.
    let is_own = |name: &str| {
        let lower = name.to_ascii_lowercase();
        !PAGING.iter().any(|word| lower.contains(word))
    };
    let rest = shape.properties.keys().filter(|name| lists.last().is_none_or(|(list, _)| list != *name));
    let is_page = shape.properties.len() <= 8 && !rest.copied().any(is_own);
    match lists.pop() {
        Some(_) if has_cursor => List::WithCursor,
        Some(_) if !is_page || !lists.is_empty() => List::None,
        Some((name, item)) => List::Only(name, Box::new(item)),
        None => List::None,
    }
}

/// The fields of an item. `None` where curating would lose too much, or gain nothing.
fn fields<'d>(item: &Shape<'d>, document: Document<'d>) -> Option<Map<String, Value>> {
    if !item.has_members() || item.is_open == Some(true) || item.is_circular || item.is_lost || item.is_simplified {
        return None;
    }
    let mut fields = Map::new();
    let mut scalars = 0;
    for (name, schema) in &item.properties {
        let inner = item.inner(schema, document);
        let lower = name.to_ascii_lowercase();
        if inner.is_write_only || inner.is_deprecated || LINKS.contains(&lower.as_str()) {
            continue;
        }
        let kept = match inner.kind? {
            Kind::Object if inner.properties.is_empty() || inner.is_circular => return None,
            Kind::Object => nested(name, &inner, document),
            Kind::Array => list(name, &inner, document),
            _ if lower.ends_with("_url") && lower != "html_url" => None,
            _ => {
                scalars += 1;
                path("$", name)
            }
        };
        if let Some(kept) = kept {
            fields.insert((*name).to_owned(), json!(kept));
        }
    }
    if let Some(id) = fields.shift_remove("id") {
        fields.shift_insert(0, "id".into(), id);
    }
    // With little but objects inside, what matters is likely in them.
    let telling = scalars * 2 >= item.properties.len().min(FIELDS_MAX) && fields.len() >= 2;
    if !telling || fields.len() > FIELDS_MAX * 2 {
        return None;
    }
    let required = |name: &String| item.required.contains(&name.as_str());
    while fields.len() > FIELDS_MAX {
        let spare = fields.keys().rev().find(|name| !required(name)).or_else(|| fields.keys().next_back()).cloned()?;
        fields.shift_remove(&spare);
    }
    Some(fields)
}

/// An object inside: whole if it is small, else by what tells it.
fn nested<'d>(name: &str, inner: &Shape<'d>, document: Document<'d>) -> Option<String> {
    let at = path("$", name)?;
    let flat = inner.properties.values().all(|schema| {
        let member = inner.inner(schema, document);
        !is_true(schema.get("deprecated")) && member.kind.is_some_and(Kind::is_scalar)
    });
    if flat && inner.properties.len() <= SMALL {
        return Some(at);
    }
    TELLING.iter().find(|telling| inner.properties.contains_key(**telling)).and_then(|telling| path(&at, telling))
}

/// A list inside: whole if it is of single values, else by what tells its items.
fn list<'d>(name: &str, inner: &Shape<'d>, document: Document<'d>) -> Option<String> {
    let at = path("$", name)?;
    let item = inner.inner(inner.items?, document);
    match item.kind? {
        Kind::Object => {
            let telling = TELLING.iter().find(|telling| item.properties.contains_key(**telling))?;
            path(&format!("{at}[*]"), telling)
        }
        _ => Some(at),
    }
}

/// A path to a member.
fn path(base: &str, name: &str) -> Option<String> {
    let plain = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain {
        return Some(format!("{base}.{name}"));
    }
    let fine = !name.is_empty() && !name.chars().any(|char| char.is_control() || "'\\\"${}".contains(char));
    fine.then(|| format!("{base}['{name}']"))
}
