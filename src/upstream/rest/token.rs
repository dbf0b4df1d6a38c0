//! Floor 5. Gets tokens for a source from its token endpoint (RFC 6749 §4.4, RFC 8693): kept until
//! shortly before they expire, fetched once however many calls wait, and renewed when the source
//! refuses one before its time.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use parking_lot::Mutex;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};
use url::form_urlencoded::Serializer;

use super::{
    RestCall,
    body::read_small,
    lane::{Fault, Lane, Stage},
    plain::Over,
    request::Outgoing,
};
use crate::{
    plan::{ClientAuth, Grant, RestSource, TokenRequest},
    secret::{Secret, Vault},
    upstream::{FailureClass, Relay, UpstreamError},
};

/// A token whose lifetime the endpoint does not tell is kept so long.
const USUAL_LIFE: Duration = Duration::from_mins(5);
/// A token is not used in this last part of its life, and at most so much of it.
const RESERVE: u32 = 10;
const LONGEST_RESERVE: Duration = Duration::from_mins(1);
/// Callers whose tokens are kept at once. The one that expires first goes first.
const CALLERS_MAX: usize = 4096;
/// How large the answer of a token endpoint may be.
const ANSWER_MAX: usize = 64 * 1024;

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Whose token: everybody's is the empty one, a caller's the digest of what it came with.
type Whose = [u8; 32];

/// The tokens of one source.
pub(super) struct Tokens {
    source: String,
    lane: Lane,
    request: TokenRequest,
    secret: Secret<String>,
    slots: Mutex<HashMap<Whose, Arc<Slot>>>,
}

/// One token. Who fetches it holds the lock; the others wait for it.
#[derive(Default)]
struct Slot {
    held: tokio::sync::Mutex<Held>,
    /// When it is of no use any more, to find what can go; `None` before the first.
    until: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Held {
    token: Option<(HeaderValue, Instant)>,
    /// The last attempt that failed: told to all who were waiting meanwhile.
    failed: Option<(Instant, Failure)>,
}

/// Why there is no token.
#[derive(Clone, Debug)]
struct Failure {
    class: FailureClass,
    public: String,
    cause: String,
}

/// What a token endpoint answers (RFC 6749 §5).
#[derive(Deserialize)]
struct Granted {
    access_token: Secret<String>,
    token_type: Option<String>,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<f64>,
}

/// Some endpoints write the number as text.
fn seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(f64),
        Text(String),
        None(()),
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::Number(number) => Some(number),
        Written::Text(text) => text.parse().ok(),
        Written::None(()) => None,
    })
}

impl Tokens {
    /// Prepares fetching; nothing is asked yet.
    ///
    /// # Errors
    /// [`FailureClass::Internal`] when the vault does not hold the client's secret.
    pub(super) fn new(
        name: &str,
        source: &RestSource,
        request: &TokenRequest,
        vault: &Vault,
    ) -> Result<Self, UpstreamError> {
        let Some(secret) = vault.get(request.client_secret) else {
            let told = format!("The credential of `{name}` is not known.");
            return Err(UpstreamError::new(FailureClass::Internal, told));
        };
        Ok(Self {
            source: name.to_owned(),
            lane: Lane::to(&request.url, source, vault)?,
            request: request.clone(),
            secret: secret.clone(),
            slots: Mutex::default(),
        })
    }

