//! Floor 7. What the conditions of a table say about the values of a column: `status IN ('open', 'shipped')`,
//! as it was written or as the database tells it again. What is not understood says nothing.

use crate::plan::sql::Dialect;

/// A column, and the values it can have, as texts.
pub(super) type Membership = (String, Vec<String>);

/// A part of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A word, in the case in which it is written.
    Word(String),
    /// A name in quotes.
    Name(String),
    /// A text.
    Text(String),
    Number(String),
    Sign(char),
}

/// What a text says. Of SQLite it is all that made the table, of PostgreSQL a constraint, and of MySQL and
/// MariaDB the condition alone.
pub(super) fn memberships(text: &str, dialect: Dialect) -> Vec<Membership> {
    let tokens = without_casts(&tokens(text, dialect));
    let mut found = Vec::new();
    if dialect == Dialect::Mysql {
        conjunction(&tokens, dialect, &mut found);
        return found;
    }
    for (at, token) in tokens.iter().enumerate() {
        if is_word(token, "CHECK")
            && let Some(inner) = tokens.get(at + 1..).and_then(group)
        {
            conjunction(inner, dialect, &mut found);
        }
    }
    found
}

/// The values in a list of texts, as in `enum('a','b')`.
pub(super) fn listed(declared: &str) -> Vec<String> {
    let texts = tokens(declared, Dialect::Mysql).into_iter().filter_map(|token| match token {
        Token::Text(text) => Some(text),
        _ => None,
    });
    texts.collect()
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(it) if it.eq_ignore_ascii_case(word))
}

/// What stands between the parentheses with which tokens begin.
fn group(tokens: &[Token]) -> Option<&[Token]> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return if at > 0 { tokens.get(1..at) } else { None };
        }
    }
    None
}

/// Without the parentheses that hold all of it.
fn bare(mut tokens: &[Token]) -> &[Token] {
    while let Some(inner) = group(tokens).filter(|inner| inner.len() + 2 == tokens.len()) {
        tokens = inner;
    }
    tokens
}

