//! Floor 4. Splits the author's SQL text into tokens, so that names, fragments and keywords are
//! found only where the engine would see them: not in quotes and not in comments. Serves `check`.

use std::ops::Range;

use crate::plan::sql::Dialect;

/// A part of the text. The tokens of a text cover it without gap or overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it stands, in bytes of the text.
    pub range: Range<usize>,
}

/// What a [`Token`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// ASCII white space.
    Space,
    /// `-- …` or, for `MySQL`, `# …`, without the line end.
    LineComment,
    /// `/* … */`, nested for `Postgres`.
    BlockComment,
    /// `/*! … */` of `MySQL`: a comment that runs.
    ExecutableComment,
    /// A string, a quoted identifier or a dollar-quoted text, with its quotes.
    Quoted,
    /// A quote without its end; reaches to the end of the text.
    UnclosedQuote,
    /// A comment without its end; reaches to the end of the text.
    UnclosedComment,
    /// A keyword, a bare identifier, a number or a `MySQL` variable.
    Word,
    /// `:name`.
    Placeholder,
    /// A placeholder of the engine, such as `?`, `?1`, `$1` or `@p1`.
    Native,
    /// `{{ … }}`, which belongs to the other parts of a bridge file.
    Template,
    /// `[[`: a fragment begins.
    FragmentOpen,
    /// `[[` without white space after it, where only a fragment can be meant.
    TightFragmentOpen,
    /// `]]`: a fragment ends.
    FragmentClose,
    /// `;`.
    Separator,
    /// Any other character, and `::` and `:=`.
    Symbol,
}

impl TokenKind {
    /// Whether the engine sees the token.
    #[must_use]
    pub const fn is_significant(self) -> bool {
        !matches!(self, Self::Space | Self::LineComment | Self::BlockComment)
    }
}

