//! Floor 9. `mcp-bridge test --record`: tests without an answer ask their source once, and what it says
//! is written into the file: without credentials, and with all that stands there left as it is.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use serde_json::{Map, Value, json};

use super::{
    super::{Exit, fix, report},
    Options, bench, choose,
};
use crate::{
    check::{Checked, makes_itself},
    plan::{
        Plan, SourceKind, Tool,
        test::{Stub, StubAnswer, Stubs, Test},
    },
    secret::Vault,
    text::{FileId, FileSet},
    yaml::{self, Node, Pointer},
};

/// Bytes of one answer at most: a file is for people to read.
const ANSWER_MAX: usize = 32 << 10;
/// Headers that a tool can depend on. All others are left out.
const HEADERS: [&str; 6] =
    ["content-type", "content-disposition", "link", "location", "retry-after", "www-authenticate"];
/// Parts of the names of members that hold credentials.
const SECRETS: [&str; 14] = [
    "token",
    "secret",
    "password",
    "passwd",
    "pwd",
    "apikey",
    "authorization",
    "bearer",
    "credential",
    "credentials",
    "jwt",
    "cookie",
    "signature",
    "session",
];

/// Records what is lacking.
pub(super) fn run(options: &Options) -> Result<(), Exit> {
    let (files, checked) = report::examine(&options.paths.paths)?;
    let Checked { plan, diagnostics, places } = checked;
    let Some((plan, vault)) = plan else {
        report::told(&files, &diagnostics);
        report::sum_up(&report::summary(&diagnostics));
        return Err(Exit::Faulty);
    };
    let chosen = choose(&plan, &options.filter)?;
    let plan = Arc::new(plan);
    let mut notes: BTreeMap<FileId, Vec<(Pointer, Value)>> = BTreeMap::new();
    let mut failed = false;
    for at in chosen {
        let Some((tool, test)) = plan.tools.get(at.tool).and_then(|tool| Some((tool, tool.tests.get(at.test)?))) else {
            continue;
        };
        if !lacks(&plan, tool, test) {
            continue;
        }
        let name = format!("{}: {}", tool.name, test.name);
        if tool.writes() && !options.writes {
            report::tell(&format!("{name}: not recorded, because the tool changes something; --writes does so"));
            continue;
        }
        let recorded = bench::record(&plan, &vault, tool, test).and_then(|stubs| written(&stubs, &vault));
        match (recorded, places.test(&tool.name, at.test)) {
            (Ok(stubs), Some(place)) => {
                notes.entry(place.span.file).or_default().push((place.pointer.clone(), stubs));
                report::sum_up(&format!("{name}: recorded"));
            }
            (Err(fault), _) => {
                failed = true;
                report::tell(&format!("{name}: not recorded: {fault}"));
            }
            (Ok(_), None) => {}
        }
    }
    for (file, notes) in &notes {
        add(&files, *file, notes).map_err(|fault| {
            report::tell(&format!("error: {}: {fault}", files.name(*file)));
            Exit::CouldNotRun
        })?;
    }
    if failed { Err(Exit::Faulty) } else { Ok(()) }
}

/// Whether a test asks a source and does not say what that answers.
fn lacks(plan: &Plan, tool: &Tool, test: &Test) -> bool {
    let asks = tool.operation.sources().into_iter().filter_map(|id| plan.source(id)).any(|source| match &source.kind {
        SourceKind::Rest(_) => true,
        SourceKind::Sql(sql) => !makes_itself(&sql.engine),
    });
    asks && matches!(test.stubs, Stubs::None)
}

/// Answers as they are written in a file: one by itself, several as a list.
fn written(stubs: &[Stub], vault: &Vault) -> Result<Value, String> {
    let mut all = stubs.iter().map(|stub| value(stub, vault)).collect::<Result<Vec<_>, String>>()?;
    Ok(if all.len() == 1 { all.remove(0) } else { Value::Array(all) })
}

fn value(stub: &Stub, vault: &Vault) -> Result<Value, String> {
    match stub {
        Stub::Answer(answer) => of_answer(answer, vault),
        Stub::Failure(_) => Err("there was no answer".into()),
        Stub::Rows(rows) => {
            let mut stub = Map::new();
            if !rows.rows.is_empty() || rows.affected.is_none() {
                let all = rows.rows.iter().cloned().map(Value::Object).collect();
                stub.insert("rows".into(), stripped(Value::Array(all), vault));
            }
            if let Some(affected) = rows.affected {
                stub.insert("affected".into(), affected.into());
            }
            if let Some(id) = rows.last_insert_id {
                stub.insert("last_insert_id".into(), id.into());
            }
            Ok(Value::Object(stub))
        }
    }
}