/// The parts between the words that stand outside of parentheses.
fn parts<'t>(tokens: &'t [Token], word: &str) -> Vec<&'t [Token]> {
    let (mut depth, mut start, mut all) = (0_i32, 0, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign('(' | '[') => depth += 1,
            Token::Sign(')' | ']') => depth -= 1,
            token if depth == 0 && is_word(token, word) => {
                all.extend(tokens.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    all.extend(tokens.get(start..));
    all
}

/// Each of several conditions that all hold says something by itself.
fn conjunction(tokens: &[Token], dialect: Dialect, found: &mut Vec<Membership>) {
    let tokens = bare(tokens);
    let all = parts(tokens, "AND");
    if all.len() > 1 {
        for part in all {
            conjunction(part, dialect, found);
        }
        return;
    }
    // A column that may be NULL often says so: `x IS NULL OR x IN (…)`.
    let others = parts(tokens, "OR").into_iter().filter(|part| !is_null_test(bare(part)));
    if let [only] = others.collect::<Vec<_>>().as_slice() {
        found.extend(membership(bare(only), dialect));
    }
}

fn is_null_test(tokens: &[Token]) -> bool {
    tokens.len() >= 3
        && tokens.iter().rev().zip(["NULL", "IS"]).all(|(token, word)| is_word(token, word))
        && !tokens.iter().any(|token| is_word(token, "NOT"))
}

/// `x IN ('a', 'b')`, `x = ANY (ARRAY['a', 'b'])`, `x = 'a'`.
fn membership(tokens: &[Token], dialect: Dialect) -> Option<Membership> {
    let operator = tokens.iter().position(|token| is_word(token, "IN") || *token == Token::Sign('='))?;
    let (left, right) = tokens.split_at(operator);
    let column = match bare(left) {
        [Token::Word(name) | Token::Name(name)] => name.clone(),
        _ => return None,
    };
    let (operator, right) = right.split_first()?;
    let values = match right {
        values if is_word(operator, "IN") => bare(values),
        [any, rest @ ..] if is_word(any, "ANY") => match bare(rest) {
            [array, Token::Sign('['), values @ .., Token::Sign(']')] if is_word(array, "ARRAY") => values,
            _ => return None,
        },
        value => value,
    };
    let mut texts = Vec::new();
    let mut rest = values.iter();
    loop {
        let sign = rest.clone().next() == Some(&Token::Sign('-'));
        if sign {
            rest.next();
        }
        texts.push(match rest.next()? {
            Token::Text(text) if !sign => text.clone(),
            Token::Number(number) => format!("{}{number}", if sign { "-" } else { "" }),
            // SQLite takes a name that nothing has for a text.
            Token::Name(text) if dialect == Dialect::Sqlite => text.clone(),
            _ => return None,
        });
        match rest.next() {
            None => return Some((column, texts)),
            Some(Token::Sign(',')) => {}
            Some(_) => return None,
        }
    }
}

/// PostgreSQL tells a condition with the type of each value: `'open'::character varying`.
fn without_casts(tokens: &[Token]) -> Vec<Token> {
    const GOES_ON: [&str; 5] = ["varying", "precision", "with", "without", "zone"];
    let mut kept = Vec::with_capacity(tokens.len());
    let mut rest = tokens;
    while let Some((token, after)) = rest.split_first() {
        rest = after;
        let (Token::Sign(':'), Some((Token::Sign(':'), after))) = (token, rest.split_first()) else {
            kept.push(token.clone());
            continue;
        };
        rest = after.get(1..).unwrap_or_default();
        loop {
            rest = match rest {
                [Token::Word(word), after @ ..] if GOES_ON.iter().any(|it| word.eq_ignore_ascii_case(it)) => after,
                [Token::Word(word), after @ ..] if word.eq_ignore_ascii_case("time") => after,
                [Token::Sign('.'), Token::Word(_) | Token::Name(_), after @ ..]
                | [Token::Sign('('), Token::Number(_), Token::Sign(')'), after @ ..]
                | [Token::Sign('['), Token::Sign(']'), after @ ..] => after,
                _ => break,
            };
        }
    }
    kept
}

fn tokens(text: &str, dialect: Dialect) -> Vec<Token> {
    let mut reader = Reader { rest: text, dialect };
    let mut all = Vec::new();
    while let Some(token) = reader.next() {
        // `E'…'` and `_utf8mb4'…'` are texts.
        let is_text = matches!(token, Token::Text(_));
        let introduced = |last: &mut Token| matches!(last, Token::Word(word) if word.starts_with('_') || word == "E");
        if is_text && dialect != Dialect::Sqlite {
            all.pop_if(introduced);
        }
        all.push(token);
    }
    all
}

struct Reader<'t> {
    rest: &'t str,
    dialect: Dialect,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<Token> {
        loop {
            self.rest = self.rest.trim_start();
            let end = match self.rest {
                comment if comment.starts_with("--") => "\n",
                comment if comment.starts_with("/*") => "*/",
                _ => break,
            };
            self.rest = self.rest.split_once(end).map_or("", |(_, after)| after);
        }
        let first = self.rest.chars().next()?;
        Some(match first {
            '\'' => Token::Text(self.quoted("'", '\'')),
            // MySQL tells its conditions with their quotes escaped.
            '\\' if self.rest.starts_with("\\'") => Token::Text(self.quoted("\\'", '\'')),
            '"' => Token::Name(self.quoted("\"", '"')),
            '`' => Token::Name(self.quoted("`", '`')),
            '[' if self.dialect == Dialect::Sqlite => Token::Name(self.quoted("]", ']')),
            digit if digit.is_ascii_digit() => Token::Number(self.run(|it| it.is_ascii_digit() || it == '.')),
            letter if letter.is_alphabetic() || letter == '_' => {
                Token::Word(self.run(|it| it.is_alphanumeric() || it == '_' || it == '$'))
            }
            sign => {
                self.rest = self.rest.get(sign.len_utf8()..).unwrap_or_default();
                Token::Sign(sign)
            }
        })
    }

    fn run(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let end = self.rest.find(|it| !belongs(it)).unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at(end);
        self.rest = rest;
        run.to_owned()
    }

    /// What stands in quotes: the quote twice is one, and a backslash escapes where the engine says so.
    fn quoted(&mut self, end: &str, quote: char) -> String {
        let mut text = String::new();
        let opening = if end == "]" { 1 } else { end.len() };
        let mut rest = self.rest.get(opening..).unwrap_or_default();
        loop {
            if let Some(after) = rest.strip_prefix(end) {
                let Some(again) = after.strip_prefix(end).filter(|_| end != "]") else {
                    self.rest = after;
                    return text;
                };
                text.push(quote);
                rest = again;
                continue;
            }
            let escapes = self.dialect == Dialect::Mysql && quote == '\'' && rest.starts_with('\\');
            let mut chars = rest.chars();
            let next = if escapes { chars.nth(1) } else { chars.next() };
            let Some(next) = next else {
                self.rest = "";
                return text;
            };
            text.push(next);
            rest = chars.as_str();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dialect::{Mysql, Postgres, Sqlite};

    #[test]
    fn lists_of_values_are_found() {
        for (dialect, text, expected) in [
            (Sqlite, "CREATE TABLE t (a text CHECK (a IN ('x', 'it''s')), b)", "a: x|it's"),
            (Sqlite, "CREATE TABLE t (a CHECK(a in (\"x\",'y')) -- CHECK (a IN ('z'))\n)", "a: x|y"),
            (Sqlite, "CREATE TABLE t ([a b] text, CHECK ([a b] IN ('x') AND length([a b]) > 0))", "a b: x"),
            (Sqlite, "CREATE TABLE t (a int CHECK (a IN (-1, 0, 1)))", "a: -1|0|1"),
            (Sqlite, "CREATE TABLE t (a CHECK (a IS NULL OR a IN ('x')))", "a: x"),
            (Sqlite, "CREATE TABLE t (a CHECK (a IN ('x') OR b IN ('y')))", ""),
            (Sqlite, "CREATE TABLE t (a CHECK (a NOT IN ('x')))", ""),
            (Sqlite, "CREATE TABLE t (a CHECK (a IN (SELECT 1)))", ""),
            (Sqlite, "CREATE TABLE t (a CHECK (lower(a) IN ('x')))", ""),
            (Sqlite, "CREATE TABLE t (a CHECK (a BETWEEN 1 AND 5))", ""),
            (Sqlite, "CREATE TABLE t (a CHECK (a IN ('x'", ""),
            (Postgres, "CHECK ((a = ANY (ARRAY['x'::text, 'y'::text])))", "a: x|y"),
            (
                Postgres,
                "CHECK (((a)::text = ANY ((ARRAY['x'::character varying, 'y'::character varying(5)])::text[])))",
                "a: x|y",
            ),
            (Postgres, "CHECK (((\"A b\" = 'x'::text) AND (n = ANY (ARRAY[1, 2]))))", "A b: x, n: 1|2"),
            (Postgres, "CHECK ((a = ANY (ARRAY['x'::s.\"T\", E'y'::text]))) NOT VALID", "a: x|y"),
            (Postgres, "CHECK ((VALUE = ANY (ARRAY['x'::text])))", "VALUE: x"),
            (Postgres, "CHECK ((a <> ALL (ARRAY['x'::text])))", ""),
            (Mysql, "`a` in ('x','it\\'s')", "a: x|it's"),
            (Mysql, "(`a` in (_utf8mb4\\'x\\',_utf8mb4\\'y\\'))", "a: x|y"),
            (Mysql, "`n` > 0 and `a` in ('x')", "a: x"),
            (Mysql, "json_valid(`j`)", ""),
        ] {
            let found = memberships(text, dialect);
            let found: Vec<_> = found.iter().map(|(name, values)| format!("{name}: {}", values.join("|"))).collect();
            assert_eq!(found.join(", "), expected, "{text}");
        }
        assert_eq!(listed("enum('a','b''c','d,e')"), ["a", "b'c", "d,e"]);
    }
}
