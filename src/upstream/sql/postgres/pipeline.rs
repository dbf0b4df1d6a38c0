//! Floor 5. Quick reads that find every connection in use: they go to the server several at a time,
//! each in a transaction of its own, so that neither side waits for the other between them. Whatever is
//! not plain about one of them sends it to a connection of its own. Serves `postgres`.

use std::{
    collections::{HashMap, VecDeque},
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    sync::oneshot,
    time::{Instant, sleep},
};

use super::{
    super::{
        Answer, Limits, Run,
        pool::{Lease, Pool},
    },
    bind,
    connection::{Connection, Failure, Known, Work},
    finish, gives, most,
    reading::{Reading, Stops},
};
use crate::{
    alarm::Alarm,
    plan::sql::{Rendered, Returns},
};

/// What a read may take to count as quick, with the way to the server and back, and with what else the
/// server has to do.
const QUICK: Duration = Duration::from_millis(5);
/// How long reads wait behind one that was sent with them.
const PATIENCE: Duration = Duration::from_millis(100);
/// Reads that go together at most.
const TOGETHER: usize = 8;
/// How often a connection takes several at a time before others have their turn.
const ROUNDS: usize = 4;
/// Bytes of the values of a read that goes with others: all of them fit into the buffers of a socket, so
/// that they can be sent before anything is read.
const LARGEST: usize = 2 << 10;
/// Statements that are known to be quick, at most; and reads that wait, before those that have gone are
/// looked for.
const REMEMBERED: usize = 256;

/// The reads of a source that wait to go together.
#[derive(Clone, Debug)]
pub(super) struct Pipeline(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pool: Pool<Connection>,
    waiting: Mutex<VecDeque<Waiting>>,
    quick: Mutex<HashMap<Arc<str>, Arc<Known>>>,
}

/// A read that waits. Dropping it sends its call to a connection of its own.
#[derive(Debug)]
struct Waiting {
    rendered: Rendered,
    values: Vec<Option<String>>,
    wants: (Returns, Limits),
    begun: Arc<AtomicBool>,
    answer: oneshot::Sender<Answer>,
}

/// What became of a read.
#[derive(Debug)]
pub(super) enum Together {
    /// It has its answer.
    Answered(Answer),
    /// It needs a connection of its own.
    Alone,
    /// Nothing became free in time.
    Late,
}

impl Pipeline {
    /// A pipeline over the connections of a pool.
    pub(super) fn new(pool: &Pool<Connection>) -> Self {
        Self(Arc::new(Shared { pool: pool.clone(), waiting: Mutex::default(), quick: Mutex::default() }))
    }

    /// Remembers how long a read took that had a connection of its own.
    pub(super) fn note(&self, known: &Arc<Known>, took: Duration) {
        let is_quick = took <= QUICK;
        if known.quick.swap(is_quick, Ordering::Relaxed) == is_quick {
            return;
        }
        let mut quick = self.0.quick.lock();
        if !is_quick {
            quick.remove(known.sql());
        } else if quick.len() < REMEMBERED || quick.contains_key(known.sql()) {
            quick.insert(Arc::clone(known.sql()), Arc::clone(known));
        }
    }

    /// Takes a read along with others, if it is known to be quick and no connection is free.
    pub(super) async fn take(&self, request: &Run<'_>, rendered: &Rendered, wait: Duration) -> Together {
        let shared = &self.0;
        if !shared.pool.is_exhausted() {
            return Together::Alone;
        }
        let known = shared.quick.lock().get(&rendered.sql).filter(|known| known.is_of(rendered)).cloned();
        let Some(known) = known else { return Together::Alone };
        let Ok(values) = bind::texts(&rendered.slots, request.arguments, &known.params) else {
            return Together::Alone;
        };
        if values.iter().flatten().map(String::len).sum::<usize>() > LARGEST {
            return Together::Alone;
        }
        let (answer, mut answered) = oneshot::channel();
        let begun = Arc::new(AtomicBool::new(false));
        shared.add(Waiting {
            rendered: rendered.clone(),
            values,
            wants: (request.returns, request.limits),
            begun: Arc::clone(&begun),
            answer,
        });
        loop {
            let lease = tokio::select! {
                biased;
                answer = &mut answered => return answer.map_or(Together::Alone, Together::Answered),
                lease = shared.pool.acquire(wait) => lease,
            };
            let Some(mut lease) = lease else {
                if !begun.load(Ordering::Relaxed) {
                    return Together::Late;
                }
                return answered.await.map_or(Together::Alone, Together::Answered);
            };
            if lease.connection().is_some_and(|connection| connection.is_quiet()) {
                start(Arc::clone(shared), lease);
            } else {
                // Whoever goes alone makes a new connection.
                return Together::Alone;
            }
        }
    }
}

