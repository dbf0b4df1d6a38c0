//! Floor 2. Reads a path after the grammar of RFC 9535. Filter expressions are checked for their
//! embedded paths here and then compiled by the library.

use jsonpath_rust::parser::{model, parse_json_path};

use super::{Filter, MAX_SOURCE, Path, PathError, Segment, Selector, Slice};

/// How deep parentheses and brackets may nest inside a filter; the library's parser tries nested
/// calls in several ways, each of which costs as much as the one before.
const MAX_DEPTH: usize = 8;

/// The largest integer of I-JSON, 2^53 − 1.
const MAX_INTEGER: i64 = 9_007_199_254_740_991;

type Parsed<T> = Result<T, PathError>;

pub(super) fn path(source: &str) -> Parsed<Path> {
    let mut parser = Parser { source, at: 0, depth: 0 };
    if source.len() > MAX_SOURCE {
        return Err(parser.fault_to(0, source.len(), format!("a path is at most {MAX_SOURCE} bytes long")));
    }
    if !parser.eat('$') {
        let hint = if source.starts_with(['.', '[']) { "" } else { "." };
        let meant = format!("a path starts with `$`: did you mean `${hint}{source}`?");
        let message = if source.trim() == source && !source.is_empty() && source.len() < 80 && !source.contains('$') {
            meant
        } else {
            "a path starts with `$`".to_owned()
        };
        return Err(parser.fault(message));
    }
    let segments = parser.segments()?;
    if parser.at < source.len() {
        return Err(parser.unexpected());
    }
    Ok(Path { segments })
}

