//! Floor 8. `/readyz`: which sources answer. Asked at most once a second, however often the
//! path is called: nobody should be able to load a database through it.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Mutex;

use crate::engine::Generation;

const KEPT: Duration = Duration::from_secs(1);

/// The latest answer.
#[derive(Debug, Default)]
pub(super) struct Probe(Mutex<Option<(Instant, Report)>>);

/// Whether every source answers, and the words for it.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) ready: bool,
    pub(super) body: String,
}

impl Probe {
    pub(super) async fn report(&self, generation: &Generation) -> Report {
        let mut latest = self.0.lock().await;
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
        let report = Report { ready, body: json!({ "ready": ready, "sources": listed }).to_string() };
        *latest = Some((Instant::now(), report.clone()));
        report
    }
}
