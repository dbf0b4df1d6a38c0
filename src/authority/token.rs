//! Floor 7. Tokens: for a code, for a refresh token, or for a client's own secret (RFC 6749 §4.1.3, §6, §4.4).
//! A refresh token leads to one other and no more, so that an answer that was lost can be asked for again,
//! and one that was stolen is noticed when both sides use it (auth.md §3.4).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{
    Authority, TRIES,
    answer::{Answer, Class, Fault, Inquiry, document},
    client::Named,
    form::Pairs,
    seconds,
};
use crate::state::{
    Applied, Change, Found, Kind, Shelf, Token, TokenText,
    oauth::{Access, Client, Code, Grant, GrantType, Refresh, Standing, User},
};

/// How long a token is remembered after its time, in seconds: who shows it is told that it is over.
const REMEMBERED: i64 = 60 * 60;
/// Refresh tokens that are remembered after they gave way.
const RETIRED: usize = 64;

const fn grant_fault(words: &'static str) -> Fault {
    Fault::new("invalid_grant", words)
}

/// What one attempt came to.
enum Attempt {
    Answered(Answer),
    /// Somebody else was first: what is there now is looked at again.
    Again,
}

impl Authority {
    pub(super) async fn token(&self, inquiry: &Inquiry<'_>, now: i64) -> Result<Answer, Fault> {
        let form = Pairs::parse(inquiry.body);
        let named = Named::read(inquiry.authorization, &form)?;
        let counted = self.limits.token.take(&(named.id.as_str(), inquiry.address));
        counted.map_err(Fault::too_often)?;
        let told = |fault: Fault| {
            self.tell("refused", fault.code, &named.id, inquiry.address);
            fault
        };
        for _ in 0..TRIES {
            let client = self.authenticate(&named, now).await.map_err(told)?;
            let attempt = match form.one("grant_type")? {
                Some("authorization_code") => self.by_code(&client, &form, now).await,
                Some("refresh_token") => self.by_refresh(&client, &form, now).await,
                Some("client_credentials") => self.by_secret(&client, &form, now).await,
                Some(_) => Err(Fault::new("unsupported_grant_type", "this grant_type is not supported")),
                None => Err(Fault::new("invalid_request", "grant_type is missing")),
            };
            if let Attempt::Answered(answer) = attempt.map_err(told)? {
                self.tell("issued", "token", &client.key, inquiry.address);
                return Ok(answer);
            }
        }
        Err(Fault::BUSY)
    }

    async fn by_code(&self, client: &Found<Client>, form: &Pairs, now: i64) -> Result<Attempt, Fault> {
        may(client, GrantType::AuthorizationCode)?;
        let unknown = grant_fault("the code is not valid");
        let text = form.one("code")?.ok_or(Fault::new("invalid_request", "code is missing"))?;
        let token = Token::parse(text).filter(|token| token.kind == Kind::Code).ok_or(unknown)?;
        let code = self.state.find::<Code>(&hex::encode(token.digest), now).await?.ok_or(unknown)?;
        let request = &code.value.request;
        if request.client != client.key {
            return Err(unknown);
        }
        if form.one("redirect_uri")?.is_some_and(|redirect| redirect != request.redirect) {
            return Err(grant_fault("redirect_uri is not the one that the code was sent to"));
        }
        let verifier = form.one("code_verifier")?.ok_or(grant_fault("code_verifier is missing"))?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        if !bool::from(challenge.as_bytes().ct_eq(request.challenge.as_bytes())) {
            return Err(grant_fault("code_verifier does not fit"));
        }
        if let Some(resource) = form.one("resource")?
            && self.settings.resource(Some(resource)) != Some(request.resource.as_str())
        {
            return Err(Fault::new("invalid_target", "the code is for another resource"));
        }
        if let Some(grant) = &code.value.grant {
            // Two have the code, and one of them should not (RFC 6749 §4.1.2).
            self.end(grant, now).await?;
            return Err(grant_fault("the code was used before, and what it gave is taken back"));
        }
        if code.value.until <= now {
            return Err(grant_fault("the code was used too late"));
        }
        let user = self.user(&code.value.user, now).await?;
        let access = TokenText::new(Kind::Access).map_err(|_| Fault::BUSY)?;
        let refresh = TokenText::new(Kind::Refresh).map_err(|_| Fault::BUSY)?;
        let renews = client.value.grants.contains(&GrantType::RefreshToken);
        let tokens = Refresh { current: hex::encode(refresh.digest), previous: None, retired: Vec::new() };
        let grant = Grant {
            client: client.key.clone(),
            user: code.value.user.clone(),
            workspace: code.value.workspace.clone(),
            scopes: request.scopes.clone(),
            resource: request.resource.clone(),
            created_at: now,
            ends_at: now + seconds(self.settings.lifetimes.grant),
            refresh: renews.then_some(tokens),
        };
        let until = now + seconds(self.settings.lifetimes.access);
        let ends = if renews { self.end_of(&grant, now) } else { until };
        let spent = Code { grant: Some(refresh.id.clone()), ..code.value.clone() };
        let made = access_of(client, &grant, until, now);
        let changes = vec![
            Change::hold(client),
            Change::hold(&user),
            Change::replace(&code, &client.key, &spent, code.expires_at)?,
            Change::add(refresh.id.clone(), &client.key, &grant, Some(ends))?,
            Change::add(hex::encode(access.digest), &refresh.id, &made, Some(until + REMEMBERED))?,
        ];
        match self.state.apply(changes, now).await? {
            Applied::Done => Ok(Attempt::Answered(issued(&access, renews.then_some(&refresh), &made, now))),
            Applied::Overtaken => Ok(Attempt::Again),
        }
    }

