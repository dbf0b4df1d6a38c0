//! Floor 9. `mcp-bridge users` and `mcp-bridge login-link`: people who sign in to the authorization server
//! inside, and links that let them.

use std::{
    fmt::Write as _,
    io::{IsTerminal, Read},
};

use chrono::Utc;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    Exit,
    kept::{Kept, List, Wanted, Where, known_scopes, named, open, refuse, time},
    report,
};
use crate::{
    authority::{
        admin::{self, AdminFault},
        password,
    },
    secret::Secret,
    state::oauth::{Standing, User},
    telemetry::AccountChanged,
};

/// `mcp-bridge users`
#[derive(Debug, Subcommand)]
pub(super) enum Options {
    /// Makes an account
    #[command(
        after_help = "Examples:\n  mcp-bridge users add ada --workspace acme\n  mcp-bridge users add ada --password < password.txt"
    )]
    Add(Add),
    /// Shows every account
    #[command(after_help = "Examples:\n  mcp-bridge users list\n  mcp-bridge users list --json")]
    List(List),
    /// Reads another password from the standard input
    #[command(after_help = "Examples:\n  mcp-bridge users password ada < password.txt")]
    Password(One),
    /// Keeps a person out, with every session and token, at once
    #[command(after_help = "Examples:\n  mcp-bridge users disable ada")]
    Disable(One),
    /// Lets a person in again
    #[command(after_help = "Examples:\n  mcp-bridge users enable ada")]
    Enable(One),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The name to sign in with
    name: String,
    /// Reads a password from the standard input; without it the person signs in by `mcp-bridge login-link`
    #[arg(long)]
    password: bool,
    /// Where the person belongs, for `caller.workspace`
    #[arg(long)]
    workspace: Option<String>,
    /// What the person may let clients do; may be given several times. Default: all there is
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// The name to sign in with
    name: String,
    #[command(flatten)]
    place: Where,
}

/// `mcp-bridge login-link`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mcp-bridge login-link --user ada")]
pub(super) struct LoginLink {
    /// Who signs in with it
    #[arg(long)]
    user: String,
    #[command(flatten)]
    place: Where,
}

pub(super) fn run(options: &Options) -> Exit {
    let done = match options {
        Options::Add(options) => add(options),
        Options::List(options) => list(options),
        Options::Password(options) => change(options),
        Options::Disable(options) => settle(options, Standing::Revoked),
        Options::Enable(options) => settle(options, Standing::Active),
    };
    done.unwrap_or_else(|exit| exit)
}

pub(super) fn link(options: &LoginLink) -> Exit {
    linked(options).unwrap_or_else(|exit| exit)
}

/// What the record is told of a person.
const fn changed<'a>(decision: &'static str, id: &'a str) -> AccountChanged<'a> {
    AccountChanged { what: "user", decision, id, name: None, workspace: None, scopes: &[] }
}

fn add(options: &Add) -> Result<Exit, Exit> {
    let kept = open(&options.place, Wanted::People)?;
    let Kept { state, plan, runtime, .. } = &kept;
    let name = named(&options.name)?.to_lowercase();
    if let Some(plan) = plan {
        known_scopes(&options.scopes, plan)?;
    }
    let password = if options.password { Some(hashed()?) } else { None };
    let has_password = password.is_some();
    let now = Utc::now().timestamp();
    let user = User {
        name: name.clone(),
        password,
        issuer: None,
        workspace: options.workspace.clone(),
        scopes: (!options.scopes.is_empty()).then(|| options.scopes.clone()),
        standing: Standing::Active,
        created_at: now,
    };
    runtime.block_on(admin::add_user(state, &user, now)).map_err(|fault| told(&fault))?;
    let how = if has_password { "by name and password" } else { "by links: `mcp-bridge login-link`" };
    report::tell(&format!("`{name}` can sign in, {how}."));
    let (workspace, scopes) = (options.workspace.as_deref(), options.scopes.as_slice());
    kept.note_account(&AccountChanged { workspace, scopes, ..changed("created", &name) })
}

