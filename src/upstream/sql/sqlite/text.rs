//! Floor 5. What the text of a statement tells a `SQLite` connection before it is prepared. Serves as
//! a second line behind `check` and the engine's read-only mode: some statements act outside both.

use crate::plan::sql::Access;

/// What a statement is by its keywords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) verb: Verb,
    /// `SELECT *` and the like: the columns are decided anew when the schema changes.
    pub(super) has_star: bool,
}

/// What a statement does by its first keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// It reads.
    Read,
    /// It adds, changes or removes rows.
    Change,
    /// It defines tables and the like.
    Define,
    /// It is about the session, the transaction or other files: `ATTACH`, `VACUUM INTO`, `PRAGMA`,
    /// `COMMIT`. None of them is stopped by a read-only connection, so none runs at all.
    Session,
}

impl Facts {
    pub(super) fn of(sql: &str) -> Self {
        let mut tokens = Tokens { rest: sql }.peekable();
        let mut verb = Verb::Session;
        let mut has_star = false;
        let mut is_with = false;
        let mut before: Option<Token<'_>> = None;
        while let Some(token) = tokens.next() {
            match (before, token) {
                (None, Token::Word(word)) => {
                    verb = Verb::of(word);
                    is_with = is("WITH", word);
                }
                // In WITH the statement itself comes later; `replace(…)` is a function.
                (Some(_), Token::Word(word))
                    if is_with
                        && CHANGING.iter().any(|keyword| is(keyword, word))
                        && tokens.peek() != Some(&Token::Symbol('(')) =>
                {
                    verb = Verb::Change;
                }
                (Some(before), Token::Symbol('*')) => has_star |= before.introduces_columns(),
                (_, Token::Word(_) | Token::Symbol(_) | Token::Quoted) => {}
            }
            before = Some(token);
        }
        Self { verb, has_star }
    }

    /// Whether a call with this access may run the statement.
    pub(super) fn is_permitted(self, access: Access) -> bool {
        match (self.verb, access) {
            (Verb::Read, _) | (Verb::Change | Verb::Define, Access::Write) => true,
            (Verb::Change | Verb::Define, Access::Read) | (Verb::Session, _) => false,
        }
    }
}

/// The statements that `sqlite3_changes` counts the rows of.
const CHANGING: [&str; 4] = ["INSERT", "UPDATE", "DELETE", "REPLACE"];

impl Verb {
    fn of(keyword: &str) -> Self {
        const READING: [&str; 4] = ["SELECT", "WITH", "VALUES", "EXPLAIN"];
        const DEFINING: [&str; 5] = ["CREATE", "DROP", "ALTER", "REINDEX", "ANALYZE"];
        let among = |keywords: &[&str]| keywords.iter().any(|known| is(known, keyword));
        if among(&READING) {
            Self::Read
        } else if among(&CHANGING) {
            Self::Change
        } else if among(&DEFINING) {
            Self::Define
        } else {
            Self::Session
        }
    }
}

fn is(keyword: &str, word: &str) -> bool {
    keyword.eq_ignore_ascii_case(word)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Quoted,
    Symbol(char),
}

impl Token<'_> {
    /// Whether a `*` after this means "all columns" and not a product or `count(*)`.
    fn introduces_columns(self) -> bool {
        match self {
            Self::Symbol(symbol) => matches!(symbol, ',' | '.'),
            Self::Word(word) => ["SELECT", "ALL", "DISTINCT", "RETURNING"].iter().any(|keyword| is(keyword, word)),
            Self::Quoted => false,
        }
    }
}

/// The words and symbols of a text, without comments and what is in quotes.
struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blank();
        let mut rest = self.rest.chars();
        let first = rest.next()?;
        let closing = match first {
            '\'' | '"' | '`' => Some(first),
            '[' => Some(']'),
            _ => None,
        };
        if let Some(closing) = closing {
            self.rest = after(rest.as_str(), closing);
            return Some(Token::Quoted);
        }
        if !is_word(first) {
            self.rest = rest.as_str();
            return Some(Token::Symbol(first));
        }
        let end = self.rest.find(|character| !is_word(character)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        Some(Token::Word(word))
    }
}

impl Tokens<'_> {
    fn skip_blank(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            if let Some(comment) = self.rest.strip_prefix("--") {
                self.rest = after(comment, '\n');
            } else if let Some(comment) = self.rest.strip_prefix("/*") {
                self.rest = comment.split_once("*/").map_or("", |(_, rest)| rest);
            } else {
                return;
            }
        }
    }
}

fn after(text: &str, end: char) -> &str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_a_statement_does() {
        let table = [
            ("select 1", Verb::Read, false),
            (" /* a */ -- b\n SELECT 1", Verb::Read, false),
            ("VALUES (1)", Verb::Read, false),
            ("EXPLAIN QUERY PLAN DELETE FROM t", Verb::Read, false),
            ("WITH a AS (SELECT replace(x, 'a', 'b') FROM t) SELECT x FROM a", Verb::Read, false),
            ("WITH a AS (SELECT 1) INSERT INTO t SELECT x FROM a", Verb::Change, false),
            ("insert into t values (1)", Verb::Change, false),
            ("REPLACE INTO t VALUES (1)", Verb::Change, false),
            ("CREATE TABLE t (a)", Verb::Define, false),
            ("ATTACH 'x' AS y", Verb::Session, false),
            ("VACUUM INTO 'x'", Verb::Session, false),
            ("PRAGMA query_only = 0", Verb::Session, false),
            ("COMMIT", Verb::Session, false),
            ("(SELECT 1)", Verb::Session, false),
            ("", Verb::Session, false),
            ("SELECT * FROM t", Verb::Read, true),
            ("SELECT/**/* FROM t", Verb::Read, true),
            ("SELECT a, t.* FROM t", Verb::Read, true),
            ("SELECT a, * FROM t", Verb::Read, true),
            ("SELECT DISTINCT * FROM t", Verb::Read, true),
            ("DELETE FROM t RETURNING *", Verb::Change, true),
            ("SELECT count(*), a * 2, 'SELECT *', \"x.*\" FROM t -- SELECT *", Verb::Read, false),
        ];
        for (sql, verb, has_star) in table {
            assert_eq!(Facts::of(sql), Facts { verb, has_star }, "{sql}");
        }
    }
}
