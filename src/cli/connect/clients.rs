//! Floor 9. The set-up of each client, word for word.

use serde_json::{Value, json};

use super::{Entry, Reach, Site};

/// A word as a shell takes it.
pub(super) fn shell(word: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_./:=@%+,".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The header that carries the key, with `key` in its place.
fn header(site: &Site, key: &str) -> Option<(String, String)> {
    match &site.entry {
        Entry::Open | Entry::SignIn => None,
        Entry::Key { header: None, .. } => Some(("Authorization".into(), format!("Bearer {key}"))),
        Entry::Key { header: Some(name), .. } => Some((name.clone(), key.to_owned())),
    }
}

/// The header as a flag of a command.
fn header_flag(site: &Site, flag: &str) -> String {
    header(site, "$KEY").map_or(String::new(), |(name, value)| format!(" {flag} \"{name}: {value}\""))
}

fn pretty(value: &Value) -> String {
    // Every value can be printed.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

pub(super) fn poke(site: &Site) -> String {
    let name = shell(&site.title);
    let key = if matches!(site.entry, Entry::Key { .. }) { " -k \"$KEY\"" } else { "" };
    let add = |url: &str| format!("npx poke@latest mcp add {} -n {name}{key}", shell(url));
    let tunnel = format!("npx poke@latest tunnel {} -n {name}", shell(&site.url));
    let body = match site.reach {
        Reach::Everywhere if site.entry == Entry::SignIn => {
            format!("# Sign in on Poke's page of integrations: its command line cannot.\n# Address: {}", site.url)
        }
        Reach::Everywhere => add(&site.url),
        Reach::Here | Reach::Near => format!(
            "# This machine is not on the internet: Poke comes through a tunnel, as whoever has its address can.\n\
             # It sends its own host name: add that to `server.allowed_hosts` when it is refused.\n{tunnel}\n\
             # With a public address, see `server.public_url`:\n{}",
            add("https://mcp.example.com/mcp")
        ),
    };
    format!("## Poke\n{body}")
}

pub(super) fn claude_desktop(site: &Site) -> String {
    let args: Vec<String> = ["serve".to_owned(), "--stdio".to_owned()]
        .into_iter()
        .chain(site.files.iter().map(|file| file.display().to_string()))
        .collect();
    let config =
        json!({ "mcpServers": { &site.name: { "command": site.program.display().to_string(), "args": args } } });
    let remote = match site.reach {
        Reach::Everywhere => {
            format!("\nOr, without a copy of the files: Settings, Connectors, Add custom connector, {}", site.url)
        }
        Reach::Here | Reach::Near => String::new(),
    };
    format!(
        "## Claude Desktop\nIt starts the server itself. Settings, Developer, Edit Config (`claude_desktop_config.json`); \
         variables of the files go into `env`:\n{}{remote}",
        pretty(&config)
    )
}

pub(super) fn claude_code(site: &Site) -> String {
    let (name, url) = (shell(&site.name), shell(&site.url));
    format!("## Claude Code\nclaude mcp add --transport http {name} {url}{}", header_flag(site, "--header"))
}

pub(super) fn cursor(site: &Site) -> String {
    let mut server = json!({ "url": site.url });
    if let (Some((name, value)), Some(members)) = (header(site, "${env:KEY}"), server.as_object_mut()) {
        members.insert("headers".into(), json!({ name: value }));
    }
    format!(
        "## Cursor\n`.cursor/mcp.json`, in the project or at home:\n{}",
        pretty(&json!({ "mcpServers": { &site.name: server } }))
    )
}

pub(super) fn vscode(site: &Site) -> String {
    let mut server = json!({ "type": "http", "url": site.url });
    let mut config = json!({});
    if let (Some((name, value)), Some(members)) = (header(site, "${input:key}"), server.as_object_mut()) {
        members.insert("headers".into(), json!({ name: value }));
        // The editor asks for the key once, and keeps it.
        config = json!({ "inputs": [{ "type": "promptString", "id": "key", "description": format!("Key for {}", site.title), "password": true }] });
    }
    if let Some(members) = config.as_object_mut() {
        members.insert("servers".into(), json!({ &site.name: server }));
    }
    format!("## VS Code\n`.vscode/mcp.json`:\n{}", pretty(&config))
}

pub(super) fn chatgpt(site: &Site) -> String {
    let body = match (site.reach, &site.entry) {
        (Reach::Here | Reach::Near, _) => {
            "It needs an https address that everybody reaches: put a proxy with a certificate before the server, and say \
             which with `server.public_url`, or `connect --url`."
                .to_owned()
        }
        (Reach::Everywhere, Entry::Key { .. }) => format!(
            "It sends no keys of its own: connectors sign in, or are open. Serve with `server.auth.oauth` for it.\nAddress: {}",
            site.url
        ),
        (Reach::Everywhere, entry) => format!(
            "Settings, Connectors, Create (in developer mode).\nName: {}\nMCP server URL: {}\nAuthentication: {}",
            site.title,
            site.url,
            if *entry == Entry::SignIn { "OAuth" } else { "none" }
        ),
    };
    format!("## ChatGPT\n{body}")
}

pub(super) fn inspector(site: &Site) -> String {
    let url = shell(&site.url);
    format!(
        "## MCP Inspector\nnpx @modelcontextprotocol/inspector --cli {url} --transport http{} --method tools/list",
        header_flag(site, "--header")
    )
}

pub(super) fn curl(site: &Site) -> String {
    let url = shell(&site.url);
    format!(
        "## curl\ncurl -sS {url}{} -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \\\n  \
         -d '{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}}'",
        header_flag(site, "-H")
    )
}
