//! Floor 9. `mcp-bridge import openapi`: reads or fetches the document, writes the file, and tells what it
//! costs and what is not in it.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use url::Url;

use super::refuse;
use crate::{
    cli::{Exit, fix, report},
    engine::Generation,
    import::{Draft, Drafted, Fate, Imported, Skipped, Wanted, draft, merge, openapi, served},
    mcp,
    plan::Plan,
    secret::Vault,
    upstream::rest::download,
    yaml::read_foreign,
};

/// Bytes of a document at most.
const LARGEST: u64 = 64 << 20;
/// Bytes of JSON that make about one token: an estimate that holds for English and names within a fifth.
const BYTES_OF_A_TOKEN: usize = 4;
/// How many operations are listed one by one.
const LISTED: usize = 20;

/// `mcp-bridge import openapi`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The document: a file, or an address
    #[arg(value_name = "FILE|URL")]
    document: String,
    /// The file to write, or to bring up to date where it was imported before; without it the text goes to
    /// the standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only operations with this tag; may be given several times, as all that choose
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Only operations with this operationId, or `METHOD /path`; `*` stands for anything
    #[arg(long = "operation", value_name = "ID")]
    operations: Vec<String>,
    /// Only operations on these paths: `*` is one segment, `**` any number
    #[arg(long = "path", value_name = "GLOB")]
    paths: Vec<String>,
    /// Only operations with this method
    #[arg(long = "method", value_name = "METHOD")]
    methods: Vec<String>,
    /// Takes deprecated operations in
    #[arg(long)]
    deprecated: bool,
    /// The name of the bridge, in the place of one made of the title
    #[arg(long, value_name = "NAME", value_parser = bridge_name)]
    name: Option<String>,
    /// The name of the source
    #[arg(long, value_name = "NAME", value_parser = source_name)]
    source: Option<String>,
    /// The base of the API, in the place of the servers of the document
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  mcp-bridge import openapi petstore.yaml -o bridges/petstore.yaml
  mcp-bridge import openapi https://api.example.com/openapi.json --tag orders --method get
  mcp-bridge import openapi big.json --path '/repos/*/*/issues/**' -o bridges/issues.yaml

The file is an ordinary bridge file; a second import into it keeps what you have edited.";

pub(super) fn run(options: &Options) -> Exit {
    start(options).unwrap_or_else(|fault| refuse(&fault))
}

fn start(options: &Options) -> Result<Exit, String> {
    let (text, found_at) = read(&options.document)?;
    let named = |fault: String| format!("{}: {fault}", options.document);
    let document = read_foreign(&text).map_err(named)?;
    drop(text);
    let imported = openapi(&document, &options.wanted(), found_at.as_ref()).map_err(named)?;
    let made = draft(&imported, &origin(&options.document)).map_err(named)?;
    match &options.output {
        None => report::show(&made.text),
        Some(path) if path.exists() => return again(path, &imported, &made),
        Some(path) => create(path, &made.text)?,
    }
    tell(&imported, made, options.output.as_deref());
    Ok(Exit::Fine)
}

/// Brings a file that is there up to date.
fn again(path: &Path, imported: &Imported, made: &Draft) -> Result<Exit, String> {
    let named = |fault: String| format!("{}: {fault}", path.display());
    let before = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    let merged = merge(&before, imported, made).map_err(named)?;
    if merged.text != before {
        fix::write(path, &before, &merged.text).map_err(named)?;
    }
    let mut text = String::new();
    for (fate, title) in FATES {
        let all: Vec<&str> = merged.fates.iter().filter(|it| it.0 == fate).map(|it| it.1.as_str()).collect();
        if !all.is_empty() {
            let _ = writeln!(text, "{title}: {}", shortened(&all));
        }
    }
    if merged.head_is_kept {
        text.push_str("What stands above the tools differs from what the document says by now, and is kept.\n");
    }
    let skipped: Vec<Skipped> = imported.skipped.iter().chain(&made.skipped).chain(&merged.skipped).cloned().collect();
    group(&mut text, "Left out:", skipped.iter().map(|it| (it.reason.as_str(), it.key.as_str())));
    let state = if merged.text == before { "nothing to change in" } else { "brought up to date:" };
    let _ = writeln!(text, "{state} {}", path.display());
    report::sum_up(text.trim_end());
    if let Some(bill) = served(&merged.text).and_then(|(plan, vault)| bill(plan, &vault)) {
        report::sum_up(&bill);
    }
    Ok(Exit::Fine)
}

