//! Floor 9. `mcp-bridge check --fix`: makes the replacements that can have been meant only. A
//! text is written after it was checked again, and only over the text that was read.

use std::path::{Path, PathBuf};

use super::{Exit, environment::Environment, report};
use crate::{
    check::{Checked, check},
    diag::{Diagnostics, Edit, apply, edits},
    text::FileSet,
};

/// A replacement can show a fault behind it; so many times in a row.
const ROUNDS: usize = 8;
/// Characters of a text that is shown.
const SHOWN: usize = 60;

/// Checks the files of the paths, mends what can be mended, and returns what is left.
pub(super) fn run(paths: &[PathBuf]) -> Result<(FileSet, Checked), Exit> {
    let (read, checked) = report::examine(paths)?;
    let mut now = State { files: again(&read, &[]), checked };
    let unread: Vec<_> = now.checked.diagnostics.iter().filter(|it| it.primary.is_none()).cloned().collect();
    let mut made = Vec::new();
    for _ in 0..ROUNDS {
        let wanted = edits(&now.checked.diagnostics);
        let taken = step(&mut now, &wanted);
        if taken.is_empty() {
            break;
        }
        made.extend(taken);
    }
    if made.is_empty() {
        return Ok((now.files, now.checked));
    }
    for diagnostic in unread {
        now.checked.diagnostics.push(diagnostic);
    }
    if now.checked.diagnostics.has_errors() {
        now.checked.plan = None;
    }
    let mut changed = 0;
    for (before, after) in read.ids().zip(now.files.ids()) {
        let (name, text) = (read.name(before), now.files.text(after));
        if read.text(before) == text {
            continue;
        }
        write(Path::new(name), read.text(before), text).map_err(|fault| {
            report::tell(&format!("error: {name} is left as it was: {fault}"));
            Exit::CouldNotRun
        })?;
        changed += 1;
        made.iter().filter(|it| it.file == name).for_each(|it| report::tell(&it.words));
    }
    let noun = |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    report::sum_up(&format!("{} in {}", noun(made.len(), "replacement"), noun(changed, "file")));
    Ok((now.files, now.checked))
}

struct State {
    files: FileSet,
    checked: Checked,
}

/// A replacement that was made.
struct Made {
    file: String,
    words: String,
}

/// Makes all replacements at once or, when that does not help, those of them that do.
fn step(now: &mut State, wanted: &[Edit]) -> Vec<Made> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let told: Vec<Made> = wanted.iter().map(|edit| tell(&now.files, edit)).collect();
    if let Some(next) = tried(now, wanted) {
        *now = next;
        return told;
    }
    for (edit, made) in wanted.iter().zip(told) {
        if let Some(next) = tried(now, std::slice::from_ref(edit)) {
            *now = next;
            return vec![made];
        }
    }
    Vec::new()
}

/// The state after some replacements, if every fault they are for is gone and none has broken
/// the text itself.
fn tried(now: &State, made: &[Edit]) -> Option<State> {
    let files = again(&now.files, made);
    let checked = check(&files, &Environment);
    let (before, after) = (&now.checked.diagnostics, &checked.diagnostics);
    let same = |all: &Diagnostics, edit: &Edit| {
        all.iter().filter(|it| it.code == edit.code && it.message == edit.message).count()
    };
    let unread = |all: &Diagnostics| all.iter().filter(|it| it.code.as_str().starts_with("MB01")).count();
    let helps = made.iter().all(|edit| same(after, edit) < same(before, edit));
    (helps && unread(after) <= unread(before)).then_some(State { files, checked })
}

fn again(files: &FileSet, made: &[Edit]) -> FileSet {
    let mut set = FileSet::new();
    for file in files.ids() {
        set.add(files.name(file), apply(files, file, made));
    }
    set
}

fn tell(files: &FileSet, edit: &Edit) -> Made {
    let short =
        |text: &str| -> String { text.chars().take(SHOWN).map(|it| if it == '\n' { ' ' } else { it }).collect() };
    let (file, at) = (files.name(edit.span.file).to_owned(), files.position(edit.span));
    let (before, after) = (short(files.slice(edit.span)), short(&edit.text));
    let words = format!("{file}:{}:{}: `{before}` is now `{after}` ({})", at.line, at.column, edit.code.as_str());
    Made { file, words }
}

/// Writes a text over the one that was read, whole or not at all.
pub(super) fn write(path: &Path, before: &str, after: &str) -> Result<(), String> {
    let words = |error: std::io::Error| error.to_string();
    let path = std::fs::canonicalize(path).map_err(words)?;
    if std::fs::read(&path).map_err(words)? != before.as_bytes() {
        return Err("it was changed meanwhile".into());
    }
    let about = std::fs::metadata(&path).map_err(words)?;
    if about.permissions().readonly() {
        return Err("it may not be written".into());
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // A name that begins with a dot is never read as a bridge file.
    let beside = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = std::fs::write(&beside, after)
        .and_then(|()| std::fs::set_permissions(&beside, about.permissions()))
        .and_then(|()| std::fs::rename(&beside, &path));
    written.map_err(|error| {
        // What was begun is of no use to anybody.
        let _ = std::fs::remove_file(&beside);
        error.to_string()
    })
}
