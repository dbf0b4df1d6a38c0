//! Floor 5. Puts values into a path so that each stays where the author placed it: what could
//! climb, split or end the path is refused (rest.md §9.1), everything else is percent-encoded.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

use super::pairs::scalar;
use crate::{
    plan::rest::{PathTemplate, Piece, Segment},
    template::Scope,
    upstream::{FailureClass, UpstreamError},
};

/// What is encoded inside a segment: all but the unreserved characters of RFC 3986 and `,`, `:`,
/// `@`, which real paths hold as they are (`/points/{lat},{lon}`).
const IN_SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b',').remove(b':').remove(b'@');

/// How often a value is percent-decoded to see what is in it. One that is still encoded after
/// that is no honest value.
const MAX_DECODES: usize = 8;

/// Why a value cannot be part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Missing,
    NotScalar,
    Empty,
    EmptyPart,
    Dots,
    Control,
    Encoding,
}

impl Fault {
    const fn says(self) -> &'static str {
        match self {
            Self::Missing => "is a part of the path and must be given",
            Self::NotScalar => "is a part of the path and must be one text, number or boolean",
            Self::Empty => "is a part of the path and must not be empty",
            Self::EmptyPart => "must not begin or end with `/` and must not hold `//`",
            Self::Dots => "must not hold `.` or `..` between slashes, however it is encoded",
            Self::Control => "must not hold control characters",
            Self::Encoding => "is percent-encoded in a way that cannot be understood",
        }
    }

    /// The refusal, which names the param and never the value.
    #[cold]
    fn of(self, param: &str) -> UpstreamError {
        UpstreamError::new(FailureClass::Arguments, format!("`{param}` {}.", self.says()))
    }
}

/// Appends `/` and every segment of the template. Returns how many segments were written.
///
/// # Errors
/// [`FailureClass::Arguments`] for a value that cannot be part of a path.
pub(super) fn append(out: &mut String, template: &PathTemplate, scope: &dyn Scope) -> Result<usize, UpstreamError> {
    let mut written = 0;
    for segment in &template.segments {
        out.push('/');
        written += match segment {
            Segment::Pieces(pieces) => append_pieces(out, pieces, scope)?,
            Segment::Rest(param) => append_rest(out, param, scope)?,
        };
    }
    Ok(written)
}

fn append_pieces(out: &mut String, pieces: &[Piece], scope: &dyn Scope) -> Result<usize, UpstreamError> {
    let start = out.len();
    let mut last = "";
    for piece in pieces {
        match piece {
            Piece::Literal(text) => out.push_str(text),
            Piece::Param(param) => {
                with_value(param, scope, |text| {
                    inspect(text)?;
                    out.extend(utf8_percent_encode(text, IN_SEGMENT));
                    Ok(())
                })?;
                last = param;
            }
        }
    }
    // Harmless neighbours can make `..` together, as `{a}{b}` with a dot for each.
    let segment = out.get(start..).unwrap_or("");
    if pieces.len() > 1 {
        let together: Vec<u8> = percent_decode(segment.as_bytes()).collect();
        inspect(&String::from_utf8_lossy(&together)).map_err(|fault| fault.of(last))?;
    }
    Ok(1)
}

fn append_rest(out: &mut String, param: &str, scope: &dyn Scope) -> Result<usize, UpstreamError> {
    with_value(param, scope, |text| {
        inspect(text)?;
        let mut written = 0;
        for part in text.split('/') {
            if part.is_empty() {
                return Err(Fault::EmptyPart);
            }
            if written > 0 {
                out.push('/');
            }
            out.extend(utf8_percent_encode(part, IN_SEGMENT));
            written += 1;
        }
        Ok(written)
    })
}

/// Hands the text of a param's value to `place`, and names the param where that fails.
fn with_value<T>(
    param: &str,
    scope: &dyn Scope,
    place: impl FnOnce(&str) -> Result<T, Fault>,
) -> Result<T, UpstreamError> {
    let placed = match scope.get(param) {
        None => Err(Fault::Missing),
        Some(value) if value.is_null() => Err(Fault::Missing),
        Some(value) => match scalar(&value) {
            Some(text) => place(&text),
            None => Err(Fault::NotScalar),
        },
    };
    placed.map_err(|fault| fault.of(param))
}