/// What becomes of tools, in the words for it.
const FATES: [(Fate, &str); 6] = [
    (Fate::New, "New"),
    (Fate::Updated, "Updated"),
    (Fate::Removed, "Removed, because the document has the operation no more"),
    (Fate::Kept, "Edited and kept, although the document says something else by now"),
    (Fate::Orphan, "Edited and kept, although the document has the operation no more"),
    (Fate::TakenOut, "Taken out by hand, and left out"),
];

impl Options {
    fn wanted(&self) -> Wanted {
        Wanted {
            tags: self.tags.clone(),
            operations: self.operations.clone(),
            paths: self.paths.clone(),
            methods: self.methods.clone(),
            deprecated: self.deprecated,
            name: self.name.clone(),
            source: self.source.clone(),
            base_url: self.base_url.clone(),
        }
    }
}

/// `^[a-z][a-z0-9_-]{0,31}$`
fn bridge_name(name: &str) -> Result<String, String> {
    let fine = name.len() <= 32
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-'));
    if fine {
        Ok(name.to_owned())
    } else {
        Err("up to 32 lower-case letters, digits, `_` and `-`, a letter first".into())
    }
}

fn source_name(name: &str) -> Result<String, String> {
    let fine = (1..=40).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if fine { Ok(name.to_owned()) } else { Err("up to 40 letters, digits, `_` and `-`, a letter first".into()) }
}

/// The text of the document, and the address it came from.
fn read(document: &str) -> Result<(String, Option<Url>), String> {
    let named = |fault: &dyn std::fmt::Display| format!("{document}: {fault}");
    if let Some(url) = Url::parse(document).ok().filter(|url| matches!(url.scheme(), "http" | "https")) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| named(&error))?;
        let downloaded = runtime.block_on(download(&url)).map_err(|fault| format!("{}: {fault}", origin(document)))?;
        return Ok((downloaded.text, Some(downloaded.url)));
    }
    let mut bytes = Vec::new();
    let file = File::open(document).map_err(|error| named(&error))?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| named(&error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(named(&format_args!("it has more than {} MiB", LARGEST >> 20)));
    }
    let text = String::from_utf8(bytes).map_err(|_| named(&"it is not UTF-8 text"))?;
    Ok((text, None))
}

/// What the document is called in the file: no credentials of an address, no folders of this machine.
fn origin(document: &str) -> String {
    match Url::parse(document).ok().filter(Url::has_host) {
        Some(url) => format!("{}{}", url.origin().ascii_serialization(), url.path()),
        None => Path::new(document).file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
    }
}

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
fn tell(imported: &Imported, made: Draft, output: Option<&Path>) {
    let skipped: Vec<&Skipped> = imported.skipped.iter().chain(&made.skipped).collect();
    let mut text = String::new();
    // Writing to a String cannot fail, here and below.
    group(&mut text, "Left out:", skipped.iter().map(|it| (it.reason.as_str(), it.key.as_str())));
    group(&mut text, "Made simpler:", notes(&made.tools));
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
    let _ = writeln!(text, "{}{place}, {} left out", noun(made.tools.len(), "tool"), noun(skipped.len(), "operation"));
    report::sum_up(text.trim_end());
    if let Some(bill) = bill(made.plan, &made.vault) {
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
fn bill(plan: Plan, vault: &Vault) -> Option<String> {
    let count = plan.tools.len();
    let listed = listed(plan, vault)?;
    let tokens = listed.len() / BYTES_OF_A_TOKEN;
    let advice = match count {
        0..=40 => "",
        _ => "; hosts work best with at most 40 tools: choose by --tag, --path, --method or --operation",
    };
    Some(format!("tools/list costs about {tokens} tokens ({} bytes, 4 bytes a token){advice}", listed.len()))
}

fn listed(plan: Plan, vault: &Vault) -> Option<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let generation = runtime.block_on(Generation::build(plan, vault)).ok()?;
    let server = mcp::Server::new(Arc::new(generation), None);
    server.tools(None).map(|listed| listed.to_vec())
}