/// Splits `text` by the rules of `dialect`. Never fails: what is wrong is a token of its own kind.
///
/// Strings are read with the engines' defaults: `standard_conforming_strings` on for `Postgres`,
/// `NO_BACKSLASH_ESCAPES` and `ANSI_QUOTES` off for `MySQL`.
#[must_use]
pub fn lex(text: &str, dialect: Dialect) -> Vec<Token> {
    let mut lexer = Lexer {
        text,
        bytes: text.as_bytes(),
        dialect,
        at: 0,
        brackets: 0,
        outer_brackets: Vec::new(),
        last: None,
        tokens: Vec::new(),
    };
    while let Some(byte) = lexer.peek(0) {
        let start = lexer.at;
        let kind = lexer.token(byte);
        // Each token takes at least one byte, so the loop ends whatever the rules above say.
        lexer.at = lexer.at.clamp(start + 1, text.len());
        let range = start..lexer.at;
        if kind.is_significant() {
            lexer.last = Some(range.clone());
        }
        lexer.tokens.push(Token { kind, range });
    }
    lexer.tokens
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    dialect: Dialect,
    at: usize,
    /// Open `[` of arrays and subscripts since the fragment began; `]]` may close two of them.
    brackets: usize,
    /// `brackets` outside the open fragments.
    outer_brackets: Vec<usize>,
    /// The last significant token.
    last: Option<Range<usize>>,
    tokens: Vec<Token>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Backslash {
    Plain,
    Escapes,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at.checked_add(ahead)?).copied()
    }

    fn token(&mut self, byte: u8) -> TokenKind {
        let string_backslash = match self.dialect {
            Dialect::Mysql => Backslash::Escapes,
            Dialect::Sqlite | Dialect::Postgres => Backslash::Plain,
        };
        match byte {
            _ if is_space(byte) => {
                self.skip_while(is_space);
                TokenKind::Space
            }
            b'\'' | b'"' => self.quoted(byte, string_backslash),
            b'`' if self.dialect != Dialect::Postgres => self.quoted(byte, Backslash::Plain),
            b'[' => self.open_bracket(),
            b']' => self.close_bracket(),
            b'-' if self.peek(1) == Some(b'-') && self.dashes_are_comment() => self.line_comment(),
            b'#' if self.dialect == Dialect::Mysql => self.line_comment(),
            b'/' if self.peek(1) == Some(b'*') => self.block_comment(),
            b'$' => self.dollar(),
            b'?' => self.question_mark(),
            b'@' => self.at_sign(),
            b':' => self.colon(),
            b';' => self.one(TokenKind::Separator),
            b'{' if self.peek(1) == Some(b'{') => self.template(),
            _ if is_word(byte) => self.word(),
            _ => self.one(TokenKind::Symbol),
        }
    }

    fn one(&mut self, kind: TokenKind) -> TokenKind {
        self.at += 1;
        kind
    }

    fn two(&mut self, kind: TokenKind) -> TokenKind {
        self.at += 2;
        kind
    }

    fn skip_while(&mut self, accepts: fn(u8) -> bool) {
        while self.peek(0).is_some_and(accepts) {
            self.at += 1;
        }
    }

    fn last_text(&self) -> &str {
        self.last.clone().and_then(|range| self.text.get(range)).unwrap_or_default()
    }

    /// From an opening quote to its end; the quote doubled stands for itself.
    fn quoted(&mut self, quote: u8, backslash: Backslash) -> TokenKind {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            self.at += 1;
            if byte == b'\\' && backslash == Backslash::Escapes {
                self.at += 1;
            } else if byte == quote {
                if self.peek(0) != Some(quote) {
                    return TokenKind::Quoted;
                }
                self.at += 1;
            }
        }
        TokenKind::UnclosedQuote
    }

    /// `MySQL` reads `a--1` as a minus of a minus.
    fn dashes_are_comment(&self) -> bool {
        match self.dialect {
            Dialect::Sqlite | Dialect::Postgres => true,
            Dialect::Mysql => self.peek(2).is_none_or(|byte| is_space(byte) || byte.is_ascii_control()),
        }
    }

    fn line_comment(&mut self) -> TokenKind {
        match self.dialect {
            // A carriage return alone ends a comment only here.
            Dialect::Postgres => self.skip_while(|byte| byte != b'\n' && byte != b'\r'),
            Dialect::Sqlite | Dialect::Mysql => self.skip_while(|byte| byte != b'\n'),
        }
        TokenKind::LineComment
    }

    fn block_comment(&mut self) -> TokenKind {
        let runs = self.dialect == Dialect::Mysql
            && (self.peek(2) == Some(b'!') || (self.peek(2) == Some(b'M') && self.peek(3) == Some(b'!')));
        self.at += 2;
        let mut depth = 1_usize;
        while let Some(byte) = self.peek(0) {
            match (byte, self.peek(1)) {
                (b'*', Some(b'/')) => {
                    self.at += 2;
                    depth -= 1;
                    if depth == 0 && runs {
                        return TokenKind::ExecutableComment;
                    } else if depth == 0 {
                        return TokenKind::BlockComment;
                    }
                }
                (b'/', Some(b'*')) if self.dialect == Dialect::Postgres => {
                    self.at += 2;
                    depth += 1;
                }
                _ => self.at += 1,
            }
        }
        TokenKind::UnclosedComment
    }

    fn word(&mut self) -> TokenKind {
        let is_escape_string = self.dialect == Dialect::Postgres
            && matches!(self.peek(0), Some(b'e' | b'E'))
            && self.peek(1) == Some(b'\'');
        if is_escape_string {
            self.at += 1;
            return self.quoted(b'\'', Backslash::Escapes);
        }
        self.skip_while(is_word_part);
        TokenKind::Word
    }

    /// `$1` everywhere, `$tag$ … $tag$` of `Postgres`, `$name` of `SQLite`.
    fn dollar(&mut self) -> TokenKind {
        let start = self.at;
        self.at += 1;
        if self.peek(0).is_some_and(|byte| byte.is_ascii_digit()) {
            self.skip_while(|byte| byte.is_ascii_digit());
            return TokenKind::Native;
        }
        self.skip_while(is_word);
        match self.dialect {
            Dialect::Sqlite if self.at > start + 1 => TokenKind::Native,
            Dialect::Mysql if self.at > start + 1 => TokenKind::Word,
            Dialect::Postgres if self.peek(0) == Some(b'$') => {
                self.at += 1;
                let tag = self.text.get(start..self.at).unwrap_or_default();
                let end = self.text.get(self.at..).and_then(|rest| rest.find(tag));
                if let Some(end) = end {
                    self.at += end + tag.len();
                    return TokenKind::Quoted;
                }
                self.at = self.text.len();
                TokenKind::UnclosedQuote
            }
            Dialect::Sqlite | Dialect::Mysql | Dialect::Postgres => {
                self.at = start + 1;
                TokenKind::Symbol
            }
        }
    }

    /// A placeholder, but for `Postgres` an operator of JSON where it stands between two values.
    fn question_mark(&mut self) -> TokenKind {
        self.at += 1;
        let digits = self.at;
        self.skip_while(|byte| byte.is_ascii_digit());
        let is_native = match self.dialect {
            Dialect::Sqlite | Dialect::Mysql => true,
            Dialect::Postgres => {
                let rest = self.text.get(self.at..).unwrap_or_default().trim_start();
                self.at > digits
                    || matches!(self.last_text(), "=" | "(" | ",")
                    || rest.is_empty()
                    || rest.starts_with([')', ',', ';'])
            }
        };
        if is_native { TokenKind::Native } else { TokenKind::Symbol }
    }

    /// A placeholder of `SQLite` and SQL Server, a variable of `MySQL`, an operator of `Postgres`.
    fn at_sign(&mut self) -> TokenKind {
        let start = self.at;
        match self.dialect {
            Dialect::Sqlite if self.peek(1).is_some_and(is_word) => {
                self.at += 1;
                self.skip_while(is_word);
                TokenKind::Native
            }
            Dialect::Mysql => {
                self.skip_while(|byte| is_word_part(byte) || matches!(byte, b'@' | b'.'));
                TokenKind::Word
            }
            Dialect::Postgres if self.peek(1) == Some(b'p') => {
                self.at += 2;
                let digits = self.at;
                self.skip_while(|byte| byte.is_ascii_digit());
                if self.at > digits && !self.peek(0).is_some_and(is_word) {
                    return TokenKind::Native;
                }
                self.at = start + 1;
                TokenKind::Symbol
            }
            Dialect::Sqlite | Dialect::Postgres => self.one(TokenKind::Symbol),
        }
    }

    fn colon(&mut self) -> TokenKind {
        match self.peek(1) {
            Some(b':' | b'=') => self.two(TokenKind::Symbol),
            Some(byte) if is_word(byte) && !byte.is_ascii_digit() && !self.is_slice() => {
                self.at += 1;
                self.skip_while(is_word);
                TokenKind::Placeholder
            }
            Some(_) | None => self.one(TokenKind::Symbol),
        }
    }

    /// `a[1:n]`: inside brackets and directly after a bound.
    fn is_slice(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.bytes.get(at)).copied();
        let may_slice = self.dialect == Dialect::Postgres && self.brackets > 0;
        may_slice && before.is_some_and(|byte| is_word_part(byte) || matches!(byte, b']' | b')' | b'"' | b'\''))
    }

    fn template(&mut self) -> TokenKind {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.find("}}").map_or(2, |end| end + 2);
        TokenKind::Template
    }

    fn open_bracket(&mut self) -> TokenKind {
        let after_array = self.last_text().eq_ignore_ascii_case("array");
        if self.peek(1) == Some(b'[') && !(self.dialect == Dialect::Postgres && after_array) {
            let kind = if self.peek(2).is_none_or(is_space) {
                Some(TokenKind::FragmentOpen)
            } else if self.dialect != Dialect::Postgres || self.stands_alone() {
                Some(TokenKind::TightFragmentOpen)
            } else {
                None
            };
            if let Some(kind) = kind {
                self.outer_brackets.push(std::mem::take(&mut self.brackets));
                return self.two(kind);
            }
        }
        if self.dialect == Dialect::Sqlite {
            self.skip_while(|byte| byte != b']');
            let is_closed = self.peek(0).is_some();
            self.at += 1;
            return if is_closed { TokenKind::Quoted } else { TokenKind::UnclosedQuote };
        }
        self.brackets += 1;
        self.one(TokenKind::Symbol)
    }

    /// Whether nothing that could have a subscript stands directly in front.
    fn stands_alone(&self) -> bool {
        self.brackets == 0 && self.tokens.last().is_none_or(|token| !token.kind.is_significant())
    }

    fn close_bracket(&mut self) -> TokenKind {
        if self.brackets > 0 {
            self.brackets -= 1;
        } else if self.peek(1) == Some(b']') {
            self.brackets = self.outer_brackets.pop().unwrap_or_default();
            return self.two(TokenKind::FragmentClose);
        }
        self.one(TokenKind::Symbol)
    }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Letters, digits, `_` and every byte outside ASCII, so that a token never splits a character.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// What may follow in a bare identifier.
