//! Floor 9. `mcp-bridge keys`: makes, shows, replaces and takes back API keys. A running server
//! looks keys up for every request, so every change is effective at once.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    Exit,
    kept::{Kept, Lifetime, List, Wanted, Where, end, known_scopes, lifetime, named, open, refuse, time},
    report,
};
use crate::state::{Key, NewKey, Standing, TokenText, Which};

/// `mcp-bridge keys`
#[derive(Debug, Subcommand)]
pub(super) enum Options {
    /// Makes a key and prints its token, once
    #[command(
        after_help = "Examples:\n  mcp-bridge keys create --name poke --scope orders:read\n  KEY=$(mcp-bridge keys create --name ci --workspace acme --expires 90d)"
    )]
    Create(Create),
    /// Shows every key, and no token
    #[command(after_help = "Examples:\n  mcp-bridge keys list\n  mcp-bridge keys list bridges/ --json")]
    List(List),
    /// Makes a key in the place of another, and prints its token, once
    #[command(after_help = "Examples:\n  mcp-bridge keys rotate poke\n  mcp-bridge keys rotate poke --overlap 0s")]
    Rotate(Rotate),
    /// Takes a key back, at once
    #[command(after_help = "Examples:\n  mcp-bridge keys revoke poke\n  mcp-bridge keys revoke ci --workspace acme")]
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// Whose key it is, and what for: what logs and records show
    #[arg(long)]
    name: String,
    /// The caller's workspace, for `caller.workspace`
    #[arg(long)]
    workspace: Option<String>,
    /// What the caller may do; may be given several times
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// How long the key is valid: 90d, 12h, or never
    #[arg(long, default_value = "365d", value_parser = lifetime)]
    expires: Lifetime,
    /// Believes the caller when it names the person behind it
    #[arg(long)]
    asserts_end_user: bool,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
pub(super) struct Rotate {
    /// Name or id of the key
    name: String,
    /// The workspace, where several have a key of this name
    #[arg(long)]
    workspace: Option<String>,
    /// How long the old token stays valid beside the new one: 24h, 0s for not at all
    #[arg(long, default_value = "24h", value_parser = lifetime)]
    overlap: Lifetime,
    /// How long the new key is valid: 90d, 12h, or never
    #[arg(long, default_value = "365d", value_parser = lifetime)]
    expires: Lifetime,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// Name or id of the key
    name: String,
    /// The workspace, where several have a key of this name
    #[arg(long)]
    workspace: Option<String>,
    #[command(flatten)]
    place: Where,
}

pub(super) fn run(options: &Options) -> Exit {
    let done = match options {
        Options::Create(options) => create(options),
        Options::List(options) => list(options),
        Options::Rotate(options) => rotate(options),
        Options::Revoke(options) => revoke(options),
    };
    done.unwrap_or_else(|exit| exit)
}

fn create(options: &Create) -> Result<Exit, Exit> {
    let kept = open(&options.place, Wanted::Keys)?;
    let Kept { state, plan, runtime, .. } = &kept;
    let name = named(&options.name)?;
    if let Some(plan) = plan {
        known_scopes(&options.scopes, plan)?;
    }
    let now = Utc::now().timestamp();
    let key = NewKey {
        name,
        workspace: options.workspace.clone(),
        scopes: options.scopes.clone(),
        asserts_end_user: options.asserts_end_user,
        expires_at: end(options.expires, now),
    };
    let token = runtime.block_on(state.create_key(&key, now)).map_err(|fault| refuse(&fault.to_string(), None))?;
    show(&token, key.expires_at);
    kept.note("created", (&token.id, &key.name), options.workspace.as_deref())
}

