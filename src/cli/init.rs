//! Floor 9. `mcp-bridge init`: a first bridge that checks clean, by flags or by questions. What is there
//! is never written over.

mod templates;

use std::{
    fs,
    io::{self, BufRead, IsTerminal, Write},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};

use super::{Exit, environment::Rehearsal, report};
use crate::{check::check, diag::Diagnostics, text::FileSet, yaml::Variables};

/// `mcp-bridge init`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    /// The folder that the file goes into
    #[arg(value_name = "DIR", default_value = "bridges")]
    folder: PathBuf,
    /// The name of the bridge
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What its tools work on
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// The base of the API, or the URL of the database
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// How the API is signed in to
    #[arg(long, value_enum)]
    auth: Option<Auth>,
}

const EXAMPLES: &str = "\
Examples:
  mcp-bridge init
  mcp-bridge init --kind rest --name shop --url https://api.shop.example/v1 --auth bearer
  mcp-bridge init --kind sql --name library --url sqlite:library.db
  mcp-bridge init bridges/ --kind sql --name crm --url 'postgres://crm:${CRM_PASSWORD}@localhost/crm'

What is not said by a flag is asked for on a terminal, and has a default elsewhere.";

/// What the tools work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A REST API
    Rest,
    /// A database
    Sql,
}

/// How an API is signed in to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Auth {
    /// Not at all
    None,
    /// With a token: `Authorization: Bearer …`
    Bearer,
    /// With a name and a password
    Basic,
    /// With a key in a header of its own
    ApiKey,
}

/// What is to be written.
struct Wanted {
    name: String,
    kind: Kind,
    url: String,
    auth: Auth,
}

pub(super) fn run(options: &Options) -> Exit {
    match start(options) {
        Ok(()) => Exit::Fine,
        Err(fault) => {
            report::tell(&format!("error: {fault}"));
            Exit::CouldNotRun
        }
    }
}

fn start(options: &Options) -> Result<(), String> {
    let asks = io::stdin().is_terminal() && io::stderr().is_terminal();
    let wanted = wanted(options, asks)?;
    let files = templates::files(&wanted, &options.folder);
    for file in files.iter().filter(|file| Path::new(&file.name).extension().is_some_and(|it| it == "yaml")) {
        clean(&file.name, &file.text)?;
    }
    let told = |path: &Path, error: io::Error| format!("{}: {error}", path.display());
    let mut missing = Vec::new();
    for file in &files {
        let path = options.folder.join(&file.name);
        let there = path.try_exists().map_err(|error| told(&path, error))?;
        if there && !file.shared {
            return Err(format!("{} is there already, and is left as it is; choose another --name", path.display()));
        }
        missing.extend((!there).then_some((path, &file.text)));
    }
    fs::create_dir_all(&options.folder).map_err(|error| told(&options.folder, error))?;
    for (path, text) in &missing {
        let made = fs::File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
        made.map_err(|error| told(path, error))?;
        report::show(&format!("made {}", path.display()));
    }
    report::sum_up(&templates::next(&wanted, &options.folder.display().to_string()));
    Ok(())
}

/// What the flags say, and the person where they say nothing.
fn wanted(options: &Options, asks: bool) -> Result<Wanted, String> {
    let kind = match options.kind {
        Some(kind) => kind,
        None if asks => choose("What do the tools work on?", &[("rest", Kind::Rest), ("sql", Kind::Sql)])?,
        None => return Err("--kind is missing: rest or sql".into()),
    };
    let name = match &options.name {
        Some(name) => name.clone(),
        None if asks => ask("Name of the bridge", "shop")?,
        None => "shop".into(),
    };
    let fits = name.len() <= 24
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_' || char == '-');
    if !fits {
        return Err(format!("`{name}` is no name of a bridge: up to 24 lower-case letters, digits, `_` and `-`"));
    }
    let usual = match kind {
        Kind::Rest => "https://api.example.com/v1".to_owned(),
        Kind::Sql => format!("sqlite:{name}.db"),
    };
    let url = match (&options.url, kind) {
        (Some(url), _) => url.clone(),
        (None, Kind::Rest) if asks => ask("Base of the API, with its version", &usual)?,
        (None, Kind::Sql) if asks => ask("Database: sqlite:FILE or postgres://USER:${PASSWORD}@HOST/NAME", &usual)?,
        (None, _) => usual,
    };
    let auth = match (options.auth, kind) {
        (Some(_), Kind::Sql) => {
            return Err("--auth is for APIs; a database has its password in --url, as ${NAME}".into());
        }
        (Some(auth), Kind::Rest) => auth,
        (None, Kind::Rest) if asks => choose(
            "How is the API signed in to?",
            &[("none", Auth::None), ("bearer", Auth::Bearer), ("basic", Auth::Basic), ("api-key", Auth::ApiKey)],
        )?,
        (None, _) => Auth::None,
    };
    Ok(Wanted { name, kind, url, auth })
}

/// Asks the person at the terminal; an empty line is the default.
fn ask(question: &str, usual: &str) -> Result<String, String> {
    let mut line = String::new();
    // Questions go where results do not.
    let _ = write!(io::stderr(), "{question} [{usual}]: ");
    let read = io::stdin().lock().read_line(&mut line).map_err(|error| error.to_string())?;
    if read == 0 {
        return Err("there was no answer".into());
    }
    let answer = line.trim();
    Ok(if answer.is_empty() { usual.to_owned() } else { answer.to_owned() })
}

fn choose<T: Copy>(question: &str, options: &[(&str, T)]) -> Result<T, String> {
    let names: Vec<_> = options.iter().map(|(name, _)| *name).collect();
    loop {
        let answer = ask(&format!("{question} ({})", names.join(", ")), names.first().unwrap_or(&""))?;
        if let Some((_, chosen)) = options.iter().find(|(name, _)| *name == answer) {
            return Ok(*chosen);
        }
        report::tell(&format!("one of {}", names.join(", ")));
    }
}

/// What a file is checked with that is not written yet, nor is the script beside it.
struct Unwritten;

impl Variables for Unwritten {
    fn variable(&self, name: &str) -> Option<String> {
        Rehearsal.variable(name)
    }

    fn lacking(&self, name: &str) -> Option<String> {
        Rehearsal.lacking(name)
    }

    fn file(&self, folder: &Path, path: &str) -> Result<String, String> {
        Rehearsal.file(folder, path)
    }

    fn find(&self, _: &Path, _: &str) -> Result<(), String> {
        Ok(())
    }
}

/// Nothing is written that `check` has a word to say about.
fn clean(name: &str, text: &str) -> Result<(), String> {
    let mut files = FileSet::new();
    files.add(name, text);
    let checked = check(&files, &Unwritten);
    let told = |all: &Diagnostics| all.iter().next().map(|it| it.message.clone());
    match told(&checked.diagnostics) {
        Some(message) => Err(message),
        None => Ok(()),
    }
}
