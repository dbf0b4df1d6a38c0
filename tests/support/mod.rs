//! What scenarios over real sockets are made of: a stand-in upstream, a served bridge, and a
//! client that sends exactly the bytes it is told to.

mod bridge;
mod events;
mod http;
mod httpbin;
pub(crate) mod person;
mod program;
mod scripted;
mod servers;
mod signer;
mod tls;
mod upstream;

pub(crate) use bridge::{Served, call_message, initialize_message, plan_of, serve, serve_watched};
pub(crate) use events::Events;
pub(crate) use http::{Post, Response, raw};
pub(crate) use httpbin::PNG;
pub(crate) use program::Program;
pub(crate) use scripted::{Scripted, StandIn, stand_in};
pub(crate) use servers::{Server, mariadb, pooler, postgres};
pub(crate) use signer::{Key, with};
pub(crate) use tls::{Authority, Identity, Validity, proxy, tls_api};
pub(crate) use upstream::{Upstream, upstream};

use std::collections::BTreeMap;

use mcp_bridge::yaml::Variables;

/// The environment of a test: these variables and no files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fixed(BTreeMap<String, String>);

impl Fixed {
    pub(crate) fn new(variables: &[(&str, &str)]) -> Self {
        Self(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }
}

impl Variables for Fixed {
    fn variable(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn file(&self, _: &std::path::Path, _: &str) -> Result<String, String> {
        Err("there are no files in this test".into())
    }

    fn bytes(&self, folder: &std::path::Path, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(folder.join(path)).map_err(|error| error.to_string())
    }
}

/// Starts a task of a test.
#[expect(clippy::disallowed_methods, reason = "tests have no telemetry to go through")]
pub(crate) fn spawn<F>(task: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(task)
}

/// The same for a condition that has to be asked for.
pub(crate) async fn until_async(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let patience = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(std::time::Duration::from_secs(20), patience).await.is_ok(), "{what} did not come");
}

/// Waits until a condition holds, for ten seconds at most.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let patience = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    let end = tokio::time::timeout(std::time::Duration::from_secs(10), patience).await;
    assert!(end.is_ok(), "{what} did not happen");
}
