//! Floor 7. People sign in elsewhere: they see who asks before they are sent to the provider, and come back to
//! the browser that they left with, once. What comes of it is a session here and nothing else; what a client
//! may do is asked as always (auth.md §1.4, rows 15 and 16 of §5).

use hmac::Mac;
use subtle::ConstantTimeEq;

use super::{
    Authority,
    answer::{Answer, Class, Fault, Inquiry},
    form::Pairs,
    pages,
    provider::{Astray, Provider, Trip, Visitor},
    sign_in::onward,
};
use crate::{
    secret::keyed,
    state::{
        Applied, Change, Found, Kind, Token, TokenText,
        oauth::{Away, Client, Request, Standing, User},
    },
};

/// How long people may take to sign in there, in seconds.
const PATIENCE: i64 = 10 * 60;
/// The path that people come back to.
const BACK: &str = "/oauth/callback";

/// Why somebody who came back is not signed in.
enum Lost {
    /// Nobody was sent there, or somebody came back before.
    Over,
    /// Somebody else was.
    OtherBrowser,
    /// Nobody is known.
    Astray(Astray),
    /// The account is not this provider's, or may not sign in any more.
    KeptOut,
    /// Not now.
    Fault(Fault),
}

impl From<Fault> for Lost {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<crate::state::RecordFault> for Lost {
    fn from(fault: crate::state::RecordFault) -> Self {
        Self::Fault(fault.into())
    }
}

impl From<Astray> for Lost {
    fn from(astray: Astray) -> Self {
        Self::Astray(astray)
    }
}

impl Authority {
    /// The page from which people go to the provider.
    pub(super) async fn leaving_page(&self, provider: &Provider, request: &str, now: i64) -> Answer {
        self.leave(provider, request, (Class::Fine, None), now).await
    }

    async fn leave(&self, provider: &Provider, request: &str, told: (Class, Option<&str>), now: i64) -> Answer {
        let asked = self.asked(request, now).await.ok().flatten();
        let asked = asked.as_ref().map(|(request, client)| (&request.value, &client.value));
        pages::leave(&self.settings, told, provider.host(), (request, asked))
    }

    /// The question that a person signs in for, and whose it is.
    async fn asked(&self, request: &str, now: i64) -> Result<Option<(Found<Request>, Found<Client>)>, Fault> {
        let Some(token) = Token::parse(request).filter(|token| token.kind == Kind::Request) else { return Ok(None) };
        let Some(request) = self.state.find::<Request>(&hex::encode(token.digest), now).await? else { return Ok(None) };
        let client = self.state.find::<Client>(&request.value.client, now).await?;
        Ok(client.filter(|client| client.value.standing == Standing::Active).map(|client| (request, client)))
    }

    /// Sends a person to the provider, who said so on our page.
    pub(super) async fn leaving(&self, provider: &Provider, inquiry: &Inquiry<'_>, now: i64) -> Answer {
        let form = Pairs::parse(inquiry.body);
        let request = form.only("request").filter(|it| Token::parse(it).is_some()).unwrap_or_default();
        if !self.is_from_here(inquiry) {
            let fault = (Class::Forbidden, Some("That did not come from this page. Go on from here."));
            return self.leave(provider, request, fault, now).await;
        }
        if let Err(fault) = self.may_come(inquiry.address) {
            return pages::notice(fault.class, "Too many requests", "Wait a minute, then try again.");
        }
        let sent = async {
            let state = TokenText::new(Kind::Away).map_err(|_| Fault::BUSY)?;
            let browser = TokenText::new(Kind::Away).map_err(|_| Fault::BUSY)?;
            let trip = self.trip(state.text.expose(), now).await?;
            let address = provider.address(&trip).await?;
            let away = Away { browser: hex::encode(browser.digest) };
            let add = Change::add(hex::encode(state.digest), "", &away, Some(now + PATIENCE))?;
            match self.state.apply(vec![add], now).await? {
                Applied::Done => {
                    let value = format!("{}.{request}", browser.text.expose());
                    Ok::<_, Lost>((address, self.cookie(&cookie_name(&state.id), &value, PATIENCE)))
                }
                Applied::Overtaken => Err(Fault::BUSY.into()),
            }
        };
        match sent.await {
            Ok((address, cookie)) => Answer::To { address, cookie: Some(cookie) },
            Err(lost) => lost.page(provider),
        }
    }

