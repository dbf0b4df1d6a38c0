//! Floor 7. What a call tells and asks its client before the result, in the words of the
//! revision. Never waits for a slow client: what it cannot take is left out.

use std::{sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, FutureExt};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::{
    Payload, Refusal, Revision, Server,
    dispatch::{Context, Way},
    printing::notification,
    rounds::Rounds,
    session::SessionKey,
    wire::{self, Meta, Request},
};
use crate::engine::{Abilities, Asked, Level, LogEntry, Peer, Progress, Question};

/// How long a person may think about a question.
const PATIENCE: Duration = Duration::from_mins(5);

/// The client of one call.
pub(super) struct Outlet {
    server: Arc<Server>,
    revision: Revision,
    session: Option<SessionKey>,
    to: Option<mpsc::Sender<Payload>>,
    /// The client's token for progress, as JSON.
    token: Option<Box<str>>,
    /// What a stateless request wants logged; sessions have a level of their own.
    level: Option<Level>,
    abilities: Abilities,
    /// What a stateless request says about earlier questions.
    rounds: Option<Rounds>,
    /// How far the call had come when it was told last.
    reached: Mutex<f64>,
}

/// What a request says about the client it comes from.
struct Wishes {
    token: Option<Box<str>>,
    level: Option<Level>,
}

impl Outlet {
    /// The client behind a request; `to` is where messages before the result go, if anywhere.
    pub(super) fn new<H>(
        context: &Context<'_, H>,
        request: &Request<'_>,
        revision: Revision,
        to: Option<mpsc::Sender<Payload>>,
    ) -> Result<Self, Refusal> {
        let wishes = wishes(request);
        let abilities = abilities(context, request, revision);
        let resume = || Rounds::resume(context.server.states.as_ref(), context.principal, request);
        let rounds = revision.is_stateless().then(resume).transpose()?;
        Ok(Self {
            server: Arc::clone(context.server),
            revision,
            session: context.session.map(|session| session.key),
            to,
            token: wishes.token,
            level: wishes.level,
            abilities,
            rounds,
            reached: Mutex::new(f64::NEG_INFINITY),
        })
    }

    /// What is known of earlier questions, where a call ends with those that are open.
    pub(super) const fn rounds(&self) -> Option<&Rounds> {
        self.rounds.as_ref()
    }

    /// Sends a notification, unless too many wait for the client to read.
    fn notify(&self, method: &str, params: Map<String, Value>, own: &[(&str, &str)]) {
        if let Some(to) = &self.to {
            // A client that does not read, or has gone, misses it.
            let _ = to.try_send(notification(method, params, own));
        }
    }

    fn level(&self) -> Option<Level> {
        if self.revision.is_stateless() {
            // protocol.md U-02: only what this very request asked for.
            return self.level;
        }
        Some(self.session.map_or(Level::Info, |session| self.server.sessions.level(session)))
    }

    async fn put(&self, question: &Question) -> Asked {
        let (Some(to), Some(session)) = (&self.to, self.session) else { return Asked::Impossible };
        let Some(mut waiting) = self.server.asks.begin(session) else { return Asked::Impossible };
        let method = question.kind.method();
        let request =
            format!(r#"{{"jsonrpc":"2.0","id":{},"method":"{method}","params":{}}}"#, waiting.id(), question.params);
        let mut withdrawal = Withdrawal { to, id: Some(waiting.id().to_owned()) };
        let asked = async {
            to.send(request.into_bytes().into()).await.ok()?;
            tokio::select! {
                answer = waiting.answered() => answer,
                // A client that has left answers nothing.
                () = to.closed() => None,
            }
        };
        let answer = tokio::time::timeout(PATIENCE, asked).await.ok();
        if answer.is_some() {
            withdrawal.id = None;
        }
        answer.flatten().map_or(Asked::Unanswered, Asked::Answered)
    }
}

/// Takes a question back that nobody waits for any more, as when its call was cancelled.
struct Withdrawal<'a> {
    to: &'a mpsc::Sender<Payload>,
    id: Option<String>,
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        if let Some(id) = &self.id {
            let reason = Map::from_iter([("reason".to_owned(), json!("The call no longer waits for an answer."))]);
            // A client that does not read will not notice the difference.
            let _ = self.to.try_send(notification("notifications/cancelled", reason, &[("requestId", id)]));
        }
    }
}

