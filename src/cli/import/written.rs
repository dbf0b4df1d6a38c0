//! Floor 9. The file that an import writes: new, or brought up to date; and what is told of it on the
//! standard error stream: what was made, what it costs, and what is missing.

use std::{collections::BTreeMap, fmt::Write as _, fs::File, path::Path, sync::Arc};

use crate::{
    cli::{fix, report},
    engine::Generation,
    import::{Draft, Drafted, Fate, Imported, Skipped, merge, served},
    mcp,
    plan::Plan,
    secret::Vault,
    yaml::Variables,
};

/// Bytes of JSON that make about one token: an estimate that holds for English and names within a fifth.
const BYTES_OF_A_TOKEN: usize = 4;
/// How many operations are listed one by one.
const LISTED: usize = 20;

/// What a file is made of, in the words for it.
pub(super) struct Of<'a> {
    /// What tools are made of: `operation`.
    pub(super) noun: &'a str,
    /// What these stand in: `document`.
    pub(super) whole: &'a str,
    pub(super) imported: &'a Imported,
    /// What the file is checked with.
    pub(super) variables: &'a dyn Variables,
}

/// Writes a file or brings it up to date, or prints it where none is named.
///
/// # Errors
/// Why nothing was written, without a full stop.
pub(super) fn put(output: Option<&Path>, of: &Of<'_>, made: Draft) -> Result<(), String> {
    match output {
        None => report::show(&made.text),
        Some(path) if path.exists() => return again(path, of, &made),
        Some(path) => create(path, &made.text)?,
    }
    tell(of, made, output);
    Ok(())
}

/// `^[a-z][a-z0-9_-]{0,31}$`
pub(super) fn bridge_name(name: &str) -> Result<String, String> {
    let fine = name.len() <= 32
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-'));
    if fine {
        Ok(name.to_owned())
    } else {
        Err("up to 32 lower-case letters, digits, `_` and `-`, a letter first".into())
    }
}

pub(super) fn source_name(name: &str) -> Result<String, String> {
    let fine = (1..=40).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if fine { Ok(name.to_owned()) } else { Err("up to 40 letters, digits, `_` and `-`, a letter first".into()) }
}

/// Brings a file that is there up to date.
fn again(path: &Path, of: &Of<'_>, made: &Draft) -> Result<(), String> {
    let imported = of.imported;
    let named = |fault: String| format!("{}: {fault}", path.display());
    let before = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    let merged = merge(&before, (imported, made), of.variables).map_err(named)?;
    if merged.text != before {
        fix::write(path, &before, &merged.text).map_err(named)?;
    }
    let mut text = String::new();
    for (fate, title) in FATES {
        let all: Vec<&str> = merged.fates.iter().filter(|it| it.0 == fate).map(|it| it.1.as_str()).collect();
        if !all.is_empty() {
            let title = title.replace("{noun}", of.noun).replace("{whole}", of.whole);
            let _ = writeln!(text, "{title}: {}", shortened(&all));
        }
    }
    if merged.head_is_kept {
        let _ =
            writeln!(text, "What stands above the tools differs from what the {} says by now, and is kept.", of.whole);
    }
    let skipped: Vec<Skipped> = imported.skipped.iter().chain(&made.skipped).chain(&merged.skipped).cloned().collect();
    group(&mut text, "Left out:", skipped.iter().map(|it| (it.reason.as_str(), it.key.as_str())));
    let state = if merged.text == before { "nothing to change in" } else { "brought up to date:" };
    let _ = writeln!(text, "{state} {}", path.display());
    report::sum_up(text.trim_end());
    if let Some(bill) =
        served(&merged.text, of.variables).and_then(|(plan, vault)| bill(plan, &vault, imported.choosing))
    {
        report::sum_up(&bill);
    }
    Ok(())
}

/// What becomes of tools, in the words for it.
const FATES: [(Fate, &str); 6] = [
    (Fate::New, "New"),
    (Fate::Updated, "Updated"),
    (Fate::Removed, "Removed, because the {whole} has the {noun} no more"),
    (Fate::Kept, "Edited and kept, although the {whole} says something else by now"),
    (Fate::Orphan, "Edited and kept, although the {whole} has the {noun} no more"),
    (Fate::TakenOut, "Taken out by hand, and left out"),
];

