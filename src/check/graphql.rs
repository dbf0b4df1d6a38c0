//! Floor 4. GraphQL documents, as far as a request needs them understood: which operations there
//! are, whether they write, and which variables they name.

use serde_json::Value;

use super::{
    context::Context,
    params::Params,
    templates::{self, Stage},
};
use crate::{
    bridge::Graphql as Written,
    diag::{Code, Diagnostic, closest},
    plan::rest::{Effect, Graphql, Method},
    template::Tree,
    yaml::Pointer,
};

/// Builds a GraphQL body. `None` after a fault.
pub(super) fn build(
    written: &Written,
    method: Method,
    params: &Params,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Option<Graphql> {
    if !method.is_safe() && method != Method::Post {
        let message = format!("GraphQL is sent with POST, not {}", method.as_str());
        context.push(Diagnostic::error(Code::Graphql, context.key(at), message));
    }
    let effect = effect(written, at, context);
    let variables = written
        .variables
        .as_ref()
        .and_then(|variables| templates::tree(variables, Stage::Request, params, &at.at("variables"), context));
    if let Some(tree) = &variables {
        named_in_document(tree, &written.query, &at.at("variables"), context);
    }
    Some(Graphql { query: written.query.clone(), variables, operation: written.operation.clone(), effect: effect? })
}

fn effect(written: &Written, at: &Pointer, context: &mut Context<'_>) -> Option<Effect> {
    let query = at.at("query");
    if let Some(tag) = written.query.find("{{") {
        let span = context.part(&query, tag..tag + 2);
        let fault = Diagnostic::error(Code::Graphql, span, "a GraphQL document is fixed");
        context.push(fault.help("declare a `$variable` in it, and give its value under `variables`"));
        return None;
    }
    let operations = match operations(&written.query) {
        Ok(operations) => operations,
        Err(message) => {
            context.fault(Code::Graphql, &query, message);
            return None;
        }
    };
    let chosen = match (&written.operation, operations.as_slice()) {
        (_, []) => {
            context.fault(Code::Graphql, &query, "there is no operation in this document");
            return None;
        }
        (None, [only]) => only,
        (None, _) => {
            let fault = Diagnostic::error(Code::Graphql, context.value(&query), "the document has several operations");
            context.push(fault.help("`operation` says which one is run"));
            return None;
        }
        (Some(name), all) => {
            let Some(operation) = all.iter().find(|operation| operation.name == Some(name)) else {
                let at = at.at("operation");
                let message = format!("the document has no operation `{name}`");
                let fault = Diagnostic::error(Code::Graphql, context.value(&at), message);
                context.push(fault.did_you_mean(name, all.iter().filter_map(|operation| operation.name)));
                return None;
            };
            operation
        }
    };
    match chosen.kind {
        "query" => Some(Effect::Reads),
        "mutation" => Some(Effect::Writes),
        _ => {
            context.fault(Code::Graphql, &query, "subscriptions cannot be called as a tool");
            None
        }
    }
}

/// A value for a variable that the document does not name would not be used by any server.
fn named_in_document(tree: &Tree, document: &str, at: &Pointer, context: &mut Context<'_>) {
    let names: Vec<String> = match tree {
        Tree::Map(entries) => entries.iter().map(|(name, _)| name.clone()).collect(),
        Tree::Literal(Value::Object(map)) => map.keys().cloned().collect(),
        _ => return,
    };
    let words = tokens(document).unwrap_or_default();
    let declared: Vec<&str> = words.iter().filter_map(|token| token.text.strip_prefix('$')).collect();
    for name in names.iter().filter(|name| !declared.contains(&name.as_str())) {
        let span = context.key(&at.at(name));
        let fault = Diagnostic::error(Code::Graphql, span, format!("the document has no variable `${name}`"));
        context.push(match closest(name, declared.iter().copied()) {
            Some(near) => fault.guess(near, span, near),
            None => fault,
        });
    }
}

struct Operation<'d> {
    kind: &'d str,
    name: Option<&'d str>,
}

struct Token<'d> {
    text: &'d str,
    depth: usize,
}

