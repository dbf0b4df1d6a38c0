//! Floor 5. From what MySQL, MariaDB and the driver say to what the model is told. Their words quote
//! values and statements, so they go to the log; the model gets the condition and names of the
//! schema. Numbers: <https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>,
//! <https://mariadb.com/kb/en/mariadb-error-code-reference/>.

use std::{fmt, io, time::Duration};

use sqlx::mysql::MySqlDatabaseError;

use super::super::remote::{READ_ONLY, timed_out, unavailable};
use crate::upstream::error::{FailureClass, UpstreamError};

/// Why an exchange with the server failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server said no. The session is as good as before.
    Refused(Refusal),
    /// The session is lost, or cannot be trusted any more.
    Lost(String),
}

/// What the server said when it refused something.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    number: u16,
    state: String,
    message: String,
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error().and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>()) {
            Some(refusal) => Self::Refused(Refusal {
                number: refusal.number(),
                state: refusal.code().unwrap_or_default().to_owned(),
                message: refusal.message().to_owned(),
            }),
            None => Self::Lost(error.to_string()),
        }
    }
}

impl Refusal {
    /// Two transactions wanted the same: the same one may succeed when it is tried again.
    pub(super) const fn is_collision(&self) -> bool {
        // A deadlock; a row that changed since it was read; a statement that has to be prepared anew.
        matches!(self.number, 1213 | 1020 | 1615)
    }

    /// The statement was stopped: by us, by another, or because its time was up.
    pub(super) const fn is_interruption(&self) -> bool {
        matches!(self.number, 1317 | 1969 | 3024)
    }

    /// It would have written, and may not.
    pub(super) const fn is_of_a_write(&self) -> bool {
        self.number == 1792
    }

    /// The server is closing the connection.
    pub(super) const fn is_farewell(&self) -> bool {
        matches!(self.number, 1053 | 1152 | 1158..=1161 | 1184 | 1927 | 4031)
    }

    /// As the error of a statement. `allowed` is how long it could take.
    pub(super) fn of_statement(&self, source: &str, allowed: Duration) -> UpstreamError {
        let (class, public) = match self.number {
            _ if self.is_interruption() => return timed_out(allowed).caused_by(self),
            _ if self.is_farewell() => return unavailable(source, "the server closed the connection").caused_by(self),
            _ if self.is_collision() => {
                (FailureClass::Busy, "another transaction changed the same; nothing was kept, try again".to_owned())
            }
            1792 | 1290 | 1836 => (FailureClass::Refused, READ_ONLY.to_owned()),
            1044 | 1142 | 1143 | 1227 | 1370 | 1045 => {
                (FailureClass::Refused, format!("the user of source `{source}` may not do this"))
            }
            1205 | 3572 => (FailureClass::Busy, format!("what is needed in source `{source}` is locked")),
            1037 | 1038 | 1041 | 1114 | 1206 | 1461 => {
                (FailureClass::Busy, format!("source `{source}` is out of resources"))
            }
            1153 | 1301 => (FailureClass::TooLarge, "a value is larger than the server sends or takes".to_owned()),
            _ if self.state.starts_with("23") || matches!(self.number, 1364 | 3819 | 4025) => {
                (FailureClass::Refused, self.constraint())
            }
            _ if self.state.starts_with("22") || matches!(self.number, 1265 | 1366 | 1411) => {
                (FailureClass::Refused, format!("a value does not fit: {}", self.condition()))
            }
            _ => (FailureClass::Refused, format!("the database refused the statement: {}", self.condition())),
        };
        UpstreamError::new(class, public).caused_by(self)
    }

    /// As the error of an attempt to connect.
    pub(super) fn of_connection(&self, source: &str) -> UpstreamError {
        let what = match self.number {
            1045 | 1698 => "the password was not accepted",
            1044 => "the user may not connect to this database",
            1049 => "the database does not exist",
            1129 | 1130 => "the server does not let this user in from here",
            1820 | 1862 => "the password has expired",
            3118 | 4151 => "the user is locked",
            1053 => "the server is starting up or shutting down",
            1040 | 1203 | 1226 => {
                let public = format!("the server of source `{source}` has no connection left");
                return UpstreamError::new(FailureClass::Busy, public).caused_by(self);
            }
            _ => "the server refused the connection",
        };
        unavailable(source, what).caused_by(self)
    }

    /// Which rule was broken, with the name that the schema has for it.
    fn constraint(&self) -> String {
        let (kind, name) = match self.number {
            1022 | 1062 | 1169 | 1586 => ("a unique", self.last_quoted("for key '", '\'')),
            1216 | 1217 | 1451 | 1452 => ("a foreign key", self.first_quoted("CONSTRAINT `", '`')),
            1048 | 1364 => ("a not null", self.first_quoted("'", '\'')),
            3819 => ("a check", self.first_quoted("'", '\'')),
            4025 => ("a check", self.first_quoted("CONSTRAINT `", '`')),
            _ => return "a rule of the database was violated".to_owned(),
        };
        match name {
            Some(name) => format!("{kind} constraint was violated: {name}"),
            None => format!("{kind} constraint was violated"),
        }
    }