/// Writes a new file, whole or not at all.
fn create(path: &Path, text: &str) -> Result<(), String> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).ok_or_else(|| named(&"not a file"))?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| named(&error))?;
    }
    // A name that begins with a dot is never read as a bridge file.
    let beside = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    // The name is taken first, so that no file that has come into being meanwhile is replaced.
    let written = File::create_new(path).and_then(|_| std::fs::write(&beside, text));
    let written = written.and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| named(&error))
}

/// Tells on the standard error stream what was made, what it costs, and what is missing.
fn tell(of: &Of<'_>, made: Draft, output: Option<&Path>) {
    let imported = of.imported;
    let skipped: Vec<&Skipped> = imported.skipped.iter().chain(&made.skipped).collect();
    let mut text = String::new();
    // Writing to a String cannot fail, here and below.
    group(&mut text, "Left out:", skipped.iter().map(|it| (it.reason.as_str(), it.key.as_str())));
    group(&mut text, "Made simpler:", notes(&made.tools));
    let silenced = made.silenced.iter().flat_map(|(code, tools)| {
        let told = format!("{} ({})", code.as_str(), code.title().trim_end_matches('.'));
        let all = if tools.is_empty() { vec!["the file"] } else { tools.iter().map(String::as_str).collect() };
        all.into_iter().map(move |name| (told.clone(), name))
    });
    let silenced: Vec<(String, &str)> = silenced.collect();
    let advice = "Advice that is left to you, and silenced by `allow` until then:";
    group(&mut text, advice, silenced.iter().map(|(code, name)| (code.as_str(), *name)));
    for note in &imported.notes {
        let _ = writeln!(text, "Note: {note}.");
    }
    let used: Vec<_> =
        imported.variables.iter().filter(|it| made.text.contains(&format!("${{{}}}", it.name))).collect();
    if !used.is_empty() {
        text.push_str("Set before it is served or checked:\n");
        for variable in used {
            let _ = writeln!(text, "  {}  {}", variable.name, variable.meaning);
        }
    }
    let noun = |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    let place = output.map_or(String::new(), |path| format!(" in {}", path.display()));
    let _ = writeln!(text, "{}{place}, {} left out", noun(made.tools.len(), "tool"), noun(skipped.len(), of.noun));
    report::sum_up(text.trim_end());
    if let Some(bill) = bill(made.plan, &made.vault, imported.choosing) {
        report::sum_up(&bill);
    }
}

fn notes(tools: &[Drafted]) -> impl Iterator<Item = (&str, &str)> {
    tools.iter().flat_map(|tool| tool.notes.iter().map(|note| (note.as_str(), tool.name.as_str())))
}

/// Lists what has a reason, by reason.
fn group<'a>(text: &mut String, title: &str, all: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (reason, key) in all {
        groups.entry(reason).or_default().push(key);
    }
    if groups.is_empty() {
        return;
    }
    let _ = writeln!(text, "{title}");
    for (at, (reason, keys)) in groups.iter().enumerate() {
        if at == LISTED {
            let _ = writeln!(text, "  and for {} more reasons", groups.len() - LISTED);
            break;
        }
        let _ = writeln!(text, "  {reason}: {}", shortened(keys));
    }
}

/// The first of a list, and how many there are besides.
fn shortened(all: &[&str]) -> String {
    let shown = all.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What a client pays for the list of tools.
fn bill(plan: Plan, vault: &Vault, choosing: &str) -> Option<String> {
    let count = plan.tools.len();
    let listed = listed(plan, vault)?;
    let tokens = listed.len() / BYTES_OF_A_TOKEN;
    let advice = match count {
        0..=40 => String::new(),
        _ => format!("; hosts work best with at most 40 tools: choose by {choosing}"),
    };
    Some(format!("tools/list costs about {tokens} tokens ({} bytes, 4 bytes a token){advice}", listed.len()))
}

fn listed(plan: Plan, vault: &Vault) -> Option<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let generation = runtime.block_on(Generation::build(plan, vault)).ok()?;
    let server = mcp::Server::new(Arc::new(generation), None);
    server.tools(None).map(|listed| listed.to_vec())
}
