//! Floor 5. Calls REST sources: builds a request, sends it to the source's own origin and reads
//! the answer, all under one deadline.

mod auth;
mod body;
mod explain;
mod lane;
mod pairs;
mod path;
mod payload;
mod request;

use std::fmt;

use http::{HeaderValue, header::LOCATION};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};

pub use body::{Answer, Charset, ContentKind};
pub use explain::explain;

use self::{
    auth::Signer,
    body::ReadFault,
    lane::{Fault, Lane, Reply, Stage},
    request::Frame,
};
use super::{FailureClass, UpstreamError};
use crate::{
    plan::{self, RestSource},
    secret::Vault,
    template::Scope,
};

/// A connected REST source.
pub struct RestUpstream {
    name: String,
    lane: Lane,
    frame: Frame,
    permits: Semaphore,
    max_response: usize,
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
}

impl RestUpstream {
    /// Builds the client of a source, with its own pool; no connection is opened. Credentials are
    /// taken from the vault here.
    ///
    /// # Errors
    /// [`FailureClass::Internal`] when the plan or the vault holds what `check` would have refused.
    pub fn new(name: &str, source: &RestSource, vault: &Vault) -> Result<Self, UpstreamError> {
        Self::over(Lane::new(source), name, source, vault)
    }

    fn over(lane: Lane, name: &str, source: &RestSource, vault: &Vault) -> Result<Self, UpstreamError> {
        let signer = Signer::new(name, &source.auth, vault)?;
        let frame = Frame::new(name, source, signer)?;
        let permits = Semaphore::new(source.concurrency.clamp(1, Semaphore::MAX_PERMITS));
        Ok(Self { name: name.to_owned(), lane, frame, permits, max_response: source.max_response })
    }

    /// Sends one request and reads the answer. Dropping the future closes the request.
    ///
    /// # Errors
    /// [`FailureClass::Arguments`] and [`FailureClass::Credential`] before anything is sent,
    /// [`FailureClass::Busy`] while waiting for a place, [`FailureClass::Timeout`] at the deadline,
    /// [`FailureClass::Unreachable`] without an answer, [`FailureClass::Refused`] for a redirect
    /// or a compression that was not asked for, [`FailureClass::TooLarge`] past the source's cap.
    /// An error status is an [`Answer`].
    pub async fn send(&self, request: &plan::rest::Request, call: &RestCall<'_>) -> Result<Answer, UpstreamError> {
        let built = self.frame.build(request, call)?;
        let _permit = self.permit(call.deadline).await?;
        let exchange = async {
            let mut sent = self.lane.send(built).await;
            if sent.as_ref().is_err_and(|fault| fault.stage == Stage::Unsent) && request.reads() {
                sent = self.lane.send(self.frame.build(request, call)?).await;
            }
            let reply = sent.map_err(|fault| self.broken(request, fault))?;
            self.refuse_redirect(&reply)?;
            self.refuse_compression(request, &reply)?;
            let read = body::read(reply, request.parse, self.max_response).await;
            read.map_err(|fault| self.unread(request, fault))
        };
        let answer = timeout_at(call.deadline, exchange).await.unwrap_or_else(|_| Err(self.late(request)))?;
        let (method, path, status) = (request.method.as_str(), &request.path.source, answer.status);
        tracing::debug!(source = %self.name, method, path, status, bytes = answer.body.len(), "a source answered");
        Ok(answer)
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

    fn refuse_redirect(&self, reply: &Reply) -> Result<(), UpstreamError> {
        let status = reply.status();
        // 304 answers a question whether something changed and leads nowhere.
        if !status.is_redirection() || status == http::StatusCode::NOT_MODIFIED {
            return Ok(());
        }
        let (base, place) = (self.frame.base(), reply.headers().get(LOCATION).and_then(|value| value.to_str().ok()));
        let whither = match place.and_then(|place| base.join(place).ok()) {
            Some(target) if target.origin() == base.origin() => " to the same host",
            Some(_) => " to another host",
            None => "",
        };
        let told = format!("`{}` answered with a redirect{whither}, which is not followed.", self.name);
        Err(UpstreamError::new(FailureClass::Refused, told).caused_by(format!("status {}", status.as_u16())))
    }

    fn refuse_compression(&self, request: &plan::rest::Request, reply: &Reply) -> Result<(), UpstreamError> {
        let Some(encoding) = reply.compression() else { return Ok(()) };
        let what = "answered with a compression that was not asked for";
        let failure = self.after_sending(FailureClass::Refused, what, request);
        Err(failure.caused_by(format!(
            "status {}, content-encoding {}",
            reply.status().as_u16(),
            encoding.escape_ascii()
        )))
    }

    fn broken(&self, request: &plan::rest::Request, fault: Fault) -> UpstreamError {
        let failure = match fault.stage {
            Stage::Connecting(what) => self.failure(FailureClass::Unreachable, what),
            Stage::Building => self.failure(FailureClass::Internal, "cannot be sent this request"),
            Stage::TimedOut => self.late(request),
            Stage::Unsent | Stage::Sent => {
                self.after_sending(FailureClass::Unreachable, "closed the connection without an answer", request)
            }
        };
        failure.caused_by(fault.cause)
    }

    fn unread(&self, request: &plan::rest::Request, fault: ReadFault) -> UpstreamError {
        match fault {
            ReadFault::TooLarge => {
                let told = format!("answered with more than {}", Size(self.max_response));
                let told = format!("{told}, which is the most that is read; ask for less");
                self.after_sending(FailureClass::TooLarge, &told, request)
            }
            ReadFault::Broken(fault) => {
                self.after_sending(FailureClass::Unreachable, "broke its answer off", request).caused_by(fault.cause)
            }
        }
    }

    fn late(&self, request: &plan::rest::Request) -> UpstreamError {
        self.after_sending(FailureClass::Timeout, "did not answer in time", request)
    }

    /// A failure after the request may have been acted on: a model that is not told so repeats it.
    fn after_sending(&self, class: FailureClass, what: &str, request: &plan::rest::Request) -> UpstreamError {
        if request.reads() {
            return self.failure(class, what);
        }
        let told =
            format!("`{}` {what}. The change may have been made all the same: look before trying again.", self.name);
        UpstreamError::new(class, told)
    }

    fn failure(&self, class: FailureClass, what: &str) -> UpstreamError {
        UpstreamError::new(class, format!("`{}` {what}.", self.name))
    }
}

impl fmt::Debug for RestUpstream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RestUpstream").field("name", &self.name).finish_non_exhaustive()
    }
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
