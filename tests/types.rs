//! The values of every type, out of a database and into it again: one table per engine. What is
//! proved here is printed as `docs/sql-types.md`.

use std::fmt::Write as _;

use serde_json::json;

use crate::{
    generated::fresh,
    support::{Served, mariadb, postgres, serve},
};

/// A type, a value as SQL, the JSON that it becomes, and a word for readers.
struct Row {
    kind: &'static str,
    sql: &'static str,
    json: &'static str,
    /// How the value goes back in; `Same` as it came.
    back: Back,
    remark: &'static str,
}

/// Whether the value that came out goes in as an argument and gives itself again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Back {
    /// As an argument of the declared kind.
    As(&'static str),
    /// Not tried: an argument has no type that would fit.
    No,
}

const fn row(kind: &'static str, sql: &'static str, json: &'static str, back: Back, remark: &'static str) -> Row {
    Row { kind, sql, json, back, remark }
}

const TEXT: Back = Back::As("type: string");
const INTEGER: Back = Back::As("type: integer");
const INT64: Back = Back::As("type: integer, format: int64");
const DECIMAL: Back = Back::As("type: number, format: decimal");
const NUMBER: Back = Back::As("type: number");
const INSTANT: Back = Back::As("type: string, format: date-time");
const BOOLEAN: Back = Back::As("type: boolean");
const OBJECT: Back = Back::As("type: object, additionalProperties: true");
const TEXTS: Back = Back::As("type: array, items: { type: string }");
const INTEGERS: Back = Back::As("type: array, items: { type: integer }");
const NESTED: Back = Back::As("type: array, items: { type: array, items: { type: integer } }");

const POSTGRES_SEED: &str = "
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN posint AS int CHECK (value > 0);
CREATE TYPE address AS (street text, number int, tags text[]);
CREATE TYPE person AS (name text, home address);
CREATE TYPE floats AS RANGE (subtype = float8);
";

