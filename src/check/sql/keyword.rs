//! Floor 4. What the keywords of a SQL text tell: whether its operation may run it, and what a tool
//! may say about itself. Serves `check`; the guard at run time is the engine's own read-only mode.

use std::ops::Range;

use super::fault::{Fault, FaultKind, Place};
use crate::plan::{Extent, sql::Access};

/// Statements about the session, the transaction or other databases. The server owns all three.
const FORBIDDEN: [&str; 23] = [
    "ABORT",
    "ATTACH",
    "BEGIN",
    "COMMIT",
    "COPY",
    "DEALLOCATE",
    "DETACH",
    "DISCARD",
    "END",
    "EXECUTE",
    "LOAD",
    "LOCK",
    "PRAGMA",
    "PREPARE",
    "RELEASE",
    "RESET",
    "ROLLBACK",
    "SAVEPOINT",
    "SET",
    "START",
    "UNLOCK",
    "USE",
    "VACUUM",
];

/// The statements a read may begin with.
const READING: [&str; 4] = ["SELECT", "WITH", "VALUES", "EXPLAIN"];

/// The other words that a statement begins with in some engine.
const OTHERS: [&str; 24] = [
    "ALTER", "ANALYZE", "CALL", "COMMENT", "CREATE", "DELETE", "DESC", "DESCRIBE", "DO", "DROP", "GRANT", "IMPORT",
    "INSERT", "MERGE", "OPTIMIZE", "REFRESH", "REINDEX", "RENAME", "REPLACE", "REVOKE", "SHOW", "TABLE", "TRUNCATE",
    "UPDATE",
];

