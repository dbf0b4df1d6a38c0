//! Floor 2. Goes through JSON text without building anything: as strict as the tree, and giving up
//! (`None`) wherever only the tree can say what a text means. Serves shaping in one pass.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// How deep values may lie in each other; below the bound of the tree, which then decides.
const MAX_DEPTH: usize = 120;

/// Every byte of a word set to this.
const fn every(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// How many names of an object are compared one with each other; more are sorted first.
const FEW: usize = 16;

/// A place in JSON text, which is UTF-8.
#[derive(Clone, Copy)]
pub(super) struct Scanner<'d> {
    text: &'d [u8],
    at: usize,
    depth: usize,
}

/// A text as it is written, with its quotes.
#[derive(Clone, Copy)]
pub(super) struct Written<'d> {
    raw: &'d [u8],
    escapes: Escapes,
}

/// How a text is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Escapes {
    /// Character by character.
    None,
    /// With those of which there is one way to write them.
    Short,
    /// With others, which are shorter without.
    Long,
}

impl<'d> Written<'d> {
    /// The characters themselves.
    pub(super) fn name(self) -> Option<Cow<'d, [u8]>> {
        if self.escapes == Escapes::None {
            return self.raw.get(1..self.raw.len().checked_sub(1)?).map(Cow::Borrowed);
        }
        serde_json::from_slice::<String>(self.raw).ok().map(|text| Cow::Owned(text.into_bytes()))
    }

    fn copy(self, out: &mut Vec<u8>) -> Option<()> {
        if self.escapes < Escapes::Long {
            out.extend_from_slice(self.raw);
            return Some(());
        }
        let text: String = serde_json::from_slice(self.raw).ok()?;
        serde_json::to_writer(out, &text).ok()
    }
}

/// The names of the objects that are being read, innermost last.
pub(super) type Names<'d> = Vec<Cow<'d, [u8]>>;

/// Whether the names from a place on differ. They are in no order afterwards.
pub(super) fn differ(names: &mut Names<'_>, from: usize) -> bool {
    let Some(own) = names.get_mut(from..) else { return true };
    if own.len() > FEW {
        own.sort_unstable();
        return own.is_sorted_by(|one, next| one < next);
    }
    let mut rest = &*own;
    while let Some((first, others)) = rest.split_first() {
        if others.contains(first) {
            return false;
        }
        rest = others;
    }
    true
}

