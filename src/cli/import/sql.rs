//! Floor 9. `mcp-bridge import sql`: asks a database for its tables and has a file made of them, each of
//! whose statements the database has seen.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{
    refuse,
    written::{self, Of, bridge_name, source_name},
};
use crate::{
    catalog::{Catalog, Finding, Tables},
    check::check,
    cli::{Exit, environment::Environment},
    import::{Draft, Imported, Skipped, StandIns, ToolKind, WantedTables, draft, sql},
    plan::{SourceKind, sql::Dialect},
    text::FileSet,
    upstream::{Upstream, Upstreams},
    yaml::Variables,
};

/// `mcp-bridge import sql`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The database: `sqlite:`, `postgres://`, `mysql://` or `mariadb://`; without it what the
    /// variable of --variable holds, so that no password stands in a list of processes
    #[arg(value_name = "URL")]
    url: Option<String>,
    /// The file to write, or to bring up to date where it was imported before; without it the text goes to
    /// the standard output
    #[arg(long, short, visible_alias = "out", value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only tables and views with this name, with or without their schema; `*` stands for anything; may be given
    /// several times
    #[arg(long = "table", value_name = "NAME")]
    tables: Vec<String>,
    /// The schema to look in, on MySQL the database, in the place of the one that needs no name; may be given
    /// several times
    #[arg(long = "schema", value_name = "NAME")]
    schemas: Vec<String>,
    /// Only these tools of each table; may be given several times
    #[arg(long = "tool", value_name = "KIND", value_enum)]
    kinds: Vec<Kind>,
    /// The name of the bridge, in the place of the database's
    #[arg(long, value_name = "NAME", value_parser = bridge_name)]
    name: Option<String>,
    /// The name of the source
    #[arg(long, value_name = "NAME", value_parser = source_name, default_value = "db")]
    source: String,
    /// The variable of the environment that will hold the URL
    #[arg(long, value_name = "NAME", value_parser = variable_name, default_value = "DATABASE_URL")]
    variable: String,
    /// Accepts a user that reaches files and programs of the server, here and in the file
    #[arg(long)]
    allow_superuser: bool,
}

/// What a tool does.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// Gives rows page by page
    List,
    /// Gives one row by its key
    Get,
    /// Finds rows by a text
    Search,
}

const EXAMPLES: &str = "\
Examples:
  export DATABASE_URL=postgres://reader:secret@db.example.com/shop
  mcp-bridge import sql -o bridges/shop.yaml
  mcp-bridge import sql sqlite:shop.db --table 'order*' --table customers
  mcp-bridge import sql mysql://reader@127.0.0.1/shop --tool list --tool get

Only the catalog is read, never a row. The file names the variable and not the URL.
It is an ordinary bridge file; a second import into it keeps what you have edited.";

const URLS: &str =
    "write `sqlite:shop.db`, `postgres://USER:PASSWORD@HOST/DATABASE` or `mysql://USER:PASSWORD@HOST/DATABASE`";

/// How often the file is made again without the tools that the database refuses.
const ROUNDS: usize = 4;

pub(super) fn run(options: &Options) -> Exit {
    start(options).unwrap_or_else(|fault| refuse(&fault))
}

fn start(options: &Options) -> Result<Exit, String> {
    let url = match &options.url {
        Some(url) => url.clone(),
        None => Environment.variable(&options.variable).ok_or_else(|| {
            format!("no database is named: give its URL, or set the variable {} to it", options.variable)
        })?,
    };
    let known = Known { name: &options.variable, url: &url };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the database cannot be asked: {error}"))?;
    let (tables, dialect) = runtime.block_on(tables(options, &known))?;
    let mut imported = sql((&tables, dialect), &options.wanted())?;
    let origin = format!("the database {}", shown(&tables.database));
    let mut made = draft(&imported, &origin, &known)?;
    for _ in 0..ROUNDS {
        let refused = runtime.block_on(refused(&made))?;
        if refused.is_empty() {
            let of = Of { noun: "table", whole: "database", imported: &imported, variables: &known };
            written::put(options.output.as_deref(), &of, made)?;
            return Ok(Exit::Fine);
        }
        leave_out(&mut imported, refused);
        made = draft(&imported, &origin, &known)?;
    }
    Err("the database refuses what was made of its tables".into())
}