/// Refuses what some server on the way could take for more than one plain value.
fn inspect(text: &str) -> Result<(), Fault> {
    if text.is_empty() {
        return Err(Fault::Empty);
    }
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        return Ok(());
    }
    let mut form = Cow::Borrowed(text.as_bytes());
    for _ in 0..MAX_DECODES {
        inspect_form(&form)?;
        let next = match Cow::<[u8]>::from(percent_decode(&form)) {
            Cow::Borrowed(_) => return Ok(()),
            Cow::Owned(next) => next,
        };
        form = Cow::Owned(next);
    }
    Err(Fault::Encoding)
}

fn inspect_form(form: &[u8]) -> Result<(), Fault> {
    let control = String::from_utf8_lossy(form).chars().any(char::is_control);
    if control {
        return Err(Fault::Control);
    }
    if is_overlong(form) {
        return Err(Fault::Encoding);
    }
    if form.split(|byte| matches!(byte, b'/' | b'\\')).any(is_dots) {
        return Err(Fault::Dots);
    }
    Ok(())
}

/// Whether a part climbs. What follows `;` are parameters that some servers cut off first, and
/// spaces around it are trimmed by others.
fn is_dots(part: &[u8]) -> bool {
    let name = part.split(|byte| *byte == b';').next().unwrap_or(part);
    matches!(name.trim_ascii(), b"." | b"..")
}

