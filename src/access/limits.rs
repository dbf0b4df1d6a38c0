//! Floor 7. How often callers, the people behind them, and strangers may ask (auth.md §4.11).

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use crate::{
    engine::{Identified, Limiter, Principal, Share},
    plan,
    state::State,
};

/// Keys that each limit tells apart; beyond them the quietest is forgotten.
const KEYS: usize = 8192;

/// The limits of a server.
#[derive(Debug)]
pub struct Limits {
    caller: Option<Share>,
    end_user: Option<Share>,
    /// Counted here alone: strangers must not make us ask a database.
    stranger: Limiter,
}

/// Who has had its share, and how long it is to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// In words that follow "too many requests".
    pub whose: &'static str,
    /// How long to wait.
    pub wait: Duration,
}

impl Limits {
    /// The limits of a plan, with nothing counted yet.
    #[must_use]
    pub fn new(limits: &plan::Limits, state: Option<&Arc<State>>) -> Self {
        let share = |what, rate: Option<plan::Rate>| rate.map(|rate| Share::new(what, rate, KEYS, state));
        Self {
            caller: share("caller", limits.caller),
            end_user: share("end user", limits.end_user),
            stranger: Limiter::new(limits.stranger, KEYS),
        }
    }

    /// Counts a request of a known caller, and of the person that it names: both must have some of
    /// their share left, so that made-up people win nothing.
    ///
    /// # Errors
    /// When either has had its share.
    pub async fn known(&self, principal: &Principal, address: IpAddr, messages: u32) -> Result<(), Exhausted> {
        if let (Some(limiter), Some((person, _))) = (&self.end_user, principal.end_user()) {
            // A caller that has had its share leaves no trace of the people it makes up.
            self.caller(principal, address, 0).await?;
            let taken = limiter.take(&(principal.key(), person), messages).await;
            taken.map_err(|wait| Exhausted { whose: "of this person", wait })?;
        }
        self.caller(principal, address, messages).await
    }

    /// Counts events of a caller; of none it is only asked whether there is something left.
    async fn caller(&self, principal: &Principal, address: IpAddr, events: u32) -> Result<(), Exhausted> {
        let Some(limiter) = &self.caller else { return Ok(()) };
        let taken = match principal.key() {
            // Those whom nobody asks are told apart by where they are.
            (Identified::Anonymous, _) => limiter.take(&network(address), events).await,
            key => limiter.take(&key, events).await,
        };
        taken.map_err(|wait| Exhausted { whose: "of this caller", wait })
    }

    /// Counts a request without a valid credential.
    ///
    /// # Errors
    /// When the address has had its share.
    pub fn stranger(&self, address: IpAddr) -> Result<(), Exhausted> {
        self.stranger.take(&network(address)).map_err(refused)
    }

    /// Whether an address has sent too much without a valid credential for others to be asked
    /// about what it sends. Nothing is counted.
    ///
    /// # Errors
    /// When it has.
    pub fn may_ask(&self, address: IpAddr) -> Result<(), Exhausted> {
        self.stranger.look(&network(address)).map_err(refused)
    }
}

const fn refused(wait: Duration) -> Exhausted {
    Exhausted { whose: "without a valid credential", wait }
}

/// One client has a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}