impl Shared {
    fn add(&self, one: Waiting) {
        let mut waiting = self.waiting.lock();
        // While no connection becomes free nobody else takes out those that have gone.
        if waiting.len() >= REMEMBERED {
            waiting.retain(|one| !one.answer.is_closed());
        }
        waiting.push_back(one);
    }

    /// The reads that go next. Those that nobody waits for any more are left out.
    fn next(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock();
        let mut next = Vec::with_capacity(TOGETHER.min(waiting.len()));
        while next.len() < TOGETHER
            && let Some(one) = waiting.pop_front()
        {
            if !one.answer.is_closed() {
                next.push(one);
            }
        }
        next
    }
}

/// Lets a connection work for those that wait.
fn start(shared: Arc<Shared>, lease: Lease<Connection>) {
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(work(shared, lease));
    }
}

async fn work(shared: Arc<Shared>, mut lease: Lease<Connection>) {
    for _ in 0..ROUNDS {
        let next = shared.next();
        if next.is_empty() {
            break;
        }
        // What is lost or left is retired with its connection, which stops it on the server.
        let Some(connection) = lease.connection() else { return };
        if together(&shared, connection, next).await.is_err() {
            return;
        }
    }
    finish(lease);
}

/// Why a connection is given up.
enum Broken {
    /// It failed.
    Failed,
    /// Nobody waits for what runs on it.
    Left,
}

impl From<Failure> for Broken {
    fn from(_: Failure) -> Self {
        Self::Failed
    }
}

/// Sends reads together and gives each its answer.
async fn together(shared: &Shared, connection: &mut Connection, next: Vec<Waiting>) -> Result<(), Broken> {
    let mut sent = Vec::with_capacity(next.len());
    for one in next {
        // Where it is not prepared it goes alone, and is prepared there.
        let known = connection.recall(&one.rendered).filter(|known| known.is_of(&one.rendered));
        if let Some(known) = known.filter(|known| known.columns.is_some()) {
            one.begun.store(true, Ordering::Relaxed);
            sent.push((Some(one), known));
        }
    }
    let works = sent.iter().filter_map(|(one, known)| {
        let Waiting { values, wants, .. } = one.as_ref()?;
        Some(Work { known, values, settings: &[], max_rows: most(known, *wants) })
    });
    let works: Vec<Work<'_>> = works.collect();
    tracing::trace!(reads = works.len(), "reads go together");
    connection.send_reads(&works).await?;
    drop(works);
    let mut silence = Silence::new();
    let mut is_late = false;
    for at in 0..sent.len() {
        let Some((mut one, known)) = sent.get_mut(at).map(|(one, known)| (one.take(), Arc::clone(known))) else {
            break;
        };
        let wants = one.as_ref().map_or((Returns::Affected, NOTHING), |one| one.wants);
        let mut reading = Reading::new(known.columns.as_ref(), wants, Stops::AtLimits);
        {
            let mut taking = pin!(connection.take_read(&known, &mut reading));
            loop {
                let left = async {
                    match &mut one {
                        Some(one) if is_late => one.answer.closed().await,
                        None if is_late => sleep(PATIENCE).await,
                        Some(_) | None => std::future::pending().await,
                    }
                };
                let taken = tokio::select! {
                    biased;
                    taken = &mut taking => taken,
                    () = silence.lasts(), if !is_late => {
                        is_late = true;
                        known.quick.store(false, Ordering::Relaxed);
                        shared.quick.lock().remove(known.sql());
                        // Those behind go alone; what they were sent for is read and thrown away.
                        for (one, _) in &mut sent {
                            *one = None;
                        }
                        continue;
                    }
                    () = left => return Err(Broken::Left),
                };
                silence.breaks();
                // An answer that is an error is asked for once more, alone, and explained there.
                match taken? {
                    Taken::Whole => {}
                    Taken::Not => one = None,
                }
                break;
            }
        }
        if let Some(one) = one
            && let Ok(answer) = gives(reading, one.wants)
        {
            let _ = one.answer.send(answer);
        }
    }
    Ok(connection.end_reads().await?)
}

/// The time in which a server answers none of the reads that were sent to it.
struct Silence {
    since: Instant,
    alarm: Alarm,
}

impl Silence {
    fn new() -> Self {
        let since = Instant::now();
        Self { since, alarm: Alarm::new(since + PATIENCE) }
    }

    fn breaks(&mut self) {
        self.since = Instant::now();
    }

    /// Waits until it was silent for longer than reads wait.
    async fn lasts(&mut self) {
        poll_fn(|context| self.alarm.poll(self.since + PATIENCE, context)).await;
    }
}

/// What is kept of an answer that nobody waits for.
const NOTHING: Limits = Limits { max_rows: 0, max_bytes: 0 };

/// Whether a read that was sent with others came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// With all its rows.
    Whole,
    /// With an error.
    Not,
}
