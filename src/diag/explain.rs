//! Floor 1. What a code means, for `explain` and for the page of all codes: a Markdown file a code
//! in `explain/`, which begins with what it is and goes on with `Why`, `Example` and `Instead`.

use super::Code;

/// What there is to say about a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What is wrong.
    pub what: &'static str,
    /// Why it is a fault.
    pub why: &'static str,
    /// Files, or the words of the program, that show it.
    pub example: Advice,
    /// What to do, and the same files without the fault.
    pub instead: Advice,
}

/// Words with samples behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The words; may be empty.
    pub words: &'static str,
    /// The samples.
    pub samples: Vec<Sample>,
}

/// One file, or lines of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// What it is written in.
    pub language: Language,
    /// Its text.
    pub text: &'static str,
}

/// What a sample is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// A whole bridge file.
    Yaml,
    /// Words, where no file can show the fault.
    Text,
}

impl Code {
    /// The code that somebody typed: in any case, with or without `MB`.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        let upper = text.trim().to_ascii_uppercase();
        let digits = upper.strip_prefix("MB").unwrap_or(&upper);
        Self::ALL.iter().copied().find(|code| code.as_str().strip_prefix("MB") == Some(digits))
    }

    /// What there is to say about it.
    #[must_use]
    pub fn explanation(self) -> Explanation {
        let (what, rest) = divide(self.page(), "\n## Why\n");
        let (why, rest) = divide(rest, "\n## Example\n");
        let (example, instead) = divide(rest, "\n## Instead\n");
        Explanation { what: what.trim(), why: why.trim(), example: advice(example), instead: advice(instead) }
    }
}

fn divide(text: &'static str, at: &str) -> (&'static str, &'static str) {
    text.split_once(at).unwrap_or((text, ""))
}

fn advice(text: &'static str) -> Advice {
    let (words, mut rest) = divide(text, "```");
    let mut samples = Vec::new();
    while !rest.is_empty() {
        let (language, body) = divide(rest, "\n");
        let language = if language == "yaml" { Language::Yaml } else { Language::Text };
        let (body, behind) = divide(body, "```");
        samples.push(Sample { language, text: body });
        rest = divide(behind, "```").1;
    }
    Advice { words: words.trim(), samples }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_its_four_parts() {
        for code in Code::ALL {
            let it = code.explanation();
            let sentence = |text: &str| text.ends_with('.') && text.chars().next().is_some_and(|it| !it.is_lowercase());
            assert!(sentence(code.title()) && sentence(it.what) && sentence(it.why), "{}: {it:?}", code.as_str());
            assert!(sentence(it.instead.words) && !it.example.samples.is_empty(), "{}: {it:?}", code.as_str());
            assert_eq!(code.page().matches("\n## ").count(), 3, "{}", code.as_str());
        }
    }

    #[test]
    fn a_code_is_found_as_people_type_it() {
        for text in ["MB0201", "mb0201", "0201", " MB0201 "] {
            assert_eq!(Code::named(text), Some(Code::UnknownKey), "{text}");
        }
        for text in ["", "MB", "201", "MB02011", "x"] {
            assert_eq!(Code::named(text), None, "{text}");
        }
    }
}
