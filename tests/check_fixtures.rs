//! Every folder below `tests/check` is faulty in its own way, and its `expected.txt` is all that
//! `mcp-bridge check` has to say about it. The words are part of the product: a change of them
//! shows up here as a difference to read.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use mcp_bridge::{
    check::check,
    diag::{
        Code, Diagnostics,
        render::{Colour, Form, render},
    },
    load,
    text::FileSet,
    yaml::Variables,
};

const FOLDER: &str = "tests/check";
const EXPECTED: &str = "expected.txt";

/// What the environment of the fixtures holds.
const VARIABLES: &[(&str, &str)] = &[
    ("BRACES", "{{not_a_template}}"),
    ("NUMBER", "50"),
    ("WORD", "plenty"),
    ("SHOP_KEY", "sesame-key-of-the-environment"),
    ("SHOP_TABLE", "orders"),
    ("SHOP_TOKEN", "sesame-token-of-the-environment"),
    ("WEAK_KEY", "sesame-weak"),
];

/// Every way of printing.
const FORMS: [Form; 6] =
    [Form::Full(Colour::Plain), Form::Full(Colour::Styled), Form::Concise, Form::Json, Form::Github, Form::Sarif];

/// How every secret in the fixtures begins, whether it is written there or comes from a variable
/// or a file, and two that cannot begin so.
const SECRETS: &[&str] = &["sesame-", "hunter2-in-the-url", "9876543210987654321"];

/// Codes that no fixture can show, with the reason.
const ELSEWHERE: &[(Code, &str)] = &[
    (Code::FileTooLarge, "the project keeps no file that large: `a_file_that_is_too_large_is_told`"),
    (Code::StatementRefused, CONNECTED),
    (Code::UnknownColumn, CONNECTED),
    (Code::FullScan, CONNECTED),
    (Code::SourceUnreachable, CONNECTED),
    (Code::CatalogStale, CONNECTED),
    (Code::ParamMisfit, CONNECTED),
    (Code::ColumnRenamed, CONNECTED),
];

const CONNECTED: &str = "a database says it: `cli::check_asks_the_databases_when_it_is_told_to`";

/// A fixed environment: variables by name, files from the folder of the fixture.
struct Fixed<'a> {
    folder: &'a Path,
}

impl Variables for Fixed<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        VARIABLES.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    fn file(&self, folder: &Path, path: &str) -> Result<String, String> {
        fs::read_to_string(self.folder.join(folder).join(path)).map_err(|_| "no such file".to_owned())
    }
}

/// Every fixture, in byte order.
fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    entries(&root).into_iter().filter(|path| path.is_dir()).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// The bridge files of a fixture.
fn bridge_files(case: &Path) -> Vec<PathBuf> {
    entries(case).into_iter().filter(|path| path.extension().is_some_and(|it| it == "yaml")).collect()
}

/// All there is to say about a fixture. What is not text goes through `load`, whose path starts at
/// the project's folder, where the tests run.
fn diagnose(case: &Path) -> (FileSet, Diagnostics) {
    let mut files = FileSet::new();
    let mut diagnostics = Diagnostics::new();
    for path in bridge_files(case) {
        if let Ok(text) = String::from_utf8(fs::read(&path).unwrap()) {
            files.add(name(&path), text);
        } else {
            let relative = format!("{FOLDER}/{}/{}", name(case), name(&path));
            diagnostics.append(load::load(&[relative.into()]).unwrap().1);
        }
    }
    diagnostics.append(check(&files, &Fixed { folder: case }).diagnostics);
    (files, diagnostics)
}

