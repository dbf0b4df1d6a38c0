//! Floor 4. Compiles the author's SQL text into a `plan::sql::Statement` and finds every fault in
//! it that can be seen without a database. Serves `check`.

mod placeholder;
mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use self::reader::{Reader, Scope};
use super::fault::{Fault, Place};
use super::keyword;
use crate::plan::{
    Extent,
    sql::{Access, Dialect, LikeKind, Statement},
};

/// How a declared param may be used in SQL text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParamKind {
    /// One bound value.
    Scalar,
    /// An array, for `IN (:name)`.
    List,
    /// A string that is matched as it is, for `LIKE :name`.
    Like(LikeKind),
    /// Author texts by key, in the order of the file.
    Choice(Vec<(String, String)>),
    /// A statement of the same transaction, for `:name.column`.
    Statement(Outcome),
}

/// What there is of a statement of the same transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Rows with columns.
    Rows,
    /// Only how many rows it affected, and the id of the last one it added where the engine has one.
    Count,
    /// Nothing: it has not run yet.
    NotYet,
}

/// The declared params by name.
pub type Params = BTreeMap<String, ParamKind>;

/// What [`compile`] makes of a text without faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// The statement to run.
    pub statement: Statement,
    /// The params it uses, also in the options of its choices.
    pub used: BTreeSet<String>,
    /// The params it uses outside of fragments. A choice among them must have a value in every
    /// call; any other binds NULL when it has none.
    pub unguarded: BTreeSet<String>,
    /// `:name` of a declared param inside quotes, where it is plain text: most likely a mistake.
    pub quoted: Vec<(String, Range<usize>)>,
    /// The word it begins with, in upper case.
    pub verb: Option<String>,
    /// Whether it has rows; `None` when only the database knows, as of a procedure.
    pub has_rows: Option<bool>,
    /// The statements of the same transaction that it takes values of.
    pub taken: BTreeSet<String>,
    /// Whether all it can do is add rows, so that a write is not destructive.
    pub insert_only: bool,
    /// What the text says about the number of rows, in every call.
    pub extent: Extent,
}

/// Compiles `text`, or tells everything that is wrong with it.
///
/// # Errors
///
/// All faults of the statement and of the options it uses, in text order as far as possible.
pub fn compile(text: &str, params: &Params, dialect: Dialect, access: Access) -> Result<Compiled, Vec<Fault>> {
    let scope = Scope { params, dialect };
    let mut reader = Reader::new(scope, text, Place::Statement);
    reader.read();
    let misplaced = keyword::check_access(&reader.words, reader.leading.as_ref(), access);
    let news: Vec<_> = misplaced.into_iter().filter(|fault| reader.is_news(fault)).collect();
    reader.faults.extend(news);
    if !reader.faults.is_empty() {
        return Err(reader.faults);
    }
    Ok(Compiled {
        verb: reader.leading.as_ref().and_then(|leading| leading.keyword.clone()),
        has_rows: keyword::has_rows(&reader.words, reader.leading.as_ref()),
        insert_only: access == Access::Write && keyword::is_insert_only(&reader.words),
        extent: keyword::extent(&reader.words),
        statement: Statement::new(dialect, reader.pieces),
        used: reader.used,
        taken: reader.taken,
        unguarded: reader.unguarded,
        quoted: reader.quoted,
    })
}

#[cfg(test)]
mod tests {
    use super::super::fault::FaultKind;
    use super::super::lexer::{TokenKind, lex};
    use super::*;
    use crate::plan::sql::Dialect::{Mysql, Postgres, Sqlite};
    use crate::plan::sql::Form;
    use crate::plan::sql::tests::Given;

    /// How many random texts are tried.
    const TEXTS: usize = 20_000;

