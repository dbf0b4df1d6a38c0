//! Floor 6. Keeps results of reading tools for a time. Calls with the same arguments share one
//! result, also while it is being fetched; errors are told to all who wait and kept for nobody.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::{sync::watch, time::Instant};

use super::{Block, Body, Call, CallError, ContentsBody, Outcome};
use crate::plan::{Caching, Plan, Sharing, Tool};

/// Bytes that the results of one tool may have together. The oldest go first.
const BYTES_MAX: usize = 16 << 20;
/// Results of one tool at most.
const RESULTS_MAX: usize = 10_000;
/// What an entry costs beside its result.
const OVERHEAD: usize = 256;

/// What makes two calls the same: a digest, because arguments may be long or secret.
type Key = [u8; 32];

/// The kept results of every tool that has a `cache`, by the name of the tool.
#[derive(Debug, Default)]
pub(super) struct Caches(HashMap<String, Cache>);

impl Caches {
    pub(super) fn new(plan: &Plan) -> Self {
        let kept = plan.tools.iter().filter_map(|tool| Some((tool.name.clone(), Cache::new(tool.cache.as_ref()?))));
        Self(kept.collect())
    }

    pub(super) fn of(&self, tool: &Tool) -> Option<&Cache> {
        tool.cache.as_ref()?;
        self.0.get(&tool.name)
    }
}

/// The kept results of one tool.
#[derive(Debug)]
pub(super) struct Cache {
    keep: Duration,
    sharing: Sharing,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    entries: HashMap<Key, Entry>,
    /// Kept results, the oldest first. All are kept equally long, so it is also the first to go.
    order: VecDeque<(Key, u64)>,
    bytes: usize,
    /// Tells an entry from a later one of the same key.
    made: u64,
}

#[derive(Debug)]
enum Entry {
    /// Somebody is fetching it.
    Pending(watch::Receiver<Option<Arc<Shared>>>),
    /// It is here.
    Kept { made: u64, until: Instant, size: usize, outcome: Arc<Outcome> },
}

/// What a call ended in, for all who wait.
type Shared = Result<Arc<Outcome>, CallError>;

enum Turn<'c> {
    Known(Arc<Outcome>),
    Wait(watch::Receiver<Option<Arc<Shared>>>),
    Fetch(Fetching<'c>),
}

/// The call that fetches. Who waits for it goes on by itself when it is dropped.
struct Fetching<'c> {
    cache: &'c Cache,
    key: Key,
    tell: watch::Sender<Option<Arc<Shared>>>,
    done: bool,
}

impl Cache {
    fn new(caching: &Caching) -> Self {
        Self { keep: caching.keep, sharing: caching.sharing.clone(), held: Mutex::default() }
    }

    /// The result of a call: a kept one, that of another call under way, or a fetched one.
    pub(super) async fn call<F>(
        &self,
        call: &Call<'_>,
        arguments: &Map<String, Value>,
        fetch: F,
    ) -> Result<Outcome, CallError>
    where
        F: Future<Output = Result<Outcome, CallError>>,
    {
        let key = self.key(call, arguments);
        loop {
            match self.turn(key) {
                Turn::Known(outcome) => return Ok((*outcome).clone()),
                Turn::Wait(mut waiting) => {
                    // The other call was given up: this one takes its turn.
                    let Ok(shared) = waiting.wait_for(Option::is_some).await else { continue };
                    let Some(shared) = shared.clone() else { continue };
                    return match &*shared {
                        Ok(outcome) => Ok((**outcome).clone()),
                        Err(error) => Err(error.clone()),
                    };
                }
                Turn::Fetch(fetching) => return fetching.finish(fetch.await),
            }
        }
    }

    fn turn(&self, key: Key) -> Turn<'_> {
        let mut held = self.held.lock();
        match held.entries.get(&key) {
            Some(Entry::Kept { until, outcome, .. }) if *until > Instant::now() => {
                return Turn::Known(Arc::clone(outcome));
            }
            Some(Entry::Pending(waiting)) => return Turn::Wait(waiting.clone()),
            Some(Entry::Kept { .. }) | None => {}
        }
        held.remove(&key);
        let (tell, waiting) = watch::channel(None);
        held.entries.insert(key, Entry::Pending(waiting));
        Turn::Fetch(Fetching { cache: self, key, tell, done: false })
    }

    fn key(&self, call: &Call<'_>, arguments: &Map<String, Value>) -> Key {
        let mut digest = Sha256::new();
        let sorted: BTreeMap<&String, &Value> = arguments.iter().collect();
        // Every value can be printed.
        digest.update(serde_json::to_vec(&sorted).unwrap_or_default());
        if let Sharing::PerCaller { headers } = &self.sharing {
            digest.update(b"\0");
            digest.update(call.principal.value().to_string());
            for header in headers {
                digest.update(b"\0");
                digest.update(call.headers.get(header).unwrap_or_default());
            }
        }
        digest.finalize().into()
    }
}

