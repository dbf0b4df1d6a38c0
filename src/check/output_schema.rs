//! Floor 4. The output schemas that are published: derived from what is known, and never
//! narrower than what can come, because clients refuse a result that does not fit.

use serde_json::{Map, Value, json};

use super::example;
use crate::{
    bridge::{Convert, Field, Output},
    plan::{ColumnOverride, Output as Shaped, Structured, TextForm, Transaction, sql::Returns},
};

/// What a cut list says about itself.
fn truncated() -> Value {
    json!({
        "type": "object",
        "properties": { "shown": { "type": "integer" }, "of": { "type": "integer" }, "hint": { "type": "string" } },
    })
}

/// The schema of a REST result, if one is known. `example` is such a result.
pub(super) fn of_rest(written: Option<&Output>, shaped: &Shaped, example: Option<&Value>) -> Option<Value> {
    let written = written?;
    if shaped.structured == Structured::Left {
        return None;
    }
    if let Some(schema) = &written.schema {
        return Some(Value::Object(schema.clone()));
    }
    let fields = written.fields.as_ref()?;
    let mut properties: Map<String, Value> =
        fields.iter().map(|(name, field)| (name.clone(), of_field(field, shaped, name))).collect();
    if let Some(example) = example {
        example::annotate(&mut properties, example);
    }
    let names: Vec<&String> = fields.keys().collect();
    let item = json!({ "type": "object", "properties": properties, "required": names });
    let list = json!({
        "type": "object",
        "properties": { "items": { "type": "array", "items": item }, "truncated": truncated() },
        "required": ["items"],
    });
    let many = shaped.zip == crate::plan::Zip::Yes || shaped.select.as_ref().is_some_and(|path| !path.is_singular());
    if many {
        return Some(list);
    }
    // The path leads to one place, and only the answer tells whether a list stands there.
    Some(json!({ "type": "object", "anyOf": [item, list] }))
}

fn of_field(field: &Field, shaped: &Shaped, name: &str) -> Value {
    let mut schema = Map::new();
    let (convert, description) = match field {
        Field::Path(_) => (None, None),
        Field::Long(long) => (long.convert, long.description.as_deref()),
    };
    let compiled = shaped.fields.as_ref().and_then(|it| it.fields.iter().find(|field| field.name == name));
    let many = compiled.is_some_and(|field| !field.path.is_singular());
    let default = match field {
        Field::Long(long) => long.default.is_some(),
        Field::Path(_) => false,
    };
    let kind = match convert {
        None => None,
        Some(Convert::Number) => Some("number"),
        Some(_) => Some("string"),
    };
    if many {
        schema.insert("type".into(), json!("array"));
    } else if let Some(kind) = kind.filter(|_| !default) {
        schema.insert("type".into(), json!([kind, "null"]));
    }
    if let Some(description) = description {
        schema.insert("description".into(), json!(description));
    }
    Value::Object(schema)
}

/// A result column, as the database describes it.
pub(super) struct Column<'a> {
    pub(super) name: &'a str,
    /// The declared type, in the words of the database.
    pub(super) declared: Option<&'a str>,
    /// The schema of its values, where the engine knows it.
    pub(super) schema: Option<&'a Map<String, Value>>,
}

/// The schema of SQL rows. Without columns it says only that rows come. What a name says by itself is
/// not described: the list of tools is paid for by everyone who reads it.
pub(super) fn of_sql(
    returns: Returns,
    columns: Option<&[Column<'_>]>,
    overrides: &[ColumnOverride],
    not_found: bool,
) -> Value {
    let row = row(columns, overrides);
    match returns {
        Returns::Rows => json!({
            "type": "object",
            "properties": {
                "rows": { "type": "array", "items": row },
                "row_count": { "type": "integer" },
                "truncated": { "type": "boolean" },
            },
            "required": ["rows", "row_count", "truncated"],
        }),
        Returns::Row if not_found => row,
        // Without a text for it, an empty result is an object without members.
        Returns::Row => {
            let mut row = row;
            if let Some(row) = row.as_object_mut() {
                row.remove("required");
            }
            row
        }
        Returns::Value => {
            let value = row.pointer("/properties").and_then(Value::as_object).and_then(|all| all.values().next());
            json!({
                "type": "object",
                "properties": { "result": value.cloned().unwrap_or_else(|| json!({})) },
                "required": ["result"],
            })
        }
        Returns::Affected => json!({
            "type": "object",
            "properties": {
                "affected": { "type": "integer" },
                "last_insert_id": { "type": "integer" },
            },
            "required": ["affected"],
        }),
    }
}

/// The schema of a transaction's result: what each statement with a name gives, under its name. `columns`
/// knows them by the statement's position.
pub(super) fn of_transaction<'a>(
    transaction: &Transaction,
    columns: &dyn Fn(usize) -> Option<Vec<Column<'a>>>,
) -> Value {
    let results = transaction.named().map(|(at, name, query)| {
        let columns = columns(at);
        (name.to_string(), of_sql(query.returns, columns.as_deref(), &query.columns, false))
    });
    let results: Map<String, Value> = results.collect();
    if results.is_empty() {
        let affected = json!({ "affected": { "type": "integer" } });
        return json!({ "type": "object", "properties": affected, "required": ["affected"] });
    }
    let names: Vec<&String> = results.keys().collect();
    json!({ "type": "object", "required": names, "properties": results })
}

fn row(columns: Option<&[Column<'_>]>, overrides: &[ColumnOverride]) -> Value {
    let Some(columns) = columns else {
        let known: Map<String, Value> =
            overrides.iter().map(|it| (it.name.clone(), Value::Object(it.schema.clone()))).collect();
        return json!({ "type": "object", "properties": known });
    };
    let mut properties = Map::new();
    for column in columns {
        let mut schema = column.schema.cloned().unwrap_or_else(|| of_declared(column.declared));
        if let Some(known) = overrides.iter().find(|it| it.name == column.name) {
            schema.extend(known.schema.clone());
        }
        properties.insert(column.name.to_owned(), Value::Object(schema));
    }
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    json!({ "type": "object", "properties": properties, "required": names })
}

/// `SQLite` types belong to values, not to columns: a declared type says what a column prefers
/// (its affinity), and only `TEXT` and `BLOB` keep numbers out (<https://sqlite.org/datatype3.html> §3).
fn of_declared(declared: Option<&str>) -> Map<String, Value> {
    let mut schema = Map::new();
    let Some(declared) = declared.map(str::to_ascii_uppercase) else { return schema };
    let kinds = if declared.contains("BOOL") {
        json!(["boolean", "integer", "number", "string", "null"])
    } else if ["INT", "REAL", "FLOA", "DOUB", "NUM", "DEC"].iter().any(|part| declared.contains(part)) {
        json!(["number", "string", "null"])
    } else if ["CHAR", "CLOB", "TEXT"].iter().any(|part| declared.contains(part)) {
        json!(["string", "null"])
    } else {
        return schema;
    };
    schema.insert("type".into(), kinds);
    schema
}

/// Whether the structured content is the rows as they come.
pub(super) fn rows_as_they_are(output: &Shaped) -> bool {
    output.select.is_none()
        && output.fields.is_none()
        && output.zip == crate::plan::Zip::No
        && output.max_items.is_none()
        && !matches!(output.text, TextForm::Text)
}