/// What is kept of a password that comes by the standard input.
fn hashed() -> Result<String, Exit> {
    if std::io::stdin().is_terminal() {
        report::tell("Type the password, then Enter and Ctrl+D. It is shown as you type:");
    }
    let mut text = String::new();
    let read = std::io::stdin().lock().take(4096).read_to_string(&mut text);
    let text = Secret::new(text.trim_end_matches(['\r', '\n']).to_owned());
    let length = text.expose().chars().count();
    if read.is_err() || !password::LENGTHS.contains(&length) {
        let (least, most) = (password::LENGTHS.start(), password::LENGTHS.end());
        return Err(refuse(&format!("a password has {least} to {most} characters"), None));
    }
    password::hash(text.expose()).map_err(|fault| refuse(&fault, None))
}

fn list(options: &List) -> Result<Exit, Exit> {
    let Kept { state, runtime, .. } = open(&options.place, Wanted::People)?;
    let all = runtime.block_on(admin::users(&state, Utc::now().timestamp())).map_err(|fault| told(&fault))?;
    if options.json {
        let all: Vec<_> = all.iter().map(in_json).collect();
        report::show(&serde_json::to_string_pretty(&all).unwrap_or_default());
    } else if all.is_empty() {
        report::tell("There is nobody: make an account with `mcp-bridge users add NAME`.");
    } else {
        report::show(&in_words(&all));
    }
    Ok(Exit::Fine)
}

fn change(options: &One) -> Result<Exit, Exit> {
    let kept = open(&options.place, Wanted::People)?;
    let Kept { state, runtime, .. } = &kept;
    let name = named(&options.name)?;
    let password = hashed()?;
    let set = admin::set_password(state, &name, password, Utc::now().timestamp());
    runtime.block_on(set).map_err(|fault| told(&fault))?;
    report::tell(&format!("`{name}` has another password, and has to sign in again."));
    kept.note_account(&changed("password_changed", &name))
}

fn settle(options: &One, standing: Standing) -> Result<Exit, Exit> {
    let kept = open(&options.place, Wanted::People)?;
    let Kept { state, runtime, .. } = &kept;
    let name = named(&options.name)?;
    let settled = admin::settle_user(state, &name, standing, Utc::now().timestamp());
    runtime.block_on(settled).map_err(|fault| told(&fault))?;
    report::tell(&match standing {
        Standing::Active => format!("`{name}` can sign in again."),
        Standing::Pending | Standing::Revoked => {
            format!("`{name}` is kept out, and every session and token has ended.")
        }
    });
    let decision = if standing == Standing::Active { "enabled" } else { "disabled" };
    kept.note_account(&changed(decision, &name))
}

fn linked(options: &LoginLink) -> Result<Exit, Exit> {
    let kept = open(&options.place, Wanted::People)?;
    let Kept { state, plan, runtime, .. } = &kept;
    let name = named(&options.user)?;
    let made = runtime.block_on(admin::login_link(state, &name, Utc::now().timestamp()));
    let token = made.map_err(|fault| told(&fault))?;
    report::tell("It signs in once, within ten minutes. Open it in the browser in which you connect:");
    let url = plan.as_ref().and_then(|plan| plan.server.public_url.clone()).unwrap_or_default();
    report::show(&format!("{url}/oauth/link?token={}", token.text.expose()));
    kept.note_account(&changed("login_link_made", &name))
}

fn told(fault: &AdminFault) -> Exit {
    refuse(&fault.to_string(), None)
}

const fn standing(user: &User) -> &'static str {
    match user.standing {
        Standing::Active => "active",
        Standing::Pending | Standing::Revoked => "disabled",
    }
}

fn in_json(user: &User) -> serde_json::Value {
    json!({
        "name": user.name,
        "standing": standing(user),
        "has_password": user.password.is_some(),
        "issuer": user.issuer,
        "workspace": user.workspace,
        "scopes": user.scopes,
        "created_at": time(user.created_at),
    })
}

fn in_words(users: &[User]) -> String {
    let widest = users.iter().map(|user| user.name.chars().count()).max().unwrap_or(0).max(4);
    let mut text = String::new();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(text, "{:widest$}  STANDING  PASSWORD  WORKSPACE  SCOPES", "NAME");
    for user in users {
        let password = if user.password.is_some() { "yes" } else { "no" };
        let workspace = user.workspace.as_deref().unwrap_or("-");
        let scopes = user.scopes.as_ref().map_or("all".to_owned(), |scopes| scopes.join(" "));
        let _ = writeln!(text, "{:widest$}  {:8}  {password:8}  {workspace:9}  {scopes}", user.name, standing(user));
    }
    text
}