    fn params() -> Params {
        let sort = [("newest", "made DESC, id"), ("near", "abs(total - :id)")];
        let sort = sort.map(|(key, text)| (key.to_owned(), text.to_owned()));
        [
            ("id", ParamKind::Scalar),
            ("id2", ParamKind::Scalar),
            ("ids", ParamKind::List),
            ("q", ParamKind::Like(LikeKind::Contains)),
            ("sort", ParamKind::Choice(sort.to_vec())),
        ]
        .map(|(name, kind)| (name.to_owned(), kind))
        .into()
    }

    fn read(dialect: Dialect, text: &str) -> Result<Compiled, Vec<Fault>> {
        compile(text, &params(), dialect, Access::Read)
    }

    /// The text and the slots, written as `param`, `param[item]` or `%param%`.
    fn rendered(dialect: Dialect, text: &str, given: &Given) -> (String, String) {
        let compiled = read(dialect, text).unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
        let rendered = compiled.statement.render(given).unwrap();
        let slots = rendered.slots.iter().map(|slot| match slot.form {
            Form::Whole => slot.param.to_string(),
            Form::Item(item) => format!("{}[{item}]", slot.param),
            Form::Like(_) => format!("%{}%", slot.param),
        });
        (rendered.sql.to_string(), slots.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn names_become_placeholders() {
        for (dialect, text, sql, slots) in [
            (Sqlite, "SELECT :id, :id2, :id", "SELECT ?1, ?2, ?1", "id id2"),
            (Postgres, "SELECT :id, :id2, :id", "SELECT $1, $2, $1", "id id2"),
            (Mysql, "SELECT :id, :id2, :id", "SELECT ?, ?, ?", "id id2 id"),
            (Sqlite, "SELECT 'ü', \"é\" = :id;\n", "SELECT 'ü', \"é\" = ?1", "id"),
            (Postgres, "SELECT :id::int LIMIT:id2", "SELECT $1::int LIMIT $2", "id id2"),
            (Postgres, "SELECT a[1:id] + a[:id]", "SELECT a[1:id] + a[$1]", "id"),
            (Sqlite, "SELECT ':id', 1 /* :id */ -- :id", "SELECT ':id', 1 /* :id */", ""),
            (Sqlite, "SELECT 1 WHERE n LIKE :q", "SELECT 1 WHERE n LIKE ?1 ESCAPE '!'", "%q%"),
            (Sqlite, "SELECT 1 IN (:id, :id2)", "SELECT 1 IN (?1, ?2)", "id id2"),
        ] {
            assert_eq!(rendered(dialect, text, &Given::new("")), (sql.into(), slots.into()), "{text}");
        }
    }

    #[test]
    fn fragments_lists_and_choices_follow_the_arguments() {
        let find = "SELECT 1 WHERE a = :id[[ AND b = :id2]]ORDER BY:sort";
        let list = "SELECT 1 WHERE a IN ( :ids ) OR b not in (:ids)";
        for (dialect, text, given, sql, slots) in [
            (Sqlite, find, "id sort:newest", "a = ?1 ORDER BY made DESC, id", "id"),
            (Mysql, find, "id2 sort:near", "a = ? AND b = ? ORDER BY abs(total - ?)", "id id2 id"),
            (Sqlite, list, "ids=1", "a IN ( ?1) OR b not in (?1)", "ids[0]"),
            (Sqlite, list, "ids=3", "a IN ( ?1,?2,?3,?4) OR b not in (?1,?2,?3,?4)", "ids[0] ids[1] ids[2] ids[2]"),
            (Mysql, list, "ids=2", "a IN ( ?,?) OR b not in (?,?)", "ids[0] ids[1] ids[0] ids[1]"),
            (Sqlite, list, "ids=0", "a IN ( SELECT 1 WHERE 0) OR b not in (SELECT 1 WHERE 0)", ""),
            (Postgres, list, "ids=3", "a = ANY ($1) OR b <> ALL ($1)", "ids"),
            (Postgres, list, "", "a = ANY ($1) OR b <> ALL ($1)", "ids"),
            (Sqlite, list, "", "a IN ( NULL) OR b not in (NULL)", ""),
        ] {
            let sql = format!("SELECT 1 WHERE {sql}");
            assert_eq!(rendered(dialect, text, &Given::new(given)), (sql, slots.into()), "{text}");
        }
    }

    #[test]
    fn faults_point_at_the_text() {
        use FaultKind as F;
        let undeclared = || F::Undeclared { name: "x".into() };
        let list = || F::ListOutsideIn { name: "ids".into() };
        let like = || F::LikeOutsideLike { name: "q".into() };
        for (dialect, text, faults) in [
            (Sqlite, " -- only a note", vec![(F::Empty, " -- only a note")]),
            (
                Sqlite,
                "SELECT 'ü', :x, ?2, $y, @z",
                vec![
                    (undeclared(), ":x"),
                    (F::NativePlaceholder, "?2"),
                    (F::NativePlaceholder, "$y"),
                    (F::NativePlaceholder, "@z"),
                ],
            ),
            (Postgres, "SELECT $1, a ? 'k', b = ?", vec![(F::NativePlaceholder, "$1"), (F::NativePlaceholder, "?")]),
            (Sqlite, "SELECT {{id}}", vec![(F::Template, "{{id}}")]),
            (Sqlite, "SELECT 1; DELETE FROM t; x", vec![(F::SecondStatement, "DELETE")]),
            (Sqlite, "SELECT 1 [[ ;:id ]]", vec![(F::Separator, ";")]),
            (Sqlite, "SELECT 1 [[ :id [[ :id2 ]] ]]", vec![(F::NestedFragment, "[[")]),
            (Sqlite, "SELECT 1 [[ AND a = :id", vec![(F::UnclosedFragment, "[[")]),
            (Sqlite, "SELECT 1 AND a = :id ]]", vec![(F::UnopenedFragment, "]]")]),
            (Sqlite, "SELECT 1 [[ AND ':id' ]]", vec![(F::FragmentWithoutParam, "[[ AND ':id' ]]")]),
            (Mysql, "SELECT 1 [[AND a = :id ]]", vec![(F::TightFragment, "[[")]),
            (
                Sqlite,
                "SELECT 1 [[ AND (:id ]] )",
                vec![(F::UnbalancedParenthesis, "("), (F::UnbalancedParenthesis, ")")],
            ),
            (Sqlite, "SELECT ('it", vec![(F::UnclosedQuote, "'")]),
            (Postgres, "SELECT 1 /* /* */", vec![(F::UnclosedComment, "/")]),
            (Mysql, "SELECT 1 /*!; x */", vec![(F::ExecutableComment, "/*!; x */")]),
            (Sqlite, "SELECT :ids, a IN (1, :ids)", vec![(list(), ":ids"), (list(), ":ids")]),
            (Sqlite, "SELECT a = :q, a LIKE :q || 'x'", vec![(like(), ":q"), (like(), ":q")]),
            (Sqlite, "SELECT a LIKE :q ESCAPE '#'", vec![(F::LikeWithEscape { name: "q".into() }, "ESCAPE")]),
            (Sqlite, ":id", vec![(F::NoLeadingKeyword, ":id")]),
        ] {
            let found = read(dialect, text).expect_err(text);
            let found: Vec<_> = found.into_iter().map(|fault| (fault.kind, &text[fault.range])).collect();
            assert_eq!(found, faults, "{text}");
        }
    }

    #[test]
    fn options_are_read_like_the_statement() {
        let bad = ["a; b", "(a", "'a", ":x", ":sort", "[[ a ]]", "?"];
        let bad = bad.map(|text| (text.to_owned(), text.to_owned()));
        let params = [("sort".to_owned(), ParamKind::Choice(bad.to_vec()))].into();
        let text = "SELECT 1 ORDER BY :sort, :sort";
        let faults = compile(text, &params, Sqlite, Access::Read).unwrap_err();
        let kinds: Vec<_> = faults.into_iter().map(|fault| fault.kind).collect();
        let expected = [
            FaultKind::Separator,
            FaultKind::UnbalancedParenthesis,
            FaultKind::UnclosedQuote,
            FaultKind::Undeclared { name: "x".into() },
            FaultKind::ChoiceInChoice { name: "sort".into() },
            FaultKind::FragmentInChoice,
            FaultKind::NativePlaceholder,
        ];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn compiled_tells_what_it_uses() {
        let text = "SELECT ':id' WHERE :id2 [[ AND x IN (:ids) ]] ORDER BY :sort";
        let compiled = read(Sqlite, text).unwrap();
        assert_eq!(compiled.used.iter().collect::<Vec<_>>(), ["id", "id2", "ids", "sort"]);
        assert_eq!(compiled.unguarded.iter().collect::<Vec<_>>(), ["id", "id2", "sort"]);
        assert_eq!(compiled.quoted, [("id".to_owned(), 8..11)]);
    }

    /// How many values the engine would ask for.
    fn placeholders(dialect: Dialect, sql: &str) -> usize {
        let native = lex(sql, dialect).into_iter().filter(|token| token.kind == TokenKind::Native);
        let texts: Vec<_> = native.map(|token| &sql[token.range]).collect();
        match dialect {
            Mysql => texts.len(),
            Sqlite => texts.into_iter().collect::<BTreeSet<_>>().len(),
            // A `?` is an operator here, whatever it looks like.
            Postgres => texts.into_iter().filter(|text| *text != "?").collect::<BTreeSet<_>>().len(),
        }
    }

    fn check_any(dialect: Dialect, text: &str) -> bool {
        let tokens = lex(text, dialect);
        let ends = tokens.iter().map(|token| token.range.end);
        let starts = tokens.iter().map(|token| token.range.start);
        assert!(starts.chain([text.len()]).eq([0].into_iter().chain(ends)), "{text:?}");
        match read(dialect, text) {
            Ok(compiled) => {
                // A list as the bound of a slice is no SQL; written out it no longer looks like a bound.
                let is_bound = dialect == Postgres && text.contains("):");
                for given in ["", "id ids=0 sort:near", "id q ids=3 sort:newest"] {
                    if !is_bound && let Ok(rendered) = compiled.statement.render(&Given::new(given)) {
                        let asked = placeholders(dialect, &rendered.sql);
                        assert_eq!(asked, rendered.slots.len(), "{text:?} -> {:?}", rendered.sql);
                    }
                }
                assert!(!compiled.statement.variants(&|_| false).is_empty());
                true
            }
            Err(faults) => {
                let in_text =
                    |fault: &Fault| fault.place != Place::Statement || text.get(fault.range.clone()).is_some();
                assert!(!faults.is_empty() && faults.iter().all(in_text), "{text:?}");
                false
            }
        }
    }

    #[test]
    fn any_text_compiles_or_has_faults_and_binds_each_placeholder_once() {
        const PARTS: [&str; 40] = [
            "SELECT ",
            " ",
            "[[ ",
            " ]]",
            "[[",
            "]]",
            ":id",
            ":ids",
            ":q",
            ":sort",
            ":x",
            "(",
            ")",
            "IN (",
            "NOT IN (:ids)",
            " LIKE :q",
            "'",
            "\"",
            "`",
            "[",
            "]",
            "$$",
            "$a$",
            "E'",
            "\\",
            "--",
            "#",
            "/*",
            "*/",
            "/*!",
            ";",
            "::",
            ":=",
            "?",
            "@p1",
            "$1",
            "é",
            "\0",
            "{{",
            "a",
        ];
        let mut state = 7_u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % below
        };
        let mut compiled = 0;
        for _ in 0..TEXTS {
            let dialect = [Sqlite, Postgres, Mysql][random(3)];
            let parts = (0..random(9)).map(|_| PARTS[random(PARTS.len())]);
            let text: String = ["SELECT "].into_iter().chain(parts).collect();
            compiled += usize::from(check_any(dialect, &text));
        }
        assert!(compiled > TEXTS / 50, "{compiled}");
    }
}
