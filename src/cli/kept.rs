//! Floor 9. The state, for the commands that change what a server remembers: where it is, and the few
//! forms of times and names that these commands share.

use std::{path::PathBuf, sync::Arc};

use chrono::{DateTime, SecondsFormat};
use clap::Args;

use super::{Exit, report};
use crate::{
    diag::closest,
    engine::open_audit,
    plan::{Plan, StatePlace, Stored},
    secret::{Secret, Vault},
    state::State,
    telemetry::{AccountChanged, Audit, KeyChanged, Unwritten},
};

/// Characters of a name at most.
const LONGEST_NAME: usize = 64;

/// Where the state is kept.
#[derive(Debug, Args)]
pub(super) struct Where {
    /// Bridge files, and folders of them, one of which says where the state is kept
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The same, in front of other arguments
    #[arg(long, value_name = "PATH")]
    config: Vec<PathBuf>,
    /// The state, in the place of looking for it in bridge files: a file, or postgres://…
    #[arg(long, value_name = "FILE", conflicts_with_all = ["paths", "config"])]
    state: Option<String>,
}

/// What a command lists, and how.
#[derive(Debug, Args)]
pub(super) struct List {
    /// One JSON document
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) place: Where,
}

/// What a command works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// API keys.
    Keys,
    /// People and clients.
    People,
}

impl Wanted {
    fn is_kept_by(self, plan: &Plan) -> bool {
        match self {
            Self::Keys => plan.server.api_keys.as_ref().is_some_and(|keys| keys.stored == Stored::Accepted),
            Self::People => plan.server.authority.is_some(),
        }
    }

    const fn missing(self) -> (&'static str, &'static str) {
        match self {
            Self::Keys => (
                "no bridge file accepts keys that are made here",
                "add `server: { auth: { api_keys: { store: true } } }` to one of them",
            ),
            Self::People => (
                "no bridge file has an authorization server inside",
                "add `server: { auth: { oauth: { mode: embedded } } }` to one of them",
            ),
        }
    }
}

/// A number of seconds, or no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lifetime(pub(super) Option<i64>);

pub(super) fn lifetime(text: &str) -> Result<Lifetime, String> {
    if text == "never" {
        return Ok(Lifetime(None));
    }
    let units = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];
    let read = units.into_iter().find_map(|(unit, seconds)| {
        let number: i64 = text.strip_suffix(unit)?.parse().ok().filter(|number| (0..=1_000_000).contains(number))?;
        number.checked_mul(seconds)
    });
    read.map(|seconds| Lifetime(Some(seconds))).ok_or_else(|| "write a time such as 90d, 12h or 30m, or never".into())
}

pub(super) fn end(lifetime: Lifetime, now: i64) -> Option<i64> {
    lifetime.0.map(|seconds| now.saturating_add(seconds))
}

pub(super) fn time(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0).map_or(String::new(), |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// A name that records can show.
pub(super) fn named(name: &str) -> Result<String, Exit> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(refuse(&format!("a name has 1 to {LONGEST_NAME} characters"), None));
    }
    Ok(name.to_owned())
}

pub(super) fn known_scopes(scopes: &[String], plan: &Plan) -> Result<(), Exit> {
    let declared = &plan.server.scopes;
    match scopes.iter().find(|scope| !declared.is_empty() && !declared.contains_key(*scope)) {
        None => Ok(()),
        Some(scope) => {
            let near = closest(scope, declared.keys().map(String::as_str));
            let help = near
                .map_or("declare it under `server.auth.scopes`".to_owned(), |near| format!("did you mean `{near}`?"));
            Err(refuse(&format!("the scope `{scope}` is not declared"), Some(&help)))
        }
    }
}

/// An open state.
pub(super) struct Kept {
    pub(super) state: Arc<State>,
    pub(super) plan: Option<Plan>,
    audit: Option<Arc<Audit>>,
    pub(super) runtime: tokio::runtime::Runtime,
}

impl Kept {
    /// Records a change of a key, where the bridge files want a record.
    pub(super) fn note(
        &self,
        decision: &'static str,
        (key, caller): (&str, &str),
        workspace: Option<&str>,
    ) -> Result<Exit, Exit> {
        let Some(audit) = &self.audit else { return Ok(Exit::Fine) };
        noted(self.runtime.block_on(audit.key_changed(&KeyChanged { decision, key, caller, workspace })))
    }

    /// Records a change of a client or a person, where the bridge files want a record.
    pub(super) fn note_account(&self, change: &AccountChanged<'_>) -> Result<Exit, Exit> {
        let Some(audit) = &self.audit else { return Ok(Exit::Fine) };
        noted(self.runtime.block_on(audit.account_changed(change)))
    }
}

fn noted(noted: Result<(), Unwritten>) -> Result<Exit, Exit> {
    match noted {
        Ok(()) => Ok(Exit::Fine),
        Err(fault) => Err(refuse(&format!("the change was made and is not in the record: {fault}"), None)),
    }
}

/// Opens the state that the bridge files name.
pub(super) fn open(place: &Where, wanted: Wanted) -> Result<Kept, Exit> {
    let mut vault = Vault::default();
    let (place, plan) = if let Some(named) = &place.state {
        (named_place(named, &mut vault), None)
    } else {
        let mut paths: Vec<PathBuf> = place.config.iter().chain(&place.paths).cloned().collect();
        if paths.is_empty() {
            paths.push("bridges".into());
        }
        let (plan, secrets) = report::plan(&paths)?;
        vault = secrets;
        let Some(place) = plan.server.state.clone().filter(|_| wanted.is_kept_by(&plan)) else {
            let (message, help) = wanted.missing();
            return Err(refuse(message, Some(help)));
        };
        (place, Some(plan))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| refuse(&format!("the state cannot be opened: {error}"), None))?;
    let state = runtime.block_on(State::open(&place, &vault)).map_err(|fault| refuse(&fault.to_string(), None))?;
    // A change that nobody could account for is not begun.
    let audit = match &plan {
        Some(plan) => runtime.block_on(open_audit(plan, &vault)).map_err(|fault| refuse(fault.public(), None))?,
        None => None,
    };
    Ok(Kept { state: Arc::new(state), plan, audit, runtime })
}

/// A place as it stands on the command line: a file, or the address of a database.
fn named_place(named: &str, vault: &mut Vault) -> StatePlace {
    if named.starts_with("postgres:") || named.starts_with("postgresql:") {
        return StatePlace::Postgres(vault.store(Secret::new(named.to_owned())));
    }
    StatePlace::File(named.strip_prefix("sqlite:").unwrap_or(named).into())
}

pub(super) fn refuse(message: &str, help: Option<&str>) -> Exit {
    report::tell(&format!("error: {message}"));
    if let Some(help) = help {
        report::tell(&format!("  help: {help}"));
    }
    Exit::CouldNotRun
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_or_no_end() {
        for (text, expected) in [
            ("90d", Some(Lifetime(Some(7_776_000)))),
            ("12h", Some(Lifetime(Some(43_200)))),
            ("30m", Some(Lifetime(Some(1800)))),
            ("0s", Some(Lifetime(Some(0)))),
            ("never", Some(Lifetime(None))),
            ("", None),
            ("90", None),
            ("-1d", None),
            ("1.5h", None),
            ("99999999999d", None),
        ] {
            assert_eq!(lifetime(text).ok(), expected, "{text}");
        }
    }
}