impl<'d> Scanner<'d> {
    pub(super) const fn new(text: &'d [u8]) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// Where it is: after [`Scanner::peek`] at the first byte of a value.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// The next byte that is no white space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.at)? {
                b' ' | b'\n' | b'\t' | b'\r' => self.at += 1,
                byte => return Some(*byte),
            }
        }
    }

    /// Whether nothing is left.
    pub(super) fn is_over(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Goes through an object; `each` goes through the value of each member.
    pub(super) fn members(&mut self, mut each: impl FnMut(&mut Self, Written<'d>) -> Option<()>) -> Option<()> {
        self.enter()?;
        if self.peek()? == b'}' {
            self.leave();
            return Some(());
        }
        loop {
            if self.peek()? != b'"' {
                return None;
            }
            let name = self.text()?;
            if self.peek()? != b':' {
                return None;
            }
            self.at += 1;
            each(self, name)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => break,
                _ => return None,
            }
        }
        self.leave();
        Some(())
    }

    /// Goes through a list; `each` goes through the item with a number.
    pub(super) fn items(&mut self, mut each: impl FnMut(&mut Self, usize) -> Option<()>) -> Option<()> {
        self.enter()?;
        if self.peek()? == b']' {
            self.leave();
            return Some(());
        }
        for number in 0.. {
            each(self, number)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => break,
                _ => return None,
            }
        }
        self.leave();
        Some(())
    }

    /// Goes past a value.
    pub(super) fn skip(&mut self) -> Option<()> {
        match self.peek()? {
            b'{' => self.members(|inner, _| inner.skip()),
            b'[' => self.items(|inner, _| inner.skip()),
            b'"' => self.text().map(drop),
            _ => self.plain().map(drop),
        }
    }

    /// Appends a value without white space between its tokens, each number digit by digit.
    pub(super) fn copy(&mut self, out: &mut Vec<u8>, names: &mut Names<'d>) -> Option<()> {
        match self.peek()? {
            b'{' => {
                let (from, start) = (names.len(), out.len());
                self.members(|inner, name| {
                    out.push(if out.len() == start { b'{' } else { b',' });
                    names.push(name.name()?);
                    name.copy(out)?;
                    out.push(b':');
                    inner.copy(out, names)
                })?;
                if out.len() == start {
                    out.push(b'{');
                }
                out.push(b'}');
                // The tree keeps the last of those with one name.
                let all_differ = differ(names, from);
                names.truncate(from);
                all_differ.then_some(())
            }
            b'[' => {
                out.push(b'[');
                self.items(|inner, number| {
                    if number > 0 {
                        out.push(b',');
                    }
                    inner.copy(out, names)
                })?;
                out.push(b']');
                Some(())
            }
            b'"' => self.text()?.copy(out),
            _ => {
                out.extend_from_slice(self.plain()?);
                Some(())
            }
        }
    }

    /// Reads a value. Whole numbers that no tree can hold become texts, so that no digit is lost.
    pub(super) fn value(&mut self) -> Option<Value> {
        match self.peek()? {
            b'{' => {
                let mut all = Map::new();
                self.members(|inner, name| {
                    let name = String::from_utf8(name.name()?.into_owned()).ok()?;
                    all.insert(name, inner.value()?);
                    Some(())
                })?;
                Some(Value::Object(all))
            }
            b'[' => {
                let mut all = Vec::new();
                self.items(|inner, _| {
                    all.push(inner.value()?);
                    Some(())
                })?;
                Some(Value::Array(all))
            }
            b'"' => serde_json::from_slice(self.text()?.raw).ok(),
            _ => {
                let raw = self.plain()?;
                let read: Value = serde_json::from_slice(raw).ok()?;
                let is_rounded = read.is_f64() && is_whole(raw);
                Some(if is_rounded { Value::String(String::from_utf8(raw.to_vec()).ok()?) } else { read })
            }
        }
    }

    fn enter(&mut self) -> Option<()> {
        self.at += 1;
        self.depth += 1;
        (self.depth < MAX_DEPTH).then_some(())
    }

    fn leave(&mut self) {
        self.at += 1;
        self.depth -= 1;
    }

    /// Reads a text, the quote before it included.
    fn text(&mut self) -> Option<Written<'d>> {
        let start = self.at;
        let mut escapes = Escapes::None;
        self.at += 1;
        loop {
            self.run();
            match self.text.get(self.at)? {
                b'"' => {
                    self.at += 1;
                    return Some(Written { raw: self.text.get(start..self.at)?, escapes });
                }
                b'\\' => escapes = escapes.max(self.escape()?),
                // Control characters must be escaped.
                _ => return None,
            }
        }
    }

    /// Goes on to the next byte that means something in a text: a quote, a backslash or a control
    /// character. Eight bytes at once: a byte is none of these unless its highest bit shows below.
    fn run(&mut self) {
        const HIGH: u64 = every(0x80);
        let is_zero = |word: u64| word.wrapping_sub(every(1)) & !word;
        let rest = self.text.get(self.at..).unwrap_or_default();
        let (words, tail) = rest.as_chunks::<8>();
        for bytes in words {
            let word = u64::from_le_bytes(*bytes);
            let control = word.wrapping_sub(every(0x20)) & !word;
            let found = (control | is_zero(word ^ every(b'"')) | is_zero(word ^ every(b'\\'))) & HIGH;
            if found != 0 {
                // Borrows only reach bytes after the first that is found.
                self.at += found.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        self.at += tail.iter().take_while(|byte| **byte >= 0x20 && !matches!(byte, b'"' | b'\\')).count();
    }

    fn escape(&mut self) -> Option<Escapes> {
        let kind = *self.text.get(self.at + 1)?;
        self.at += 2;
        match kind {
            b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => Some(Escapes::Short),
            b'/' => Some(Escapes::Long),
            b'u' => match self.unit()? {
                0xD800..0xDC00 => {
                    if self.text.get(self.at..self.at + 2)? != b"\\u" {
                        return None;
                    }
                    self.at += 2;
                    (0xDC00..0xE000).contains(&self.unit()?).then_some(Escapes::Long)
                }
                // Half of a pair is no character.
                0xDC00..0xE000 => None,
                _ => Some(Escapes::Long),
            },
            _ => None,
        }
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
    }

    /// Reads a number, a truth value or null.
    fn plain(&mut self) -> Option<&'d [u8]> {
        let start = self.at;
        let rest = self.text.get(start..)?;
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count();
        let raw = rest.get(..length)?;
        self.at += length;
        let fits = matches!(raw, b"true" | b"false" | b"null") || is_number(raw);
        fits.then_some(raw)
    }
}

/// Whether this is a number (RFC 8259 §6) that the tree can hold.
fn is_number(raw: &[u8]) -> bool {
    // Longer than the tree holds without an exponent, at most.
    const LONGEST: usize = 300;
    let digits = |from: &[u8]| from.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let unsigned = raw.strip_prefix(b"-").unwrap_or(raw);
    let whole = digits(unsigned);
    let (Some(rest), true) = (unsigned.get(whole..), whole > 0 && (whole == 1 || !unsigned.starts_with(b"0"))) else {
        return false;
    };
    let rest = match rest.strip_prefix(b".") {
        None => rest,
        Some(fraction) => match (digits(fraction), fraction.get(digits(fraction)..)) {
            (0, _) | (_, None) => return false,
            (_, Some(rest)) => rest,
        },
    };
    // The tree also knows which of the others are too large.
    (rest.is_empty() && raw.len() <= LONGEST) || serde_json::from_slice::<serde_json::Number>(raw).is_ok()
}

/// Whether this number is whole; it may be longer than the tree can tell apart.
pub(super) fn is_whole(raw: &[u8]) -> bool {
    let digits = raw.strip_prefix(b"-").unwrap_or(raw);
    // To the tree `-0` is none.
    raw != b"-0" && digits.iter().all(u8::is_ascii_digit)
}
