//! Floor 5. From what PostgreSQL says to what the model is told. Its own words quote values and
//! statements, so they go to the log; the model gets the condition and names of the schema.
//! Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.

use std::{fmt, io, time::Duration};

use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::ErrorResponseBody;

use super::super::remote::{READ_ONLY, timed_out, unavailable};
use crate::upstream::error::{FailureClass, UpstreamError};

/// What the server said when it refused something.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    pub(super) code: String,
    message: String,
    table: Option<String>,
    column: Option<String>,
    constraint: Option<String>,
}

impl Refusal {
    pub(super) fn read(body: &ErrorResponseBody) -> Self {
        let mut refusal = Self::default();
        let mut fields = body.fields();
        while let Ok(Some(field)) = fields.next() {
            let value = || String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'C' => refusal.code = value(),
                b'M' => refusal.message = value(),
                b't' => refusal.table = Some(value()),
                b'c' => refusal.column = Some(value()),
                b'n' => refusal.constraint = Some(value()),
                _ => {}
            }
        }
        refusal
    }

    /// Two transactions wanted the same: the same one may succeed when it is tried again.
    pub(super) fn is_collision(&self) -> bool {
        matches!(self.code.as_str(), "40001" | "40P01")
    }

    /// A statement that was prepared is gone, or means something else since the tables were changed.
    pub(super) fn is_stale(&self) -> bool {
        match self.code.as_str() {
            "26000" => true,
            "0A000" => self.message.contains("cached plan"),
            _ => false,
        }
    }

    /// The server could not tell the type of a placeholder.
    pub(super) fn is_untyped(&self) -> bool {
        matches!(self.code.as_str(), "42P18" | "42P08" | "42725" | "42883")
    }

    /// The server is closing the connection.
    pub(super) fn is_farewell(&self) -> bool {
        matches!(self.code.as_str(), "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04")
    }

    /// As the error of a statement. `allowed` is how long it could take.
    #[cold]
    pub(super) fn of_statement(&self, source: &str, allowed: Duration) -> UpstreamError {
        let code = self.code.as_str();
        let (class, public) = match code {
            "57014" => return timed_out(allowed).caused_by(self),
            "25006" => (FailureClass::Refused, READ_ONLY.to_owned()),
            "42501" => (FailureClass::Refused, format!("the user of source `{source}` may not do this")),
            "55P03" => (FailureClass::Busy, format!("what is needed in source `{source}` is locked")),
            _ if self.is_collision() => {
                (FailureClass::Busy, "another transaction changed the same; nothing was kept, try again".to_owned())
            }
            _ if self.is_farewell() => return unavailable(source, "the server closed the connection").caused_by(self),
            _ => match code.get(..2) {
                Some("23") => (FailureClass::Refused, self.constraint()),
                Some("53") => (FailureClass::Busy, format!("source `{source}` is out of resources")),
                Some("08" | "58" | "XX") => return unavailable(source, "the server has a fault").caused_by(self),
                Some("22") => (FailureClass::Refused, format!("a value does not fit: {}", self.condition())),
                _ => (FailureClass::Refused, format!("the database refused the statement: {}", self.condition())),
            },
        };
        UpstreamError::new(class, public).caused_by(self)
    }

    /// As the error of an attempt to connect.
    #[cold]
    pub(super) fn of_connection(&self, source: &str) -> UpstreamError {
        let what = match self.code.as_str() {
            "28P01" => "the password was not accepted",
            "28000" => "the server does not let this user in from here",
            "3D000" => "the database does not exist",
            "42501" => "the user may not connect to this database",
            "57P03" => "the server is starting up or shutting down",
            "53300" | "53400" => {
                let public = format!("the server of source `{source}` has no connection left");
                return UpstreamError::new(FailureClass::Busy, public).caused_by(self);
            }
            _ => "the server refused the connection",
        };
        unavailable(source, what).caused_by(self)
    }

    fn constraint(&self) -> String {
        let kind = match self.code.as_str() {
            "23505" => "a unique",
            "23503" => "a foreign key",
            "23514" => "a check",
            "23502" => "a not null",
            "23P01" => "an exclusion",
            _ => return "a rule of the database was violated".to_owned(),
        };
        let subject = match (&self.constraint, &self.table, &self.column) {
            (Some(constraint), _, _) => format!(": {constraint}"),
            (None, Some(table), Some(column)) => format!(": {table}.{column}"),
            (None, _, Some(column)) => format!(": {column}"),
            (None, _, None) => String::new(),
        };
        format!("{kind} constraint was violated{subject}")
    }

    /// The name of the condition, and its code. Never the server's message: that quotes values.
    fn condition(&self) -> String {
        let name = match self.code.as_str() {
            "22001" => "a text is too long",
            "22003" => "a number is out of range",
            "22007" | "22008" => "a date or time is not one",
            "22012" => "division by zero",
            "22021" => "a character that the database does not have",
            "22P02" | "22P03" => "a text is not of the form that the type has",
            "22023" => "an argument of a function is out of range",
            "2202E" => "an array subscript is out of range",
            "42P01" => "a table does not exist",
            "42703" => "a column does not exist",
            "42883" => "a function or operator does not exist for these types",
            "42804" => "types do not match",
            "42601" => "a syntax error",
            "21000" => "a subquery gave more than one row",
            "54000" | "54001" | "54011" | "54023" => "it is too complex",
            "P0001" => "a function raised an error",
            _ => return format!("SQLSTATE {}", self.code),
        };
        format!("{name} (SQLSTATE {})", self.code)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

/// A connection that could not be made, by what the system says.
#[cold]
pub(super) fn unreachable(error: &io::Error, source: &str) -> UpstreamError {
    let what = match error.kind() {
        io::ErrorKind::ConnectionRefused => "the connection was refused",
        io::ErrorKind::TimedOut => "the server did not answer in time",
        io::ErrorKind::NotFound => "there is no such socket",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "the host cannot be reached",
        io::ErrorKind::PermissionDenied => "the socket may not be opened",
        _ => "the connection was lost",
    };
    unavailable(source, what).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_told_and_values_are_not() {
        let refusal = |code: &str| Refusal {
            code: code.to_owned(),
            message: "secret value 'x' in SELECT 1".to_owned(),
            constraint: Some("books_isbn_key".to_owned()),
            ..Refusal::default()
        };
        for (code, class, public) in [
            ("23505", FailureClass::Refused, "a unique constraint was violated: books_isbn_key"),
            ("25006", FailureClass::Refused, "the source is read-only"),
            ("57014", FailureClass::Timeout, "the query took longer than 2 s and was stopped"),
            (
                "22P02",
                FailureClass::Refused,
                "a value does not fit: a text is not of the form that the type has (SQLSTATE 22P02)",
            ),
            (
                "42P01",
                FailureClass::Refused,
                "the database refused the statement: a table does not exist (SQLSTATE 42P01)",
            ),
            ("42ZZZ", FailureClass::Refused, "the database refused the statement: SQLSTATE 42ZZZ"),
            ("57P01", FailureClass::Unreachable, "source `db` is not available: the server closed the connection"),
            ("53200", FailureClass::Busy, "source `db` is out of resources"),
        ] {
            let error = refusal(code).of_statement("db", Duration::from_secs(2));
            assert_eq!((error.class(), error.public()), (class, public), "{code}");
            assert!(error.cause().is_some_and(|cause| cause.contains("secret")));
        }
        let error = refusal("28P01").of_connection("db");
        assert_eq!(error.public(), "source `db` is not available: the password was not accepted");
    }
}