fn of_answer(answer: &StubAnswer, vault: &Vault) -> Result<Value, String> {
    if answer.body.len() > ANSWER_MAX {
        let (size, most) = (answer.body.len() >> 10, ANSWER_MAX >> 10);
        return Err(format!("the answer has {size} KiB, and {most} KiB are the most; ask for less"));
    }
    let text = std::str::from_utf8(&answer.body).map_err(|_| "the answer is no text".to_owned())?;
    let kind = answer.headers.iter().find(|(name, _)| name == "content-type").map_or("", |(_, value)| value.as_str());
    let json = kind.contains("json") && !kind.contains("ndjson");
    let body = if json { serde_json::from_str(text).ok() } else { None };
    let is_json = body.as_ref().is_some_and(|body: &Value| !body.is_string());
    let mut stub = Map::new();
    stub.insert("status".into(), answer.status.into());
    let usual = if is_json { kind == "application/json" } else { text.is_empty() };
    let mut kept = Map::new();
    for (name, value) in &answer.headers {
        if HEADERS.contains(&name.as_str()) && !(name == "content-type" && usual) {
            kept.insert(name.clone(), vault.masked(value).into());
        }
    }
    if !kept.is_empty() {
        stub.insert("headers".into(), Value::Object(kept));
    }
    if !text.is_empty() {
        let body = if is_json { body.unwrap_or_default() } else { json!(text) };
        stub.insert("body".into(), stripped(body, vault));
    }
    Ok(Value::Object(stub))
}

/// A value without credentials: those of the sources, what is named like one, and signed tokens.
fn stripped(value: Value, vault: &Vault) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| {
                let hidden = is_secret(&name) && matches!(value, Value::String(_) | Value::Number(_));
                let value = if hidden { json!("***") } else { stripped(value, vault) };
                (name, value)
            });
            Value::Object(members.collect())
        }
        Value::Array(all) => all.into_iter().map(|value| stripped(value, vault)).collect(),
        Value::String(text) if is_signed_token(&text) => json!("***"),
        Value::String(text) => vault.masked(&text).into(),
        other => other,
    }
}

/// Whether a member is named like a credential. Tokens that lead to the next page are none.
fn is_secret(name: &str) -> bool {
    let mut words = String::new();
    for char in name.chars() {
        if char.is_uppercase() {
            words.push('_');
        }
        words.extend(char.to_lowercase());
    }
    let parts: Vec<_> = words.split(|char: char| !char.is_alphanumeric()).filter(|part| !part.is_empty()).collect();
    let has = |word: &str| parts.contains(&word);
    let key = has("key") && ["api", "access", "private", "secret"].iter().any(|word| has(word));
    let page = ["next", "page", "cursor", "continuation", "sync"].iter().any(|word| has(word));
    !page && (key || SECRETS.iter().any(|word| has(word)))
}

/// Whether a text is a JSON Web Token.
fn is_signed_token(text: &str) -> bool {
    text.starts_with("eyJ") && text.len() > 40 && text.split('.').count() == 3 && !text.contains(char::is_whitespace)
}

/// Writes the answers to their tests.
fn add(files: &FileSet, file: FileId, notes: &[(Pointer, Value)]) -> Result<(), String> {
    let before = files.text(file);
    let (root, _) = yaml::parse(files, file);
    let root = root.ok_or("it cannot be read")?;
    let mut insertions: Vec<(usize, String)> = Vec::new();
    for (pointer, value) in notes {
        let test = yaml::value_at(&root, pointer).ok_or("a test is not where it was")?;
        insertions.push(insertion(before, test, value));
    }
    insertions.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let mut after = before.to_owned();
    for (at, text) in &insertions {
        after.insert_str(*at, text);
    }
    fix::write(Path::new(files.name(file)), before, &after)
}

