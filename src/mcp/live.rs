//! Floor 7. What is served right now: a generation with everything printed from it, replaced as
//! a whole. Who has begun with one ends with it.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::listing::Surface;
use crate::{engine::Generation, telemetry};

/// A generation with what clients see of it.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) generation: Arc<Generation>,
    pub(super) surface: Surface,
    /// Dropped with the last request that began with the generation.
    used: Arc<oneshot::Sender<()>>,
}

impl Live {
    /// What is served from now on. Its sources are closed when nobody needs them any more.
    pub(super) fn new(generation: Arc<Generation>, surface: Surface) -> Arc<Self> {
        let (used, unused) = oneshot::channel();
        if tokio::runtime::Handle::try_current().is_ok() {
            let generation = Arc::clone(&generation);
            telemetry::spawn(async move {
                // Nothing is ever sent: the sender is dropped.
                let _ = unused.await;
                generation.close().await;
            });
        }
        Arc::new(Self { generation, surface, used: Arc::new(used) })
    }

    /// The same generation, seen in another way.
    pub(super) fn seen_as(&self, surface: Surface) -> Arc<Self> {
        Arc::new(Self { generation: Arc::clone(&self.generation), surface, used: Arc::clone(&self.used) })
    }
}
