//! Floor 8. `/readyz`: which sources answer. Asked at most once a second, however often the
//! path is called: nobody should be able to load a database through it.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::sync::Mutex;

use super::reload::Outcome;
use crate::engine::Generation;

const KEPT: Duration = Duration::from_secs(1);

/// The latest answer.
#[derive(Debug, Default)]
pub(super) struct Probe {
    latest: Mutex<Option<(Instant, Report)>>,
    /// Whether the latest change of the files has faults, so that an older one is served.
    outdated: AtomicBool,
}

/// Whether every source answers, and the words for it.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) ready: bool,
    pub(super) body: String,
}

impl Probe {
    /// Remembers whether the latest change of the files is served.
    pub(super) fn note(&self, outcome: Outcome) {
        self.outdated.store(outcome == Outcome::Refused, Ordering::Relaxed);
    }

    pub(super) async fn report(&self, generation: &Generation) -> Report {
        let mut latest = self.latest.lock().await;
        if let Some((at, report)) = latest.as_ref()
            && at.elapsed() < KEPT
        {
            return report.clone();
        }
        let sources = generation.readiness().await;
        let ready = sources.iter().all(|source| source.fault.is_none());
        let listed: Vec<_> = sources
            .iter()
            .map(|source| match &source.fault {
                None => json!({ "bridge": source.bridge, "name": source.source, "ready": true }),
                Some(fault) => {
                    json!({ "bridge": source.bridge, "name": source.source, "ready": false, "fault": fault })
                }
            })
            .collect();
        let mut body = json!({ "ready": ready, "sources": listed });
        if let (Some(body), true) = (body.as_object_mut(), self.outdated.load(Ordering::Relaxed)) {
            body.insert("files".into(), "the latest change is not served; the log says why".into());
        }
        let report = Report { ready, body: body.to_string() };
        *latest = Some((Instant::now(), report.clone()));
        report
    }
}
