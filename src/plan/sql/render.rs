//! Floor 3. Writes a statement's text and bind order for one call's arguments.

use std::sync::Arc;

use super::{Arguments, Dialect, Form, MAX_BINDS, Piece, RenderError, Rendered, Slot, Statement};

pub(super) fn write(statement: &Statement, arguments: &dyn Arguments) -> Result<Rendered, RenderError> {
    let mut writer =
        Writer { dialect: statement.dialect, arguments, sql: String::new(), slots: Vec::new(), lists: Vec::new() };
    writer.pieces(&statement.pieces)?;
    Ok(Rendered { sql: writer.sql.into(), slots: writer.slots.into() })
}

struct Writer<'a> {
    dialect: Dialect,
    arguments: &'a dyn Arguments,
    sql: String,
    slots: Vec<Slot>,
    /// Where the items of a list that was already written begin, to use their numbers again.
    lists: Vec<(&'a str, usize)>,
}

impl<'a> Writer<'a> {
    fn pieces(&mut self, pieces: &'a [Piece]) -> Result<(), RenderError> {
        for piece in pieces {
            match piece {
                Piece::Text(text) => self.sql.push_str(text),
                Piece::Bind(param) => self.bind(param, Form::Whole),
                Piece::Like(param, kind) => {
                    self.bind(param, Form::Like(*kind));
                    self.sql.push_str(" ESCAPE '!'");
                }
                Piece::List(param) => self.list(param)?,
                Piece::Choice(param, options) => {
                    let key = self.arguments.choice(param);
                    let option = options.iter().find(|option| Some(option.key.as_str()) == key);
                    let option = option.ok_or_else(|| RenderError::NoChoice { param: Arc::clone(param) })?;
                    self.pieces(&option.pieces)?;
                }
                Piece::Fragment { pieces, needs } => {
                    if needs.iter().all(|param| self.arguments.present(param)) {
                        self.pieces(pieces)?;
                    }
                    // A border keeps the words on both sides of a fragment apart.
                    if !self.sql.ends_with(char::is_whitespace) {
                        self.sql.push(' ');
                    }
                }
            }
        }
        Ok(())
    }

    fn bind(&mut self, param: &Arc<str>, form: Form) {
        let slot = Slot { param: Arc::clone(param), form };
        let known = match self.dialect {
            Dialect::Sqlite | Dialect::Postgres => self.slots.iter().position(|other| *other == slot),
            Dialect::Mysql => None,
        };
        let index = known.unwrap_or(self.slots.len());
        if known.is_none() {
            self.slots.push(slot);
        }
        self.placeholder(index);
    }

    fn placeholder(&mut self, index: usize) {
        match self.dialect {
            Dialect::Sqlite => self.sql.push('?'),
            Dialect::Postgres => self.sql.push('$'),
            Dialect::Mysql => return self.sql.push('?'),
        }
        self.sql.push_str(&(index + 1).to_string());
    }

    fn list(&mut self, param: &'a Arc<str>) -> Result<(), RenderError> {
        let items = match self.arguments.list_len(param) {
            // An absent list is NULL, as any other absent value: neither form matches.
            None => {
                self.sql.push_str("NULL)");
                return Ok(());
            }
            Some(0) => {
                self.sql.push_str(empty_list(self.dialect));
                return Ok(());
            }
            Some(items) => items,
        };
        let known = match self.dialect {
            Dialect::Sqlite | Dialect::Postgres => {
                self.lists.iter().find(|(name, _)| *name == param.as_ref()).map(|(_, first)| *first)
            }
            Dialect::Mysql => None,
        };
        let too_many = || RenderError::TooManyBinds { param: Arc::clone(param) };
        // Powers of two keep the number of distinct texts, and so of prepared statements, small.
        let padded = items.checked_next_power_of_two().ok_or_else(too_many)?.min(MAX_BINDS);
        if padded < items || (known.is_none() && self.slots.len() + padded > MAX_BINDS) {
            return Err(too_many());
        }
        let first = known.unwrap_or(self.slots.len());
        if known.is_none() {
            self.lists.push((param, first));
            self.slots.extend(
                (0..padded).map(|item| Slot { param: Arc::clone(param), form: Form::Item(item.min(items - 1)) }),
            );
        }
        for item in 0..padded {
            if item > 0 {
                self.sql.push(',');
            }
            self.placeholder(first + item);
        }
        self.sql.push(')');
        Ok(())
    }
}

/// What follows `IN (` when there is no item. `NULL` alone would make `NOT IN` and `NOT (… IN …)`
/// match nothing.
const fn empty_list(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "SELECT 1 WHERE 0)",
        Dialect::Mysql => "SELECT 1 FROM DUAL WHERE FALSE)",
        // Lists are arrays there, and bound as one value: see `check::sql`.
        Dialect::Postgres => "NULL)",
    }
}