const fn is_word_part(byte: u8) -> bool {
    is_word(byte) || byte == b'$'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sql::Dialect::{Mysql, Postgres, Sqlite};

    /// The tokens that mean something to the bridge, in text order.
    fn found(dialect: Dialect, text: &str) -> Vec<&str> {
        let tokens = lex(text, dialect).into_iter().filter(|token| {
            let kind = token.kind;
            kind.is_significant() && !matches!(kind, TokenKind::Quoted | TokenKind::Word | TokenKind::Symbol)
        });
        tokens.map(|token| &text[token.range]).collect()
    }

    #[test]
    fn names_are_found_where_the_engine_would_see_them() {
        for (dialect, text, expected) in [
            (Sqlite, ":id,:id2 :_x :näme", vec![":id", ":id2", ":_x", ":näme"]),
            (Sqlite, "'a'':b' \"c:d\"\":e\" `f``:g` [h:i] :j", vec![":j"]),
            (Sqlite, r"'\' :a '", vec![":a", "'"]),
            (Mysql, r"'\' :a ' :b", vec![":b"]),
            (Postgres, r"E'\' :a' e'\\' :b '\' :c", vec![":b", ":c"]),
            (Postgres, "$$ :a $$ $t$ :b $$ $t$ :c a$b$ :d", vec![":c", ":d"]),
            (Postgres, "x::int :a::text y := :b '12:30' 12:30", vec![":a", ":b"]),
            (Postgres, "a[1:n] a[x:y] a[:n] a[1 : :n] a['k':n]", vec![":n", ":n"]),
            (Postgres, "a ? 'x' a ?| b a ?& c a @> b @ p1 @path", vec![]),
            (Postgres, "a = ? and b = $2 and c in (?, @p3)", vec!["?", "$2", "?", "@p3"]),
            (Sqlite, "? ?12 $n @n $1", vec!["?", "?12", "$n", "@n", "$1"]),
            (Mysql, "? @v @@x.y @p1 $1 `?`", vec!["?", "$1"]),
            (Sqlite, "a -- :b\n:c /* :d /* */ :e */", vec![":c", ":e"]),
            (Postgres, "/* :d /* */ :e */ :f", vec![":f"]),
            (Postgres, "a # b :c", vec![":c"]),
            (Mysql, "a # :b\n:c --:d\n-- :e\n/* /* :f */ :g", vec![":c", ":d", ":g"]),
            (Mysql, "/*!50000 :a */ /*M! b */ /*+ :c */", vec!["/*!50000 :a */", "/*M! b */"]),
            (Sqlite, "a; b {{ c }} {d}", vec![";", "{{ c }}"]),
        ] {
            assert_eq!(found(dialect, text), expected, "{dialect:?}: {text}");
        }
    }

    #[test]
    fn fragments_are_told_from_arrays_and_quotes() {
        for (dialect, text, expected) in [
            (Sqlite, "[[ :a ]] '[[ ' [b] \"]]\" -- [[ ", vec!["[[", ":a", "]]"]),
            (Sqlite, "x [[:a ]]", vec!["[[", ":a", "]]"]),
            (Sqlite, "x [[\n:a]]", vec!["[[", ":a", "]]"]),
            (Postgres, "ARRAY[[1,2],[3,4]] arr[[1]] array [[ 1 ]]", vec![]),
            (Postgres, "[[ AND :a = t[u[1]]]] ]]", vec!["[[", ":a", "]]", "]]"]),
            (Postgres, "[[ :a = ARRAY[[1]] ]]", vec!["[[", ":a", "]]"]),
            (Postgres, "x[ [[ :a ]] ]", vec!["[[", ":a", "]]"]),
            (Postgres, "x [[AND :a ]]", vec!["[[", ":a", "]]"]),
            (Mysql, "[[", vec!["[["]),
            (Sqlite, "[", vec!["["]),
        ] {
            assert_eq!(found(dialect, text), expected, "{dialect:?}: {text}");
        }
    }
}
