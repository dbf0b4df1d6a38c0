//! Floor 7. Clients that have one channel for everything: HTTP+SSE and stdio. Their messages are
//! taken one by one, answered at the same time, and all that is said goes out in one queue
//! (protocol.md §2.4, §2.5).

use std::{future::poll_fn, pin::Pin, sync::Arc, task::Poll};

use bytes::Bytes;
use futures_util::future::FutureExt;
use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{
    Messages, Payload, Principal, Refusal, Revision, Server,
    classify::{self, Era},
    dispatch::{self, Answer, Context, Way},
    hub::{Listener, Listening, Lists, Owner},
    messages::WAITING,
    session::{self, Session, SessionKey},
    wire::{self, Body, Kind, Request},
};
use crate::engine::{Abilities, CallerHeaders};

/// Requests of one channel at once at most.
const REQUESTS_MAX: u32 = 128;

/// Which revisions a channel speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eras {
    /// Those with a handshake.
    Legacy,
    /// All of them, message by message.
    Both,
}

/// A client with one channel for everything.
#[derive(Debug)]
pub struct Channel {
    server: Arc<Server>,
    bridge: Option<String>,
    principal: Arc<Principal>,
    eras: Eras,
    to: mpsc::Sender<Payload>,
    session: Mutex<Session>,
    /// Its place among those who are told of changes, from the handshake on.
    listening: Mutex<Option<Listening>>,
    busy: Arc<Semaphore>,
}

/// A message with what travels beside it.
pub struct Posted<H> {
    /// The message.
    pub body: Bytes,
    /// Who sent it.
    pub principal: Arc<Principal>,
    /// The caller's headers, for sources that pass a credential on.
    pub headers: H,
    /// The id under which logs tell of the message.
    pub request: u64,
}

impl Server {
    /// Opens a channel for a caller at the path of a bridge, or of all of them. The messages end
    /// when the server does, after the answers to what was asked before.
    ///
    /// # Errors
    /// When there is no such bridge, or the system has no randomness.
    pub fn channel(
        self: &Arc<Self>,
        bridge: Option<&str>,
        principal: Arc<Principal>,
        eras: Eras,
    ) -> Result<(Arc<Channel>, Messages), Refusal> {
        if self.live.load().surface.endpoint(bridge).is_none() {
            return Err(Refusal::no_bridge(bridge.unwrap_or_default()));
        }
        let key = SessionKey::random().ok_or_else(Refusal::internal)?;
        let (to, coming) = mpsc::channel(WAITING);
        let busy = Arc::new(Semaphore::new(REQUESTS_MAX as usize));
        let (ending, idle) = (self.ending.clone(), Arc::clone(&busy));
        let last = async move {
            ending.cancelled().await;
            // With every place taken back nothing is left to answer.
            let _all = idle.acquire_many(REQUESTS_MAX).await;
            None
        };
        let channel = Arc::new(Channel {
            server: Arc::clone(self),
            bridge: bridge.map(str::to_owned),
            principal,
            eras,
            to,
            session: Mutex::new(Session {
                key,
                revision: Revision::ASSUMED,
                abilities: Abilities::default(),
                lists: Lists::that(|_| false),
            }),
            listening: Mutex::new(None),
            busy,
        });
        Ok((channel, Messages::new(Vec::new(), coming, Some(last.boxed()))))
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // Its session ends with it.
        self.server.hub.end(self.session.lock().key);
    }
}

impl Channel {
    /// Names the channel, in characters that can stand in an address. Nobody can guess it.
    #[must_use]
    pub fn id(&self) -> String {
        self.session.lock().key.text()
    }

    /// Whether a caller is the one that opened it.
    #[must_use]
    pub fn belongs_to(&self, caller: &Principal) -> bool {
        session::owner(caller) == session::owner(&self.principal)
    }

    /// Takes a message. What is answered later goes out on the channel.
    ///
    /// # Errors
    /// What keeps the message from being taken: the refusal has not been sent.
    pub async fn receive<H>(self: &Arc<Self>, posted: Posted<H>) -> Result<(), Refusal>
    where
        H: CallerHeaders + Clone + Send + Sync + 'static,
    {
        let read = wire::read(&posted.body).map_err(|fault| {
            let refusal = dispatch::refuse(fault);
            if wire::wants_nothing(&posted.body) { refusal.unasked() } else { refusal }
        });
        match read? {
            Body::One(kind) => self.take(&kind, posted.body.clone(), &posted).await,
            Body::Many(items) => {
                for message in self.batch(&items)? {
                    let body = Bytes::copy_from_slice(message.get().as_bytes());
                    let kind = wire::read_one(message).map_err(dispatch::refuse)?;
                    if let Err(refusal) = self.take(&kind, body, &posted).await {
                        self.refuse(&refusal).await;
                    }
                }
                Ok(())
            }
        }
    }

    /// Says that a message was refused, where nothing but the channel can say it.
    pub async fn refuse(&self, refusal: &Refusal) {
        // Who has gone hears nothing.
        let _ = self.to.send(refusal.printed()).await;
    }

    /// Waits until everything that was asked is answered; the client asks nothing more.
    pub async fn finish(&self) {
        // Nobody is left to answer.
        let key = self.session.lock().key;
        self.server.asks.end(key);
        let _all = self.busy.acquire_many(REQUESTS_MAX).await;
    }