/// Where the answer goes, and its text with what stands around it.
fn insertion(file: &str, test: &Node, value: &Value) -> (usize, String) {
    let range = test.span.range();
    let escape = |text: &str| text.replace("${", "$${");
    if file.get(range.clone()).is_some_and(|own| own.starts_with('{')) {
        let end = range.end.saturating_sub(1);
        let trimmed = file.get(..end).map_or(end, |before| before.trim_end().len());
        let comma = if file.get(..trimmed).is_some_and(|before| before.ends_with(',')) { " " } else { ", " };
        return (trimmed, format!("{comma}upstream: {}", escape(&flow(value))));
    }
    let line = |at: usize| file.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    let indent = file.get(line(range.start)..range.start).map_or(0, |before| before.chars().count());
    let printed = escape(&block(value, indent));
    // Before what is expected of it, where that begins a line of its own.
    for entry in test.entries().iter().skip(1) {
        let at = entry.key.span.range().start;
        let alone = file.get(line(at)..at).is_some_and(|before| before.trim().is_empty());
        if matches!(entry.key.value.as_str(), "expect" | "expect_request") && alone {
            return (line(at), printed);
        }
    }
    let end = file.get(..range.end).map_or(range.end, |own| own.trim_end().len());
    match file.get(end..).and_then(|rest| rest.find('\n')) {
        Some(rest) => (end + rest + 1, printed),
        None => (file.len(), format!("\n{}", printed.trim_end_matches('\n'))),
    }
}

/// The key with the value in lines of their own.
fn block(value: &Value, indent: usize) -> String {
    // No JSON value is refused by the printer.
    let printed = yaml::print(value).unwrap_or_default();
    let (outer, inner) = (" ".repeat(indent), " ".repeat(indent + 2));
    let lines = printed.lines().map(|line| if line.is_empty() { "\n".into() } else { format!("{inner}{line}\n") });
    format!("{outer}upstream:\n{}", lines.collect::<String>())
}

/// The value in one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let all: Vec<_> = members.iter().map(|(name, value)| format!("{}: {}", json!(name), flow(value))).collect();
            format!("{{ {} }}", all.join(", "))
        }
        Value::Array(all) => format!("[{}]", all.iter().map(flow).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::Kind;

    #[test]
    fn credentials_are_left_out_and_pages_are_not() {
        for (name, secret) in [
            ("access_token", true),
            ("clientSecret", true),
            ("apiKey", true),
            ("password", true),
            ("Set-Cookie", true),
            ("next_page_token", false),
            ("key", false),
            ("value", false),
            ("monkey", false),
            ("tokens_used", false),
        ] {
            assert_eq!(is_secret(name), secret, "{name}");
        }
        let mut vault = Vault::default();
        vault.store(crate::secret::Secret::new("sesame-open".into()));
        let body = json!({ "note": "say sesame-open", "token": 7, "list": [{ "password": "x" }], "id": 3 });
        let kept = json!({ "note": "say ***", "token": "***", "list": [{ "password": "***" }], "id": 3 });
        assert_eq!(stripped(body, &vault), kept);
    }

    fn noted(before: &str, value: &Value) -> String {
        let mut files = FileSet::new();
        let file = files.add("a.yaml", before);
        let (root, _) = yaml::parse(&files, file);
        let root = root.unwrap();
        let test = yaml::value_at(&root, &Pointer::root().at("tests").at(0)).unwrap();
        assert!(matches!(test.kind, Kind::Map(_)));
        let (at, put) = insertion(before, test, value);
        let mut after = before.to_owned();
        after.insert_str(at, &put);
        after
    }

    #[test]
    fn an_answer_goes_where_a_person_would_write_it() {
        let value = json!({ "status": 200, "body": { "id": 1, "note": "${X}" } });
        let lines = "    upstream:\n      status: 200\n      body:\n        id: 1\n        note: $${X}\n";
        for (before, after) in [
            (
                "tests:\n  - name: a # one\n    args: { id: 1 } # two\n    # three\n    expect: { text: x }\nend: 1\n",
                format!("tests:\n  - name: a # one\n    args: {{ id: 1 }} # two\n    # three\n{lines}    expect: {{ text: x }}\nend: 1\n"),
            ),
            (
                "tests:\n  - name: a\n    args: { id: 1 } # two\n\nend: 1\n",
                format!("tests:\n  - name: a\n    args: {{ id: 1 }} # two\n{lines}\nend: 1\n"),
            ),
            ("tests:\n  - name: a", format!("tests:\n  - name: a\n{}", lines.trim_end())),
            (
                "tests: [{ name: a }] # b\n",
                "tests: [{ name: a, upstream: { \"status\": 200, \"body\": { \"id\": 1, \"note\": \"$${X}\" } } }] # b\n".into(),
            ),
        ] {
            assert_eq!(noted(before, &value), after);
        }
    }
}
