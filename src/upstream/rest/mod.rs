//! Floor 5. Calls REST sources: builds a request, sends it to the source's own origin and reads
//! the answer, all under one deadline.

mod auth;
mod body;
mod breaker;
mod challenge;
mod compression;
mod conceal;
mod download;
mod exchange;
mod explain;
mod fetch;
mod lane;
mod pace;
mod pages;
mod pairs;
mod path;
mod payload;
mod plain;
mod preview;
mod redirect;
mod request;
mod retry;
mod token;
mod wait;
mod wire;

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::FutureExt as _;
use http::{HeaderName, HeaderValue, header::AUTHORIZATION};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep_until, timeout_at},
};

pub use body::{Answer, ContentKind};
pub use download::{Downloaded, download};
pub use exchange::exchange;
pub use explain::{explain, plain_reason};
pub use fetch::{FetchFault, Fetcher, Named, Published, Shown};
pub use pages::{Origin, Place, Unfinished};
pub use preview::{Preview, preview};

use self::{
    auth::Signer,
    body::{Extent, ReadFault},
    breaker::Breaker,
    conceal::Veil,
    lane::{Fault, Lane, Reply, Stage},
    pace::Pace,
    plain::Over,
    redirect::redirects,
    request::{Frame, Outgoing},
    retry::Budget,
    token::Tokens,
};
use super::{
    FailureClass, Relay, UpstreamError,
    tape::{Asked, Tape},
};
use crate::{
    alarm::Alarms,
    heap,
    plan::{self, RestSource},
    secret::Vault,
    template::Scope,
};

/// A connected REST source.
pub struct RestUpstream {
    name: String,
    lane: Lane,
    frame: Frame,
    veil: Veil,
    permits: Semaphore,
    alarms: Alarms,
    max_response: usize,
    breaker: Breaker,
    pace: Option<Pace>,
    budget: Budget,
    tokens: Option<Tokens>,
    lent: Lent,
    redirects: plan::Redirects,
    tape: Option<Arc<Tape>>,
}

/// Whose credential a source is asked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lent {
    /// That of this server.
    No,
    /// The caller's, that a client can renew by signing in again.
    Token,
    /// The caller's, of a kind that only the caller knows how to renew.
    Other,
}

/// What one call brings along.
pub struct RestCall<'a> {
    /// The values that the request is built from.
    pub scope: &'a (dyn Scope + Sync),
    /// The caller's own header of a lower-case name. Asked only for a source with
    /// [`plan::Auth::Passthrough`], and only for the header it names.
    pub credential: &'a (dyn Fn(&str) -> Option<HeaderValue> + Sync),
    /// When the call ends, whatever it is doing.
    pub deadline: Instant,
    /// Is told what is waited for.
    pub tell: &'a (dyn Fn(&str) + Sync),
}

/// What one attempt of a call adds to its request.
#[derive(Clone, Copy, Debug, Default)]
struct Extra<'a> {
    /// The key against repetition.
    key: Option<(&'a HeaderName, &'a HeaderValue)>,
    /// The token of a token endpoint.
    token: Option<&'a HeaderValue>,
    /// The page that is asked for.
    place: Option<&'a Place>,
}

impl Extra<'_> {
    fn add_to(self, outgoing: &mut Outgoing, frame: &Frame) -> Result<(), UpstreamError> {
        if let Some((name, value)) = self.key {
            outgoing.headers.insert(name, value.clone());
        }
        if let Some(token) = self.token {
            outgoing.headers.insert(AUTHORIZATION, token.clone());
        }
        self.place.map_or(Ok(()), |place| frame.turn(&mut outgoing.url, place))
    }
}

impl Lent {
    fn of(auth: &plan::Auth) -> Self {
        match auth {
            plan::Auth::Passthrough { from, .. } if from == "authorization" => Self::Token,
            plan::Auth::Tokens(request) if request.grant == plan::Grant::Exchange => Self::Token,
            plan::Auth::Passthrough { .. } => Self::Other,
            _ => Self::No,
        }
    }
}

impl RestUpstream {
    /// Builds the client of a source, with its own pool; no connection is opened. Credentials are
    /// taken from the vault here.
    ///
    /// # Errors
    /// [`FailureClass::Internal`] when the plan or the vault holds what `check` would have refused.
    pub fn new(name: &str, source: &RestSource, vault: &Vault) -> Result<Self, UpstreamError> {
        Self::over(Lane::to(&source.base, source, vault)?, name, source, vault)
    }