impl Peer for Outlet {
    fn progress(&self, progress: &Progress) {
        let Some(token) = &self.token else { return };
        {
            let mut reached = self.reached.lock();
            // protocol.md U-01: it must grow. A value that is none does not.
            if progress.value.is_nan() || progress.value <= *reached {
                return;
            }
            *reached = progress.value;
        }
        let mut params = Map::from_iter([("progress".to_owned(), number(progress.value))]);
        params.extend(progress.total.map(|total| ("total".to_owned(), number(total))));
        let message = progress.message.as_ref().filter(|_| self.revision >= Revision::V2025_03_26);
        params.extend(message.map(|message| ("message".to_owned(), json!(message))));
        self.notify("notifications/progress", params, &[("progressToken", token)]);
    }

    fn log(&self, entry: &LogEntry) {
        if self.level().is_none_or(|least| entry.level < least) {
            return;
        }
        let level = json!(entry.level.as_str());
        let mut params = Map::from_iter([("level".to_owned(), level), ("data".to_owned(), entry.data.clone())]);
        params.extend(entry.logger.as_ref().map(|logger| ("logger".to_owned(), json!(logger))));
        self.notify("notifications/message", params, &[]);
    }

    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Asked> {
        async move {
            if !self.abilities.has(question.kind) {
                return Asked::Impossible;
            }
            if let Some(rounds) = &self.rounds {
                return rounds.answer(question).map_or(Asked::Later, Asked::Answered);
            }
            self.put(question).await
        }
        .boxed()
    }

    fn abilities(&self) -> Abilities {
        self.abilities
    }
}

/// Where the messages of a call go that share a channel with all others of the client.
pub(super) fn channel(way: &Way<'_>) -> Option<mpsc::Sender<Payload>> {
    match way {
        Way::Channel(to) => Some((*to).clone()),
        Way::Stream | Way::Document => None,
    }
}

/// What the client of a request can be asked on the way to its result.
pub(super) fn abilities<H>(context: &Context<'_, H>, request: &Request<'_>, revision: Revision) -> Abilities {
    match (&context.session, context.way) {
        _ if revision.is_stateless() => declared(request),
        (Some(session), Way::Stream | Way::Channel(_)) => session.abilities,
        // Nobody could be told apart from others when the answer comes, or there is no way to ask.
        (None, _) | (Some(_), Way::Document) => Abilities::default(),
    }
}

/// What a stateless client declared that it can be asked, in this very request.
pub(super) fn declared(request: &Request<'_>) -> Abilities {
    let meta = request.params.meta.and_then(|meta| serde_json::from_str::<Meta<'_>>(meta.get()).ok());
    let declared = meta.and_then(|meta| meta.capabilities).and_then(|it| serde_json::from_str(it.get()).ok());
    declared.map_or_else(Abilities::default, |it: Value| Abilities::read(&it))
}

/// What a request wants to be told. That a level is one was looked at with the envelope.
fn wishes(request: &Request<'_>) -> Wishes {
    let meta = request.params.meta.map_or("{}", serde_json::value::RawValue::get);
    let meta = serde_json::from_str::<Meta<'_>>(meta).unwrap_or_default();
    let token = meta.progress_token.map(serde_json::value::RawValue::get).filter(|token| wire::is_id(token));
    let level = meta.level.and_then(wire::text).and_then(|level| Level::parse(&level));
    Wishes { token: token.map(Into::into), level }
}

/// A number as people write it: `50` and not `50.0`.
fn number(value: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and within the exact range")]
        return json!(value as i64);
    }
    json!(value)
}
