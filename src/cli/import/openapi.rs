//! Floor 9. `mcp-bridge import openapi`: reads or fetches the document and has a file made of it.

use std::{fs::File, io::Read, path::Path, path::PathBuf};

use clap::Args;
use url::Url;

use super::{
    refuse,
    written::{self, Of, bridge_name, source_name},
};
use crate::{
    cli::{Exit, progress::Progress},
    import::{StandIns, Wanted, draft, openapi},
    upstream::rest::download,
    yaml::read_foreign,
};

/// Bytes of a document at most.
const LARGEST: u64 = 64 << 20;

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
    let waiting = Progress::of("making tools of the document", None);
    let document = read_foreign(&text).map_err(named)?;
    drop(text);
    let imported = openapi(&document, &options.wanted(), found_at.as_ref()).map_err(named)?;
    let made = draft(&imported, &origin(&options.document), &StandIns).map_err(named)?;
    drop(waiting);
    let of = Of { noun: "operation", whole: "document", imported: &imported, variables: &StandIns };
    written::put(options.output.as_deref(), &of, made)?;
    Ok(Exit::Fine)
}

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

/// The text of the document, and the address it came from.
fn read(document: &str) -> Result<(String, Option<Url>), String> {
    let named = |fault: &dyn std::fmt::Display| format!("{document}: {fault}");
    if let Some(url) = Url::parse(document).ok().filter(|url| matches!(url.scheme(), "http" | "https")) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| named(&error))?;
        let _waiting = Progress::of("fetching the document", None);
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