/// The operations of a document, in order.
fn operations(document: &str) -> Result<Vec<Operation<'_>>, &'static str> {
    let tokens = tokens(document)?;
    let mut all = Vec::new();
    // What begins at the outermost level, after the end of what came before.
    let mut fresh = true;
    for (index, token) in tokens.iter().enumerate().filter(|(_, token)| token.depth == 0) {
        match token.text {
            "}" => fresh = true,
            "{" if fresh => {
                all.push(Operation { kind: "query", name: None });
                fresh = false;
            }
            kind @ ("query" | "mutation" | "subscription") if fresh => {
                let next = tokens.get(index + 1).map(|token| token.text);
                let name = next.filter(|text| text.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_'));
                all.push(Operation { kind, name });
                fresh = false;
            }
            "fragment" if fresh => fresh = false,
            _ if fresh => return Err("a GraphQL document begins with `query`, `mutation` or `{`"),
            _ => {}
        }
    }
    Ok(all)
}

/// Words, variables and braces, with how deep they stand. Texts and comments are left out.
fn tokens(document: &str) -> Result<Vec<Token<'_>>, &'static str> {
    let mut all = Vec::new();
    let mut open = Vec::new();
    let mut rest = document;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' => text_length(rest).ok_or("a text in this GraphQL document is never closed")?,
            '$' | '_' | 'a'..='z' | 'A'..='Z' => {
                let name = rest.get(1..).unwrap_or("");
                let end = name.find(|it: char| !it.is_ascii_alphanumeric() && it != '_').unwrap_or(name.len());
                all.push(Token { text: rest.get(..=end).unwrap_or(rest), depth: open.len() });
                end + 1
            }
            '{' | '(' | '[' => {
                all.push(Token { text: rest.get(..1).unwrap_or(""), depth: open.len() });
                open.push(first);
                1
            }
            '}' | ')' | ']' => {
                let wanted = match first {
                    '}' => '{',
                    ')' => '(',
                    _ => '[',
                };
                if open.pop() != Some(wanted) {
                    return Err("the brackets of this GraphQL document do not match");
                }
                all.push(Token { text: rest.get(..1).unwrap_or(""), depth: open.len() });
                1
            }
            other => other.len_utf8(),
        };
        rest = rest.get(length..).unwrap_or("");
    }
    if open.is_empty() { Ok(all) } else { Err("the brackets of this GraphQL document do not match") }
}

/// How long a text in quotes is, quotes included.
fn text_length(rest: &str) -> Option<usize> {
    if let Some(block) = rest.strip_prefix("\"\"\"") {
        return block.replace("\\\"\"\"", "____").find("\"\"\"").map(|end| end + 6);
    }
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            '\n' => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_found_whatever_stands_around_them() {
        for (document, expected) in [
            ("{ a { b } }", Ok(vec![("query", None)])),
            ("query { a }", Ok(vec![("query", None)])),
            ("query Q($id: ID! = \"}\") @x(a: 1) { a(id: $id) { mutation } }", Ok(vec![("query", Some("Q"))])),
            ("# mutation\nmutation M { a }", Ok(vec![("mutation", Some("M"))])),
            (
                "fragment F on X { a } query Q { ...F } mutation M { b }",
                Ok(vec![("query", Some("Q")), ("mutation", Some("M"))]),
            ),
            ("query Q { a(text: \"\"\"{ mutation \"\"\") }", Ok(vec![("query", Some("Q"))])),
            ("subscription { a }", Ok(vec![("subscription", None)])),
            ("", Ok(vec![])),
            ("query { a", Err("the brackets of this GraphQL document do not match")),
            ("query ( a }", Err("the brackets of this GraphQL document do not match")),
            ("{ a(b: \"c) }", Err("a text in this GraphQL document is never closed")),
            ("SELECT 1", Err("a GraphQL document begins with `query`, `mutation` or `{`")),
        ] {
            let found = operations(document).map(|all| all.iter().map(|it| (it.kind, it.name)).collect::<Vec<_>>());
            assert_eq!(found, expected, "{document}");
        }
    }
}