/// Whether bytes spell a character in more bytes than UTF-8 allows: `C0 AE` is a disguised dot.
fn is_overlong(form: &[u8]) -> bool {
    form.iter().any(|byte| matches!(byte, 0xC0 | 0xC1))
        || form.windows(2).any(|pair| matches!(pair, [0xE0, 0x80..=0x9F] | [0xF0, 0x80..=0x8F]))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;

    fn one() -> PathTemplate {
        let segments =
            vec![Segment::Pieces(vec![Piece::Literal("a".into())]), Segment::Pieces(vec![Piece::Param("x".into())])];
        PathTemplate { segments, source: "/a/{x}".into() }
    }

    fn rest() -> PathTemplate {
        PathTemplate { segments: vec![Segment::Rest("x".into())], source: "/{x*}".into() }
    }

    fn beside() -> PathTemplate {
        let piece = || Piece::Param("x".into());
        PathTemplate { segments: vec![Segment::Pieces(vec![piece(), piece()])], source: "/{x}{x}".into() }
    }

    fn built(template: &PathTemplate, value: Value) -> Result<(String, usize), (FailureClass, String)> {
        let scope = Map::from_iter([("x".to_owned(), value)]);
        let mut out = String::new();
        match append(&mut out, template, &scope) {
            Ok(segments) => Ok((out, segments)),
            Err(error) => Err((error.class(), error.public().to_owned())),
        }
    }

    #[test]
    fn values_stay_one_segment() {
        for (value, expected) in [
            (json!("plain"), "/a/plain"),
            (json!(42), "/a/42"),
            (json!(-7), "/a/-7"),
            (json!(5.0), "/a/5"),
            (json!(1e21), "/a/1000000000000000000000"),
            (json!(39.7456), "/a/39.7456"),
            (json!(18_446_744_073_709_551_615_u64), "/a/18446744073709551615"),
            (json!(true), "/a/true"),
            (json!("a b"), "/a/a%20b"),
            (json!("AC/DC"), "/a/AC%2FDC"),
            (json!("a\\b"), "/a/a%5Cb"),
            (json!("a?x=1#f"), "/a/a%3Fx%3D1%23f"),
            (json!("39.7,-97.1"), "/a/39.7,-97.1"),
            (json!("owner:branch@2"), "/a/owner:branch@2"),
            (json!("a;b=c&d+e"), "/a/a%3Bb%3Dc%26d%2Be"),
            (json!("http://evil.test/x"), "/a/http:%2F%2Fevil.test%2Fx"),
            (json!("//evil.test"), "/a/%2F%2Fevil.test"),
            (json!("@evil.test"), "/a/@evil.test"),
            (json!("..."), "/a/..."),
            (json!("a..b"), "/a/a..b"),
            (json!(".env"), "/a/.env"),
            (json!("100%"), "/a/100%25"),
            (json!("50%25"), "/a/50%2525"),
            (json!("{{x}}"), "/a/%7B%7Bx%7D%7D"),
            (json!("Zürich"), "/a/Z%C3%BCrich"),
            (json!("\u{2028}"), "/a/%E2%80%A8"),
        ] {
            assert_eq!(built(&one(), value.clone()), Ok((expected.to_owned(), 2)), "{value}");
        }
    }

    #[test]
    fn values_that_climb_split_or_hide_are_refused_without_being_repeated() {
        for (value, fault) in [
            (json!(""), Fault::Empty),
            (json!("."), Fault::Dots),
            (json!(".."), Fault::Dots),
            (json!("%2e"), Fault::Dots),
            (json!("%2e%2e"), Fault::Dots),
            (json!("%2E."), Fault::Dots),
            (json!("%252e%252e"), Fault::Dots),
            (json!("%25252e%25252e"), Fault::Dots),
            (json!("../admin"), Fault::Dots),
            (json!("a/../../admin"), Fault::Dots),
            (json!("a/./b"), Fault::Dots),
            (json!("a\\..\\..\\x"), Fault::Dots),
            (json!("..\\x"), Fault::Dots),
            (json!("..%2fadmin"), Fault::Dots),
            (json!("..%5cadmin"), Fault::Dots),
            (json!("..%255cadmin"), Fault::Dots),
            (json!("%2e%2e%2fadmin"), Fault::Dots),
            (json!("..;/admin"), Fault::Dots),
            (json!("..;x=1"), Fault::Dots),
            (json!(".. "), Fault::Dots),
            (json!("\t../x"), Fault::Control),
            (json!(".\t./x"), Fault::Control),
            (json!("a\r\nX-Evil: 1"), Fault::Control),
            (json!("a%0d%0aX-Evil: 1"), Fault::Control),
            (json!("a%250aX"), Fault::Control),
            (json!("a\0"), Fault::Control),
            (json!("a%00.json"), Fault::Control),
            (json!("a\u{7f}"), Fault::Control),
            (json!("a\u{85}"), Fault::Control),
            (json!("%c0%ae%c0%ae"), Fault::Encoding),
            (json!("%e0%80%ae"), Fault::Encoding),
            (json!(format!("%{}2e", "25".repeat(12))), Fault::Encoding),
            (json!(null), Fault::Missing),
            (json!(["a"]), Fault::NotScalar),
            (json!({"a": 1}), Fault::NotScalar),
        ] {
            for template in [one(), rest()] {
                let expected = Err((FailureClass::Arguments, format!("`x` {}.", fault.says())));
                assert_eq!(built(&template, value.clone()), expected, "{value} in {}", template.source);
            }
        }
        let gone = append(&mut String::new(), &one(), &Map::new()).unwrap_err();
        assert_eq!(gone.public(), format!("`x` {}.", Fault::Missing.says()));
    }

    #[test]
    fn several_segments_keep_their_slashes_and_only_those() {
        for (value, expected) in [
            ("src/main.rs", Ok(("/src/main.rs", 2))),
            ("a b/c?d", Ok(("/a%20b/c%3Fd", 2))),
            ("one", Ok(("/one", 1))),
            ("a%2Fb", Ok(("/a%252Fb", 1))),
            ("a//b", Err(Fault::EmptyPart)),
            ("/a", Err(Fault::EmptyPart)),
            ("a/", Err(Fault::EmptyPart)),
            ("//evil.test/x", Err(Fault::EmptyPart)),
        ] {
            let expected = match expected {
                Ok((path, segments)) => Ok((path.to_owned(), segments)),
                Err(fault) => Err((FailureClass::Arguments, format!("`x` {}.", fault.says()))),
            };
            assert_eq!(built(&rest(), json!(value)), expected, "{value}");
        }
    }

    #[test]
    fn neighbours_cannot_climb_together() {
        assert_eq!(built(&beside(), json!("ab")), Ok(("/abab".to_owned(), 1)));
        let joined = PathTemplate {
            segments: vec![Segment::Pieces(vec![Piece::Literal("%2e".into()), Piece::Literal(".".into())])],
            source: "/%2e.".into(),
        };
        assert!(built(&joined, json!("ab")).is_err());
    }
}
