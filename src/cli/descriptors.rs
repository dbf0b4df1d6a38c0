//! Floor 9. How many files and connections the process may have open: systems start programs with
//! a number that a thousand calls at once exceed, and let them have more when they ask.

/// As many as a server needs at most: its connections, and those to its sources.
#[cfg(unix)]
const WANTED: u64 = 65_536;

/// Asks for as many as are permitted. Never asks for fewer than there are.
#[cfg(unix)]
pub(super) fn raise() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let permitted = limit.maximum.map_or(WANTED, |most| most.min(WANTED));
    if limit.current.is_none_or(|now| now >= permitted) {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(permitted), ..limit }) {
        tracing::debug!(%error, "the system keeps to its number of open files");
    }
}

/// Elsewhere there is no such number.
#[cfg(not(unix))]
pub(super) fn raise() {}
