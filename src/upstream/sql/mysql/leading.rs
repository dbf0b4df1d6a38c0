//! Floor 5. What a statement of MySQL or MariaDB begins with. `ANALYZE TABLE` and `CHECK TABLE` have
//! rows, and run in a transaction that only reads although they change what the server knows of a
//! table, so a statement that is to read must begin like one.

/// What reads begin with. EXPLAIN runs nothing that a transaction which only reads would not stop.
const READING: [&str; 4] = ["SELECT", "WITH", "VALUES", "EXPLAIN"];

/// Whether a statement begins as a read does.
pub(super) fn is_read(sql: &str) -> bool {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|it: char| it.is_ascii_whitespace() || it == '(');
        // A comment that runs is none: it stays, and is no word.
        let is_run = rest.starts_with("/*!") || rest.starts_with("/*M!");
        let after = if is_run {
            None
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map(|(_, after)| after)
        } else if rest.starts_with('#') || rest.starts_with("-- ") {
            rest.split_once('\n').map(|(_, after)| after)
        } else {
            None
        };
        match after {
            Some(after) => rest = after,
            None => break,
        }
    }
    let end = rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '_').unwrap_or(rest.len());
    let word = rest.get(..end).unwrap_or_default();
    READING.iter().any(|reading| word.eq_ignore_ascii_case(reading))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_begin_like_reads() {
        for (sql, expected) in [
            ("SELECT 1", true),
            (" ((select 1) union (select 2))", true),
            ("/* a */ # b\n-- c\nWITH x AS (SELECT 1) SELECT * FROM x", true),
            ("VALUES (1)", true),
            ("EXPLAIN SELECT 1", true),
            ("ANALYZE TABLE t", false),
            ("ANALYZE SELECT 1", false),
            ("/*!50000 ANALYZE TABLE t */", false),
            ("/*M!100000 SELECT */ 1", false),
            ("SET STATEMENT max_statement_time = 0 FOR SELECT 1", false),
            ("SELECTED", false),
            ("/* SELECT", false),
            ("", false),
        ] {
            assert_eq!(is_read(sql), expected, "{sql}");
        }
    }
}
