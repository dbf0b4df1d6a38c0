//! What `explain` shows is true: every example has the fault of its code, and what is to be
//! written instead has none.

use std::collections::BTreeSet;

use mcp_bridge::{
    cli::check_samples,
    diag::{Code, Language},
};

/// Codes whose fault no text of a bridge file can have: bytes that are no text, a size that no page
/// has, and what only a database says.
const IN_WORDS: &[Code] = &[
    Code::NotUtf8,
    Code::FileTooLarge,
    Code::LongDescription,
    Code::ManyTools,
    Code::LongInstructions,
    Code::StatementRefused,
    Code::UnknownColumn,
    Code::FullScan,
    Code::SourceUnreachable,
    Code::CatalogStale,
    Code::ParamMisfit,
    Code::ColumnRenamed,
];

#[test]
fn every_example_has_its_fault_and_nothing_else() {
    let mut odd = Vec::new();
    for code in Code::ALL {
        let samples = code.explanation().example.samples;
        if samples.iter().all(|sample| sample.language == Language::Text) {
            if !IN_WORDS.contains(code) {
                odd.push(format!("{} has no file that shows it", code.as_str()));
            }
            continue;
        }
        let found: BTreeSet<_> = check_samples(&samples).1.iter().map(|it| it.code).collect();
        if found != BTreeSet::from([*code]) {
            odd.push(format!("the example of {} has {found:?}", code.as_str()));
        }
    }
    assert!(odd.is_empty(), "\n{}\n", odd.join("\n"));
}

#[test]
fn nothing_is_wrong_with_what_to_write_instead() {
    let mut odd = Vec::new();
    for code in Code::ALL {
        let (files, found) = check_samples(&code.explanation().instead.samples);
        let at = |it: &mcp_bridge::diag::Diagnostic| it.primary.as_ref().map(|it| files.slice(it.span).to_owned());
        odd.extend(found.iter().map(|it| format!("{}: {:?} {} {:?}", code.as_str(), it.code, it.message, at(it))));
    }
    assert!(odd.is_empty(), "\n{}\n", odd.join("\n"));
}