    /// The messages of a batch: only one revision has them, and none with a handshake within
    /// (protocol.md S-05, D-06).
    fn batch<'m>(&self, items: &'m [&'m RawValue]) -> Result<Vec<&'m RawValue>, Refusal> {
        let revision = self.session.lock().revision;
        dispatch::batch_allowed(revision, items.len())?;
        for item in items {
            if let Kind::Request(request) = wire::read_one(item).map_err(dispatch::refuse)?
                && (classify::claims(&request) || request.method == "initialize")
            {
                return Err(Refusal::invalid("This message cannot be part of a batch"));
            }
        }
        Ok(items.to_vec())
    }

    async fn take<H>(self: &Arc<Self>, kind: &Kind<'_>, body: Bytes, posted: &Posted<H>) -> Result<(), Refusal>
    where
        H: CallerHeaders + Clone + Send + Sync + 'static,
    {
        match kind {
            Kind::Response(response) => {
                let key = self.session.lock().key;
                dispatch::hear(&self.server, key, response);
            }
            Kind::Notification(notification) => self.notice(notification),
            Kind::Request(request) => {
                let named = |refusal: Refusal| refusal.of(Some(request.id));
                let era = self.era(request).map_err(named)?;
                let busy = || named(Refusal::crowded("Too many requests at once; wait for answers first"));
                let permit = Arc::clone(&self.busy).try_acquire_owned().map_err(|_| busy())?;
                if matches!(era, Era::Legacy(_)) && request.method == "initialize" {
                    self.introduce(request).await;
                } else {
                    let (headers, principal) = (posted.headers.clone(), Arc::clone(&posted.principal));
                    let own = Posted { body, principal, headers, request: posted.request };
                    let work = Arc::clone(self).work(own, era, permit);
                    self.start(Box::pin(work)).await;
                }
            }
        }
        Ok(())
    }

    /// Begins to answer before the next message is looked at, so that one that takes this back
    /// finds it; goes on beside.
    async fn start(&self, mut work: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let is_done = poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_ready())).await;
        if !is_done {
            self.server.tasks.spawn(work);
        }
    }

    fn notice(&self, notification: &Request<'_>) {
        if notification.method == "notifications/cancelled"
            && let Some(id) = notification.params.request_id
        {
            let key = self.session.lock().key;
            self.server.in_flight.cancel(key, id.get());
        }
    }

    fn era(&self, request: &Request<'_>) -> Result<Era, Refusal> {
        let era = classify::unheaded(request, self.session.lock().revision)?;
        if matches!(era, Era::Stateless(_)) && self.eras == Eras::Legacy {
            return Err(Refusal::invalid("This transport has only revisions with a handshake: post to /mcp"));
        }
        Ok(era)
    }

    async fn introduce(&self, request: &Request<'_>) {
        let (revision, abilities) = dispatch::introduce(request);
        let live = self.server.live.load_full();
        let endpoint = live.surface.view(live.generation.plan(), self.bridge.as_deref(), &self.principal);
        let lists = endpoint.as_ref().map_or(Lists::that(|_| false), |endpoint| endpoint.lists());
        let key = {
            let mut session = self.session.lock();
            (session.revision, session.abilities, session.lists) = (revision, abilities, lists);
            session.key
        };
        let answer = match endpoint {
            Some(endpoint) => dispatch::introduction(&endpoint, request, revision),
            None => Refusal::no_bridge(self.bridge.as_deref().unwrap_or_default()).of(Some(request.id)).printed(),
        };
        // Who has gone hears nothing.
        let _ = self.to.send(answer).await;
        if live.surface.changes() {
            // Whoever introduces itself once more may be told of other lists.
            *self.listening.lock() = None;
            let (bridge, to) = (self.bridge.clone(), self.to.clone());
            let listener =
                Listener { bridge, owner: Owner::Session(key), wants: lists.each(), resources: Vec::new(), to };
            let place = self.server.hub.enter(listener);
            *self.listening.lock() = place;
        }
    }

    async fn work<H>(self: Arc<Self>, posted: Posted<H>, era: Era, permit: OwnedSemaphorePermit)
    where
        H: CallerHeaders + Clone + Send + Sync + 'static,
    {
        if let Ok(Body::One(Kind::Request(request))) = wire::read(&posted.body) {
            let answer = self.answer(&request, &era, &posted).await;
            if let Some(answer) = answer {
                let _ = self.to.send(answer).await;
            }
        }
        drop(permit);
    }

    async fn answer<H>(&self, request: &Request<'_>, era: &Era, posted: &Posted<H>) -> Option<Payload>
    where
        H: CallerHeaders + Clone + Send + Sync + 'static,
    {
        let live = self.server.live.load_full();
        let bridge = self.bridge.as_deref();
        let named = |refusal: Refusal| refusal.of(Some(request.id)).printed();
        let Some(endpoint) = live.surface.view(live.generation.plan(), bridge, &posted.principal) else {
            return Some(named(Refusal::no_bridge(bridge.unwrap_or_default())));
        };
        let context = Context {
            server: &self.server,
            live: &live,
            bridge,
            endpoint: &endpoint,
            principal: &posted.principal,
            session: Some(*self.session.lock()),
            headers: &posted.headers,
            request: posted.request,
            way: Way::Channel(&self.to),
        };
        match dispatch::answer(&context, request, era).await {
            Ok(Answer::Message(message)) => Some(message),
            // On a channel nothing becomes a stream of its own.
            Ok(Answer::Withdrawn | Answer::Messages(_)) => None,
            Err(refusal) => Some(named(refusal)),
        }
    }
}