    /// A person comes back from the provider.
    pub(super) async fn returned(&self, inquiry: &Inquiry<'_>, now: i64) -> Answer {
        let Some(provider) = &self.provider else {
            return pages::notice(Class::Faulty, "Nobody was sent away", "People sign in here.");
        };
        if let Err(fault) = self.may_come(inquiry.address) {
            return pages::notice(fault.class, "Too many requests", "Wait a minute, then try again.");
        }
        let query = Pairs::parse(inquiry.query);
        match self.come_back(provider, &query, inquiry, now).await {
            Ok(answer) => answer,
            Err(lost) => {
                self.tell("refused", lost.reason(), provider.host(), inquiry.address);
                lost.page(provider)
            }
        }
    }

    async fn come_back(
        &self,
        provider: &Provider,
        query: &Pairs,
        inquiry: &Inquiry<'_>,
        now: i64,
    ) -> Result<Answer, Lost> {
        let (text, request) = self.welcome(provider, query, inquiry, now).await?;
        if let Some(error) = query.only("error") {
            return self.unsigned(provider, (request, error), inquiry, now).await;
        }
        let code = query.only("code").ok_or(Lost::Astray(Astray::Untrusted))?;
        let visitor = provider.visitor(code, &self.trip(text, now).await?).await?;
        let user = self.account(provider, visitor, now).await?;
        let cookie = self.begin(&user, Vec::new(), now).await?;
        self.tell("signed in", "provider", &user.key, inquiry.address);
        Ok(Answer::To { address: onward(request), cookie: Some(cookie) })
    }

    /// Knows who left with this browser, once; what came back, and the question that the person signs in for.
    async fn welcome<'a>(
        &self,
        provider: &Provider,
        query: &'a Pairs,
        inquiry: &Inquiry<'a>,
        now: i64,
    ) -> Result<(&'a str, &'a str), Lost> {
        let text = query.only("state").ok_or(Lost::Over)?;
        let state = Token::parse(text).filter(|token| token.kind == Kind::Away).ok_or(Lost::Over)?;
        let away = self.state.find::<Away>(&hex::encode(state.digest), now).await?.ok_or(Lost::Over)?;
        let sent = self.sent_cookie(inquiry, &cookie_name(state.id)).ok_or(Lost::OtherBrowser)?;
        let (browser, request) = sent.split_once('.').ok_or(Lost::OtherBrowser)?;
        let browser = Token::parse(browser).ok_or(Lost::OtherBrowser)?;
        if !bool::from(hex::encode(browser.digest).as_bytes().ct_eq(away.value.browser.as_bytes())) {
            return Err(Lost::OtherBrowser);
        }
        provider.answered(query.one("iss").map_err(|_| Lost::Astray(Astray::Untrusted))?).await?;
        // From here on this way is over, however it ends.
        match self.state.apply(vec![Change::remove(&away)], now).await? {
            Applied::Done => Ok((text, request)),
            Applied::Overtaken => Err(Lost::Over),
        }
    }

    /// The provider did not sign the person in: the client is told why not, in words of OAuth.
    async fn unsigned(
        &self,
        provider: &Provider,
        (request, error): (&str, &str),
        inquiry: &Inquiry<'_>,
        now: i64,
    ) -> Result<Answer, Lost> {
        tracing::info!(issuer = provider.id(), error = %error.escape_default(), "a provider signed nobody in");
        let (code, words) = match error {
            "access_denied" => ("access_denied", "the person did not sign in"),
            "temporarily_unavailable" => ("temporarily_unavailable", "people cannot sign in just now"),
            _ => ("server_error", "the provider did not sign the person in"),
        };
        let Some((request, client)) = self.asked(request, now).await? else {
            let words = "The provider did not sign you in. Go back to your assistant and connect again.";
            return Ok(pages::notice(Class::Forbidden, "Not signed in", words));
        };
        if self.state.apply(vec![Change::remove(&request)], now).await? == Applied::Overtaken {
            return Err(Lost::Over);
        }
        self.tell("refused", "provider", &client.key, inquiry.address);
        let request = &request.value;
        let told = [("error", code), ("error_description", words)];
        Ok(Answer::To { address: self.back_with(&request.redirect, &told, request.state.as_deref()), cookie: None })
    }