fn rotate(options: &Rotate) -> Result<Exit, Exit> {
    let kept = open(&options.place, Wanted::Keys)?;
    let Kept { state, runtime, .. } = &kept;
    let now = Utc::now().timestamp();
    let which = Which { name: &options.name, workspace: options.workspace.as_deref() };
    let Lifetime(Some(overlap)) = options.overlap else {
        return Err(refuse("an overlap has an end: 24h, for example", None));
    };
    let expires_at = end(options.expires, now);
    let rotated = runtime.block_on(state.rotate_key(which, overlap, expires_at, now));
    let token = rotated.map_err(|fault| refuse(&fault.to_string(), None))?;
    show(&token, expires_at);
    report::tell(&format!("The old token is valid until {}.", time(now + overlap)));
    kept.note("rotated", (&token.id, &options.name), options.workspace.as_deref())
}

fn revoke(options: &Revoke) -> Result<Exit, Exit> {
    let kept = open(&options.place, Wanted::Keys)?;
    let Kept { state, runtime, .. } = &kept;
    let which = Which { name: &options.name, workspace: options.workspace.as_deref() };
    let revoked = runtime.block_on(state.revoke_key(which, Utc::now().timestamp()));
    let key = revoked.map_err(|fault| refuse(&fault.to_string(), None))?;
    report::tell(&format!("The key `{}` ({}) is revoked.", key.name, key.id));
    kept.note("revoked", (&key.id, &key.name), key.workspace.as_deref())
}

fn list(options: &List) -> Result<Exit, Exit> {
    let Kept { state, runtime, .. } = open(&options.place, Wanted::Keys)?;
    let keys = runtime.block_on(state.keys()).map_err(|fault| refuse(&fault.to_string(), None))?;
    let now = Utc::now().timestamp();
    if options.json {
        let all: Vec<_> = keys.iter().map(|key| in_json(key, now)).collect();
        report::show(&serde_json::to_string_pretty(&all).unwrap_or_default());
    } else if keys.is_empty() {
        report::tell("There are no keys: make one with `mcp-bridge keys create --name NAME`.");
    } else {
        report::show(&in_words(&keys, now));
    }
    Ok(Exit::Fine)
}

fn standing(key: &Key, now: i64) -> &'static str {
    match (key.standing(now), &key.rotated_to) {
        (Standing::Valid, None) => "valid",
        (Standing::Valid, Some(_)) => "replaced",
        (Standing::Expired, _) => "expired",
        (Standing::Revoked, _) => "revoked",
    }
}

fn in_json(key: &Key, now: i64) -> serde_json::Value {
    json!({
        "id": key.id,
        "name": key.name,
        "workspace": key.workspace,
        "scopes": key.scopes,
        "asserts_end_user": key.asserts_end_user,
        "standing": standing(key, now),
        "created_at": time(key.created_at),
        "expires_at": key.expires_at.map(time),
        "last_used_at": key.last_used_at.map(time),
        "revoked_at": key.revoked_at.map(time),
        "rotated_to": key.rotated_to,
    })
}

fn in_words(keys: &[Key], now: i64) -> String {
    let day = |time: Option<i64>, none: &str| {
        let day =
            time.and_then(|time| DateTime::from_timestamp(time, 0)).map(|time| time.format("%Y-%m-%d").to_string());
        day.unwrap_or_else(|| none.to_owned())
    };
    let mut text = String::new();
    let widest = keys.iter().map(|key| key.name.chars().count()).max().unwrap_or(0).max(4);
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(text, "ID        {:widest$}  STANDING  EXPIRES     LAST USED   WORKSPACE  SCOPES", "NAME");
    for key in keys {
        let _ = writeln!(
            text,
            "{}  {:widest$}  {:8}  {:10}  {:10}  {:9}  {}",
            key.id,
            key.name,
            standing(key, now),
            day(key.expires_at, "never"),
            day(key.last_used_at, "never"),
            key.workspace.as_deref().unwrap_or("-"),
            key.scopes.join(" "),
        );
    }
    text
}

/// The token alone goes to the standard output, so that it can be caught.
fn show(token: &TokenText, expires_at: Option<i64>) {
    let until = expires_at.map_or("it does not expire".to_owned(), |end| format!("it is valid until {}", time(end)));
    report::tell(&format!("Key {}; {until}. This is the only time its token is shown:", token.id));
    report::show(token.text.expose());
}
