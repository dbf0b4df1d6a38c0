//! Floor 9. `mcp-bridge explain`: what a code means, why it is a fault, a file that has it, and
//! what to write instead. What `check` says about the file is asked of `check` itself.

use std::{fmt::Write as _, path::Path};

use clap::Args;

use super::{Exit, report};
use crate::{
    check::check,
    diag::{
        Code, Diagnostics, Explanation, Language, Sample, closest,
        render::{Colour, Form, render},
    },
    text::FileSet,
    yaml::Variables,
};

/// Characters of a line of words.
const WIDTH: usize = 90;

/// `mcp-bridge explain`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    /// The code, such as MB0201; without one every code is listed
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  mcp-bridge explain MB0201
  mcp-bridge explain";

pub(super) fn run(options: &Options) -> Exit {
    let Some(text) = &options.code else {
        report::show(&list());
        return Exit::Fine;
    };
    let Some(code) = Code::named(text) else {
        report::tell(&format!("error: there is no code `{text}`"));
        let near = closest(text, Code::ALL.iter().map(|code| code.as_str()));
        let hint = near.map_or("`mcp-bridge explain` lists all of them".into(), |near| format!("did you mean {near}?"));
        report::tell(&format!("  help: {hint}"));
        return Exit::CouldNotRun;
    };
    report::show(&in_words(code));
    Exit::Fine
}

fn list() -> String {
    Code::ALL.iter().fold(String::new(), |mut text, code| {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "{}  {}", code.as_str(), code.title());
        text
    })
}

fn in_words(code: Code) -> String {
    let Explanation { what, why, example, instead } = code.explanation();
    let mut text = format!("{}: {}\n\n{}\n\nWhy\n{}\n\nExample\n", code.as_str(), code.title(), wrap(what), wrap(why));
    samples(&example.samples, &mut text);
    let picture = picture(&example.samples);
    if !picture.is_empty() {
        let _ = write!(text, "\nWhat check says\n{}", indented(&picture));
    }
    let _ = write!(text, "\nInstead\n{}\n", wrap(instead.words));
    if !instead.samples.is_empty() {
        text.push('\n');
        samples(&instead.samples, &mut text);
    }
    text
}

fn samples(samples: &[Sample], text: &mut String) {
    for (at, sample) in samples.iter().enumerate() {
        if at > 0 {
            text.push_str("    ---- another file\n");
        }
        text.push_str(&indented(sample.text));
    }
}

fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |mut all, line| {
        let _ = writeln!(all, "{}", format!("    {line}").trim_end());
        all
    })
}

fn wrap(words: &str) -> String {
    let mut text = String::new();
    let mut width = 0;
    for word in words.split_whitespace() {
        let long = word.chars().count();
        if width > 0 && width + 1 + long > WIDTH {
            text.push('\n');
            width = 0;
        } else if width > 0 {
            text.push(' ');
            width += 1;
        }
        text.push_str(word);
        width += long;
    }
    text
}

/// The page of all codes, in Markdown.
#[must_use]
pub fn diagnostics_page() -> String {
    let mut text = String::from(
        "# Diagnostics\n\nEvery code that `mcp-bridge check` knows, made from the pages in `src/diag/explain`; \
         `UPDATE=1 cargo test generated` writes it anew.\n`mcp-bridge explain CODE` prints one of them.\n\n\
         | code | meaning |\n|---|---|\n",
    );
    for code in Code::ALL {
        let (code, title) = (code.as_str(), code.title());
        let _ = writeln!(text, "| [{code}](#{}) | {title} |", code.to_lowercase());
    }
    for code in Code::ALL {
        let Explanation { what, why, example, instead } = code.explanation();
        let _ = write!(text, "\n## {}\n\n{what}\n{why}\n", code.as_str());
        fenced(&example.samples, &mut text);
        let picture = picture(&example.samples);
        if !picture.is_empty() {
            let _ = write!(text, "\n```text\n{}\n```\n", picture.trim_end());
        }
        let _ = write!(text, "\nInstead: {}\n", instead.words);
        fenced(&instead.samples, &mut text);
    }
    text
}

fn fenced(samples: &[Sample], text: &mut String) {
    for sample in samples {
        let language = match sample.language {
            Language::Yaml => "yaml",
            Language::Text => "text",
        };
        let _ = write!(text, "\n```{language}\n{}```\n", sample.text);
    }
}

fn picture(samples: &[Sample]) -> String {
    let (files, diagnostics) = check_samples(samples);
    let mut out = Vec::new();
    // Writing to a Vec cannot fail.
    let _ = render(Form::Full(Colour::Plain), &diagnostics, &files, &mut out);
    String::from_utf8_lossy(&out).trim_end().to_owned()
}

/// What `check` says about the files among samples, in an environment that is the same everywhere.
#[must_use]
pub fn check_samples(samples: &[Sample]) -> (FileSet, Diagnostics) {
    let mut files = FileSet::new();
    for (at, sample) in samples.iter().filter(|sample| sample.language == Language::Yaml).enumerate() {
        files.add(if at == 0 { "bridge.yaml".to_owned() } else { format!("bridge-{}.yaml", at + 1) }, sample.text);
    }
    let diagnostics = check(&files, &Everywhere).diagnostics;
    (files, diagnostics)
}

/// The environment of the samples.
struct Everywhere;

impl Variables for Everywhere {
    fn variable(&self, name: &str) -> Option<String> {
        let value = match name {
            "SHOP_TOKEN" | "SHOP_KEY" => "a-value-that-is-long-enough-for-a-key",
            "SHOP_CODE" => "a-short-value",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn file(&self, _: &Path, path: &str) -> Result<String, String> {
        if path == "key.txt" { Ok("a-key-in-a-file-of-its-own".to_owned()) } else { Err("no such file".to_owned()) }
    }
}
