//! Floor 7. The authorization server inside: people sign in and agree, clients register and get tokens
//! (auth.md §3). Tokens are opaque, and kept as digests; every change of what is kept is made whole or not at
//! all, so that a crash between two steps loses none and leaves no half of one.

pub mod admin;
mod answer;
mod authorize;
mod client;
mod consent;
mod document;
mod elsewhere;
mod form;
mod metadata;
mod pages;
pub mod password;
mod provider;
mod redirect;
mod register;
mod revoke;
mod settings;
mod sign_in;
mod token;

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use chrono::Utc;
use tokio::sync::{OnceCell, Semaphore};

use crate::{
    engine::Limiter,
    plan::{Plan, Rate},
    secret::{Secret, Vault},
    state::{Applied, Change, RecordFault, State, oauth::DerivingKey, random},
    telemetry::{Audit, Decision},
    upstream::rest::Fetcher,
};

pub use answer::{Answer, Class, Cookie, Inquiry, Route};
pub use metadata::Metadata;

use answer::Fault;
use provider::Provider;
use settings::Settings;

/// How often something that somebody else changed meanwhile is begun again.
const TRIES: usize = 4;
/// Letters of what tokens are derived with.
const KEY: usize = 43;
const KEYS: usize = 8192;
/// Questions to others at once.
const ASKING: usize = 8;
const MINUTE: Duration = Duration::from_mins(1);

/// The authorization server of one plan.
#[derive(Debug)]
pub struct Authority {
    settings: Settings,
    state: Arc<State>,
    audit: Option<Arc<Audit>>,
    limits: Limits,
    key: OnceCell<Secret<String>>,
    /// Fetches documents that strangers name.
    fetcher: Fetcher,
    /// Where people sign in, when that is not here.
    provider: Option<Provider>,
    /// Questions to others at once: whoever answers slowly holds few.
    asking: Semaphore,
}

/// How often strangers may ask, each with memory that does not grow (auth.md §4.11).
#[derive(Debug)]
struct Limits {
    /// Requests of one address that leave something behind.
    address: Limiter,
    /// All of them.
    everybody: Limiter,
    /// Requests for tokens of one client from one address.
    token: Limiter,
    /// Passwords for one name from one address.
    password: Limiter,
    /// Passwords for one name, and from one address.
    guesses: Limiter,
    /// Registrations from one address.
    registration: Limiter,
    /// All registrations.
    registrations: Limiter,
    /// Documents of one host (auth.md §4.3).
    documents: Limiter,
}

impl Limits {
    fn new() -> Self {
        let limiter = |count, per| Limiter::new(Rate { count, per }, KEYS);
        Self {
            address: limiter(60, MINUTE),
            everybody: limiter(600, MINUTE),
            token: limiter(60, MINUTE),
            password: limiter(5, 15 * MINUTE),
            guesses: limiter(40, 15 * MINUTE),
            registration: limiter(10, 60 * MINUTE),
            registrations: limiter(300, 24 * 60 * MINUTE),
            documents: limiter(5, MINUTE),
        }
    }
}

impl Authority {
    /// The authorization server of a plan; `None` when it has none, or nothing to remember with.
    ///
    /// # Errors
    /// When the system has no certificates to trust.
    pub fn new(
        plan: &Plan,
        vault: &Vault,
        state: Option<&Arc<State>>,
        audit: Option<&Arc<Audit>>,
    ) -> io::Result<Option<Self>> {
        let (Some(settings), Some(state)) = (Settings::new(plan), state) else { return Ok(None) };
        let fetcher = Fetcher::new().map_err(io::Error::other)?;
        let provider = plan.server.authority.as_ref().and_then(|authority| authority.provider.as_ref());
        let provider = provider.map(|about| {
            // Without it people would be asked for passwords of this server.
            Provider::new(about, vault, &fetcher).ok_or_else(|| io::Error::other("the provider's secret is not known"))
        });
        Ok(Some(Self {
            settings,
            state: Arc::clone(state),
            audit: audit.cloned(),
            limits: Limits::new(),
            key: OnceCell::new(),
            provider: provider.transpose()?,
            fetcher,
            asking: Semaphore::new(ASKING),
        }))
    }

    /// Answers a request.
    pub async fn answer(&self, inquiry: Inquiry<'_>) -> Answer {
        let now = Utc::now().timestamp();
        match inquiry.route {
            Route::Authorize => self.authorize(&inquiry, now).await,
            Route::SignIn => self.sign_in_page(&inquiry, now).await,
            Route::SigningIn => self.signing_in(&inquiry, now).await,
            Route::Returned => self.returned(&inquiry, now).await,
            Route::Link => self.link_page(&inquiry, now).await,
            Route::Linking => self.linking(&inquiry, now).await,
            Route::Consent => self.consent_page(&inquiry, now).await,
            Route::Consenting => self.consenting(&inquiry, now).await,
            Route::Token => self.token(&inquiry, now).await.unwrap_or_else(Fault::document),
            Route::Register => self.register(&inquiry, now).await.unwrap_or_else(Fault::document),
            Route::Revoke => self.revoke(&inquiry, now).await.unwrap_or_else(Fault::document),
            Route::Introspect => self.introspect(&inquiry, now).await.unwrap_or_else(Fault::document),
        }
    }

    /// What refresh tokens are derived with: made once, and the same for all who share the state. It gives
    /// no token away to who has it, because each is derived from the one before it, too.
    async fn key(&self, now: i64) -> Result<&Secret<String>, RecordFault> {
        const NAME: &str = "refresh";
        let find = async || -> Result<Secret<String>, RecordFault> {
            loop {
                if let Some(found) = self.state.find::<DerivingKey>(NAME, now).await? {
                    return Ok(Secret::new(found.value.text));
                }
                let made = Change::add(NAME, "", &DerivingKey { text: random(KEY)? }, None)?;
                match self.state.apply(vec![made], now).await? {
                    // Whoever was first made the one that counts: it is read.
                    Applied::Done | Applied::Overtaken => {}
                }
            }
        };
        self.key.get_or_try_init(find).await
    }

    /// Counts a request that leaves something behind.
    fn may_come(&self, address: IpAddr) -> Result<(), Fault> {
        let own = self.limits.address.take(&address);
        own.and_then(|()| self.limits.everybody.take(&())).map_err(Fault::too_often)
    }

    /// Records what was decided. Names and ids alone: no token and no address that somebody is sent to.
    fn tell(&self, decision: &'static str, reason: &'static str, about: &str, address: IpAddr) {
        tracing::info!(about, "authorization server: {decision}, {reason}");
        if let Some(audit) = &self.audit {
            audit.decided(&Decision {
                decision,
                reason: Some(reason),
                address: Some(address.to_string()),
                asked: Some(about.to_owned()),
                who: None,
            });
        }
    }
}

/// A time of the plan in seconds.
fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}
