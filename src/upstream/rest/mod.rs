//! Floor 5. Calls REST sources: builds a request, sends it to the source's own origin and reads
//! the answer, all under one deadline. The only place that names `reqwest`.

mod auth;
mod body;
mod explain;
mod path;
mod request;

use std::{
    error::Error as _,
    fmt::{self, Write as _},
    io,
};

use http::{HeaderValue, header::LOCATION};
use reqwest::{Client, Response, redirect::Policy};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};

pub use body::{Answer, Charset, ContentKind};
pub use explain::explain;

use self::{auth::Signer, body::ReadFault, request::Frame};
use super::{FailureClass, UpstreamError};
use crate::{
    plan::{self, RestSource},
    secret::Vault,
    template::Scope,
};

/// How long an unused connection is kept: below the 60 s after which common load balancers close
/// it, so that a request rarely meets a connection that is just being closed (rest.md §9.13).
const POOL_IDLE: std::time::Duration = std::time::Duration::from_secs(55);

/// Unused connections kept per source at most.
const POOL_MAX_IDLE: usize = 64;

/// A connected REST source.
pub struct RestUpstream {
    name: String,
    client: Client,
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
    /// [`FailureClass::Internal`] when the plan or the vault holds what `check` would have refused,
    /// or when no client can be built, as without any trusted certificates.
    pub fn new(name: &str, source: &RestSource, vault: &Vault) -> Result<Self, UpstreamError> {
        let signer = Signer::new(name, &source.auth, vault)?;
        let frame = Frame::new(name, source, signer)?;
        let client = Client::builder()
            // A redirect would carry credentials to wherever the answer points.
            .redirect(Policy::none())
            .referer(false)
            .no_proxy()
            .https_only(source.base.scheme() == "https")
            .connect_timeout(source.connect_timeout)
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_MAX_IDLE)
            .tcp_nodelay(true)
            .http2_adaptive_window(true)
            .build()
            .map_err(|error| {
                UpstreamError::new(FailureClass::Internal, format!("No client for `{name}` could be built."))
                    .caused_by(chain(&error.without_url()))
            })?;
        let permits = Semaphore::new(source.concurrency.clamp(1, Semaphore::MAX_PERMITS));
        Ok(Self { name: name.to_owned(), client, frame, permits, max_response: source.max_response })
    }

    /// Sends one request and reads the answer. Dropping the future closes the request.
    ///
    /// # Errors
    /// [`FailureClass::Arguments`] and [`FailureClass::Credential`] before anything is sent,
    /// [`FailureClass::Busy`] while waiting for a place, [`FailureClass::Timeout`] at the deadline,
    /// [`FailureClass::Unreachable`] without an answer, [`FailureClass::Refused`] for a redirect,
    /// [`FailureClass::TooLarge`] past the source's cap. An error status is an [`Answer`].
    pub async fn send(&self, request: &plan::rest::Request, call: &RestCall<'_>) -> Result<Answer, UpstreamError> {
        let built = self.frame.build(request, call)?;
        let _permit = self.permit(call.deadline).await?;
        let exchange = async {
            let response = self.client.execute(built).await.map_err(|error| self.broken(request, error))?;
            self.refuse_redirect(&response)?;
            let read = body::read(response, request.parse, self.max_response).await;
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

    fn refuse_redirect(&self, response: &Response) -> Result<(), UpstreamError> {
        let status = response.status();
        // 304 answers a question whether something changed and leads nowhere.
        if !status.is_redirection() || status == http::StatusCode::NOT_MODIFIED {
            return Ok(());
        }
        let place = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let target = place.and_then(|place| response.url().join(place).ok());
        let whither = match target {
            Some(target) if target.origin() == response.url().origin() => " to the same host",
            Some(_) => " to another host",
            None => "",
        };
        let told = format!("`{}` answered with a redirect{whither}, which is not followed.", self.name);
        Err(UpstreamError::new(FailureClass::Refused, told).caused_by(format!("status {}", status.as_u16())))
    }

    fn broken(&self, request: &plan::rest::Request, error: reqwest::Error) -> UpstreamError {
        let error = error.without_url();
        let failure = if error.is_connect() {
            self.failure(FailureClass::Unreachable, unconnected(&error))
        } else if error.is_builder() {
            self.failure(FailureClass::Internal, "cannot be sent this request")
        } else if error.is_timeout() {
            self.after_sending(FailureClass::Timeout, "did not answer in time", request)
        } else {
            self.after_sending(FailureClass::Unreachable, "closed the connection without an answer", request)
        };
        failure.caused_by(chain(&error))
    }

    fn unread(&self, request: &plan::rest::Request, fault: ReadFault) -> UpstreamError {
        match fault {
            ReadFault::TooLarge => {
                let told = format!("answered with more than {}", Size(self.max_response));
                let told = format!("{told}, which is the most that is read; ask for less");
                self.after_sending(FailureClass::TooLarge, &told, request)
            }
            ReadFault::Broken(error) => self
                .after_sending(FailureClass::Unreachable, "broke its answer off", request)
                .caused_by(chain(&error.without_url())),
        }
    }

    fn late(&self, request: &plan::rest::Request) -> UpstreamError {
        self.after_sending(FailureClass::Timeout, "did not answer in time", request)
    }

    /// A failure after the request may have been acted on: a model that is not told so repeats it.
    fn after_sending(&self, class: FailureClass, what: &str, request: &plan::rest::Request) -> UpstreamError {
        if request.method.is_safe() {
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

/// Why no connection came about, without the address.
fn unconnected(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        return "could not be reached: connecting timed out";
    }
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.to_string() == "dns error" {
            return "could not be reached: its host name was not found";
        }
        if let Some(kind) = cause.downcast_ref::<io::Error>().map(io::Error::kind) {
            match kind {
                io::ErrorKind::ConnectionRefused => return "could not be reached: the connection was refused",
                io::ErrorKind::TimedOut => return "could not be reached: connecting timed out",
                // The TLS library hands its refusals on as these.
                io::ErrorKind::InvalidData | io::ErrorKind::Other => {
                    return "could not be reached: no trusted TLS connection could be made";
                }
                _ => {}
            }
        }
        source = cause.source();
    }
    "could not be reached"
}

/// An error with its causes, for the log. The address must have been taken out before.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
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