    /// The header with the token for a call: a kept one, or a fetched one.
    ///
    /// # Errors
    /// [`FailureClass::Credential`] when the caller has nothing to exchange, or the endpoint refuses
    /// it; otherwise why the endpoint gave no token.
    pub(super) async fn token(&self, call: &RestCall<'_>) -> Result<HeaderValue, UpstreamError> {
        let subject = match self.request.grant {
            Grant::Client => None,
            Grant::Exchange => Some(self.subject(call)?),
        };
        let slot = self.slot(whose(subject.as_ref()));
        let asked = Instant::now();
        let waiting = timeout_at(call.deadline, slot.held.lock()).await;
        let mut held = waiting.map_err(|_| self.late())?;
        if let Some((token, until)) = &held.token
            && *until > Instant::now()
        {
            return Ok(token.clone());
        }
        if let Some((when, failure)) = &held.failed
            && *when >= asked
        {
            return Err(failure.clone().into());
        }
        let fetched = timeout_at(call.deadline, self.fetch(subject.as_ref())).await;
        match fetched.unwrap_or_else(|_| Err(self.late_failure())) {
            Ok((token, life)) => {
                let until = Instant::now() + life.saturating_sub((life / RESERVE).min(LONGEST_RESERVE));
                *slot.until.lock() = Some(until);
                *held = Held { token: Some((token.clone(), until)), failed: None };
                Ok(token)
            }
            Err(failure) => {
                *held = Held { token: None, failed: Some((Instant::now(), failure.clone())) };
                Err(failure.into())
            }
        }
    }

    /// Gives a token up that the source has refused, unless another took its place already.
    pub(super) async fn forget(&self, call: &RestCall<'_>, refused: &HeaderValue) {
        let subject = match self.request.grant {
            Grant::Client => None,
            Grant::Exchange => self.subject(call).ok(),
        };
        let slot = self.slot(whose(subject.as_ref()));
        let mut held = slot.held.lock().await;
        if held.token.as_ref().is_some_and(|(token, _)| token == refused) {
            held.token = None;
        }
    }