    fn over(lane: Lane, name: &str, source: &RestSource, vault: &Vault) -> Result<Self, UpstreamError> {
        let signer = Signer::new(name, &source.auth, vault)?;
        let frame = Frame::new(name, source, signer)?;
        let permits = Semaphore::new(source.concurrency.clamp(1, Semaphore::MAX_PERMITS));
        let plan::Breaker { failures, pause } = source.bounds.breaker;
        let tokens = match &source.auth {
            plan::Auth::Tokens(request) => Some(Tokens::new(name, source, request, vault)?),
            _ => None,
        };
        Ok(Self {
            name: name.to_owned(),
            lane,
            frame,
            veil: Veil::over(source, vault),
            permits,
            alarms: Alarms::default(),
            max_response: source.max_response,
            breaker: Breaker::new(failures, pause),
            pace: source.bounds.rate.map(Pace::new),
            budget: Budget::new(),
            lent: Lent::of(&source.auth),
            tokens,
            redirects: source.redirects,
            tape: None,
        })
    }

    /// A source that is not there: its answers come from a tape. No credential is read, and a mask
    /// stands in the place of each.
    ///
    /// # Errors
    /// As [`RestUpstream::new`].
    pub(super) fn played(name: &str, source: &RestSource, tape: &Arc<Tape>) -> Result<Self, UpstreamError> {
        let masked = preview::masked(source);
        let mut played = Self::over(Lane::Played(Arc::clone(tape)), name, &masked, &Vault::default())?;
        played.frame = Frame::new(name, &masked, preview::signer(&source.auth))?;
        played.lent = Lent::of(&source.auth);
        played.tape = Some(Arc::clone(tape));
        Ok(played)
    }

    /// Takes down what is asked and answered from here on.
    pub(super) fn record(&mut self, tape: &Arc<Tape>) {
        self.tape = Some(Arc::clone(tape));
    }

    /// Sends one request, again where that is safe and the author asks for it, and reads the answer.
    /// Dropping the future closes the request.
    ///
    /// # Errors
    /// [`FailureClass::Arguments`] and [`FailureClass::Credential`] before anything is sent,
    /// [`FailureClass::Busy`] while waiting for a place or for the source to be asked again, [`FailureClass::Timeout`] at the deadline,
    /// [`FailureClass::Unreachable`] without an answer, [`FailureClass::Refused`] for a redirect
    /// or a compression that was not asked for, [`FailureClass::TooLarge`] past the source's cap.
    /// An error status is an [`Answer`].
    pub async fn send(&self, request: &plan::rest::Request, call: &RestCall<'_>) -> Result<Box<Answer>, UpstreamError> {
        if request.care.is_plain() && self.tokens.is_none() {
            return self.attempt(request, call, Extra::default()).await;
        }
        // Its future holds that of an attempt: calls without any care do not carry it along.
        match request.care.paginate.as_deref() {
            Some(paginate) => self.pages(request, call, paginate).boxed().await,
            None => self.patiently(request, call, None).boxed().await,
        }
    }

    /// Sends the request of one page, with all the care there is.
    async fn carefully(
        &self,
        request: &plan::rest::Request,
        call: &RestCall<'_>,
        place: Option<&Place>,
    ) -> Result<Box<Answer>, UpstreamError> {
        self.patiently(request, call, place).boxed().await
    }

