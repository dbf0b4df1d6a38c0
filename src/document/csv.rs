//! Floor 2. Comma-separated values (RFC 4180): a list of mappings from the names of the columns to
//! texts. Nothing is taken for a number: leading zeros and long digits stay.

use csv::{ReaderBuilder, StringRecord};
use serde_json::{Map, Value};

use super::DocumentError;

/// Columns at most: more is no table.
const MAX_COLUMNS: usize = 4096;

/// How the values are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvForm {
    /// What stands between them.
    pub delimiter: u8,
    /// The names of the columns; without them the first line holds the names.
    pub columns: Option<Vec<String>>,
}

impl Default for CsvForm {
    fn default() -> Self {
        Self { delimiter: b',', columns: None }
    }
}

/// Reads values. Lines that are too short lack members; what is too long for the names goes by
/// its number, as `column_7`.
///
/// # Errors
/// [`DocumentError`] for more columns than a table has.
pub fn csv(text: &str, form: &CsvForm) -> Result<Value, DocumentError> {
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).delimiter(form.delimiter).from_reader(text.as_bytes());
    let mut names = form.columns.clone();
    let mut rows = Vec::new();
    let mut record = StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Err(DocumentError(error.to_string())),
        }
        if record.len() > MAX_COLUMNS {
            return Err(DocumentError(format!("a line has more than {MAX_COLUMNS} values")));
        }
        match &names {
            None => names = Some(unique(&record)),
            Some(names) => rows.push(row(names, &record)),
        }
    }
    Ok(Value::Array(rows))
}

fn row(names: &[String], record: &StringRecord) -> Value {
    let name = |at: usize| names.get(at).cloned().unwrap_or_else(|| format!("column_{}", at + 1));
    let members: Map<String, Value> = record.iter().enumerate().map(|(at, cell)| (name(at), cell.into())).collect();
    Value::Object(members)
}

/// The names of a first line. One that is empty or stands twice gets its number.
fn unique(record: &StringRecord) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(record.len());
    for (at, name) in record.iter().enumerate() {
        let name = name.trim();
        let taken = name.is_empty() || names.iter().any(|known| known == name);
        names.push(match (taken, name) {
            (false, name) => name.to_owned(),
            (true, "") => format!("column_{}", at + 1),
            (true, name) => format!("{name}_{}", at + 1),
        });
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_become_mappings_of_texts() {
        let semicolons = CsvForm { delimiter: b';', columns: None };
        let named = CsvForm { columns: Some(vec!["id".into(), "name".into()]), ..CsvForm::default() };
        for (text, form, expected) in [
            (
                "id,name\n007,\"a, \"\"b\"\"\"\r\n2,x\n",
                &CsvForm::default(),
                json!([{ "id": "007", "name": "a, \"b\"" }, { "id": "2", "name": "x" }]),
            ),
            ("a;b\n1,5;2\n", &semicolons, json!([{ "a": "1,5", "b": "2" }])),
            (
                "1,x\n2,y,z\n3\n",
                &named,
                json!([{ "id": "1", "name": "x" }, { "id": "2", "name": "y", "column_3": "z" }, { "id": "3" }]),
            ),
            ("a,,a\n1,2,3\n", &CsvForm::default(), json!([{ "a": "1", "column_2": "2", "a_3": "3" }])),
            ("a,b\n\"x\ny\",2", &CsvForm::default(), json!([{ "a": "x\ny", "b": "2" }])),
            ("a,b\n", &CsvForm::default(), json!([])),
            ("", &CsvForm::default(), json!([])),
        ] {
            assert_eq!(csv(text, form), Ok(expected), "{text:?}");
        }
        assert!(csv(&format!("a\n{}", ",".repeat(MAX_COLUMNS)), &CsvForm::default()).is_err());
    }
}
