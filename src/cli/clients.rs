//! Floor 9. `mcp-bridge clients`: programs that get tokens from the authorization server inside. A running
//! server looks them up for every request, so every change is effective at once.

use std::fmt::Write as _;

use chrono::Utc;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::{
    Exit,
    kept::{Kept, Lifetime, List, Wanted, Where, known_scopes, lifetime, named, open, refuse, time},
    report,
};
use crate::{
    authority::admin::{self, AdminFault, Keeping},
    state::{
        TokenText,
        oauth::{Client, GrantType, Origin, Standing},
    },
    telemetry::AccountChanged,
};

/// `mcp-bridge clients`
#[derive(Debug, Subcommand)]
pub(super) enum Options {
    /// Makes a client and prints its id and its secret, once
    #[command(
        after_help = "Examples:\n  mcp-bridge clients create --name Nightly --grant client-credentials --scope orders:read\n  mcp-bridge clients create --name App --grant code --redirect https://app.example.com/callback"
    )]
    Create(Create),
    /// Shows every client, and no secret
    #[command(after_help = "Examples:\n  mcp-bridge clients list\n  mcp-bridge clients list --json")]
    List(List),
    /// Lets a client come that registered itself and waits
    #[command(after_help = "Examples:\n  mcp-bridge clients approve CLIENT_ID")]
    Approve(One),
    /// Gives a client another secret, and prints it, once
    #[command(
        after_help = "Examples:\n  mcp-bridge clients rotate CLIENT_ID\n  mcp-bridge clients rotate CLIENT_ID --overlap 0s"
    )]
    Rotate(Rotate),
    /// Takes a client back, with every token it has, at once
    #[command(after_help = "Examples:\n  mcp-bridge clients revoke CLIENT_ID")]
    Revoke(One),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// People sign in and agree; the client may renew its tokens
    Code,
    /// The client acts for itself, with its own secret
    ClientCredentials,
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// What people and records are shown
    #[arg(long)]
    name: String,
    /// How it gets tokens; may be given several times
    #[arg(long = "grant", value_enum, required = true)]
    ways: Vec<Way>,
    /// Where people are sent back to; may be given several times
    #[arg(long = "redirect", value_name = "URL")]
    redirects: Vec<String>,
    /// What it may do at most; may be given several times. Default: what clients are told to ask for
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Where it belongs when it acts for itself, for `caller.workspace`
    #[arg(long)]
    workspace: Option<String>,
    /// Makes a client that cannot keep a secret, such as a program on people's machines
    #[arg(long, conflicts_with_all = ["introspect", "asserts_end_user"])]
    public: bool,
    /// Lets it ask what tokens are worth
    #[arg(long)]
    introspect: bool,
    /// Believes it when it names the person behind it
    #[arg(long)]
    asserts_end_user: bool,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// The client's id
    id: String,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
pub(super) struct Rotate {
    /// The client's id
    id: String,
    /// How long the old secret stays valid beside the new one: 24h, 0s for not at all
    #[arg(long, default_value = "24h", value_parser = lifetime)]
    overlap: Lifetime,
    #[command(flatten)]
    place: Where,
}

pub(super) fn run(options: &Options) -> Exit {
    let done = match options {
        Options::Create(options) => create(options),
        Options::List(options) => list(options),
        Options::Approve(options) => approve(options),
        Options::Rotate(options) => rotate(options),
        Options::Revoke(options) => revoke(options),
    };
    done.unwrap_or_else(|exit| exit)
}

fn create(options: &Create) -> Result<Exit, Exit> {
    let kept = open(&options.place, Wanted::People)?;
    let Kept { state, plan, runtime, .. } = &kept;
    let signs_in = options.ways.contains(&Way::Code);
    if signs_in == options.redirects.is_empty() {
        let (message, help) = if signs_in {
            ("people have to be sent back somewhere", "say where: --redirect https://app.example.com/callback")
        } else {
            ("nobody is sent anywhere by a client that acts for itself", "leave --redirect out, or add --grant code")
        };
        return Err(refuse(message, Some(help)));
    }
    if options.public && options.ways.contains(&Way::ClientCredentials) {
        return Err(refuse("a client without a secret cannot act for itself", Some("leave --public out")));
    }
    let mut scopes = options.scopes.clone();
    if let Some(plan) = plan {
        known_scopes(&scopes, plan)?;
        if let (true, Some(authority)) = (scopes.is_empty(), &plan.server.authority) {
            for scope in authority.scopes_supported.iter().chain(&authority.default_scopes) {
                if !scopes.contains(scope) {
                    scopes.push(scope.clone());
                }
            }
        }
    }
    let mut grants = Vec::new();
    for way in &options.ways {
        grants.extend(match way {
            Way::Code => vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            Way::ClientCredentials => vec![GrantType::ClientCredentials],
        });
    }
    let client = Client {
        id: String::new(),
        name: named(&options.name)?,
        origin: Origin::Made,
        secrets: Vec::new(),
        redirects: options.redirects.clone(),
        grants,
        scopes,
        workspace: options.workspace.clone(),
        standing: Standing::Active,
        introspects: options.introspect,
        asserts_end_user: options.asserts_end_user,
        believed_until: None,
        created_at: 0,
    };
    let keeping = if options.public { Keeping::Public } else { Keeping::Secret };
    let made = runtime.block_on(admin::create_client(state, client, keeping, Utc::now().timestamp()));
    let made = made.map_err(|fault| told(&fault))?;
    if let Some(secret) = &made.secret {
        report::tell("This is the only time the secret is shown:");
        show(&made.client.id, Some(secret));
    } else {
        show(&made.client.id, None);
    }
    kept.note_account(&changed("created", &made.client))
}