/// What a WITH or an EXPLAIN could run inside. Each but CREATE is a function, too, in some engine.
const CHANGING: [&str; 6] = ["INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "CREATE"];

/// Statements and clauses that change or remove rows which are there.
const REMOVING: [&str; 4] = ["UPDATE", "DELETE", "REPLACE", "MERGE"];

/// A bare word and what is needed to tell a keyword from a name.
#[derive(Debug, Clone)]
pub(super) struct Word {
    pub(super) upper: String,
    pub(super) place: Place,
    pub(super) range: Range<usize>,
    /// The significant token before it, in upper case.
    pub(super) before: String,
    /// The significant token after it.
    pub(super) after: String,
    /// How many parentheses it stands in.
    pub(super) depth: usize,
    /// It is in the text of every call: not in a fragment, not in an option.
    pub(super) is_certain: bool,
}

impl Word {
    /// Not a column behind a dot, nor a function such as `replace(…)`.
    fn is_keyword(&self, keywords: &[&str]) -> bool {
        keywords.contains(&self.upper.as_str())
            && self.before != "."
            && !(self.after == "(" && CHANGING.contains(&self.upper.as_str()))
    }
}

/// Functions that make one row of many.
const TOTALS: [&str; 11] = [
    "COUNT",
    "SUM",
    "TOTAL",
    "AVG",
    "MIN",
    "MAX",
    "GROUP_CONCAT",
    "STRING_AGG",
    "ARRAY_AGG",
    "JSON_AGG",
    "JSON_GROUP_ARRAY",
];

/// The first significant token that is not a parenthesis.
#[derive(Debug, Clone)]
pub(super) struct Leading {
    /// In upper case; `None` when the token is not a word.
    pub(super) keyword: Option<String>,
    pub(super) range: Range<usize>,
}

/// Whether a statement has rows. `None` where only the database knows, as of a procedure.
pub(super) fn has_rows(words: &[Word], leading: Option<&Leading>) -> Option<bool> {
    if words.iter().any(|word| word.is_keyword(&["RETURNING"])) {
        return Some(true);
    }
    let changes = || words.iter().any(|word| word.depth == 0 && word.is_keyword(&CHANGING));
    match leading.and_then(|leading| leading.keyword.as_deref())? {
        "SELECT" | "VALUES" | "EXPLAIN" | "TABLE" | "SHOW" | "DESC" | "DESCRIBE" => Some(true),
        "WITH" => Some(!changes()),
        "CALL" => None,
        _ => Some(false),
    }
}

/// Whether all that a write can do is add rows. `ON CONFLICT DO UPDATE` and `OR REPLACE` do more.
pub(super) fn is_insert_only(words: &[Word]) -> bool {
    words.first().is_some_and(|word| word.is_keyword(&["INSERT", "WITH"]))
        && words.iter().any(|word| word.is_keyword(&["INSERT"]))
        && !words.iter().any(|word| word.is_keyword(&REMOVING))
}

/// What the outermost query says about the number of its rows in every call.
pub(super) fn extent(words: &[Word]) -> Extent {
    let outer = || words.iter().filter(|word| word.depth == 0 && word.is_certain);
    let says = |keywords: &[&str]| outer().any(|word| word.is_keyword(keywords));
    let totals = || outer().any(|word| word.after == "(" && TOTALS.contains(&word.upper.as_str()));
    if says(&["LIMIT", "FETCH"]) {
        return Extent::Limited;
    }
    if !says(&["FROM", "TABLE"]) || says(&["WHERE", "GROUP", "HAVING", "DISTINCT"]) || totals() {
        return Extent::Open;
    }
    Extent::Whole
}

/// The faults of a statement that `access` does not permit.
pub(super) fn check_access(words: &[Word], leading: Option<&Leading>, access: Access) -> Vec<Fault> {
    let Some(leading) = leading else {
        return Vec::new();
    };
    let whole = |kind| vec![Fault { kind, place: Place::Statement, range: leading.range.clone() }];
    let Some(keyword) = &leading.keyword else {
        return whole(FaultKind::NoLeadingKeyword);
    };
    let begins = |known: &[&str]| known.contains(&keyword.as_str());
    if !begins(&FORBIDDEN) && !begins(&READING) && !begins(&OTHERS) {
        return whole(FaultKind::NoLeadingKeyword);
    }
    if begins(&FORBIDDEN) {
        return whole(FaultKind::Forbidden { keyword: keyword.clone() });
    }
    match access {
        Access::Write => Vec::new(),
        Access::Read if !begins(&READING) => whole(FaultKind::NeedsWrite { keyword: keyword.clone() }),
        Access::Read => words
            .iter()
            .filter(|word| changes(word, keyword))
            .map(|word| Fault {
                kind: FaultKind::NeedsWrite { keyword: word.upper.clone() },
                place: word.place.clone(),
                range: word.range.clone(),
            })
            .collect(),
    }
}

/// Whether the word makes a read change or lock something: `SELECT … INTO`, `… FOR UPDATE`, or a
/// statement inside. In a plain SELECT the other keywords can only be names.
fn changes(word: &Word, leading: &str) -> bool {
    let holds_statements = matches!(leading, "WITH" | "EXPLAIN");
    let is_lock = matches!(word.before.as_str(), "FOR" | "KEY");
    word.is_keyword(&["INTO"]) || ((holds_statements || is_lock) && word.is_keyword(&CHANGING))
}

#[cfg(test)]
mod tests {
    use super::super::compile::{Params, compile};
    use super::*;
    use crate::plan::sql::Dialect::Postgres;

    #[test]
    fn a_read_only_reads() {
        for (text, refused) in [
            ("SELECT 1", None),
            ("(select 1) union (select 2)", None),
            ("VALUES (1)", None),
            ("WITH t AS (SELECT replace(a, 'x', 'y'), \"delete\", t.update FROM t) SELECT 1", None),
            ("SELECT insert, 'into', delete FROM rights", None),
            ("WITH t AS (DELETE FROM a RETURNING *) SELECT * FROM t", Some("DELETE")),
            ("WITH t AS (SELECT 1) INSERT INTO b SELECT 1", Some("INSERT INTO")),
            ("EXPLAIN ANALYZE UPDATE a SET b = 1", Some("UPDATE")),
            ("SELECT a INTO b FROM c", Some("INTO")),
            ("SELECT a FROM b FOR NO KEY UPDATE", Some("UPDATE")),
            ("/* SELECT */ delete from a", Some("DELETE")),
            ("DROP TABLE a", Some("DROP")),
        ] {
            let result = compile(text, &Params::new(), Postgres, Access::Read);
            let found = result.err().map(|faults| {
                let keywords = faults.into_iter().map(|fault| match fault.kind {
                    FaultKind::NeedsWrite { keyword } => keyword,
                    other => panic!("{text}: {other:?}"),
                });
                keywords.collect::<Vec<_>>().join(" ")
            });
            assert_eq!(found.as_deref(), refused, "{text}");
        }
    }

    #[test]
    fn some_statements_are_for_no_tool() {
        for text in ["ATTACH 'x' AS y", "pragma a", "COMMIT", "BEGIN", "VACUUM INTO 'x'", "SET a = 1"] {
            for access in [Access::Read, Access::Write] {
                let faults = compile(text, &Params::new(), Postgres, access).unwrap_err();
                let is_forbidden = |fault: &Fault| matches!(fault.kind, FaultKind::Forbidden { .. });
                assert!(faults.len() == 1 && faults.iter().all(is_forbidden), "{text}: {faults:?}");
            }
        }
    }

    #[test]
    fn writes_tell_what_they_do() {
        for (text, is_insert_only, has_rows) in [
            ("INSERT INTO a VALUES (1)", true, false),
            ("INSERT INTO a VALUES (replace('x', 'y', 'z')) RETURNING id", true, true),
            ("WITH x AS (SELECT 1) INSERT INTO a SELECT 1 FROM x", true, false),
            ("INSERT INTO a VALUES (1) ON CONFLICT DO NOTHING", true, false),
            ("INSERT INTO a VALUES (1) ON CONFLICT (id) DO UPDATE SET b = 1", false, false),
            ("INSERT OR REPLACE INTO a VALUES (1)", false, false),
            ("UPDATE a SET b = 1 RETURNING b", false, true),
            ("DELETE FROM t WHERE t.returning = 'RETURNING'", false, false),
            ("SELECT make_order(1)", false, true),
            ("WITH x AS (SELECT 1) SELECT 1 FROM x", false, true),
            ("WITH x AS (DELETE FROM a RETURNING *) SELECT 1 FROM x", false, true),
            ("WITH x AS (SELECT 1) DELETE FROM a", false, false),
        ] {
            let compiled = compile(text, &Params::new(), Postgres, Access::Write).unwrap();
            assert_eq!((compiled.insert_only, compiled.has_rows), (is_insert_only, Some(has_rows)), "{text}");
        }
    }

    #[test]
    fn only_an_outer_limit_limits() {
        for (text, extent) in [
            ("SELECT 1 LIMIT 5", Extent::Limited),
            ("SELECT 1 FETCH FIRST 5 ROWS ONLY", Extent::Limited),
            ("SELECT (SELECT 1 LIMIT 1)", Extent::Open),
            ("SELECT \"limit\" -- LIMIT 1", Extent::Open),
            ("SELECT a FROM b ORDER BY a", Extent::Whole),
            ("SELECT (SELECT max(c) FROM d WHERE e = 1) FROM b", Extent::Whole),
            ("SELECT a FROM b WHERE c = 1", Extent::Open),
            ("SELECT count(*) FROM b", Extent::Open),
            ("SELECT a FROM b GROUP BY a", Extent::Open),
        ] {
            let compiled = compile(text, &Params::new(), Postgres, Access::Read).unwrap();
            assert_eq!(compiled.extent, extent, "{text}");
        }
    }
}
