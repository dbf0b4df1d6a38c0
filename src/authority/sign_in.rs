//! Floor 7. People sign in, by password, by a link that an administrator made for them, or at a provider, and a
//! browser remembers them for half a day.

use super::{
    Authority,
    answer::{Answer, Class, Cookie, Fault, Inquiry},
    form::Pairs,
    pages, password,
};
use crate::{
    secret::Secret,
    state::{
        Applied, Change, Found, Kind, Token, TokenText,
        oauth::{Link, Session, Standing, User},
    },
};

/// How long a browser remembers a person, in seconds.
const SESSION: i64 = 12 * 60 * 60;
const COOKIE: &str = "mcb_session";

const WRONG: &str = "This name and password do not fit. Try again.";

impl Authority {
    /// The person who is signed in, and the session.
    pub(super) async fn person(
        &self,
        inquiry: &Inquiry<'_>,
        now: i64,
    ) -> Result<Option<(Found<Session>, Found<User>)>, Fault> {
        let Some(value) = self.sent_cookie(inquiry, COOKIE) else { return Ok(None) };
        let Some(token) = Token::parse(value).filter(|token| token.kind == Kind::Session) else { return Ok(None) };
        let Some(session) = self.state.find::<Session>(&hex::encode(token.digest), now).await? else { return Ok(None) };
        let user = self.state.find::<User>(&session.value.user, now).await?;
        Ok(user.filter(|user| user.value.standing == Standing::Active).map(|user| (session, user)))
    }