    /// The caller's own token.
    fn subject(&self, call: &RestCall<'_>) -> Result<Secret<String>, UpstreamError> {
        let presented = (call.credential)(AUTHORIZATION.as_str());
        let text = presented.as_ref().and_then(|value| value.to_str().ok());
        let token = text.and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
        });
        token.map(|token| Secret::new(token.to_owned())).ok_or_else(|| {
            let told =
                format!("`{}` is asked on your behalf: sign in, so that there is a token of yours.", self.source);
            UpstreamError::new(FailureClass::Credential, told).unsent().relayed(Relay::SignIn)
        })
    }

    fn slot(&self, whose: Whose) -> Arc<Slot> {
        let mut slots = self.slots.lock();
        if slots.len() >= CALLERS_MAX && !slots.contains_key(&whose) {
            let now = Instant::now();
            slots.retain(|_, slot| slot.until.lock().is_none_or(|until| until > now) || Arc::strong_count(slot) > 1);
            let first = slots.iter().filter(|(_, slot)| Arc::strong_count(slot) == 1);
            let first = first.min_by_key(|(_, slot)| *slot.until.lock()).map(|(whose, _)| *whose);
            if let Some(first) = first.filter(|_| slots.len() >= CALLERS_MAX) {
                slots.remove(&first);
            }
        }
        Arc::clone(slots.entry(whose).or_default())
    }

    async fn fetch(&self, subject: Option<&Secret<String>>) -> Result<(HeaderValue, Duration), Failure> {
        let mut reply =
            self.lane.send(self.outgoing(subject)?, Over::Any).await.map_err(|fault| self.broken(&fault))?;
        let status = reply.status().as_u16();
        let body = read_small(&mut reply, ANSWER_MAX).await.map_err(|fault| self.broken(&fault))?;
        if status != 200 {
            return Err(self.refused(status, &body, subject.is_some()));
        }
        let odd = |cause: String| Failure { cause, ..self.odd() };
        let granted: Granted = serde_json::from_slice(&body).map_err(|error| odd(format!("{:?}", error.classify())))?;
        if granted.token_type.as_deref().is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err(odd("the token is of another type than Bearer".into()));
        }
        let text = Secret::new(format!("Bearer {}", granted.access_token.expose()));
        let visible = text.expose().bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let mut token = HeaderValue::from_str(text.expose())
            .ok()
            .filter(|_| visible && !granted.access_token.expose().is_empty())
            .ok_or_else(|| odd("the token cannot stand in a header".into()))?;
        token.set_sensitive(true);
        let life = granted.expires_in.filter(|seconds| seconds.is_finite() && *seconds > 0.0 && *seconds < 1e9);
        tracing::debug!(source = %self.source, "a token was fetched");
        Ok((token, life.map_or(USUAL_LIFE, Duration::from_secs_f64)))
    }

    fn outgoing(&self, subject: Option<&Secret<String>>) -> Result<Box<Outgoing>, Failure> {
        let request = &self.request;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, JSON);
        headers.insert(CONTENT_TYPE, FORM);
        let mut form = Serializer::new(String::new());
        match subject {
            None => form.append_pair("grant_type", "client_credentials"),
            Some(subject) => form
                .append_pair("grant_type", EXCHANGE)
                .append_pair("subject_token", subject.expose())
                .append_pair("subject_token_type", ACCESS_TOKEN),
        };
        if !request.scopes.is_empty() {
            form.append_pair("scope", &request.scopes.join(" "));
        }
        if let Some(audience) = &request.audience {
            form.append_pair("audience", audience);
        }
        match request.client_auth {
            ClientAuth::Post => {
                form.append_pair("client_id", &request.client_id).append_pair("client_secret", self.secret.expose());
            }
            ClientAuth::Basic => {
                // RFC 6749 §2.3.1: both are encoded as in a form before they are joined.
                let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = Secret::new(format!("{}:{}", encode(&request.client_id), encode(self.secret.expose())));
                let text = Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())));
                let mut value = HeaderValue::from_str(text.expose()).map_err(|_| self.odd())?;
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
        }
        let body = Some(form.finish().into());
        Ok(Box::new(Outgoing { method: Method::POST, url: request.url.clone(), headers, body }))
    }

    fn refused(&self, status: u16, body: &[u8], exchanged: bool) -> Failure {
        #[derive(Deserialize)]
        struct Refusal {
            error: Option<String>,
        }
        // The code is one of a few words (RFC 6749 §5.2); anything else might repeat what was sent.
        let is_word =
            |code: &String| code.len() <= 40 && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let code = serde_json::from_slice::<Refusal>(body).ok().and_then(|refusal| refusal.error).filter(is_word);
        let is_callers =
            exchanged && matches!(code.as_deref(), Some("invalid_grant" | "invalid_token" | "invalid_request"));
        let shown = code.map_or(String::new(), |code| format!(" ({code})"));
        let source = &self.source;
        let (class, public) = if is_callers {
            (
                FailureClass::Credential,
                format!("Your token was not accepted in exchange for one for `{source}`{shown}; sign in again."),
            )
        } else {
            let public = format!(
                "There is no token for `{source}`: its token endpoint refused this server with status {status}{shown}. Its operator must look."
            );
            (FailureClass::Refused, public)
        };
        Failure { class, public, cause: format!("the token endpoint answered with status {status}{shown}") }
    }

    fn broken(&self, fault: &Fault) -> Failure {
        let what = match fault.stage {
            Stage::Connecting(what) => what,
            Stage::Building | Stage::Stale | Stage::Sent | Stage::Garbled => "gave no answer",
            Stage::TimedOut => "did not answer in time",
        };
        let public = format!("There is no token for `{}`: its token endpoint {what}.", self.source);
        Failure { class: FailureClass::Unreachable, public, cause: fault.cause.clone() }
    }

    fn odd(&self) -> Failure {
        let public = format!("There is no token for `{}`: its token endpoint gave none that can be used.", self.source);
        Failure { class: FailureClass::Refused, public, cause: String::new() }
    }

    fn late_failure(&self) -> Failure {
        let public = format!("There is no token for `{}`: its token endpoint did not answer in time.", self.source);
        Failure { class: FailureClass::Timeout, public, cause: "the time of the call is over".into() }
    }

    fn late(&self) -> UpstreamError {
        self.late_failure().into()
    }
}

impl From<Failure> for UpstreamError {
    fn from(failure: Failure) -> Self {
        let is_callers = failure.class == FailureClass::Credential;
        let error = Self::new(failure.class, failure.public).caused_by(failure.cause).unsent();
        if is_callers { error.relayed(Relay::SignIn) } else { error }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tokens").field("source", &self.source).finish_non_exhaustive()
    }
}

fn whose(subject: Option<&Secret<String>>) -> Whose {
    subject.map_or([0; 32], |subject| Sha256::digest(subject.expose()).into())
}
