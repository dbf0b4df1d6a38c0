//! Floor 1. Values of variables in the words of a diagnostic: they say `…`.

use super::Diagnostic;
use crate::{
    secret::{REDACTED, Secret},
    text::Span,
};

/// So many characters of a value are not in a message by chance, and so many from its beginning.
const RUN: usize = 16;
const BEGINNING: usize = 8;

/// A text of a file with the values of variables in it.
#[derive(Debug)]
pub(super) struct Inserted {
    pub(super) span: Span,
    pub(super) values: Vec<Secret<String>>,
}

/// Masks what was inserted. About the very text that holds a value nothing is offered that could
/// be made of it, and also a longer part of the value is masked; anywhere else, long values are.
pub(super) fn mask(diagnostic: &mut Diagnostic, inserted: &[Inserted]) {
    let place = diagnostic.primary.as_ref().map(|label| label.span);
    for one in inserted {
        let is_here =
            place.is_some_and(|at| at.file == one.span.file && one.span.start <= at.start && at.end <= one.span.end);
        if is_here {
            diagnostic.help.retain(|help| help.replacement.is_none());
        }
        for value in &one.values {
            let value = value.expose();
            let is_long = value.chars().count() >= BEGINNING;
            if value.is_empty() || !(is_here || is_long) {
                continue;
            }
            let parts = if is_here { Parts::Masked } else { Parts::Shown };
            diagnostic.message = masked(&diagnostic.message, value, parts);
            for label in diagnostic.primary.iter_mut().chain(&mut diagnostic.context) {
                label.message = masked(&label.message, value, parts);
            }
            for help in &mut diagnostic.help {
                // Help shows examples, which have parts in common with many values.
                help.message = masked(&help.message, value, Parts::Shown);
                if let Some((_, text)) = &mut help.replacement {
                    *text = masked(text, value, Parts::Shown);
                }
            }
        }
    }
}

/// What becomes of longer parts of a value.
#[derive(Clone, Copy)]
enum Parts {
    Masked,
    Shown,
}

/// The text with `…` for the whole value where it stands as a word and, if asked to, for its
/// longer parts: of values that were cut, escaped or written in another case.
fn masked(text: &str, value: &str, parts: Parts) -> String {
    if matches!(parts, Parts::Shown) && value.len() > text.len() {
        return text.to_owned();
    }
    let (lower, value) = (text.to_ascii_lowercase(), value.to_ascii_lowercase());
    let mut result = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(next) = text.get(at..).and_then(|rest| rest.chars().next()) {
        if let Some(end) = shared(&lower, at, &value, parts) {
            result.push_str(REDACTED);
            at = end;
        } else {
            result.push(next);
            at += next.len_utf8();
        }
    }
    result
}

/// Where the stretch that begins at `at` and is to be masked ends.
fn shared(text: &str, at: usize, value: &str, parts: Parts) -> Option<usize> {
    let (before, rest) = text.split_at_checked(at)?;
    if let Some(behind) = rest.strip_prefix(value) {
        let apart = |it: Option<char>| it.is_none_or(|it| !it.is_alphanumeric());
        if apart(before.chars().next_back()) && apart(behind.chars().next()) {
            return Some(at + value.len());
        }
    }
    let longest = |least: usize, is_part: &dyn Fn(&str) -> bool| {
        let ends = rest.char_indices().map(|(start, it)| start + it.len_utf8()).skip(least - 1);
        ends.take_while(|end| rest.get(..*end).is_some_and(is_part)).last().map(|end| at + end)
    };
    match parts {
        Parts::Shown => None,
        Parts::Masked => {
            longest(BEGINNING, &|part| value.starts_with(part)).or_else(|| longest(RUN, &|part| value.contains(part)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_masked_whole_and_in_longer_parts() {
        for (text, value, expected) in [
            ("unknown source `sesame`", "sesame", "unknown source `…`"),
            ("`a-sesame` and sesames", "sesame", "`a-…` and sesames"),
            ("from 1 to 100000", "0", "from 1 to 100000"),
            ("\"open-sesame…\" is too long", "open-sesame-key", "\"……\" is too long"),
            ("\"a\\\"open-sesame-or-else\"", "a\"open-sesame-or-else", "\"a\\…\""),
            ("no part of a template", "{{my_template}}", "no part of a template"),
            ("OPENSESAME needs", "opensesame-key", "… needs"),
            ("ünïcode", "ünïcode", "…"),
        ] {
            assert_eq!(masked(text, value, Parts::Masked), expected);
        }
        assert_eq!(masked("write `https://x`", "https://y.example", Parts::Shown), "write `https://x`");
    }
}
