//! Floor 9. Results of tests as JUnit XML, which build servers read.

use std::{fmt::Write as _, time::Duration};

use super::words::{Told, in_words};

/// The whole document: a suite for each file, a case for each test.
pub(super) fn document(told: &[Told<'_>]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(text, "<testsuites name=\"mcp-bridge\" {}>", counts(told));
    for suite in told.chunk_by(|one, other| one.file == other.file) {
        let file = suite.first().map_or("", |it| it.file);
        let _ = writeln!(text, "  <testsuite name=\"{}\" {}>", escaped(file), counts(suite));
        for it in suite {
            case(it, &mut text);
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn case(it: &Told<'_>, text: &mut String) {
    let (tool, name, seconds) = (escaped(&it.tool.name), escaped(&it.test.name), it.verdict.took.as_secs_f64());
    let _ = write!(
        text,
        "    <testcase classname=\"{tool}\" name=\"{name}\" file=\"{}\" line=\"{}\" time=\"{seconds:.3}\"",
        escaped(it.file),
        it.place.line
    );
    let Some(first) = it.verdict.faults.first() else { return text.push_str("/>\n") };
    let all: Vec<_> = it.verdict.faults.iter().map(in_words).collect();
    let message = first.what.lines().next().unwrap_or_default();
    let _ = writeln!(
        text,
        ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
        escaped(message),
        escaped(&all.join("\n"))
    );
}

fn counts(told: &[Told<'_>]) -> String {
    let failed = told.iter().filter(|it| !it.verdict.faults.is_empty()).count();
    let took: Duration = told.iter().map(|it| it.verdict.took).sum();
    format!("tests=\"{}\" failures=\"{failed}\" errors=\"0\" time=\"{:.3}\"", told.len(), took.as_secs_f64())
}

/// Text between tags and in attributes. What XML 1.0 cannot hold at all is replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(char),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            char if char.is_control() => escaped.push('\u{fffd}'),
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn what_means_something_in_xml_is_escaped() {
        assert_eq!(escaped("<a b=\"c\">&\u{0}\u{1b}é"), "&lt;a b=&quot;c&quot;&gt;&amp;\u{fffd}\u{fffd}é");
    }
}