    /// Sends one request once.
    async fn attempt(
        &self,
        request: &plan::rest::Request,
        call: &RestCall<'_>,
        extra: Extra<'_>,
    ) -> Result<Box<Answer>, UpstreamError> {
        let make = || {
            let mut built = self.frame.build(request, call)?;
            extra.add_to(&mut built, &self.frame)?;
            Ok::<_, UpstreamError>(built)
        };
        let built = make()?;
        let from = request.care.paginate.is_some().then(|| built.url.clone());
        let lent = built.headers.values().find(|value| value.is_sensitive()).cloned();
        let ticket = self.breaker.enter().map_err(|wait| self.left_alone(wait))?;
        let _permit = self.permit(call.deadline).await?;
        self.keep_pace(call).await?;
        if let Some(tape) = &self.tape {
            tape.ask(asked(&built));
        }
        // On the heap, below a KiB: every future above would be larger by as much.
        let exchange = heap::place(|| async {
            let mut reply = self.reply(request, built, &make).await?;
            let link = from.as_ref().and_then(|_| pages::next_link(reply.headers()));
            let extent = if request.succeeds(reply.status().as_u16()) {
                Extent::Whole(self.max_response)
            } else {
                Extent::Start(call.deadline)
            };
            let read = body::read(&mut reply, extent).await;
            let mut answer = read.map_err(|fault| self.unread(request, fault))?;
            if let Some(tape) = &self.tape {
                let mut shown = answer.body.clone();
                self.veil.draw(&mut shown, lent.as_ref());
                tape.answer(answer.status, &answer.headers, &shown);
            }
            body::classify(&mut answer, &request.parse);
            answer.location = self.location(&answer.headers);
            if answer.kind != ContentKind::Binary {
                self.veil.draw(&mut answer.body, lent.as_ref());
            }
            answer.origin = from.map(|url| Box::new(Origin { url, link }));
            Ok(answer)
        });
        let result = self.alarms.until(call.deadline, exchange).await.unwrap_or_else(|_| Err(self.late(request)));
        match &result {
            Ok(answer) if !matches!(answer.status, 502..=504) => ticket.fine(),
            Err(error) if !matches!(error.class(), FailureClass::Unreachable | FailureClass::Timeout) => ticket.fine(),
            Ok(_) | Err(_) => ticket.failed(),
        }
        let answer = result?;
        let (method, path, status) = (request.method.as_str(), &request.path.source, answer.status);
        tracing::debug!(source = %self.name, method, path, status, bytes = answer.body.len(), "a source answered");
        Ok(answer)
    }

    /// Sends a request and waits for the head of an answer that is no redirect. What is rare has its room on
    /// the heap.
    async fn reply(
        &self,
        request: &plan::rest::Request,
        built: Box<Outgoing>,
        make: &(dyn Fn() -> Result<Box<Outgoing>, UpstreamError> + Sync),
    ) -> Result<Reply, UpstreamError> {
        let mut sent = self.lane.send(built, Over::Any).await;
        if sent.as_ref().is_err_and(|fault| fault.stage == Stage::Stale) && request.reads() {
            sent = self.lane.send(make()?, Over::New).boxed().await;
        }
        let reply = sent.map_err(|fault| self.broken(request, fault))?;
        self.refuse_credential(request, &reply)?;
        if redirects(&reply) {
            return self.settled(request, make, reply).boxed().await;
        }
        Ok(reply)
    }

    /// The source does not take what the caller lent: the client must know, to renew it (auth.md §1.2).
    fn refuse_credential(&self, request: &plan::rest::Request, reply: &Reply) -> Result<(), UpstreamError> {
        let status = reply.status().as_u16();
        if self.lent == Lent::No || !matches!(status, 401 | 403) || request.succeeds(status) {
            return Ok(());
        }
        let told = |words: &str| {
            let public = format!("`{}` {words}", self.name);
            UpstreamError::new(FailureClass::Credential, public).caused_by(format!("status {status}"))
        };
        let scope = challenge::insufficient_scope(reply.headers());
        match (status, self.lent, scope) {
            (401, Lent::Token, _) => Err(told("did not accept your token; sign in again.").relayed(Relay::SignIn)),
            (401, _, _) => Err(told("did not accept the credential that you sent along with this call.")),
            (_, Lent::Token, Some(scope)) if !scope.is_empty() => {
                let words = format!("asks for a token with the scope {scope}.");
                Err(told(&words).relayed(Relay::Scope(scope)))
            }
            (_, _, Some(_)) => Err(told("asks for a token that may do more than yours.")),
            (_, _, None) => Ok(()),
        }
    }

    /// The author's name for the source.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is asked with the credential of this server, so that only its operator can help when it is refused.
    #[must_use]
    pub fn is_operators(&self) -> bool {
        self.lent == Lent::No
    }

    #[cold]
    fn left_alone(&self, wait: Duration) -> UpstreamError {
        let (most, seconds) = (self.breaker.most(), wait.as_secs_f64().ceil());
        let times = if most == 1 { "once".to_owned() } else { format!("{most} times in a row") };
        let what = format!("failed {times} and is left alone for {seconds} s; try again then");
        self.failure(FailureClass::Busy, &what).unsent()
    }