    /// The account of a visitor, which is made or changed to what the provider says now.
    async fn account(&self, provider: &Provider, visitor: Visitor, now: i64) -> Result<Found<User>, Lost> {
        let known = self.state.find::<User>(&visitor.name, now).await?;
        let user = match &known {
            // Whoever else has this name is somebody else.
            Some(found) if found.value.issuer.as_deref() != Some(provider.id()) => return Err(Lost::KeptOut),
            Some(found) if found.value.standing != Standing::Active => return Err(Lost::KeptOut),
            Some(found) => User { workspace: visitor.workspace, scopes: visitor.scopes, ..found.value.clone() },
            None => User {
                name: visitor.name,
                password: None,
                issuer: Some(provider.id().to_owned()),
                workspace: visitor.workspace,
                scopes: visitor.scopes,
                standing: Standing::Active,
                created_at: now,
            },
        };
        let change = match &known {
            Some(found) if found.value == user => return Ok(found.clone()),
            Some(found) => Change::replace(found, "", &user, None)?,
            None => Change::add(user.name.clone(), "", &user, None)?,
        };
        // Whoever was overtaken finds what the other one wrote; whether it may come in is looked at again.
        let _ = self.state.apply(vec![change], now).await?;
        let found = self.state.find::<User>(&user.name, now).await?;
        let is_theirs = |found: &Found<User>| {
            found.value.standing == Standing::Active && found.value.issuer.as_deref() == Some(provider.id())
        };
        found.filter(is_theirs).ok_or(Lost::KeptOut)
    }

    /// What a way is known by. All of it follows from what comes back, and from a key that nobody has who
    /// sees that.
    async fn trip(&self, state: &str, now: i64) -> Result<Trip, Fault> {
        let key = self.key(now).await?;
        let derived = |what: &str| {
            let mut mac = keyed(key.expose().as_bytes());
            for part in ["away", what, state] {
                mac.update(part.as_bytes());
                mac.update(b"\n");
            }
            hex::encode(mac.finalize().into_bytes())
        };
        let redirect = format!("{}{BACK}", self.settings.issuer);
        Ok(Trip { state: state.to_owned(), nonce: derived("nonce"), verifier: derived("verifier"), redirect })
    }
}

/// Each way has a cookie of its own, so that two at once do not meet (auth.md T22).
fn cookie_name(id: &str) -> String {
    format!("mcb_away_{id}")
}

impl Lost {
    const fn reason(&self) -> &'static str {
        match self {
            Self::Over => "way over",
            Self::OtherBrowser => "other browser",
            Self::Astray(Astray::Unavailable | Astray::Unusable) => "provider unavailable",
            Self::Astray(Astray::Untrusted) => "provider untrusted",
            Self::Astray(Astray::NotAllowed) => "not allowed",
            Self::KeptOut => "kept out",
            Self::Fault(_) => "unavailable",
        }
    }

    /// What the person is told. Nobody is sent anywhere.
    fn page(&self, provider: &Provider) -> Answer {
        let host = provider.host();
        let (class, title, words) = match self {
            Self::Over => (
                Class::Faulty,
                "This way is over",
                "You have come back before, or were away for too long. Go back to your assistant and connect again.".into(),
            ),
            Self::OtherBrowser => (
                Class::Faulty,
                "Not from this browser",
                "Somebody began to sign in with another browser, and you were sent here in their place. Nobody was signed in.".into(),
            ),
            Self::Astray(Astray::Unavailable) => {
                (Class::Unavailable, "Not just now", format!("{host} does not answer just now. Try again soon."))
            }
            Self::Astray(Astray::Unusable) => (
                Class::Unavailable,
                "Not just now",
                format!("{host} does not say what is needed to sign in. Tell the administrator of this server."),
            ),
            Self::Astray(Astray::Untrusted) => (
                Class::Forbidden,
                "Not signed in",
                format!("What came back is not the word of {host} about you. Go back to your assistant and connect again."),
            ),
            Self::Astray(Astray::NotAllowed) => (
                Class::Forbidden,
                "Not signed in",
                format!("{host} says who you are, and this server is for others. Sign in there as somebody else, or ask its administrator."),
            ),
            Self::KeptOut => (
                Class::Forbidden,
                "Not signed in",
                "You may not sign in here. Ask the administrator of this server.".into(),
            ),
            Self::Fault(fault) => {
                (fault.class, "Not just now", "You cannot sign in just now. Try again soon.".into())
            }
        };
        pages::notice(class, title, &words)
    }
}
