//! Floor 5. What `SQLite` says about a statement without running it: columns, whether it writes, and
//! which large tables it would read from end to end. Serves `check --connect`.

use super::{connection::Connection, gate::Asker};
use crate::catalog::{Prepared, Scan};

/// A table with more rows than this is large.
const LARGE: u64 = 10_000;

impl Connection {
    /// Prepares a statement and looks at the engine's plan for it.
    pub(super) fn prepare(&self, sql: &str) -> rusqlite::Result<Prepared> {
        let columns = self.describe(sql)?;
        let writes = !self.sqlite.prepare(sql)?.readonly();
        // In SQLite the plan is asked for by a word before the statement; it is the author's text, and
        // no value of a call is part of it.
        let mut plan = self.sqlite.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
        let mut rows = plan.raw_query();
        let mut tables = Vec::new();
        while let Some(row) = rows.next()? {
            let detail: String = row.get(3)?;
            if let Some(table) = scanned(&detail)
                && !tables.iter().any(|known| known == table)
            {
                tables.push(table.to_owned());
            }
        }
        drop(rows);
        self.gate.serve(Asker::Program);
        let mut scans = Vec::new();
        for table in tables {
            let rows = self.rows_of(self.original(&table, sql).as_deref().unwrap_or(&table));
            if rows > LARGE {
                scans.push(Scan { table, rows });
            }
        }
        Ok(Prepared { columns, writes, scans, misfits: Vec::new() })
    }

    /// The table behind an alias: the word before it in the statement that is the name of a table.
    fn original(&self, alias: &str, sql: &str) -> Option<String> {
        let words: Vec<&str> = sql.split(|it: char| !it.is_alphanumeric() && it != '_').collect();
        let words: Vec<&str> =
            words.into_iter().filter(|word| !word.is_empty() && !word.eq_ignore_ascii_case("AS")).collect();
        let pairs = words.windows(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?)));
        let mut named = pairs.filter(|(_, name)| *name == alias).map(|(table, _)| table);
        named.find(|table| self.is_table(table)).map(str::to_owned)
    }

    fn is_table(&self, name: &str) -> bool {
        let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
        self.sqlite.query_row(sql, [name], |_| Ok(())).is_ok()
    }

    /// How many rows a table has, as far as it matters; 0 for what is no table.
    fn rows_of(&self, table: &str) -> u64 {
        if !self.is_table(table) {
            return 0;
        }
        let name = table.replace('"', "\"\"");
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM \"{name}\" LIMIT {})", LARGE + 1);
        self.sqlite.query_row(&sql, [], |row| row.get::<_, i64>(0)).map_or(0, |rows| u64::try_from(rows).unwrap_or(0))
    }
}

/// The table of a line such as `SCAN orders`; none when an index narrows what is read, or covers it.
fn scanned(detail: &str) -> Option<&str> {
    let rest = detail.strip_prefix("SCAN ")?;
    let (table, how) = rest.split_once(' ').unwrap_or((rest, ""));
    (!how.contains("INDEX") && !how.contains("VIRTUAL") && !table.starts_with('(')).then_some(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_engines_plan() {
        let table = [
            ("SCAN orders", Some("orders")),
            ("SCAN o", Some("o")),
            ("SCAN orders USING INDEX by_date", None),
            ("SCAN orders USING COVERING INDEX by_date", None),
            ("SCAN words VIRTUAL TABLE INDEX 0:", None),
            ("SCAN CONSTANT ROW", Some("CONSTANT")),
            ("SEARCH orders USING INTEGER PRIMARY KEY (rowid=?)", None),
            ("USE TEMP B-TREE FOR ORDER BY", None),
        ];
        for (detail, expected) in table {
            assert_eq!(scanned(detail), expected, "{detail}");
        }
    }
}