fn leave_out(imported: &mut Imported, refused: Vec<Skipped>) {
    imported.tools.retain(|tool| refused.iter().all(|it| it.key != tool.key));
    imported.skipped.extend(refused);
}

impl Options {
    fn wanted(&self) -> WantedTables {
        let kind = |kind: &Kind| match kind {
            Kind::List => ToolKind::List,
            Kind::Get => ToolKind::Get,
            Kind::Search => ToolKind::Search,
        };
        WantedTables {
            tables: self.tables.clone(),
            kinds: self.kinds.iter().map(kind).collect(),
            name: self.name.clone(),
            source: self.source.clone(),
            variable: self.variable.clone(),
            allow_superuser: self.allow_superuser,
        }
    }
}

fn variable_name(name: &str) -> Result<String, String> {
    let fine = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if fine { Ok(name.to_owned()) } else { Err("letters, digits and `_`, a letter first".into()) }
}

/// The environment that the file will find, and stand-ins for whatever else an edited one names.
struct Known<'a> {
    name: &'a str,
    url: &'a str,
}

impl Variables for Known<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        if name == self.name { Some(self.url.to_owned()) } else { StandIns.variable(name) }
    }

    fn file(&self, folder: &Path, path: &str) -> Result<String, String> {
        StandIns.file(folder, path)
    }
}

/// The tables, asked for as a bridge with this source would ask.
async fn tables(options: &Options, known: &Known<'_>) -> Result<(Tables, Dialect), String> {
    let accepted = options.allow_superuser && !known.url.starts_with("sqlite:");
    let accepted = if accepted { ", allow_superuser: true" } else { "" };
    let text = format!("bridge: import\nsources: {{ db: {{ sql: {{ url: \"${{{}}}\"{accepted} }} }} }}\n", known.name);
    let mut files = FileSet::new();
    files.add("bridge.yaml", text.as_str());
    let checked = check(&files, known);
    let fault = checked.diagnostics.iter().find(|fault| !fault.code.is_advice());
    if let Some(fault) = fault {
        return Err(format!("{}: {URLS}", fault.message));
    }
    let (plan, vault) = checked.plan.ok_or(URLS)?;
    let upstreams = Upstreams::connect(&plan, &vault).map_err(|error| error.public().to_owned())?;
    let source = plan.sources().find(|(_, source)| matches!(source.kind, SourceKind::Sql(_)));
    let Some(Upstream::Sql(sql)) = source.and_then(|(id, _)| upstreams.get(id)) else { return Err(URLS.into()) };
    let tables = sql.tables(&options.schemas).await;
    let dialect = sql.dialect().ok_or(URLS)?;
    upstreams.close().await;
    tables.map(|tables| (tables, dialect)).map_err(|error| match error.cause() {
        Some(cause) => format!("{} ({cause})", error.public()),
        None => error.public().to_owned(),
    })
}

/// What the database says against the statements, which it prepares and does not run.
async fn refused(made: &Draft) -> Result<Vec<Skipped>, String> {
    let upstreams = Upstreams::connect(&made.plan, &made.vault).map_err(|error| error.public().to_owned())?;
    let catalog: Catalog = upstreams.inspect(&made.plan).await;
    upstreams.close().await;
    let mut refused = Vec::new();
    for tool in &made.tools {
        let findings = catalog.entry(&tool.name).map_or(&[][..], |entry| &entry.findings);
        for finding in findings {
            let reason = match finding {
                Finding::Refused { words } => format!("the database refuses it: {words}"),
                Finding::Writes => "it would change something".into(),
                Finding::Unreachable { words } => return Err(words.clone()),
                Finding::Scans(_) | Finding::Misfit(_) => continue,
            };
            refused.push(Skipped { key: tool.key.clone(), reason });
            break;
        }
    }
    Ok(refused)
}

/// The name of a database, without the folders of this machine.
fn shown(database: &str) -> String {
    let name = Path::new(database).file_name().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| "in memory".into())
}
