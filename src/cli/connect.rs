//! Floor 9. `mcp-bridge connect`: what to paste into which client, by what the files say of address and
//! keys. A place holder stands where a key goes: none is read, so none can be shown.

mod clients;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Exit, Paths, report};
use crate::plan::{Plan, is_local};

/// `mcp-bridge connect`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    #[command(flatten)]
    paths: Paths,
    /// Only for this client; may be given several times
    #[arg(long, value_enum, value_name = "CLIENT")]
    client: Vec<Client>,
    /// Only this bridge, at /mcp/NAME
    #[arg(long, value_name = "NAME")]
    bridge: Option<String>,
    /// The address that clients use, in the place of what the files say
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  mcp-bridge connect
  mcp-bridge connect bridges/bookstore.yaml --client poke --client curl
  mcp-bridge connect --url https://mcp.example.com --client chatgpt

Where a key is needed, the line before says where it comes from; it is never printed.";

/// The clients that there is a way for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Client {
    /// Poke
    Poke,
    /// Claude Desktop
    ClaudeDesktop,
    /// Claude Code
    ClaudeCode,
    /// Cursor
    Cursor,
    /// VS Code
    Vscode,
    // As a comment it would be shown as code.
    #[value(help = "ChatGPT")]
    Chatgpt,
    /// The MCP Inspector
    Inspector,
    /// curl
    Curl,
}

/// What every client is told of the server.
struct Site {
    /// The name under which clients list it.
    name: String,
    /// The title that people are shown.
    title: String,
    /// The address of the endpoint.
    url: String,
    /// Whether clients elsewhere reach it: with a name of its own, over TLS.
    reach: Reach,
    /// How callers identify themselves.
    entry: Entry,
    /// The files, absolute, for clients that start the server themselves.
    files: Vec<PathBuf>,
    /// This program.
    program: PathBuf,
}

/// Who reaches an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Programs on this machine only.
    Here,
    /// Whoever reaches this network, without TLS.
    Near,
    /// Everybody, over TLS.
    Everywhere,
}

/// How callers identify themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    /// Not at all.
    Open,
    /// With a key in `Authorization`, or in a header of its own.
    Key {
        /// The header in which the key goes, where that is another.
        header: Option<String>,
        /// What it is, in words.
        whose: &'static str,
    },
    /// By signing in.
    SignIn,
}

pub(super) fn run(options: &Options) -> Exit {
    let (plan, _) = match report::plan(&options.paths.paths) {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let site = match site(&plan, options) {
        Ok(site) => site,
        Err(fault) => {
            report::tell(&format!("error: {fault}"));
            return Exit::CouldNotRun;
        }
    };
    let all = Client::value_variants();
    let wanted = all.iter().filter(|client| options.client.is_empty() || options.client.contains(client));
    let sections: Vec<_> = wanted.map(|client| section(*client, &site)).collect();
    report::show(&format!("{}\n\n{}", head(&site), sections.join("\n\n")));
    Exit::Fine
}

fn site(plan: &Plan, options: &Options) -> Result<Site, String> {
    let named = |name: &str| plan.bridges.iter().find(|bridge| bridge.name == name);
    let bridge = match &options.bridge {
        Some(name) => Some(named(name).ok_or("there is no bridge of this name")?),
        None => match plan.bridges.as_slice() {
            [only] => Some(only),
            _ => None,
        },
    };
    let base = match &options.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => match &plan.server.public_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("{}://{}", if plan.server.tls.is_some() { "https" } else { "http" }, listened(plan)),
        },
    };
    let parsed =
        url::Url::parse(&base).map_err(|_| format!("`{base}` is no address: write `https://mcp.example.com`"))?;
    let reach = match (is_local(&parsed), parsed.scheme()) {
        (true, _) => Reach::Here,
        (false, "https") => Reach::Everywhere,
        (false, _) => Reach::Near,
    };
    let entry = match (&plan.server.api_keys, signs_in(plan), &plan.server.passthrough) {
        (Some(keys), _, _) => Entry::Key { header: keys.header.clone(), whose: "a key of `server.auth.api_keys`" },
        (None, true, _) => Entry::SignIn,
        (None, false, Some(passthrough)) => Entry::Key {
            header: passthrough.headers.iter().find(|name| *name != "authorization").cloned(),
            whose: "a credential of the API behind, as `server.auth.passthrough` says",
        },
        (None, false, None) => Entry::Open,
    };
    let name = bridge.map_or("mcp-bridge", |bridge| bridge.name.as_str());
    let path = if options.bridge.is_some() { format!("/mcp/{name}") } else { "/mcp".to_owned() };
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    Ok(Site {
        title: bridge.and_then(|bridge| bridge.title.clone()).unwrap_or_else(|| name.to_owned()),
        name: name.to_owned(),
        url: format!("{base}{path}"),
        reach,
        entry,
        files: options.paths.paths.iter().map(absolute).collect(),
        program: std::env::current_exe().unwrap_or_else(|_| PathBuf::from("mcp-bridge")),
    })
}

/// Whether clients can sign in.
const fn signs_in(plan: &Plan) -> bool {
    plan.server.oauth.is_some() || plan.server.authority.is_some()
}

/// The address that is listened on, as somebody on this machine writes it.
fn listened(plan: &Plan) -> std::net::SocketAddr {
    let mut address = plan.server.listen;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    address
}

/// What holds for every client.
fn head(site: &Site) -> String {
    let files: Vec<_> = site.files.iter().map(|file| clients::shell(&file.display().to_string())).collect();
    let mut lines = vec![format!("# Serve first, for all but Claude Desktop:\nmcp-bridge serve {}", files.join(" "))];
    match &site.entry {
        Entry::Open => lines.push("# The server asks nobody who they are.".into()),
        Entry::Key { whose, .. } => {
            lines.push(format!("# Callers need {whose}; put it into KEY first:\nread -rs KEY && export KEY"));
        }
        Entry::SignIn => lines.push("# Callers sign in: the client opens a browser by itself.".into()),
    }
    lines.join("\n\n")
}

fn section(client: Client, site: &Site) -> String {
    match client {
        Client::Poke => clients::poke(site),
        Client::ClaudeDesktop => clients::claude_desktop(site),
        Client::ClaudeCode => clients::claude_code(site),
        Client::Cursor => clients::cursor(site),
        Client::Vscode => clients::vscode(site),
        Client::Chatgpt => clients::chatgpt(site),
        Client::Inspector => clients::inspector(site),
        Client::Curl => clients::curl(site),
    }
}