    async fn by_refresh(&self, client: &Found<Client>, form: &Pairs, now: i64) -> Result<Attempt, Fault> {
        may(client, GrantType::RefreshToken)?;
        let unknown = grant_fault("the refresh token is not valid");
        let text = form.one("refresh_token")?.ok_or(Fault::new("invalid_request", "refresh_token is missing"))?;
        let token = Token::parse(text).filter(|token| token.kind == Kind::Refresh).ok_or(unknown)?;
        let grant = self.state.find::<Grant>(token.id, now).await?.ok_or(unknown)?;
        let (digest, value) = (hex::encode(token.digest), &grant.value);
        let Some(tokens) = value.refresh.as_ref().filter(|_| value.client == client.key) else { return Err(unknown) };
        let is = |kept: &str| bool::from(kept.as_bytes().ct_eq(digest.as_bytes()));
        let is_current = is(&tokens.current);
        if !is_current && !tokens.previous.as_deref().is_some_and(is) {
            if tokens.retired.iter().any(|retired| is(retired)) {
                self.end(token.id, now).await?;
                return Err(grant_fault("the refresh token was used before, and what came of it is taken back"));
            }
            return Err(unknown);
        }
        if let Some(resource) = form.one("resource")?
            && self.settings.resource(Some(resource)) != Some(value.resource.as_str())
        {
            return Err(Fault::new("invalid_target", "the refresh token is for another resource"));
        }
        let scopes = self.narrowed(form.one("scope")?, &value.scopes)?;
        let user = self.user(&value.user, now).await?;
        let next = TokenText::following(&token, text, self.key(now).await?);
        let access = TokenText::new(Kind::Access).map_err(|_| Fault::BUSY)?;
        let until = (now + seconds(self.settings.lifetimes.access)).min(value.ends_at);
        let made = Access { scopes, ..access_of(client, value, until, now) };
        let mut changes = vec![Change::hold(client), Change::hold(&user)];
        changes.push(if is_current {
            let mut retired = tokens.retired.clone();
            retired.extend(tokens.previous.clone());
            let over = retired.len().saturating_sub(RETIRED);
            retired.drain(..over);
            let tokens = Refresh { current: hex::encode(next.digest), previous: Some(digest), retired };
            let renewed = Grant { refresh: Some(tokens), ..value.clone() };
            Change::replace(&grant, &client.key, &renewed, Some(self.end_of(&renewed, now)))?
        } else {
            Change::hold(&grant)
        });
        changes.push(Change::add(hex::encode(access.digest), &grant.key, &made, Some(until + REMEMBERED))?);
        match self.state.apply(changes, now).await? {
            Applied::Done => Ok(Attempt::Answered(issued(&access, Some(&next), &made, now))),
            Applied::Overtaken => Ok(Attempt::Again),
        }
    }