    /// Waits for the next request to be permitted, where the source has a rate.
    async fn keep_pace(&self, call: &RestCall<'_>) -> Result<(), UpstreamError> {
        let Some(pace) = &self.pace else { return Ok(()) };
        let now = Instant::now();
        let turn = pace.place(now, call.deadline).map_err(|wait| {
            let (count, per, seconds) = (pace.rate().count, pace.rate().per.as_secs(), wait.as_secs_f64().ceil());
            let what = format!("may be asked {count} times in {per} s; the next call is possible in {seconds} s");
            self.failure(FailureClass::Busy, &what).unsent()
        })?;
        if turn > now {
            (call.tell)(&format!("`{}` is asked at its rate", self.name));
            sleep_until(turn).await;
        }
        Ok(())
    }

    /// Waits for one of the places of the source. The wait counts against the deadline.
    async fn permit(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, UpstreamError> {
        let busy = || self.failure(FailureClass::Busy, "has too many calls under way; try again later");
        if deadline <= Instant::now() {
            // An exchange takes its first step before its deadline is looked at.
            return Err(self.failure(FailureClass::Timeout, "was not asked, because the time for this call is over"));
        }
        if let Ok(permit) = self.permits.try_acquire() {
            return Ok(permit);
        }
        let permit = timeout_at(deadline, self.permits.acquire()).await.map_err(|_| busy())?;
        permit.map_err(|closed| self.failure(FailureClass::Internal, "takes no more calls").caused_by(closed))
    }

    #[cold]
    fn broken(&self, request: &plan::rest::Request, fault: Fault) -> UpstreamError {
        let failure = match fault.stage {
            Stage::Connecting(what) => self.failure(FailureClass::Unreachable, what).unsent(),
            Stage::Building => self.failure(FailureClass::Internal, "cannot be sent this request"),
            Stage::TimedOut => self.late(request),
            Stage::Garbled => {
                self.after_sending(FailureClass::Unreachable, "answered with what is no answer of HTTP", request)
            }
            Stage::Stale | Stage::Sent => {
                self.after_sending(FailureClass::Unreachable, "closed the connection without an answer", request)
            }
        };
        failure.caused_by(fault.cause)
    }

    #[cold]
    fn unread(&self, request: &plan::rest::Request, fault: ReadFault) -> UpstreamError {
        match fault {
            ReadFault::TooLarge => {
                let told = format!("answered with more than {}", Size(self.max_response));
                let told = format!("{told}, which is the most that is read; ask for less");
                self.after_sending(FailureClass::TooLarge, &told, request)
            }
            ReadFault::Compressed(encoding) => {
                let what = "answered with a compression that was not asked for";
                let cause = format!("content-encoding {}", encoding.as_bytes().escape_ascii());
                self.after_sending(FailureClass::Refused, what, request).caused_by(cause)
            }
            ReadFault::Torn => {
                let what = "answered with a compression that could not be undone";
                self.after_sending(FailureClass::Unreachable, what, request)
            }
            ReadFault::Broken(fault) => {
                self.after_sending(FailureClass::Unreachable, "broke its answer off", request).caused_by(fault.cause)
            }
        }
    }

    #[cold]
    fn late(&self, request: &plan::rest::Request) -> UpstreamError {
        self.after_sending(FailureClass::Timeout, "did not answer in time", request)
    }

    /// A failure after the request may have been acted on: a model that is not told so repeats it.
    #[cold]
    fn after_sending(&self, class: FailureClass, what: &str, request: &plan::rest::Request) -> UpstreamError {
        if request.reads() {
            return self.failure(class, what);
        }
        let told =
            format!("`{}` {what}. The change may have been made all the same: look before trying again.", self.name);
        UpstreamError::new(class, told)
    }

    #[cold]
    fn failure(&self, class: FailureClass, what: &str) -> UpstreamError {
        UpstreamError::new(class, format!("`{}` {what}.", self.name))
    }
}

impl fmt::Debug for RestUpstream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RestUpstream").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A request as a tape takes it down.
fn asked(built: &Outgoing) -> Asked {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut headers: Vec<_> = built.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    headers.sort();
    Asked::Request { method: built.method.to_string(), url: built.url.to_string(), headers, body: built.body.clone() }
}

/// A number of bytes as people write it.
struct Size(usize);

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const KIB: usize = 1024;
        const MIB: usize = 1024 * KIB;
        match self.0 {
            bytes if bytes >= MIB && bytes % MIB == 0 => write!(formatter, "{} MiB", bytes / MIB),
            bytes if bytes >= KIB && bytes % KIB == 0 => write!(formatter, "{} KiB", bytes / KIB),
            bytes => write!(formatter, "{bytes} bytes"),
        }
    }
}

#[cfg(test)]
mod tests;