    /// What a browser remembers under a name.
    pub(super) fn sent_cookie<'a>(&self, inquiry: &Inquiry<'a>, name: &str) -> Option<&'a str> {
        let name = self.cookie_name(name);
        let sent =
            inquiry.cookies.iter().flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut values = sent.filter(|(known, _)| *known == name).map(|(_, value)| value);
        // Of two nobody can say which is meant.
        match (values.next(), values.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    }

    /// What a browser is to remember for so many seconds, and to show to nobody else.
    pub(super) fn cookie(&self, name: &str, value: &str, seconds: i64) -> Cookie {
        let (name, secure) = (self.cookie_name(name), if self.settings.is_secure() { "; Secure" } else { "" });
        Cookie(format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"))
    }

    /// With the prefix no other host can have set it.
    fn cookie_name(&self, name: &str) -> String {
        format!("{}{name}", if self.settings.is_secure() { "__Host-" } else { "" })
    }

    /// Whether a form comes from a page of this server. What browsers say of it cannot be made up by a page.
    pub(super) fn is_from_here(&self, inquiry: &Inquiry<'_>) -> bool {
        match (inquiry.site, inquiry.origin) {
            (Some(site), _) => site == "same-origin",
            (None, Some(origin)) => origin == self.settings.issuer,
            (None, None) => false,
        }
    }

    pub(super) async fn sign_in_page(&self, inquiry: &Inquiry<'_>, now: i64) -> Answer {
        let query = Pairs::parse(inquiry.query);
        let request = query.only("request").filter(|it| Token::parse(it).is_some()).unwrap_or_default();
        match self.person(inquiry, now).await {
            Ok(Some(_)) if !request.is_empty() => {
                Answer::To { address: format!("/oauth/consent?request={request}"), cookie: None }
            }
            Ok(Some((_, user))) => {
                let words = format!(
                    "You are signed in as {}. Go back to your assistant, and connect it again.",
                    user.value.name
                );
                pages::notice(Class::Fine, "Signed in", &words)
            }
            Ok(None) => match &self.provider {
                Some(provider) => self.leaving_page(provider, request, now).await,
                None => pages::sign_in(&self.settings, Class::Fine, (request, ""), None),
            },
            Err(fault) => pages::notice(fault.class, "Not just now", "You cannot sign in just now. Try again soon."),
        }
    }

    pub(super) async fn signing_in(&self, inquiry: &Inquiry<'_>, now: i64) -> Answer {
        if let Some(provider) = &self.provider {
            // Passwords open nothing here.
            return self.leaving(provider, inquiry, now).await;
        }
        let form = Pairs::parse(inquiry.body);
        let request = form.only("request").filter(|it| Token::parse(it).is_some()).unwrap_or_default();
        let name = form.only("name").unwrap_or_default().trim().to_lowercase();
        let again = |class, words| pages::sign_in(&self.settings, class, (request, &name), Some(words));
        if !self.is_from_here(inquiry) {
            return again(Class::Forbidden, "That did not come from this page. Sign in here.");
        }
        let limits = &self.limits;
        let counted = limits.password.take(&(name.as_str(), inquiry.address));
        let counted = counted.and_then(|()| limits.guesses.take(&inquiry.address));
        if let Err(wait) = counted.and_then(|()| limits.guesses.take(name.as_str())) {
            self.tell("refused", "guesses", &name, inquiry.address);
            return again(Class::TooOften(wait), "Too many attempts. Try again in a quarter of an hour.");
        }
        let Ok(found) = self.state.find::<User>(&name, now).await else {
            return again(Class::Unavailable, "You cannot sign in just now. Try again soon.");
        };
        let user = found.filter(|user| user.value.standing == Standing::Active);
        let kept = user.as_ref().and_then(|user| user.value.password.clone());
        let given = Secret::new(form.only("password").unwrap_or_default().to_owned());
        let fits = password::holds(given, kept).await;
        let Some(user) = user.filter(|_| fits) else {
            self.tell("refused", "password", &name, inquiry.address);
            return again(Class::Forbidden, WRONG);
        };
        match self.begin(&user, Vec::new(), now).await {
            Ok(cookie) => {
                self.tell("signed in", "password", &name, inquiry.address);
                Answer::To { address: onward(request), cookie: Some(cookie) }
            }
            Err(_) => again(Class::Unavailable, "You cannot sign in just now. Try again soon."),
        }
    }

    pub(super) async fn link_page(&self, inquiry: &Inquiry<'_>, now: i64) -> Answer {
        let query = Pairs::parse(inquiry.query);
        let text = query.only("token").unwrap_or_default();
        match self.link(text, now).await {
            Ok(Some(link)) => pages::link(&self.settings, &link.value.user, text),
            Ok(None) => used_up(),
            Err(fault) => pages::notice(fault.class, "Not just now", "You cannot sign in just now. Try again soon."),
        }
    }

    pub(super) async fn linking(&self, inquiry: &Inquiry<'_>, now: i64) -> Answer {
        let form = Pairs::parse(inquiry.body);
        if !self.is_from_here(inquiry) {
            return pages::notice(Class::Forbidden, "Not from here", "Open the link again, and sign in on its page.");
        }
        if let Err(fault) = self.may_come(inquiry.address) {
            return pages::notice(fault.class, "Too many requests", "Wait a minute, then try again.");
        }
        let signed_in = async {
            let Some(link) = self.link(form.only("token").unwrap_or_default(), now).await? else { return Ok(None) };
            let user = self.state.find::<User>(&link.value.user, now).await?;
            let Some(user) = user.filter(|user| user.value.standing == Standing::Active) else { return Ok(None) };
            let cookie = self.begin(&user, vec![Change::remove(&link)], now).await?;
            Ok::<_, Fault>(Some((user.key, cookie)))
        };
        match signed_in.await {
            Ok(Some((user, cookie))) => {
                self.tell("signed in", "link", &user, inquiry.address);
                Answer::To { address: onward(""), cookie: Some(cookie) }
            }
            Ok(None) => used_up(),
            Err(fault) => pages::notice(fault.class, "Not just now", "You cannot sign in just now. Try again soon."),
        }
    }

    async fn link(&self, text: &str, now: i64) -> Result<Option<Found<Link>>, Fault> {
        let Some(token) = Token::parse(text).filter(|token| token.kind == Kind::Link) else { return Ok(None) };
        Ok(self.state.find::<Link>(&hex::encode(token.digest), now).await?)
    }

    /// Begins a session. Its id is a new one, whoever was signed in before.
    pub(super) async fn begin(&self, user: &Found<User>, mut changes: Vec<Change>, now: i64) -> Result<Cookie, Fault> {
        let token = TokenText::new(Kind::Session).map_err(|_| Fault::BUSY)?;
        let session = Session { user: user.key.clone(), created_at: now };
        changes.push(Change::hold(user));
        changes.push(Change::add(hex::encode(token.digest), &user.key, &session, Some(now + SESSION))?);
        if self.state.apply(changes, now).await? == Applied::Overtaken {
            return Err(Fault::BUSY);
        }
        Ok(self.cookie(COOKIE, token.text.expose(), SESSION))
    }
}

/// Where people go who have signed in.
pub(super) fn onward(request: &str) -> String {
    if request.is_empty() { "/oauth/sign-in".into() } else { format!("/oauth/consent?request={request}") }
}

fn used_up() -> Answer {
    let words = "It has been used, or its time is over. Ask the administrator of this server for another one.";
    pages::notice(Class::Faulty, "This link is of no use any more", words)
}