impl Held {
    fn remove(&mut self, key: &Key) {
        if let Some(Entry::Kept { size, .. }) = self.entries.remove(key) {
            self.bytes = self.bytes.saturating_sub(size);
        }
    }

    fn keep(&mut self, key: Key, outcome: Arc<Outcome>, until: Instant) {
        let size = weight(&outcome.body) + OVERHEAD;
        self.made += 1;
        self.bytes += size;
        self.order.push_back((key, self.made));
        self.entries.insert(key, Entry::Kept { made: self.made, until, size, outcome });
        while self.bytes > BYTES_MAX || self.order.len() > RESULTS_MAX || self.is_over(until) {
            let Some((oldest, number)) = self.order.pop_front() else { break };
            if matches!(self.entries.get(&oldest), Some(Entry::Kept { made, .. }) if *made == number) {
                self.remove(&oldest);
            }
        }
    }

    /// Whether the oldest result was kept long enough when one that ends at `until` comes.
    fn is_over(&self, until: Instant) -> bool {
        let Some((oldest, number)) = self.order.front() else { return false };
        match self.entries.get(oldest) {
            Some(Entry::Kept { made, until: end, .. }) if made == number => *end < until && *end <= Instant::now(),
            // Its place was taken by a later one.
            Some(_) | None => true,
        }
    }
}

impl Fetching<'_> {
    /// Tells all who wait, and keeps a result that is no error.
    fn finish(mut self, result: Result<Outcome, CallError>) -> Result<Outcome, CallError> {
        self.done = true;
        let mut held = self.cache.held.lock();
        held.entries.remove(&self.key);
        let shared = match result {
            Ok(outcome) => {
                let outcome = Arc::new(outcome);
                if outcome.failure.is_none() && !matches!(outcome.body, Body::Questions(_)) {
                    held.keep(self.key, Arc::clone(&outcome), Instant::now() + self.cache.keep);
                }
                Ok(outcome)
            }
            Err(error) => Err(error),
        };
        drop(held);
        let answer = match &shared {
            Ok(outcome) => Ok((**outcome).clone()),
            Err(error) => Err(error.clone()),
        };
        self.tell.send_replace(Some(Arc::new(shared)));
        answer
    }
}

impl Drop for Fetching<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.cache.held.lock().entries.remove(&self.key);
        }
    }
}

/// The bytes of a result.
fn weight(body: &Body) -> usize {
    match body {
        Body::Text(text) => text.len(),
        Body::Document(json) | Body::Structured(json) => json.len(),
        Body::Both { text, structured } => text.len() + structured.len(),
        Body::Blocks(blocks) => blocks.iter().map(block).sum(),
        Body::Questions(_) => 0,
    }
}

/// The bytes of one part of a result.
fn block(block: &Block) -> usize {
    let bytes = match block {
        Block::Text(text) => text.len(),
        Block::Image(media) | Block::Audio(media) => media.data.len(),
        Block::Resource(contents) => match &contents.body {
            ContentsBody::Text(text) => text.len(),
            ContentsBody::Blob(base64) => base64.len(),
        },
        Block::Link { uri, .. } => uri.len(),
    };
    bytes + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(size: usize) -> Arc<Outcome> {
        Arc::new(Outcome::fine(Body::Text("x".repeat(size))))
    }

    #[test]
    fn the_oldest_results_go_when_there_are_too_many() {
        let mut held = Held::default();
        let until = Instant::now() + Duration::from_mins(1);
        let size = 1 << 20;
        for number in 0..40_u8 {
            held.keep([number; 32], outcome(size), until);
        }
        let kept: Vec<_> = (0..40_u8).filter(|number| held.entries.contains_key(&[*number; 32])).collect();
        assert_eq!(kept, (25..40).collect::<Vec<_>>());
        assert_eq!(held.bytes, kept.len() * (size + OVERHEAD));
        assert_eq!(held.order.len(), kept.len());
    }

    #[test]
    fn a_result_in_the_place_of_another_counts_once() {
        let mut held = Held::default();
        let until = Instant::now() + Duration::from_mins(1);
        for _ in 0..3 {
            held.remove(&[1; 32]);
            held.keep([1; 32], outcome(10), until);
        }
        assert_eq!((held.entries.len(), held.bytes), (1, 10 + OVERHEAD));
        // What is over goes with the next one.
        held.keep([2; 32], outcome(10), Instant::now());
        held.keep([3; 32], outcome(10), until + Duration::from_secs(1));
        assert!(held.order.len() <= 3, "{:?}", held.order);
    }
}