fn printed(files: &FileSet, diagnostics: &Diagnostics) -> String {
    let mut out = Vec::new();
    render(Form::Full(Colour::Plain), diagnostics, files, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The lines that differ, behind the last one that does not.
fn difference(expected: &str, found: &str) -> String {
    let (expected, found): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
    let alike = |(a, b): &(&&str, &&str)| a == b;
    let before = expected.iter().zip(&found).take_while(alike).count();
    let most = expected.len().min(found.len()) - before;
    let after = expected.iter().rev().zip(found.iter().rev()).take(most).take_while(alike).count();
    let mut text = String::new();
    if let Some(last) = before.checked_sub(1).and_then(|at| expected.get(at)) {
        writeln!(text, "  {last}").unwrap();
    }
    for line in &expected[before..expected.len() - after] {
        writeln!(text, "- {line}").unwrap();
    }
    for line in &found[before..found.len() - after] {
        writeln!(text, "+ {line}").unwrap();
    }
    text
}

#[expect(clippy::disallowed_methods, reason = "says whether to rewrite what is expected")]
fn updates() -> bool {
    std::env::var("UPDATE").is_ok_and(|value| value == "1")
}

#[test]
fn every_fixture_is_told_as_expected() {
    let mut report = String::new();
    for case in cases() {
        let (files, diagnostics) = diagnose(&case);
        let found = printed(&files, &diagnostics);
        let path = case.join(EXPECTED);
        if updates() {
            fs::write(&path, &found).unwrap();
            continue;
        }
        let expected = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
        if expected != found {
            let difference = difference(&expected, &found);
            write!(report, "\n== {}\n{difference}", name(&case)).unwrap();
        }
    }
    assert!(report.is_empty(), "{report}\nif that is how it should be: run UPDATE=1 cargo test check_fixtures");
}

#[test]
fn a_fixture_shows_the_code_it_is_named_after_and_a_clean_one_none() {
    let mut odd = Vec::new();
    for case in cases() {
        let (_, diagnostics) = diagnose(&case);
        let codes: BTreeSet<_> = diagnostics.iter().map(|diagnostic| diagnostic.code.as_str()).collect();
        let name = name(&case);
        let first = name.split('-').next().unwrap();
        let fits = match first {
            "clean" => codes.is_empty(),
            code => !code.starts_with("MB") || codes.contains(code),
        };
        if !fits {
            odd.push(format!("{name} has {codes:?}"));
        }
    }
    assert!(odd.is_empty(), "\n{}\n", odd.join("\n"));
}

#[test]
fn every_code_has_a_fixture() {
    let shown: BTreeSet<Code> =
        cases().iter().flat_map(|case| diagnose(case).1.iter().map(|it| it.code).collect::<Vec<_>>()).collect();
    let elsewhere = |code: &Code| ELSEWHERE.iter().any(|(known, _)| known == code);
    let odd: Vec<_> = Code::ALL.iter().filter(|code| shown.contains(code) == elsewhere(code)).collect();
    assert!(odd.is_empty(), "a fixture or a reason why there is none, and not both: {odd:?}");
}

#[test]
fn no_secret_is_ever_printed() {
    let mut found = Vec::new();
    for case in cases() {
        let (files, diagnostics) = diagnose(&case);
        for form in FORMS {
            let mut out = Vec::new();
            render(form, &diagnostics, &files, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            let lines = text.lines().filter(|line| SECRETS.iter().any(|secret| line.contains(secret)));
            found.extend(lines.map(|line| format!("{}, {form:?}: {line}", name(&case))));
        }
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn paths_that_cannot_be_read_end_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: PathBuf| load::load(&[path]).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused(folder.path().join("none.yaml")).contains("none.yaml: "));
    assert!(refused(folder.path().to_path_buf()).starts_with("no bridge file (*.yaml, *.yml) in "));
    for number in 0..=1000 {
        fs::write(folder.path().join(format!("{number}.yaml")), "").unwrap();
    }
    assert_eq!(refused(folder.path().to_path_buf()), "more than 1000 bridge files");
}

#[test]
fn a_file_that_is_too_large_is_told_and_the_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.yaml");
    fs::write(&path, format!("bridge: shop\n#{}\n", "-".repeat(4 << 20))).unwrap();
    fs::write(folder.path().join("small.yaml"), "bridge: bakery\n").unwrap();
    let (files, diagnostics) = load::load(&[folder.path().to_path_buf()]).unwrap();
    let found: Vec<_> = diagnostics.iter().map(|it| (it.code, it.message.clone())).collect();
    assert_eq!(found, [(Code::FileTooLarge, format!("{}: a bridge file has at most 4 MiB", path.display()))]);
    assert_eq!(files.ids().map(|id| files.text(id)).collect::<Vec<_>>(), ["bridge: bakery\n"]);
}

/// A small generator, so that a run can be repeated (Knuth's constants for 64 bits).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }
}

/// Text that is almost a bridge file: the beginning of one, or one with a bit or some
/// characters changed.
fn broken(text: &str, numbers: &mut Numbers) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    match numbers.below(4) {
        0 => {
            chars.truncate(numbers.below(chars.len()));
            return chars.into_iter().collect();
        }
        1 if !text.is_empty() => {
            let mut bytes = text.as_bytes().to_vec();
            let at = numbers.below(bytes.len());
            bytes[at] ^= 1 << numbers.below(8);
            return String::from_utf8_lossy(&bytes).into_owned();
        }
        _ => {}
    }
    let odd: Vec<char> = "{}[]:-,&*!|>'\"%@`#?$<\\/\t\n\r \0\u{85}\u{2028}\u{feff}ü🐢09:;.~=xA".chars().collect();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(chars.len());
        let new = odd[numbers.below(odd.len())];
        match numbers.below(3) {
            0 => chars.insert(at, new),
            1 if at < chars.len() => drop(chars.remove(at)),
            _ if at < chars.len() => chars[at] = new,
            _ => chars.push(new),
        }
    }
    chars.into_iter().collect()
}

#[test]
fn nothing_panics_whatever_the_file_holds() {
    let mut numbers = Numbers(1);
    for case in cases() {
        for path in bridge_files(&case) {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            for _ in 0..4 {
                let broken = broken(&text, &mut numbers);
                let told = std::panic::catch_unwind(|| {
                    let mut files = FileSet::new();
                    files.add(name(&path), broken.as_str());
                    let checked = check(&files, &Fixed { folder: &case });
                    for form in FORMS {
                        render(form, &checked.diagnostics, &files, &mut Vec::new()).unwrap();
                    }
                });
                assert!(told.is_ok(), "{}: this panics:\n{broken}", name(&case));
            }
        }
    }
}

#[test]
fn what_is_told_as_advice_can_be_allowed_and_nothing_else() {
    let told: BTreeSet<String> = cases()
        .iter()
        .flat_map(|case| {
            let text = fs::read_to_string(case.join(EXPECTED)).expect("what is expected");
            let codes =
                text.lines().filter_map(|line| Some(line.strip_prefix("warning[")?.split(']').next()?.to_owned()));
            codes.collect::<Vec<_>>()
        })
        .collect();
    let connected = [Code::FullScan, Code::CatalogStale, Code::ParamMisfit, Code::ColumnRenamed]
        .map(|code| code.as_str().to_owned());
    let told: BTreeSet<String> = told.into_iter().chain(connected).collect();
    let known: BTreeSet<String> =
        Code::ALL.iter().filter(|code| code.is_advice()).map(|code| code.as_str().to_owned()).collect();
    assert_eq!(told, known);
}
