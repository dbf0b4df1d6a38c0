//! Floor 5. Connections that are kept for the next call. A connection comes back only after a clean
//! end; any other end interrupts and retires it, and its slot is free again when that is done.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::task::TaskTracker;

use crate::plan;

/// What a pool must be able to do with a connection.
pub(super) trait Pooled: Sized + Send + 'static {
    /// Stops the statement that runs, if any, without waiting for it.
    fn interrupt(&self);

    /// Takes a connection out of use. One that must not be closed is made clean and given back.
    fn retire(self) -> impl Future<Output = Option<Self>> + Send;
}

/// The connections of one kind to one database.
pub(super) struct Pool<C: Pooled> {
    shared: Arc<Shared<C>>,
}

struct Shared<C> {
    slots: Arc<Semaphore>,
    idle: Mutex<IdleList<C>>,
    policy: plan::Pool,
    /// Connections that are being retired.
    retiring: TaskTracker,
}

struct IdleList<C> {
    /// The one that was used last is at the end, and is used next: the others can expire.
    connections: Vec<Idle<C>>,
    reaper: Reaper,
}

struct Idle<C> {
    connection: C,
    since: Instant,
}

/// Whether a task waits to remove expired connections.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reaper {
    Absent,
    Waiting,
}

impl<C: Pooled> Pool<C> {
    pub(super) fn new(policy: plan::Pool) -> Self {
        let connections = Vec::with_capacity(policy.max.min(64));
        let shared = Shared {
            slots: Arc::new(Semaphore::new(policy.max.min(Semaphore::MAX_PERMITS))),
            idle: Mutex::new(IdleList { connections, reaper: Reaper::Absent }),
            policy,
            retiring: TaskTracker::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// How many connections there are at most.
    pub(super) fn max(&self) -> usize {
        self.shared.policy.max
    }

    /// Whether every connection is in use.
    pub(super) fn is_exhausted(&self) -> bool {
        self.shared.slots.available_permits() == 0
    }

    /// A slot, with the connection that was used last if there is one. `None` when no slot became
    /// free within the policy's time or `wait`.
    pub(super) async fn acquire(&self, wait: Duration) -> Option<Lease<C>> {
        let slots = Arc::clone(&self.shared.slots);
        let permit = if let Ok(permit) = Arc::clone(&slots).try_acquire_owned() {
            permit
        } else {
            let wait = wait.min(self.shared.policy.acquire_timeout);
            timeout(wait, slots.acquire_owned()).await.ok()?.ok()?
        };
        let connection = self.shared.idle.lock().connections.pop().map(|idle| idle.connection);
        Some(Lease { connection, permit: Some(permit), shared: Arc::clone(&self.shared) })
    }

    /// Retires the connections that nobody uses.
    pub(super) async fn retire_idle(&self) {
        let idle = std::mem::take(&mut self.shared.idle.lock().connections);
        for Idle { connection, .. } in idle {
            connection.retire().await;
        }
    }

    /// Refuses further leases, retires the idle connections and waits for those in retirement.
    pub(super) async fn close(&self) {
        self.shared.slots.close();
        self.retire_idle().await;
        self.shared.retiring.close();
        self.shared.retiring.wait().await;
    }
}

impl<C: Pooled> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<C: Pooled> fmt::Debug for Pool<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pool").field("policy", &self.shared.policy).finish_non_exhaustive()
    }
}

impl<C: Pooled> Shared<C> {
    fn give_back(self: &Arc<Self>, connection: C) {
        if self.slots.is_closed() {
            return;
        }
        let since = Instant::now();
        let mut idle = self.idle.lock();
        idle.connections.push(Idle { connection, since });
        if idle.reaper == Reaper::Absent
            && let Some(expiry) = since.checked_add(self.policy.idle)
            && let Ok(runtime) = Handle::try_current()
        {
            idle.reaper = Reaper::Waiting;
            runtime.spawn(reap(Arc::downgrade(self), expiry));
        }
    }

    /// Takes out what has expired, and tells when to look again.
    fn take_expired(&self) -> (Vec<C>, Option<Instant>) {
        let now = Instant::now();
        let mut idle = self.idle.lock();
        let expired =
            idle.connections.iter().take_while(|idle| now.duration_since(idle.since) >= self.policy.idle).count();
        let expired = idle.connections.drain(..expired).map(|idle| idle.connection).collect();
        let next = idle.connections.first().map(|idle| idle.since + self.policy.idle);
        if next.is_none() {
            idle.reaper = Reaper::Absent;
        }
        (expired, next)
    }
}