    async fn by_secret(&self, client: &Found<Client>, form: &Pairs, now: i64) -> Result<Attempt, Fault> {
        may(client, GrantType::ClientCredentials)?;
        if client.value.secrets.is_empty() {
            return Err(Fault::CLIENT);
        }
        let resource = self.settings.resource(form.one("resource")?);
        let resource = resource.ok_or(Fault::new("invalid_target", "this resource is not served here"))?;
        let scopes = match form.one("scope")? {
            // What the administrator gave it is what it is for.
            None => client.value.scopes.clone(),
            asked => self.scopes(asked, &client.value)?,
        };
        let access = TokenText::new(Kind::Access).map_err(|_| Fault::BUSY)?;
        let until = now + seconds(self.settings.lifetimes.own_access);
        let made = Access {
            client: client.key.clone(),
            client_name: client.value.name.clone(),
            user: None,
            workspace: client.value.workspace.clone(),
            scopes,
            resource: resource.to_owned(),
            asserts_end_user: client.value.asserts_end_user,
            issued_at: now,
            until,
        };
        let changes = vec![
            Change::hold(client),
            Change::add(hex::encode(access.digest), &client.key, &made, Some(until + REMEMBERED))?,
        ];
        match self.state.apply(changes, now).await? {
            Applied::Done => Ok(Attempt::Answered(issued(&access, None, &made, now))),
            Applied::Overtaken => Ok(Attempt::Again),
        }
    }

    /// Ends a grant, with all that came of it.
    pub(super) async fn end(&self, grant: &str, now: i64) -> Result<(), Fault> {
        for _ in 0..TRIES {
            let mut changes = vec![Change::clear(Shelf::Access, grant)];
            if let Some(found) = self.state.find::<Grant>(grant, now).await? {
                changes.push(Change::remove(&found));
            }
            if self.state.apply(changes, now).await? == Applied::Done {
                return Ok(());
            }
        }
        Err(Fault::BUSY)
    }

    /// The person, who may still come in.
    async fn user(&self, name: &str, now: i64) -> Result<Found<User>, Fault> {
        let found = self.state.find::<User>(name, now).await?;
        let found = found.filter(|user| user.value.standing == Standing::Active);
        found.ok_or(grant_fault("the person may not sign in any more"))
    }

    /// When a grant is over that nobody uses from now on.
    fn end_of(&self, grant: &Grant, now: i64) -> i64 {
        (now + seconds(self.settings.lifetimes.idle)).min(grant.ends_at)
    }

    /// Of what was agreed to, as much as is asked for now (RFC 6749 §6).
    fn narrowed(&self, asked: Option<&str>, agreed: &[String]) -> Result<Vec<String>, Fault> {
        let Some(asked) = asked else { return Ok(agreed.to_vec()) };
        let asked: Vec<String> =
            asked.split(' ').filter(|it| !it.is_empty() && *it != "offline_access").map(str::to_owned).collect();
        let within = self.settings.within(&asked, agreed);
        match within.len() == asked.len() {
            true if asked.is_empty() => Ok(agreed.to_vec()),
            true => Ok(within),
            false => Err(Fault::new("invalid_scope", "more is asked for than was agreed to")),
        }
    }
}

fn access_of(client: &Found<Client>, grant: &Grant, until: i64, now: i64) -> Access {
    Access {
        client: client.key.clone(),
        client_name: client.value.name.clone(),
        user: Some(grant.user.clone()),
        workspace: grant.workspace.clone(),
        scopes: grant.scopes.clone(),
        resource: grant.resource.clone(),
        asserts_end_user: client.value.asserts_end_user,
        issued_at: now,
        until,
    }
}

fn may(client: &Found<Client>, grant: GrantType) -> Result<(), Fault> {
    let words = "this client may not get tokens in this way";
    client.value.grants.contains(&grant).then_some(()).ok_or(Fault::new("unauthorized_client", words))
}

/// What the client is told (RFC 6749 §5.1). Nothing in it is null (auth.md T13).
fn issued(access: &TokenText, refresh: Option<&TokenText>, made: &Access, now: i64) -> Answer {
    let mut told = json!({
        "access_token": access.text.expose(),
        "token_type": "Bearer",
        "expires_in": made.until - now,
        "scope": made.scopes.join(" "),
    });
    if let (Some(refresh), Some(told)) = (refresh, told.as_object_mut()) {
        told.insert("refresh_token".into(), refresh.text.expose().as_str().into());
    }
    document(Class::Fine, &told)
}