    /// A name that stands behind the first occurrence of some words. They come before any value.
    fn first_quoted(&self, words: &str, end: char) -> Option<&str> {
        self.message.split_once(words)?.1.split(end).next().filter(|name| !name.is_empty())
    }

    /// A name that stands behind the last occurrence of some words. A value comes before them.
    fn last_quoted(&self, words: &str, end: char) -> Option<&str> {
        self.message.rsplit_once(words)?.1.split(end).next().filter(|name| !name.is_empty())
    }

    /// The name of the condition, and its number. Never the server's message: that quotes values.
    fn condition(&self) -> String {
        let name = match self.number {
            1406 => "a text is too long",
            1264 | 1690 => "a number is out of range",
            1292 | 1411 | 1525 => "a date, time or number is not one",
            1365 => "division by zero",
            1366 => "a text is not of the form that the type has",
            1265 => "it is not one of the values that the column takes",
            1054 => "a column does not exist",
            1064 => "a syntax error",
            1146 | 1051 => "a table does not exist",
            1242 => "a subquery gave more than one row",
            1305 | 1630 => "a function or procedure does not exist",
            1644 => "a trigger or routine raised an error",
            3140 | 4038 => "a text is not JSON",
            1055 => "a column is neither grouped by nor aggregated",
            _ => return format!("error {} (SQLSTATE {})", self.number, self.state),
        };
        format!("{name} (error {}, SQLSTATE {})", self.number, self.state)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({}): {}", self.number, self.state, self.message)
    }
}

/// A session that was lost, as the error of a call.
pub(super) fn lost(cause: &str, source: &str) -> UpstreamError {
    unavailable(source, "the connection was lost").caused_by(cause)
}

/// A connection that could not be made.
pub(super) fn unreachable(error: sqlx::Error, source: &str) -> UpstreamError {
    let what = match &error {
        sqlx::Error::Io(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => "the connection was refused",
            io::ErrorKind::TimedOut => "the server did not answer in time",
            io::ErrorKind::NotFound => "there is no such socket",
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "the host cannot be reached",
            io::ErrorKind::PermissionDenied => "the socket may not be opened",
            io::ErrorKind::InvalidData => NO_TLS,
            _ => "the connection was lost",
        },
        sqlx::Error::Tls(cause) if cause.to_string().contains("does not support") => "the server offers no TLS",
        sqlx::Error::Tls(_) => NO_TLS,
        // The only thing that is not configured in is sending a password without TLS.
        sqlx::Error::Configuration(_) => "the server asks for a password in a way that needs TLS",
        sqlx::Error::Protocol(cause) if cause.contains("auth") => {
            "the server asks for a way to sign in that is not known"
        }
        _ => match Failure::from(error) {
            Failure::Refused(refusal) => return refusal.of_connection(source),
            Failure::Lost(cause) => return unavailable(source, "the server answers oddly").caused_by(cause),
        },
    };
    unavailable(source, what).caused_by(error)
}

const NO_TLS: &str = "the TLS connection could not be made, or the certificate is not trusted";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_told_and_values_are_not() {
        let refusal = |number: u16, state: &str, message: &str| Refusal {
            number,
            state: state.to_owned(),
            message: message.to_owned(),
        };
        let fk =
            "Cannot add or update a child row: a foreign key constraint fails (`d`.`t`, CONSTRAINT `own` FOREIGN KEY";
        for (number, state, message, class, public) in [
            (
                1062,
                "23000",
                "Duplicate entry 'secret for key ' for key 'isbn'",
                FailureClass::Refused,
                "a unique constraint was violated: isbn",
            ),
            (1452, "23000", fk, FailureClass::Refused, "a foreign key constraint was violated: own"),
            (
                1048,
                "23000",
                "Column 'name' cannot be null",
                FailureClass::Refused,
                "a not null constraint was violated: name",
            ),
            (
                4025,
                "23000",
                "CONSTRAINT `t.pages` failed for `d`.`t`",
                FailureClass::Refused,
                "a check constraint was violated: t.pages",
            ),
            (1792, "25006", "", FailureClass::Refused, "the source is read-only"),
            (1969, "70100", "", FailureClass::Timeout, "the query took longer than 2 s and was stopped"),
            (
                1366,
                "22007",
                "Incorrect integer value: 'secret'",
                FailureClass::Refused,
                "a value does not fit: a text is not of the form that the type has (error 1366, SQLSTATE 22007)",
            ),
            (
                1146,
                "42S02",
                "",
                FailureClass::Refused,
                "the database refused the statement: a table does not exist (error 1146, SQLSTATE 42S02)",
            ),
            (
                9999,
                "HY000",
                "secret",
                FailureClass::Refused,
                "the database refused the statement: error 9999 (SQLSTATE HY000)",
            ),
            (
                1927,
                "70100",
                "",
                FailureClass::Unreachable,
                "source `db` is not available: the server closed the connection",
            ),
            (1205, "HY000", "", FailureClass::Busy, "what is needed in source `db` is locked"),
        ] {
            let error = refusal(number, state, message).of_statement("db", Duration::from_secs(2));
            assert_eq!((error.class(), error.public()), (class, public), "{number}");
        }
        let error = refusal(1045, "28000", "Access denied for user").of_connection("db");
        assert_eq!(error.public(), "source `db` is not available: the password was not accepted");
    }
}