#[rustfmt::skip]
const POSTGRES: &[Row] = &[
    row("smallint", "-32768", "-32768", INTEGER, "a number"),
    row("integer", "2147483647", "2147483647", INTEGER, "a number"),
    row("oid", "4294967295", "4294967295", INTEGER, "a number"),
    row("bigint", "9007199254740991", "9007199254740991", INT64, "a number, as long as every reader has it exactly"),
    row("bigint", "9007199254740992", "\"9007199254740992\"", INT64, "text beyond 2^53"),
    row("bigint", "-9223372036854775808", "\"-9223372036854775808\"", INT64, "to the last"),
    row("numeric", "'12345678901234567890.12300'", "\"12345678901234567890.12300\"", DECIMAL, "text: exact, and zeros at the end kept"),
    row("numeric", "'NaN'", "\"NaN\"", TEXT, ""),
    row("numeric", "'-Infinity'", "\"-Infinity\"", TEXT, ""),
    row("real", "1.5", "1.5", NUMBER, "a number"),
    row("double precision", "0.1", "0.1", NUMBER, "a number"),
    row("double precision", "'1e300'", "1e+300", NUMBER, ""),
    row("double precision", "'NaN'", "\"NaN\"", TEXT, "text, for JSON has no such number"),
    row("double precision", "'-Infinity'", "\"-Infinity\"", TEXT, ""),
    row("boolean", "true", "true", BOOLEAN, ""),
    row("text", "'it''s \"ü\" \\'", "\"it's \\\"ü\\\" \\\\\"", TEXT, ""),
    row("text", "'true'", "\"true\"", TEXT, "nothing is guessed from the content"),
    row("varchar(5)", "'12345'", "\"12345\"", TEXT, ""),
    row("char(5)", "'ab'", "\"ab   \"", TEXT, "padded, as it is stored"),
    row("name", "'pg_class'", "\"pg_class\"", TEXT, ""),
    row("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"", TEXT, ""),
    row("bytea", "'\\x00ff10'", "\"AP8Q\"", TEXT, "base64, both ways"),
    row("json", "'{\"b\": 1, \"a\": 12345678901234567890}'", "{\"b\":1,\"a\":12345678901234567890}", Back::No, "digits and order as they are written"),
    row("jsonb", "'{\"b\":[1.10,null]}'", "{\"b\":[1.10,null]}", Back::No, "as the server orders it"),
    row("jsonb", "'{\"a\": [1, null]}'", "{\"a\":[1,null]}", OBJECT, "objects and lists go in as they came"),
    row("date", "'2026-01-02'", "\"2026-01-02\"", TEXT, ""),
    row("date", "'infinity'", "\"infinity\"", TEXT, ""),
    row("date", "'0044-03-15 BC'", "\"0044-03-15 BC\"", TEXT, ""),
    row("time", "'03:04:05.123456'", "\"03:04:05.123456\"", TEXT, ""),
    row("timetz", "'03:04:05+02'", "\"03:04:05+02\"", TEXT, ""),
    row("timestamp", "'2026-01-02 03:04:05.123456'", "\"2026-01-02T03:04:05.123456\"", TEXT, "no offset: it has none"),
    row("timestamp", "'0044-03-15 10:00 BC'", "\"0044-03-15T10:00:00 BC\"", TEXT, ""),
    row("timestamp", "'-infinity'", "\"-infinity\"", TEXT, ""),
    row("timestamptz", "'2026-01-02 03:04:05.123456+02'", "\"2026-01-02T01:04:05.123456Z\"", TEXT, "RFC 3339 in UTC"),
    row("timestamptz", "'infinity'", "\"infinity\"", TEXT, ""),
    row("interval", "'1 year 2 mons 3 days 04:05:06.7'", "\"P1Y2M3DT4H5M6.7S\"", TEXT, "ISO 8601"),
    row("interval", "'-1 day 2 hours'", "\"P-1DT2H\"", TEXT, ""),
    row("inet", "'10.0.0.1/8'", "\"10.0.0.1/8\"", TEXT, ""),
    row("cidr", "'10.0.0.0/8'", "\"10.0.0.0/8\"", TEXT, ""),
    row("macaddr", "'08:00:2B:01:02:03'", "\"08:00:2b:01:02:03\"", TEXT, ""),
    row("bit(4)", "B'1010'", "\"1010\"", TEXT, ""),
    row("varbit", "B'101'", "\"101\"", TEXT, ""),
    row("xml", "'<a>1</a>'", "\"<a>1</a>\"", Back::No, ""),
    row("money", "12.34", "\"$12.34\"", TEXT, "text, in the words of the server's locale"),
    row("point", "'(1,2.5)'", "\"(1,2.5)\"", Back::No, "the text form"),
    row("tsvector", "'a:1 b:2'", "\"'a':1 'b':2\"", TEXT, "the text form"),
    row("int4range", "'[1,5)'", "\"[1,5)\"", TEXT, "the text form"),
    row("floats", "'(0.5,1.5]'", "\"(0.5,1.5]\"", TEXT, "also of one's own"),
    row("int4multirange", "'{[1,3),[5,8)}'", "\"{[1,3),[5,8)}\"", TEXT, "the text form"),
    row("mood", "'happy'", "\"happy\"", TEXT, "an enum"),
    row("posint", "7", "7", INTEGER, "a domain: as the type it is made of"),
    row("integer[]", "'{1,NULL,3}'", "[1,null,3]", Back::No, "NULL stays"),
    row("integer[]", "'{}'", "[]", INTEGERS, ""),
    row("integer[][]", "'{{1,2},{3,4}}'", "[[1,2],[3,4]]", NESTED, "lists of lists stay so"),
    row("integer[]", "'[0:1]={7,8}'", "[7,8]", Back::No, "bounds have no place in JSON"),
    row("text[]", "ARRAY['a,b', 'NULL', '', 'q\"\\']", "[\"a,b\",\"NULL\",\"\",\"q\\\"\\\\\"]", TEXTS, ""),
    row("numeric[]", "'{1.10,NaN}'", "[\"1.10\",\"NaN\"]", TEXTS, "items are as values are"),
    row("mood[]", "'{sad,happy}'", "[\"sad\",\"happy\"]", TEXTS, ""),
    row("bytea[]", "ARRAY['\\x00ff'::bytea]", "[\"AP8=\"]", TEXTS, ""),
    row("jsonb[]", "ARRAY['{\"a\":1}'::jsonb]", "[{\"a\":1}]", Back::No, ""),
    row("box[]", "'{(2,2),(1,1);(4,4),(3,3)}'", "[\"(2,2),(1,1)\",\"(4,4),(3,3)\"]", Back::No, ""),
    row("address", "ROW('Main \"st\"', 5, '{a,b}')", "{\"street\":\"Main \\\"st\\\"\",\"number\":5,\"tags\":[\"a\",\"b\"]}", OBJECT, "a composite type: an object"),
    row("person", "ROW('Ada', ROW('Main', NULL, NULL))", "{\"name\":\"Ada\",\"home\":{\"street\":\"Main\",\"number\":null,\"tags\":null}}", OBJECT, ""),
    row("address[]", "ARRAY[ROW('x', 1, NULL)::address]", "[{\"street\":\"x\",\"number\":1,\"tags\":null}]", Back::No, ""),
    row("regclass", "'pg_class'", "\"pg_class\"", TEXT, "the text form, like every type that is not here"),
    row("integer", "NULL", "null", Back::No, "NULL is `null`, and its key stays"),
];

#[rustfmt::skip]
const SQLITE: &[Row] = &[
    row("INTEGER", "9007199254740991", "9007199254740991", INT64, "a number, as long as every reader has it exactly"),
    row("INTEGER", "9007199254740993", "\"9007199254740993\"", INT64, "text beyond 2^53"),
    row("INTEGER", "'seven'", "\"seven\"", TEXT, "the type belongs to the value, not to the column"),
    row("REAL", "0.1", "0.1", NUMBER, "a number"),
    row("REAL", "9e999", "\"Infinity\"", Back::No, "text, for JSON has no such number"),
    row("TEXT", "'12345678901234567890'", "\"12345678901234567890\"", TEXT, "nothing is guessed from the content"),
    row("TEXT", "'true'", "\"true\"", TEXT, ""),
    row("TEXT", "'[1,2]'", "\"[1,2]\"", TEXT, ""),
    row("BOOLEAN", "1", "true", BOOLEAN, "0 and 1 in a column that is declared so"),
    row("BOOLEAN", "2", "2", INTEGER, ""),
    row("JSON", "'{\"b\": 1.10}'", "{\"b\":1.10}", Back::No, "in a column that is declared so"),
    row("BLOB", "x'00ff10'", "\"AP8Q\"", Back::No, "base64"),
    row("TEXT", "NULL", "null", Back::No, "NULL is `null`, and its key stays"),
];

#[rustfmt::skip]
const MARIADB: &[Row] = &[
    row("TINYINT", "-128", "-128", INTEGER, "a number"),
    row("TINYINT(1)", "2", "2", INTEGER, "a number, for a flag may hold more than two values"),
    row("BOOLEAN", "TRUE", "1", INTEGER, "the same type under another name"),
    row("SMALLINT UNSIGNED", "65535", "65535", INTEGER, "a number"),
    row("MEDIUMINT", "-8388608", "-8388608", INTEGER, "a number"),
    row("INT UNSIGNED", "4294967295", "4294967295", INTEGER, "a number"),
    row("BIGINT", "9007199254740991", "9007199254740991", INT64, "a number, as long as every reader has it exactly"),
    row("BIGINT", "9007199254740992", "\"9007199254740992\"", INT64, "text beyond 2^53"),
    row("BIGINT", "-9223372036854775808", "\"-9223372036854775808\"", INT64, "to the last"),
    row("BIGINT UNSIGNED", "18446744073709551615", "\"18446744073709551615\"", DECIMAL, "to the last"),
    row("DECIMAL(25,5)", "12345678901234567890.123", "\"12345678901234567890.12300\"", DECIMAL, "text: exact, and zeros at the end kept"),
    row("DECIMAL(65,30)", "-99999999999999999999999999999999999.999999999999999999999999999999", "\"-99999999999999999999999999999999999.999999999999999999999999999999\"", DECIMAL, "compared as a decimal, not as a float"),
    row("FLOAT", "1.5", "1.5", NUMBER, "a number"),
    row("FLOAT", "0.1", "0.1", Back::No, "in as few digits as it takes"),
    row("DOUBLE", "0.1", "0.1", NUMBER, "a number"),
    row("DOUBLE", "1e300", "1e+300", NUMBER, ""),
    row("BIT(1)", "b'1'", "1", INTEGER, "a number"),
    row("BIT(8)", "b'10100000'", "160", INTEGER, "a number"),
    row("BIT(64)", "0xFFFFFFFFFFFFFFFF", "\"18446744073709551615\"", Back::No, "text beyond 2^53"),
    row("YEAR", "2026", "2026", INTEGER, "a number"),
    row("YEAR", "0", "0", INTEGER, "the year of zeros"),
    row("CHAR(5)", "'ab'", "\"ab\"", TEXT, "without the spaces at its end, as the server gives it"),
    row("VARCHAR(20)", "'it''s \"ü\" \\'", "\"it's \\\"ü\\\" \\\\\"", TEXT, ""),
    row("VARCHAR(20)", "'true'", "\"true\"", TEXT, "nothing is guessed from the content"),
    row("VARCHAR(9) COLLATE utf8mb4_bin", "'Ü😀'", "\"Ü😀\"", TEXT, "text, although it is compared by bytes"),
    row("VARCHAR(9) CHARACTER SET latin1", "'ÄÖ'", "\"ÄÖ\"", TEXT, "every charset comes as UTF-8"),
    row("VARCHAR(9) CHARACTER SET utf16", "'ÄÖ'", "\"ÄÖ\"", TEXT, ""),
    row("LONGTEXT", "'[1, 2]'", "\"[1, 2]\"", TEXT, "text, unless the column is declared as `JSON`"),
    row("JSON", "'{\"b\": 1.10, \"a\": 12345678901234567890}'", "{\"b\":1.10,\"a\":12345678901234567890}", Back::No, "digits and order as they are written; of MariaDB in columns of tables, not of views"),
    row("JSON", "'{\"a\":[1,null]}'", "{\"a\":[1,null]}", OBJECT, "objects and lists go in as they came"),
    row("BINARY(3)", "x'00ff10'", "\"AP8Q\"", TEXT, "base64; goes in with `FROM_BASE64(:v)`"),
    row("VARBINARY(9)", "x'00ff10'", "\"AP8Q\"", TEXT, "the same"),
    row("BLOB", "x'00ff10'", "\"AP8Q\"", TEXT, "the same"),
    row("LONGBLOB", "''", "\"\"", TEXT, ""),
    row("ENUM('sad','happy')", "'happy'", "\"happy\"", TEXT, "its name"),
    row("SET('a','b','c')", "'c,a'", "[\"a\",\"c\"]", Back::No, "a list; goes in as text with commas"),
    row("SET('a','b')", "''", "[]", Back::No, ""),
    row("DATE", "'2026-01-02'", "\"2026-01-02\"", TEXT, ""),
    row("DATE", "'0000-00-00'", "\"0000-00-00\"", TEXT, "as it is: no date is made up"),
    row("DATE", "'2026-00-00'", "\"2026-00-00\"", TEXT, ""),
    row("TIME", "'838:59:59'", "\"838:59:59\"", TEXT, "more than a day"),
    row("TIME(6)", "'-01:02:03.000004'", "\"-01:02:03.000004\"", TEXT, "and less than nothing"),
    row("DATETIME(6)", "'2026-01-02 03:04:05.123456'", "\"2026-01-02T03:04:05.123456\"", TEXT, "no offset: it has none"),
    row("DATETIME", "'0000-00-00 00:00:00'", "\"0000-00-00T00:00:00\"", TEXT, ""),
    row("TIMESTAMP(6) NULL", "'2026-01-02 03:04:05.123456'", "\"2026-01-01T22:04:05.123456Z\"", INSTANT, "RFC 3339 in UTC; written here by a session five hours ahead"),
    row("TIMESTAMP NULL", "'0000-00-00 00:00:00'", "\"0000-00-00T00:00:00\"", TEXT, "no point in time, so no offset"),
    row("POINT", "ST_GeomFromText('POINT(1 2)')", "\"AAAAAAEBAAAAAAAAAAAA8D8AAAAAAAAAQA==\"", Back::No, "base64 of the server's own form; `ST_AsText` and `ST_AsGeoJSON` are for reading"),
    row("UUID", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"", TEXT, "MariaDB"),
    row("INET6", "'2001:db8::1'", "\"2001:db8::1\"", TEXT, "MariaDB"),
    row("INT", "NULL", "null", Back::No, "NULL is `null`, and its key stays"),
];

/// The tools that take a value out and, where that is tried, in again.
fn tools(rows: &[Row], engine: Engine) -> String {
    let mut tools = String::new();
    for (at, Row { kind, sql, back, .. }) in rows.iter().enumerate() {
        let (out, back_in) = match engine {
            Engine::Postgres => (
                format!("SELECT CAST({sql} AS {kind}) AS v"),
                format!(
                    "SELECT CAST(:v AS {kind}) AS v, CAST(:v AS {kind}) IS NOT DISTINCT FROM CAST({sql} AS {kind}) AS same"
                ),
            ),
            Engine::Mariadb => {
                let is_bytes = kind.contains("BLOB") || kind.contains("BINARY");
                let value = if is_bytes { "FROM_BASE64(:v)" } else { ":v" };
                (format!("SELECT v FROM t_{at}"), format!("SELECT v, v <=> {value} AS same FROM t_{at}"))
            }
            Engine::Sqlite => (format!("SELECT v FROM t_{at}"), format!("SELECT v, v IS :v AS same FROM t_{at}")),
        };
        let quoted = |text: &str| serde_json::to_string(text).expect("text");
        let _ =
            writeln!(tools, "  out_{at}: {{ description: Out., sql: {{ query: {}, returns: value }} }}", quoted(&out));
        if let Back::As(param) = back {
            let params = format!("{{ v: {{ {param}, description: Value. }} }}");
            let query = quoted(&back_in);
            let _ = writeln!(
                tools,
                "  in_{at}: {{ description: In., params: {params}, sql: {{ query: {query}, returns: row }} }}"
            );
        }
    }
    tools
}

#[derive(Clone, Copy)]
enum Engine {
    Mariadb,
    Postgres,
    Sqlite,
}

/// Takes every value out and in again.
async fn hold(rows: &[Row], served: &Served) {
    let mut faults = Vec::new();
    for (at, Row { kind, sql, json, back, .. }) in rows.iter().enumerate() {
        let result = served.call(&format!("out_{at}"), &json!({})).await;
        let text = result["content"][0]["text"].as_str().unwrap_or_default();
        let expected = format!("{{\"result\":{json}}}");
        if text != expected {
            faults.push(format!("{kind} {sql}: {text}, not {expected}"));
            continue;
        }
        if *back == Back::No {
            continue;
        }
        let value = result["structuredContent"]["result"].clone();
        let result = served.call(&format!("in_{at}"), &json!({ "v": value })).await;
        let row = &result["structuredContent"];
        let is_same = row["same"] == true || row["same"] == 1;
        if row["v"] != value || !is_same {
            faults.push(format!("{kind} {sql}: {value} goes in and gives {result}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test]
async fn values_of_postgresql() {
    let Some(host) = postgres() else { return };
    host.database("types", POSTGRES_SEED);
    let tools = tools(POSTGRES, Engine::Postgres);
    let text = format!(
        "bridge: types\nsources:\n  db: {{ sql: {{ url: \"${{DB}}\", pool: {{ max: 2 }} }} }}\ntools:\n{tools}"
    );
    let served = serve(&[("types.yaml", &text)], &[("DB", &host.url("app", "types"))]).await;
    hold(POSTGRES, &served).await;
}

#[tokio::test]
async fn values_of_mariadb() {
    let Some(host) = mariadb() else { return };
    let tables = MARIADB.iter().enumerate().map(|(at, Row { kind, sql, .. })| {
        format!("CREATE TABLE t_{at} (v {kind}); INSERT INTO t_{at} VALUES ({sql});\n")
    });
    host.database("types", &tables.collect::<String>());
    let tools = tools(MARIADB, Engine::Mariadb);
    let text = format!(
        "bridge: types\nsources:\n  db: {{ sql: {{ url: \"${{DB}}\", pool: {{ max: 2 }} }} }}\ntools:\n{tools}"
    );
    let served = serve(&[("types.yaml", &text)], &[("DB", &host.url("app", "types"))]).await;
    hold(MARIADB, &served).await;
}

#[tokio::test]
async fn values_of_sqlite() {
    let tables = SQLITE.iter().enumerate().map(|(at, Row { kind, sql, .. })| {
        format!("CREATE TABLE t_{at} (v {kind}); INSERT INTO t_{at} VALUES ({sql});\n")
    });
    let seed: String = tables.collect();
    let tools = tools(SQLITE, Engine::Sqlite);
    let text = format!(
        "bridge: types\nsources:\n  db: {{ sql: {{ url: \"sqlite:t.db\", init: seed.sql }} }}\ntools:\n{tools}"
    );
    let served = serve(&[("types.yaml", &text), ("seed.sql", &seed)], &[]).await;
    hold(SQLITE, &served).await;
}

const HEAD: &str = "# Values and types in SQL

Made from the tables in `tests/types.rs`, which are proved on the engines; `UPDATE=1 cargo test` writes it anew.

Values come out so that they go in again as they are: an argument of the kind in the last column but one, with the
value that came out, is the same value in the database. Exactness comes before convenience: what JSON readers would
round is text. A column's schema says what its values can be.
";

#[test]
fn the_page_is_fresh() {
    let mut page = HEAD.to_owned();
    for (engine, words, rows) in [
        (
            "PostgreSQL",
            "Types of extensions are what the server prints: values travel as text, but for dates with a time and integers.",
            POSTGRES,
        ),
        (
            "MySQL and MariaDB",
            "Proved on MariaDB. Columns of bytes are told from texts by their charset; times of a `TIMESTAMP` are those of \
             UTC, whatever the server's zone is. An argument with `format: date-time` and an offset is brought to UTC.",
            MARIADB,
        ),
        ("SQLite", "A type belongs to a value. Declared types count only where the table says so.", SQLITE),
    ] {
        let _ =
            writeln!(page, "\n## {engine}\n\n{words}\n\n| type | value | JSON | goes in as | |\n|---|---|---|---|---|");
        for Row { kind, sql, json, back, remark } in rows {
            let back = match back {
                Back::As(param) => format!("`{param}`"),
                Back::No => String::new(),
            };
            let cell = |text: &str| format!("`{}`", text.replace('|', "\\|"));
            let _ = writeln!(page, "| {kind} | {} | {} | {back} | {remark} |", cell(sql), cell(json));
        }
    }
    fresh("docs/sql-types.md", &page);
}
