//! Floor 5. What the text of a statement tells a `SQLite` connection before it is prepared. Serves as
//! a second line behind `check` and the engine's read-only mode: some statements act outside both.

use crate::plan::sql::Access;

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

/// The statements that `sqlite3_changes` counts the rows of.
const CHANGING: [&str; 4] = ["INSERT", "UPDATE", "DELETE", "REPLACE"];

impl Verb {
    /// What a statement does.
    pub(super) fn of(sql: &str) -> Self {
        let mut tokens = Tokens { rest: sql }.peekable();
        let Some(Token::Word(first)) = tokens.next() else { return Self::Session };
        if !is("WITH", first) {
            return Self::of_keyword(first);
        }
        // The statement itself comes later; `replace(…)` is a function.
        while let Some(token) = tokens.next() {
            if let Token::Word(word) = token
                && CHANGING.iter().any(|keyword| is(keyword, word))
                && tokens.peek() != Some(&Token::Symbol('('))
            {
                return Self::Change;
            }
        }
        Self::Read
    }

    /// Whether a call with this access may run the statement.
    pub(super) fn is_permitted(self, access: Access) -> bool {
        match (self, access) {
            (Self::Read, _) | (Self::Change | Self::Define, Access::Write) => true,
            (Self::Change | Self::Define, Access::Read) | (Self::Session, _) => false,
        }
    }

    fn of_keyword(keyword: &str) -> Self {
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
            ("select 1", Verb::Read),
            (" /* a */ -- b\n SELECT 1", Verb::Read),
            ("VALUES (1)", Verb::Read),
            ("EXPLAIN QUERY PLAN DELETE FROM t", Verb::Read),
            ("WITH a AS (SELECT replace(x, 'a', 'b') FROM t) SELECT x FROM a", Verb::Read),
            ("WITH a AS (SELECT 1) INSERT INTO t SELECT x FROM a", Verb::Change),
            ("insert into t values (1)", Verb::Change),
            ("REPLACE INTO t VALUES (1)", Verb::Change),
            ("CREATE TABLE t (a)", Verb::Define),
            ("ATTACH 'x' AS y", Verb::Session),
            ("VACUUM INTO 'x'", Verb::Session),
            ("PRAGMA query_only = 0", Verb::Session),
            ("COMMIT", Verb::Session),
            ("(SELECT 1)", Verb::Session),
            ("", Verb::Session),
            ("SELECT * FROM t", Verb::Read),
            ("SELECT/**/* FROM t", Verb::Read),
            ("SELECT a, t.* FROM t", Verb::Read),
            ("SELECT a, * FROM t", Verb::Read),
            ("SELECT DISTINCT * FROM t", Verb::Read),
            ("DELETE FROM t RETURNING *", Verb::Change),
            ("SELECT count(*), a * 2, 'SELECT *', \"x.*\" FROM t -- SELECT *", Verb::Read),
        ];
        for (sql, verb) in table {
            assert_eq!(Verb::of(sql), verb, "{sql}");
        }
    }
}
