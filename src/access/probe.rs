//! Floor 7. Credentials of an upstream: it is asked whether it takes one, and whose it is, with the
//! one request that the author names (auth.md §1.5, P6v). Nobody else ever sees the credential.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc, time::Duration};

use http::HeaderValue;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{Refused, oauth::Remembered};
use crate::{
    engine::{Identified, Identity, Principal},
    plan::{Assertion, Passthrough, Plan, Proof, SourceKind, Verify},
    secret::Vault,
    select::Path,
    template::Scope,
    upstream::{
        FailureClass, UpstreamError,
        rest::{Answer, RestCall, RestUpstream},
    },
};

/// How long an upstream may take to say whose credential it is.
const LONGEST: Duration = Duration::from_secs(10);
/// How long a refused credential is not asked about again.
const REFUSED_FOR: Duration = Duration::from_secs(5);
/// What of an answer is kept as claims: so many values, and so many bytes of each.
const CLAIMS: usize = 32;
const CLAIM: usize = 256;

type Found = Result<Arc<Principal>, Refused>;

/// The way in for credentials of an upstream.
#[derive(Debug)]
pub(super) struct Lent {
    declared: Arc<Passthrough>,
    probe: Option<Probe>,
}

/// The upstream that vouches, with a client of its own.
#[derive(Debug)]
struct Probe {
    upstream: RestUpstream,
    within: Duration,
    known: Remembered,
}

/// A request that is made of nothing.
struct Nothing;

impl Scope for Nothing {
    fn get(&self, _: &str) -> Option<Cow<'_, Value>> {
        None
    }
}

/// What an upstream says about a caller.
#[derive(Default)]
struct About {
    subject: Option<String>,
    workspace: Option<String>,
    claims: Map<String, Value>,
    scopes: BTreeSet<String>,
}

impl Lent {
    /// The way in that a plan declares.
    ///
    /// # Errors
    /// When no client can be made.
    pub(super) fn new(declared: &Arc<Passthrough>, plan: &Plan, vault: &Vault) -> Result<Self, String> {
        let probe = match &declared.proof {
            Proof::None(_) => None,
            Proof::Verify(verify) => Some(Probe::new(verify, plan, vault)?),
        };
        Ok(Self { declared: Arc::clone(declared), probe })
    }

    /// The headers that carry credentials.
    pub(super) fn headers(&self) -> &[String] {
        &self.declared.headers
    }

    /// Asks the upstream about the credential of a header, unless it did so a short time ago. What
    /// nobody vouches for is told apart, and nothing is known of it.
    pub(super) async fn ask(&self, header: &str, credential: &[u8]) -> Found {
        let digest: [u8; 32] = Sha256::digest(credential).into();
        match (&self.probe, &self.declared.proof) {
            (Some(probe), Proof::Verify(verify)) => {
                probe.known.or_find(digest, Box::pin(probe.ask(verify, header, (credential, digest)))).await
            }
            (Some(_), Proof::None(_)) | (None, _) => Ok(Arc::new(principal(digest, About::default()))),
        }
    }

    /// The upstream refused a credential in a call: what it said of it before counts no more.
    pub(super) fn forget(&self, credential: &[u8]) {
        if let Some(probe) = &self.probe {
            probe.known.forget(&Sha256::digest(credential).into());
        }
    }
}

impl Probe {
    fn new(verify: &Verify, plan: &Plan, vault: &Vault) -> Result<Self, String> {
        let source = plan.sources.get(verify.source.index());
        let Some((source, SourceKind::Rest(rest))) = source.map(|source| (source, &source.kind)) else {
            return Err("there is nobody to verify credentials".into());
        };
        let upstream = RestUpstream::new(&source.name, rest, vault).map_err(|error| error.public().to_owned())?;
        Ok(Self { upstream, within: rest.timeout.min(LONGEST), known: Remembered::default() })
    }

    async fn ask(&self, verify: &Verify, header: &str, (credential, digest): (&[u8], [u8; 32])) -> (Found, Duration) {
        let lent = |name: &str| {
            let value = HeaderValue::from_bytes(credential).ok();
            value.filter(|_| name == header)
        };
        let (scope, deadline) = (Nothing, Instant::now() + self.within);
        let call = RestCall { scope: &scope, credential: &lent, deadline, tell: &|_| {} };
        let answer = self.upstream.send(&verify.request, &call).await;
        match self.about(verify, answer) {
            Ok(about) => (Ok(Arc::new(principal(digest, about))), verify.cache),
            // Whoever could not be asked is asked again.
            Err(Refused::Unavailable) => (Err(Refused::Unavailable), Duration::ZERO),
            Err(refused) => (Err(refused), REFUSED_FOR),
        }
    }

    /// What the answer says. Only a success vouches; a failure that is not about the credential says
    /// nothing about it.
    fn about(&self, verify: &Verify, answer: Result<Box<Answer>, UpstreamError>) -> Result<About, Refused> {
        let answer = match answer {
            Ok(answer) if matches!(answer.status, 400..=499) && !matches!(answer.status, 408 | 429) => {
                return Err(Refused::Invalid);
            }
            Ok(answer) if !(200..300).contains(&answer.status) => {
                tracing::warn!(source = self.upstream.name(), status = answer.status, "credentials cannot be verified");
                return Err(Refused::Unavailable);
            }
            Ok(answer) => answer,
            Err(error) if error.class() == FailureClass::Credential => return Err(Refused::Invalid),
            Err(error) => {
                let reason = error.public();
                tracing::warn!(source = self.upstream.name(), reason, "credentials cannot be verified");
                return Err(Refused::Unavailable);
            }
        };
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let subject = verify.subject.as_ref().map(|path| text(path, &body));
        if subject == Some(None) {
            // Nobody is no principal.
            tracing::warn!(source = self.upstream.name(), "the answer about a credential does not say whose it is");
            return Err(Refused::Invalid);
        }
        let workspace = verify.workspace.as_ref().and_then(|path| text(path, &body));
        let claims = body.as_object().into_iter().flatten().filter(|(_, value)| is_small(value)).take(CLAIMS);
        let claims = claims.map(|(name, value)| (name.clone(), value.clone())).collect();
        Ok(About { subject: subject.flatten(), workspace, claims, scopes: verify.scopes.clone() })
    }
}

/// An id in an answer: a text, or a whole number.
fn text(path: &Path, body: &Value) -> Option<String> {
    match path.first(body)? {
        Value::String(text) if !text.is_empty() && text.len() <= CLAIM => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

fn is_small(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() <= CLAIM,
        Value::Number(_) | Value::Bool(_) => true,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// The caller by its credential. Without a subject it is known by the credential alone.
fn principal(digest: [u8; 32], about: About) -> Principal {
    let short = format!("{:016x}", digest.first_chunk().copied().map_or(0, u64::from_be_bytes));
    Principal::new(Identity {
        kind: Identified::Upstream,
        id: about.subject.clone().unwrap_or_else(|| short.clone()),
        name: about.subject.clone().unwrap_or(short),
        subject: about.subject,
        workspace: about.workspace,
        client_id: None,
        scopes: about.scopes,
        claims: about.claims,
        end_users: Assertion::Hearsay,
    })
}
