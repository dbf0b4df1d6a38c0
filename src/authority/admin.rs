//! Floor 7. What an administrator does with people and clients: all of it is effective at once in running
//! servers, because they look everything up.

use std::sync::Arc;

use super::TRIES;
use crate::state::{
    Applied, Change, Found, Kind, RecordFault, Shelf, State, TokenText,
    oauth::{Client, ClientSecret, Grant, Link, Standing, User},
    random,
};

use super::register::SETTLED;

/// How long a link can be used, in seconds.
pub const LINK: i64 = 10 * 60;
const ID: usize = 24;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AdminFault {
    /// There is no such person or client.
    #[error("there is no {0} `{1}`")]
    Unknown(&'static str, String),
    /// There is one already.
    #[error("there is a person named `{0}` already")]
    Taken(String),
    /// The person may not sign in.
    #[error("`{0}` may not sign in any more")]
    Disabled(String),
    /// Somebody else changes the same all the time.
    #[error("somebody else changes the same: try again")]
    Overtaken,
    /// The state cannot be used.
    #[error(transparent)]
    State(#[from] RecordFault),
}

/// A client that was made, with its secret where it has one. It is shown once and kept nowhere.
#[derive(Debug)]
pub struct Made {
    /// The client.
    pub client: Client,
    /// Its secret.
    pub secret: Option<TokenText>,
}

/// Whether a client can keep a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// It can: it gets one.
    Secret,
    /// It cannot, such as a program on people's machines.
    Public,
}

/// Makes a client. Its id and its secrets are made here.
///
/// # Errors
/// When the state cannot be used.
pub async fn create_client(state: &Arc<State>, client: Client, keeping: Keeping, now: i64) -> Result<Made, AdminFault> {
    let random_fault = |fault: getrandom::Error| AdminFault::State(fault.into());
    let secret = (keeping == Keeping::Secret).then(|| TokenText::new(Kind::ClientSecret)).transpose();
    let secret = secret.map_err(random_fault)?;
    let secrets = secret.iter().map(|it| ClientSecret { digest: hex::encode(it.digest), expires_at: None }).collect();
    let id = format!("c_{}", random(ID).map_err(random_fault)?);
    let client = Client { id, secrets, created_at: now, ..client };
    let change = Change::add(client.id.clone(), SETTLED, &client, None)?;
    done(state.apply(vec![change], now).await?)?;
    Ok(Made { client, secret })
}

/// Gives a client another secret. The old ones stay valid for so many seconds.
///
/// # Errors
/// [`AdminFault::Unknown`], or when the state cannot be used.
pub async fn rotate_client(state: &Arc<State>, id: &str, overlap: i64, now: i64) -> Result<TokenText, AdminFault> {
    let found = client(state, id, now).await?;
    let secret = TokenText::new(Kind::ClientSecret).map_err(|fault| AdminFault::State(fault.into()))?;
    let mut value = found.value.clone();
    value.secrets.retain(|kept| overlap > 0 && kept.expires_at.is_none_or(|end| end > now));
    for kept in &mut value.secrets {
        kept.expires_at = Some(kept.expires_at.map_or(now + overlap, |end| end.min(now + overlap)));
    }
    value.secrets.push(ClientSecret { digest: hex::encode(secret.digest), expires_at: None });
    done(state.apply(vec![Change::replace(&found, SETTLED, &value, None)?], now).await?)?;
    Ok(secret)
}

/// Every client, by its id.
///
/// # Errors
/// When the state cannot be used.
pub async fn clients(state: &Arc<State>, now: i64) -> Result<Vec<Client>, AdminFault> {
    Ok(state.all::<Client>(None, now).await?.into_iter().map(|found| found.value).collect())
}

/// Lets a client come that waits for it.
///
/// # Errors
/// [`AdminFault::Unknown`], or when the state cannot be used.
pub async fn approve_client(state: &Arc<State>, id: &str, now: i64) -> Result<Client, AdminFault> {
    let found = client(state, id, now).await?;
    let value = Client { standing: Standing::Active, ..found.value.clone() };
    done(state.apply(vec![Change::replace(&found, SETTLED, &value, None)?], now).await?)?;
    Ok(value)
}

/// Takes a client back, with every token it has.
///
/// # Errors
/// [`AdminFault::Unknown`], or when the state cannot be used.
pub async fn revoke_client(state: &Arc<State>, id: &str, now: i64) -> Result<Client, AdminFault> {
    for _ in 0..TRIES {
        let found = client(state, id, now).await?;
        let value = Client { standing: Standing::Revoked, ..found.value.clone() };
        let mut changes = vec![
            Change::replace(&found, SETTLED, &value, None)?,
            Change::clear(Shelf::Access, id),
            Change::clear(Shelf::Code, id),
        ];
        changes.extend(ends(&state.all::<Grant>(Some(id), now).await?));
        if state.apply(changes, now).await? == Applied::Done {
            return Ok(value);
        }
    }
    Err(AdminFault::Overtaken)
}

/// Makes an account. Names are in lower case.
///
/// # Errors
/// [`AdminFault::Taken`], or when the state cannot be used.
pub async fn add_user(state: &Arc<State>, user: &User, now: i64) -> Result<(), AdminFault> {
    let add = Change::add(user.name.clone(), "", user, None)?;
    match state.apply(vec![add], now).await? {
        Applied::Done => Ok(()),
        Applied::Overtaken => Err(AdminFault::Taken(user.name.clone())),
    }
}

/// Every account, by name.
///
/// # Errors
/// When the state cannot be used.
pub async fn users(state: &Arc<State>, now: i64) -> Result<Vec<User>, AdminFault> {
    Ok(state.all::<User>(None, now).await?.into_iter().map(|found| found.value).collect())
}

/// Lets a person in again, or not any more: then every session, and every token of every client, ends.
///
/// # Errors
/// [`AdminFault::Unknown`], or when the state cannot be used.
pub async fn settle_user(state: &Arc<State>, name: &str, standing: Standing, now: i64) -> Result<(), AdminFault> {
    for _ in 0..TRIES {
        let found = user(state, name, now).await?;
        let value = User { standing, ..found.value.clone() };
        let mut changes = vec![Change::replace(&found, "", &value, None)?];
        if standing != Standing::Active {
            changes.push(Change::clear(Shelf::Session, &found.key));
            changes.push(Change::clear(Shelf::Link, &found.key));
            let theirs = state.all::<Grant>(None, now).await?.into_iter().filter(|grant| grant.value.user == found.key);
            changes.extend(ends(&theirs.collect::<Vec<_>>()));
        }
        if state.apply(changes, now).await? == Applied::Done {
            return Ok(());
        }
    }
    Err(AdminFault::Overtaken)
}

/// Gives a person another password, and ends every session.
///
/// # Errors
/// [`AdminFault::Unknown`], or when the state cannot be used.
pub async fn set_password(state: &Arc<State>, name: &str, hash: String, now: i64) -> Result<(), AdminFault> {
    let found = user(state, name, now).await?;
    let value = User { password: Some(hash), ..found.value.clone() };
    let changes = vec![Change::replace(&found, "", &value, None)?, Change::clear(Shelf::Session, &found.key)];
    done(state.apply(changes, now).await?)
}

/// Makes a link that signs a person in, once and soon.
///
/// # Errors
/// [`AdminFault::Unknown`], [`AdminFault::Disabled`], or when the state cannot be used.
pub async fn login_link(state: &Arc<State>, name: &str, now: i64) -> Result<TokenText, AdminFault> {
    let found = user(state, name, now).await?;
    if found.value.standing != Standing::Active {
        return Err(AdminFault::Disabled(name.to_owned()));
    }
    let token = TokenText::new(Kind::Link).map_err(|fault| AdminFault::State(fault.into()))?;
    let link = Link { user: found.key.clone() };
    let add = Change::add(hex::encode(token.digest), &found.key, &link, Some(now + LINK))?;
    done(state.apply(vec![Change::hold(&found), add], now).await?)?;
    Ok(token)
}

/// What ends grants, with all that came of them.
fn ends(grants: &[Found<Grant>]) -> impl Iterator<Item = Change> {
    grants.iter().flat_map(|grant| [Change::remove(grant), Change::clear(Shelf::Access, &grant.key)])
}

fn done(applied: Applied) -> Result<(), AdminFault> {
    match applied {
        Applied::Done => Ok(()),
        Applied::Overtaken => Err(AdminFault::Overtaken),
    }
}

async fn client(state: &State, id: &str, now: i64) -> Result<Found<Client>, AdminFault> {
    state.find::<Client>(id, now).await?.ok_or_else(|| AdminFault::Unknown("client", id.to_owned()))
}

/// Names that are made here are in lower case; those of a provider are as it has them.
async fn user(state: &State, name: &str, now: i64) -> Result<Found<User>, AdminFault> {
    let found = match state.find::<User>(name, now).await? {
        None => state.find::<User>(&name.to_lowercase(), now).await?,
        found => found,
    };
    found.ok_or_else(|| AdminFault::Unknown("person", name.to_owned()))
}
