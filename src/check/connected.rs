//! Floor 4. What the databases say about the statements, held against what the author wrote. Serves
//! `check --connect`, and `check --catalog` on machines without the databases.

use sha2::{Digest as _, Sha256};

use super::places::{Places, Statement};
use crate::{
    catalog::{Catalog, Column, Entry, Finding, Misfit},
    diag::{Code, Diagnostic, Diagnostics, closest},
    plan::{
        Extent, Plan, Query,
        sql::{Access, Returns},
    },
    text::{FileSet, Span},
};

/// Everything that the catalog says against the tools of a plan.
#[must_use]
pub fn compare(plan: &Plan, catalog: &Catalog, places: &Places, files: &FileSet) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    for (name, query) in plan.statements() {
        let Some(place) = places.statement(&name) else { continue };
        let Some(entry) = catalog.entry(&name).filter(|entry| entry.digest == digest(query)) else {
            let words = "the catalog does not know this statement as it is now";
            let stale = Diagnostic::warning(Code::CatalogStale, place.query, words);
            diagnostics.push(stale.help("write the catalog anew: `mcp-bridge check --connect --catalog FILE`"));
            continue;
        };
        for finding in &entry.findings {
            diagnostics.push(word(finding, query, place, files));
        }
        if entry.findings.iter().all(|finding| matches!(finding, Finding::Scans(_) | Finding::Misfit(_))) {
            overrides(entry, query, place, &mut diagnostics);
            names(entry, query, place, &mut diagnostics);
        }
    }
    diagnostics.retain(|diagnostic| !places.silences.hold(diagnostic));
    diagnostics.sort(files);
    diagnostics
}

/// Stands for every text that the statement can have.
#[must_use]
pub fn digest(query: &Query) -> String {
    let mut digest = Sha256::new();
    for form in query.statement.variants(&|_| false) {
        digest.update(form.sql.as_bytes());
        digest.update([0]);
    }
    hex::encode(digest.finalize().get(..16).unwrap_or_default())
}

fn word(finding: &Finding, query: &Query, place: &Statement, files: &FileSet) -> Diagnostic {
    match finding {
        Finding::Refused { words } => {
            let span = named(words, place.query, files).unwrap_or(place.query);
            Diagnostic::error(Code::StatementRefused, span, format!("the database does not accept this: {words}"))
        }
        Finding::Writes => {
            let fault = Diagnostic::error(Code::StatementRefused, place.query, "the statement changes something");
            match query.access {
                Access::Read => fault.help("say `mode: write`, or make it a statement that only reads"),
                Access::Write => fault,
            }
        }
        Finding::Scans(scan) => {
            let words = format!("`{}` can be read from end to end, and has at least {} rows", scan.table, scan.rows);
            let at = find(&scan.table, place.query, files).unwrap_or(place.query);
            let advice = Diagnostic::warning(Code::FullScan, at, words);
            let advice =
                advice.help("an index on the columns of the condition, or a condition on indexed columns, avoids it");
            match query.extent {
                Extent::Limited => advice,
                Extent::Open | Extent::Whole => {
                    advice.help("without a LIMIT the database may compute more rows than are ever sent")
                }
            }
        }
        Finding::Misfit(Misfit { param, takes }) => {
            let at = find(&format!(":{param}"), place.query, files).unwrap_or(place.query);
            let words = format!("the database takes {takes} for `{param}`, and the param permits more");
            let advice = Diagnostic::warning(Code::ParamMisfit, at, words);
            advice.help("declare the param as the database takes it, or convert it in the statement")
        }
        Finding::Unreachable { words } => {
            Diagnostic::error(Code::SourceUnreachable, place.query, format!("the statement was not tried: {words}"))
        }
    }
}

/// Columns that the result has to rename.
fn names(entry: &Entry, query: &Query, place: &Statement, diagnostics: &mut Diagnostics) {
    let is_shown = match query.returns {
        Returns::Rows | Returns::Row => true,
        Returns::Value | Returns::Affected => false,
    };
    for Column { name, given, .. } in entry.columns.iter().filter(|_| is_shown) {
        let words = match given.as_deref() {
            None => continue,
            Some("") => format!("a column of the result has no name, and is called `{name}`"),
            Some(given) => format!("another column `{given}` of the result is called `{name}`"),
        };
        let advice = Diagnostic::warning(Code::ColumnRenamed, place.query, words);
        diagnostics.push(advice.help("give the column a name with AS"));
    }
}

/// Overrides of columns that the statement does not have.
fn overrides(entry: &Entry, query: &Query, place: &Statement, diagnostics: &mut Diagnostics) {
    let names = || entry.columns.iter().map(|Column { name, .. }| name.as_str());
    for column in query.columns.iter().filter(|column| names().all(|name| name != column.name)) {
        let span = place.columns.get(&column.name).copied().unwrap_or(place.query);
        let message = format!("the statement has no column `{}`", column.name);
        let fault = Diagnostic::error(Code::UnknownColumn, span, message);
        diagnostics.push(match closest(&column.name, names()) {
            Some(near) => fault.guess(near, span, near),
            None => fault.help(format!("its columns are {}", names().collect::<Vec<_>>().join(", "))),
        });
    }
}

/// The place of what the database's words are about: `no such column: nope`, `near "FORM"`,
/// `relation "boks" does not exist`.
fn named(words: &str, query: Span, files: &FileSet) -> Option<Span> {
    let quoted = words.split(['"', '\'', '`']).nth(1);
    let last = words.rsplit(": ").next().filter(|last| *last != words);
    quoted.or(last).and_then(|name| find(name, query, files))
}

/// The first place in the SQL text where a name stands as a word of its own.
fn find(name: &str, query: Span, files: &FileSet) -> Option<Span> {
    let text = files.slice(query);
    let is_word = |it: char| it.is_alphanumeric() || it == '_';
    let apart = |at: usize| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + name.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    };
    let at = text.match_indices(name).map(|(at, _)| at).find(|at| !name.is_empty() && apart(*at))?;
    let start = query.range().start + at;
    Some(Span::new(query.file, start, start + name.len()))
}