async fn reap<C: Pooled>(shared: Weak<Shared<C>>, mut at: Instant) {
    loop {
        sleep_until(at).await;
        let Some(shared) = shared.upgrade() else { return };
        let (expired, next) = shared.take_expired();
        for connection in expired {
            connection.retire().await;
        }
        match next {
            Some(next) => at = next,
            None => return,
        }
    }
}

/// The right to use one connection. Dropping it, other than by [`Lease::finish`], interrupts and
/// retires the connection.
pub(super) struct Lease<C: Pooled> {
    connection: Option<C>,
    permit: Option<OwnedSemaphorePermit>,
    shared: Arc<Shared<C>>,
}

impl<C: Pooled> Lease<C> {
    /// The connection. `None` until the slot is filled.
    pub(super) fn connection(&mut self) -> Option<&mut C> {
        self.connection.as_mut()
    }

    /// Takes the connection out of its slot: it is not given back.
    pub(super) fn empty(&mut self) -> Option<C> {
        self.connection.take()
    }

    /// Puts a new connection into an empty slot.
    pub(super) fn fill(&mut self, connection: C) -> &mut C {
        self.connection.insert(connection)
    }

    /// Gives the connection back: nothing runs on it, and no transaction is open.
    pub(super) fn finish(mut self) {
        if let Some(connection) = self.connection.take() {
            self.shared.give_back(connection);
        }
    }
}

impl<C: Pooled> Drop for Lease<C> {
    fn drop(&mut self) {
        let (Some(connection), permit) = (self.connection.take(), self.permit.take()) else {
            return;
        };
        connection.interrupt();
        // Without a runtime nothing can wait for the end; the drop closes the connection all the
        // same.
        let Ok(runtime) = Handle::try_current() else { return };
        let shared = Arc::clone(&self.shared);
        let retire = async move {
            if let Some(connection) = connection.retire().await {
                shared.give_back(connection);
            }
            drop(permit);
        };
        self.shared.retiring.spawn_on(retire, &runtime);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    /// Tells what happens to it.
    struct Probe(UnboundedSender<&'static str>);

    impl Pooled for Probe {
        fn interrupt(&self) {
            self.0.send("interrupted").unwrap();
        }

        async fn retire(self) -> Option<Self> {
            self.0.send("retired").unwrap();
            None
        }
    }

    fn pool(idle: Duration) -> (Pool<Probe>, Probe, UnboundedReceiver<&'static str>) {
        let (tell, told) = unbounded_channel();
        (Pool::new(plan::Pool { max: 1, idle, acquire_timeout: SOON }), Probe(tell), told)
    }

    #[tokio::test]
    async fn a_clean_end_keeps_the_connection_and_any_other_retires_it() {
        let (pool, probe, mut told) = pool(Duration::MAX);
        let mut lease = pool.acquire(SOON).await.unwrap();
        lease.fill(probe);
        lease.finish();
        let mut lease = pool.acquire(SOON).await.unwrap();
        assert!(lease.connection().is_some());
        assert!(pool.acquire(Duration::ZERO).await.is_none(), "the slot is taken");
        drop(lease);
        let mut lease = pool.acquire(SOON).await.unwrap();
        assert!(lease.connection().is_none());
        assert_eq!((told.recv().await, told.recv().await), (Some("interrupted"), Some("retired")));
    }

    #[tokio::test]
    async fn an_idle_connection_is_retired_after_its_time() {
        let (pool, probe, mut told) = pool(Duration::from_millis(1));
        let mut lease = pool.acquire(SOON).await.unwrap();
        lease.fill(probe);
        lease.finish();
        assert_eq!(timeout(SOON, told.recv()).await.unwrap(), Some("retired"));
        assert!(pool.acquire(SOON).await.unwrap().connection().is_none());
    }

    #[tokio::test]
    async fn a_closed_pool_gives_nothing_out() {
        let (pool, probe, mut told) = pool(Duration::MAX);
        let mut lease = pool.acquire(SOON).await.unwrap();
        lease.fill(probe);
        lease.finish();
        pool.close().await;
        assert_eq!(told.recv().await, Some("retired"));
        assert!(pool.acquire(SOON).await.is_none());
    }
}
