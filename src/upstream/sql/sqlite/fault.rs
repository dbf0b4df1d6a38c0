//! Floor 5. From what `SQLite` says to what the model is told. The engine's own words, which quote
//! the statement, go to the log.

use std::time::Duration;

use rusqlite::Error;

use crate::upstream::error::{FailureClass, UpstreamError};

// Result codes (sqlite.org/rescode.html). The low byte of an extended code is its primary code.
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const INTERRUPT: i32 = 9;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const TOOBIG: i32 = 18;
const CONSTRAINT: i32 = 19;
const MISMATCH: i32 = 20;
const AUTH: i32 = 23;
const NOTADB: i32 = 26;
const CONSTRAINT_CHECK: i32 = 275;
const CONSTRAINT_FOREIGNKEY: i32 = 787;
const CONSTRAINT_NOTNULL: i32 = 1299;
const CONSTRAINT_PRIMARYKEY: i32 = 1555;
const CONSTRAINT_UNIQUE: i32 = 2067;
const CONSTRAINT_ROWID: i32 = 2579;
const CONSTRAINT_DATATYPE: i32 = 3091;

/// A statement that failed. `allowed` is how long it could take.
#[cold]
pub(super) fn statement(error: &Error, source: &str, allowed: Duration) -> UpstreamError {
    let code = code(error);
    let (class, public) = match code & 0xff {
        CONSTRAINT => (FailureClass::Refused, constraint(code, message(error))),
        INTERRUPT => return timed_out(allowed).caused_by(error),
        BUSY | LOCKED => (FailureClass::Busy, format!("source `{source}` is locked by another writer")),
        READONLY => (FailureClass::Refused, "the source is read-only".to_owned()),
        AUTH => (FailureClass::Refused, format!("source `{source}` does not run statements of this kind")),
        CORRUPT | NOTADB => return unavailable(source, DAMAGED).caused_by(error),
        CANTOPEN => return unavailable(source, UNOPENED).caused_by(error),
        FULL => (FailureClass::Refused, format!("the disk of source `{source}` is full")),
        TOOBIG => (FailureClass::TooLarge, "a value is larger than the database takes".to_owned()),
        MISMATCH => (FailureClass::Refused, "a value has the wrong type for its column".to_owned()),
        _ => (FailureClass::Refused, "the database refused the statement".to_owned()),
    };
    UpstreamError::new(class, public).caused_by(cause(error))
}

/// Whether the engine said no and the connection is as good as before.
pub(super) fn leaves_connection_clean(error: &Error) -> bool {
    !matches!(code(error) & 0xff, CORRUPT | NOTADB | CANTOPEN)
}

/// Whether the statement was stopped.
pub(super) fn is_interrupt(error: &Error) -> bool {
    code(error) & 0xff == INTERRUPT
}

/// Whether somebody else holds what the statement needs.
pub(super) fn is_busy(error: &Error) -> bool {
    matches!(code(error) & 0xff, BUSY | LOCKED)
}

/// What a statement that was stopped says.
pub(super) fn interrupted() -> Error {
    Error::SqliteFailure(rusqlite::ffi::Error::new(INTERRUPT), None)
}

/// Whether the engine would have to make a file beside the database and could not.
pub(super) fn is_unwritable(error: &Error) -> bool {
    matches!(code(error) & 0xff, CANTOPEN | READONLY)
}

/// A database that could not be opened.
#[cold]
pub(super) fn opening(error: &Error, source: &str) -> UpstreamError {
    let what = match code(error) & 0xff {
        NOTADB => "the file is not a database",
        CORRUPT => DAMAGED,
        BUSY | LOCKED => "the database is locked by another process",
        _ => UNOPENED,
    };
    unavailable(source, what).caused_by(error)
}

const DAMAGED: &str = "the database file is damaged";
const UNOPENED: &str = "the database file cannot be opened";

/// A database that is not there.
#[cold]
pub(super) fn unavailable(source: &str, what: &str) -> UpstreamError {
    let public = format!("source `{source}` is not available: {what}");
    UpstreamError::new(FailureClass::Unreachable, public)
}

/// A statement that took longer than it could.
#[cold]
pub(super) fn timed_out(allowed: Duration) -> UpstreamError {
    let public = format!("the query took longer than {} and was stopped", spoken(allowed));
    UpstreamError::new(FailureClass::Timeout, public)
}

/// `250 ms`, `1.5 s`, `15 s`.
fn spoken(time: Duration) -> String {
    let tenths = (time + Duration::from_millis(50)).as_millis() / 100;
    match (tenths / 10, tenths % 10) {
        (0, _) => format!("{} ms", time.as_millis()),
        (seconds, 0) => format!("{seconds} s"),
        (seconds, tenth) => format!("{seconds}.{tenth} s"),
    }
}

/// The engine's extended code; 0 when the driver refused before the engine was asked.
fn code(error: &Error) -> i32 {
    match error {
        Error::SqliteFailure(error, _) | Error::SqlInputError { error, .. } => error.extended_code,
        _ => 0,
    }
}

fn message(error: &Error) -> &str {
    match error {
        Error::SqliteFailure(_, Some(message)) | Error::SqlInputError { msg: message, .. } => message,
        _ => "",
    }
}

/// What the engine says, without the statement that it says it about.
fn cause(error: &Error) -> String {
    match message(error) {
        "" => error.to_string(),
        message => message.to_owned(),
    }
}

fn constraint(code: i32, message: &str) -> String {
    let kind = match code {
        CONSTRAINT_UNIQUE | CONSTRAINT_PRIMARYKEY | CONSTRAINT_ROWID => "a unique",
        CONSTRAINT_FOREIGNKEY => "a foreign key",
        CONSTRAINT_CHECK => "a check",
        CONSTRAINT_NOTNULL => "a not null",
        CONSTRAINT_DATATYPE => "a data type",
        _ => return "a rule of the database was violated".to_owned(),
    };
    let public = format!("{kind} constraint was violated");
    match subject(message) {
        Some(subject) => format!("{public}: {subject}"),
        None => public,
    }
}

/// What `UNIQUE constraint failed: books.isbn` names: columns, or the name of a check. Everything
/// else, such as the expression of a check, is SQL text.
fn subject(message: &str) -> Option<&str> {
    let (_, subject) = message.split_once("constraint failed: ")?;
    let is_name = |character: char| character.is_alphanumeric() || matches!(character, '_' | '.');
    let are_names = subject.split(", ").all(|name| !name.is_empty() && name.chars().all(is_name));
    are_names.then_some(subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_columns_and_nothing_else() {
        let table = [
            ("UNIQUE constraint failed: books.isbn", Some("books.isbn")),
            ("UNIQUE constraint failed: a.b, a.c", Some("a.b, a.c")),
            ("CHECK constraint failed: price_is_positive", Some("price_is_positive")),
            ("CHECK constraint failed: price > 0 AND x <> 'secret'", None),
            ("UNIQUE constraint failed: index 'by_lower'", None),
            ("FOREIGN KEY constraint failed", None),
        ];
        for (message, expected) in table {
            assert_eq!(subject(message), expected, "{message}");
        }
    }

    #[test]
    fn speaks_of_times_as_people_do() {
        let table = [(15_000, "15 s"), (14_999, "15 s"), (1_500, "1.5 s"), (960, "1 s"), (250, "250 ms"), (0, "0 ms")];
        for (millis, expected) in table {
            assert_eq!(spoken(Duration::from_millis(millis)), expected);
        }
    }
}