struct Parser<'s> {
    source: &'s str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.at += expected.len_utf8();
        }
        found
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }

    /// A fault at the next character.
    fn fault(&self, message: impl Into<String>) -> PathError {
        let end = self.at + self.peek().map_or(0, char::len_utf8);
        self.fault_to(self.at, end, message)
    }

    #[expect(clippy::unused_self, reason = "reads as the other faults do")]
    fn fault_to(&self, start: usize, end: usize, message: impl Into<String>) -> PathError {
        PathError { message: message.into(), range: start..end }
    }

    fn unexpected(&self) -> PathError {
        match self.peek() {
            None => self.fault("the path ends too early"),
            Some(' ' | '\t' | '\n' | '\r') => {
                let end = self.source.len();
                if self.rest().trim().is_empty() {
                    return self.fault_to(self.at, end, "a path has no blanks at its end");
                }
                self.fault("a name with a blank is written in quotes: `$['a b']`")
            }
            Some(c @ ('-' | '/' | '@' | ':' | '%' | '#')) => {
                self.fault(format!("a name with `{c}` is written in quotes: `$['a{c}b']`"))
            }
            Some(c) => self.fault(format!("unexpected `{c}`: a path goes on with `.` or `[`")),
        }
    }

    /// The segments up to the first character that starts none.
    fn segments(&mut self) -> Parsed<Vec<Segment>> {
        let mut segments = Vec::new();
        loop {
            let before = self.at;
            self.blanks();
            match self.peek() {
                Some('[') => segments.push(Segment::Child(self.bracketed()?)),
                Some('.') => {
                    self.next();
                    segments.push(if self.eat('.') {
                        Segment::Descendant(self.descendant()?)
                    } else {
                        Segment::Child(vec![self.shorthand()?])
                    });
                }
                _ => {
                    self.at = before;
                    return Ok(segments);
                }
            }
        }
    }

    fn descendant(&mut self) -> Parsed<Vec<Selector>> {
        if self.peek() == Some('[') {
            return self.bracketed();
        }
        Ok(vec![self.shorthand()?])
    }

    /// A name without quotes, or `*`.
    fn shorthand(&mut self) -> Parsed<Selector> {
        if self.eat('*') {
            return Ok(Selector::Wildcard);
        }
        let start = self.at;
        let first = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
        match self.peek() {
            Some(c) if first(c) => {}
            Some('0'..='9') => {
                return Err(self.fault("an index stands in brackets: `[0]`; a name that starts with a digit in quotes"));
            }
            Some('"' | '\'') => {
                return Err(self.fault("a name in quotes stands in brackets: `['name']`"));
            }
            Some('.') => return Err(self.fault("there are at most two dots in a row")),
            Some(_) | None => return Err(self.fault("a name or `*` is missing after the dot")),
        }
        while self.peek().is_some_and(|c| first(c) || c.is_ascii_digit()) {
            self.next();
        }
        let name = self.source.get(start..self.at).unwrap_or_default();
        Ok(Selector::Name(name.to_owned()))
    }

    fn bracketed(&mut self) -> Parsed<Vec<Selector>> {
        let start = self.at;
        self.next();
        self.enter(start)?;
        let mut selectors = Vec::new();
        loop {
            self.blanks();
            selectors.push(self.selector()?);
            self.blanks();
            if self.eat(',') {
                continue;
            }
            if self.eat(']') {
                self.depth -= 1;
                return Ok(selectors);
            }
            return Err(match self.peek() {
                None => self.fault_to(start, self.at, "this `[` is never closed"),
                Some(c) => self.fault(format!("unexpected `{c}`: a selector ends with `,` or `]`")),
            });
        }
    }

    fn enter(&mut self, start: usize) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fault_to(start, self.at, format!("a filter nests at most {MAX_DEPTH} deep")));
        }
        Ok(())
    }

    fn selector(&mut self) -> Parsed<Selector> {
        match self.peek() {
            Some('*') => {
                self.next();
                Ok(Selector::Wildcard)
            }
            Some(quote @ ('"' | '\'')) => self.string(quote).map(Selector::Name),
            Some('?') => self.filter(),
            Some('-' | ':' | '0'..='9') => self.index_or_slice(),
            Some(']' | ',') => {
                Err(self.fault("a selector is missing: a name in quotes, an index, a slice, `*` or `?`"))
            }
            Some(c) if c.is_alphabetic() || c == '_' => {
                let start = self.at;
                while self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_') {
                    self.next();
                }
                let name = self.source.get(start..self.at).unwrap_or_default();
                Err(self.fault_to(start, self.at, format!("a name in brackets is in quotes: `['{name}']`")))
            }
            Some(c) => Err(self.fault(format!("unexpected `{c}`: no selector starts with it"))),
            None => Err(self.fault("the path ends inside of brackets")),
        }
    }

    fn index_or_slice(&mut self) -> Parsed<Selector> {
        let start = self.integer()?;
        let after = self.at;
        self.blanks();
        if !self.eat(':') {
            self.at = after;
            return match start {
                Some(index) => Ok(Selector::Index(index)),
                None => Err(self.fault("an index is missing")),
            };
        }
        self.blanks();
        let end = self.integer()?;
        let after = self.at;
        self.blanks();
        let mut step = None;
        if self.eat(':') {
            self.blanks();
            step = self.integer()?;
        } else {
            self.at = after;
        }
        Ok(Selector::Slice(Slice { start, end, step: step.unwrap_or(1) }))
    }

    fn integer(&mut self) -> Parsed<Option<i64>> {
        let start = self.at;
        let negative = self.eat('-');
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.next();
        }
        let text = self.source.get(start..self.at).unwrap_or_default();
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() && !negative {
            return Ok(None);
        }
        let message = if digits.is_empty() {
            "digits are missing after the `-`"
        } else if digits.starts_with('0') && (negative || digits.len() > 1) {
            "an integer has no leading zero and `0` no sign"
        } else {
            match text.parse().ok().filter(|number: &i64| number.abs() <= MAX_INTEGER) {
                Some(number) => return Ok(Some(number)),
                None => "an integer lies between -(2^53 - 1) and 2^53 - 1",
            }
        };
        Err(self.fault_to(start, self.at, message))
    }

    /// A name in quotes.
    fn string(&mut self, quote: char) -> Parsed<String> {
        let start = self.at;
        self.next();
        let mut text = String::new();
        loop {
            let here = self.at;
            match self.next() {
                None => return Err(self.fault_to(start, self.at, "this quote is never closed")),
                Some(c) if c == quote => return Ok(text),
                Some('\\') => text.push(self.escape(quote, here)?),
                Some(c) if u32::from(c) < 0x20 => {
                    return Err(self.fault_to(here, self.at, "a control character is written as `\\u00XX`"));
                }
                Some(c) => text.push(c),
            }
        }
    }

    fn escape(&mut self, quote: char, start: usize) -> Parsed<char> {
        let c = match self.next() {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(c @ ('/' | '\\')) => c,
            Some(c) if c == quote => c,
            Some('u') => {
                let unit = self.hex(start)?;
                let code = if (0xD800..0xDC00).contains(&unit) && self.eat('\\') && self.eat('u') {
                    let low = self.hex(start)?;
                    let pair = 0x1_0000 + ((unit - 0xD800) << 10) + low.wrapping_sub(0xDC00);
                    if (0xDC00..0xE000).contains(&low) { pair } else { unit }
                } else {
                    unit
                };
                char::from_u32(code).ok_or_else(|| {
                    self.fault_to(start, self.at, "a surrogate stands alone: `\\uD83D\\uDE00` is a pair")
                })?
            }
            _ => return Err(self.fault_to(start, self.at, "there is no such escape in a name")),
        };
        Ok(c)
    }

    fn hex(&mut self, start: usize) -> Parsed<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(16)) else {
                return Err(self.fault_to(start, self.at, "`\\u` takes four hexadecimal digits"));
            };
            self.next();
            unit = unit * 16 + digit;
        }
        Ok(unit)
    }

    /// A filter up to the `,` or `]` after it.
    fn filter(&mut self) -> Parsed<Selector> {
        self.next();
        self.blanks();
        let start = self.at;
        let outer = self.depth;
        loop {
            match self.peek() {
                None => {
                    return Err(self.fault_to(start, self.at, "this filter is never closed: `]` is missing"));
                }
                Some(',' | ']') if self.depth == outer => break,
                Some(quote @ ('"' | '\'')) => {
                    self.string(quote)?;
                }
                Some('@' | '$') => self.embedded()?,
                Some('(') => {
                    let at = self.at;
                    self.next();
                    self.enter(at)?;
                }
                Some(')') => {
                    if self.depth == outer {
                        return Err(self.fault("this `)` was never opened"));
                    }
                    self.depth -= 1;
                    self.next();
                }
                Some(_) => {
                    self.next();
                }
            }
        }
        let expression = self.source.get(start..self.at).unwrap_or_default().trim_end();
        if expression.is_empty() {
            return Err(self.fault("the filter is empty: write a test such as `?@.price < 10`"));
        }
        let query = parse_json_path(&format!("$[?{expression}]"))
            .map_err(|error| self.filter_fault(start, expression, &error.to_string()))?;
        let Some(test) = only_filter(query) else {
            return Err(self.filter_fault(start, expression, ""));
        };
        let regex = expression.contains("match(") || expression.contains("search(");
        Ok(Selector::Filter(Box::new(Filter { test, regex })))
    }

    /// A path inside a filter: the library reads `@.a b` as one name.
    fn embedded(&mut self) -> Parsed<()> {
        self.next();
        self.segments()?;
        let after = self.at;
        self.blanks();
        if self.peek().is_none_or(|c| "),]&|=!<>".contains(c)) {
            return Ok(());
        }
        if self.at == after {
            return Err(self.unexpected());
        }
        Err(self.fault("an operator is missing here; a name with a blank is written in quotes: `@['a b']`"))
    }

    /// The library's words are grammar rules; its column is kept.
    fn filter_fault(&self, start: usize, text: &str, report: &str) -> PathError {
        let column = report
            .split_once("--> ")
            .and_then(|(_, rest)| rest.split_once('\n').map_or(Some(rest), |(line, _)| Some(line)))
            .and_then(|place| place.trim().split_once(':'))
            .filter(|(line, _)| *line == "1")
            .and_then(|(_, column)| column.trim().parse::<usize>().ok())
            // Three characters stand before the text in what the library was given.
            .and_then(|column| column.checked_sub(4));
        let place = column.and_then(|column| text.char_indices().nth(column));
        let message = "this filter cannot be read: write tests such as `@.price < 10` or `@.name == 'x'`, \
                       joined with `&&` and `||`; the functions are length, count, value, match and search";
        match place {
            Some((at, c)) => self.fault_to(start + at, start + at + c.len_utf8(), message),
            None => self.fault_to(start, start + text.len(), message),
        }
    }
}

/// The filter of a query that the library was given around it.
fn only_filter(query: model::JpQuery) -> Option<model::Filter> {
    let selector = match query.segments.into_iter().next()? {
        model::Segment::Selector(selector) => selector,
        model::Segment::Selectors(selectors) => selectors.into_iter().next()?,
        model::Segment::Descendant(_) => return None,
    };
    match selector {
        model::Selector::Filter(filter) => Some(filter),
        model::Selector::Name(_)
        | model::Selector::Wildcard
        | model::Selector::Index(_)
        | model::Selector::Slice(..) => None,
    }
}
