//! Floor 4. Values of variables inside of templates, paths and `JSONPath`s: they are plain text there.
//! A value that would be read as a part of the language is refused.

use std::ops::Range;

use super::context::Context;
use crate::{diag::Code, yaml::Pointer};

/// What a text is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Template,
    Path,
    JsonPath,
}

impl Language {
    const fn words(self) -> (Code, &'static str) {
        match self {
            Self::Template => (Code::Template, "template"),
            Self::Path => (Code::PathParam, "path's `{…}`"),
            Self::JsonPath => (Code::JsonPath, "JSONPath, unless it is a plain name"),
        }
    }
}

/// Whether no variable's value would be read as a part of the language; a fault otherwise.
pub(super) fn is_plain(text: &str, language: Language, at: &Pointer, context: &mut Context<'_>) -> bool {
    let is_read = |part: &Range<usize>| match language {
        Language::Template => in_tag(text, part),
        Language::Path => in_braces(text, part),
        Language::JsonPath => !is_name(text.get(part.clone()).unwrap_or("")),
    };
    if !context.inserted(at).iter().any(is_read) {
        return true;
    }
    let (code, what) = language.words();
    context.fault(code, at, format!("the value of a variable cannot be part of a {what}"));
    false
}

/// Whether a part stands inside of a tag, or makes one, alone or with what is beside it.
fn in_tag(text: &str, part: &Range<usize>) -> bool {
    let before = text.get(..part.start).unwrap_or("");
    let is_open = before.rfind("{{") > before.rfind("}}");
    let mut braces = text.match_indices("{{").map(|(at, _)| {
        // A backslash before a tag makes it text.
        let plain = text.get(..at).map_or(0, |before| before.trim_end_matches('\\').len());
        plain..at + 2
    });
    is_open || braces.any(|braces| part.start < braces.end && braces.start < part.end)
}

fn in_braces(text: &str, part: &Range<usize>) -> bool {
    let before = text.get(..part.start).unwrap_or("");
    before.rfind('{') > before.rfind('}') || text.get(part.clone()).is_some_and(|value| value.contains(['{', '}']))
}

fn is_name(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_no_part_of_a_tag() {
        for (text, value, expected) in [
            ("Hello VALUE {{x}}", "VALUE", false),
            ("{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}", false),
            ("{{VALUE}}", "VALUE", true),
            ("{{x}} {{y VALUE", "VALUE", true),
            ("a {{x}}", "{{x}}", true),
            ("{{x}}", "{", true),
            ("C:\\{{x}}", "C:\\", true),
            ("C:\\ {{x}}", "C:\\", false),
        ] {
            let start = text.find(value).unwrap();
            assert_eq!(in_tag(text, &(start..start + value.len())), expected, "{text}");
        }
    }
}