/// What the record is told of a client.
fn changed<'a>(decision: &'static str, client: &'a Client) -> AccountChanged<'a> {
    let workspace = client.workspace.as_deref();
    let (id, name) = (client.id.as_str(), Some(client.name.as_str()));
    AccountChanged { what: "client", decision, id, name, workspace, scopes: &client.scopes }
}

/// On the standard output alone, so that it can be caught.
fn show(id: &str, secret: Option<&TokenText>) {
    report::show(&match secret {
        Some(secret) => format!("client_id     {id}\nclient_secret {}", secret.text.expose()),
        None => format!("client_id     {id}"),
    });
}

fn list(options: &List) -> Result<Exit, Exit> {
    let Kept { state, runtime, .. } = open(&options.place, Wanted::People)?;
    let all = runtime.block_on(admin::clients(&state, Utc::now().timestamp())).map_err(|fault| told(&fault))?;
    if options.json {
        let all: Vec<_> = all.iter().map(in_json).collect();
        report::show(&serde_json::to_string_pretty(&all).unwrap_or_default());
    } else if all.is_empty() {
        report::tell("There are no clients: make one with `mcp-bridge clients create`, or let one register itself.");
    } else {
        report::show(&in_words(&all));
    }
    Ok(Exit::Fine)
}

fn approve(options: &One) -> Result<Exit, Exit> {
    let kept = open(&options.place, Wanted::People)?;
    let Kept { state, runtime, .. } = &kept;
    let approved = runtime.block_on(admin::approve_client(state, &options.id, Utc::now().timestamp()));
    let client = approved.map_err(|fault| told(&fault))?;
    report::tell(&format!("`{}` may come. People are sent back to {}.", client.name, client.redirects.join(", ")));
    kept.note_account(&changed("approved", &client))
}

fn rotate(options: &Rotate) -> Result<Exit, Exit> {
    let kept = open(&options.place, Wanted::People)?;
    let Kept { state, runtime, .. } = &kept;
    let now = Utc::now().timestamp();
    let Lifetime(Some(overlap)) = options.overlap else {
        return Err(refuse("an overlap has an end: 24h, for example", None));
    };
    let rotated = runtime.block_on(admin::rotate_client(state, &options.id, overlap, now));
    let secret = rotated.map_err(|fault| told(&fault))?;
    report::tell(&format!(
        "The old secret is valid until {}. This is the only time the new one is shown:",
        time(now + overlap)
    ));
    show(&options.id, Some(&secret));
    let (id, decision) = (options.id.as_str(), "rotated");
    kept.note_account(&AccountChanged { what: "client", decision, id, name: None, workspace: None, scopes: &[] })
}

fn revoke(options: &One) -> Result<Exit, Exit> {
    let kept = open(&options.place, Wanted::People)?;
    let Kept { state, runtime, .. } = &kept;
    let revoked = runtime.block_on(admin::revoke_client(state, &options.id, Utc::now().timestamp()));
    let client = revoked.map_err(|fault| told(&fault))?;
    report::tell(&format!("The client `{}` ({}) is revoked, and every token it had.", client.name, client.id));
    kept.note_account(&changed("revoked", &client))
}

fn told(fault: &AdminFault) -> Exit {
    refuse(&fault.to_string(), None)
}

const fn standing(client: &Client) -> &'static str {
    match client.standing {
        Standing::Active => "active",
        Standing::Pending => "pending",
        Standing::Revoked => "revoked",
    }
}

fn in_json(client: &Client) -> serde_json::Value {
    json!({
        "id": client.id,
        "name": client.name,
        "origin": match client.origin {
            Origin::Made => "made",
            Origin::Registered => "registered",
            Origin::Described => "described",
        },
        "standing": standing(client),
        "grants": client.grants.iter().map(|grant| grant.name()).collect::<Vec<_>>(),
        "redirects": client.redirects,
        "scopes": client.scopes,
        "workspace": client.workspace,
        "has_secret": !client.secrets.is_empty(),
        "introspects": client.introspects,
        "asserts_end_user": client.asserts_end_user,
        "created_at": time(client.created_at),
    })
}

fn in_words(clients: &[Client]) -> String {
    let widest = clients.iter().map(|client| client.name.chars().count()).max().unwrap_or(0).max(4);
    let mut text = String::new();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(text, "{:26}  {:widest$}  STANDING  SENT BACK TO", "ID", "NAME");
    for client in clients {
        let (standing, back) = (standing(client), client.redirects.join(" "));
        let _ = writeln!(text, "{:26}  {:widest$}  {standing:8}  {back}", client.id, client.name);
    }
    text
}
