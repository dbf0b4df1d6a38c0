//! Floor 7. A person agrees, or does not, to what a client asks for. The agreement is for this person, this
//! client, this address to go back to, these scopes and this workspace, and for nothing else.

use hmac::Mac;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{
    Authority,
    answer::{Answer, Class, Fault, Inquiry},
    form::Pairs,
    pages, seconds,
};
use crate::{
    plan::ConsentMode,
    secret::keyed,
    state::{
        Applied, Change, Found, Kind, Token, TokenText,
        oauth::{Client, Code, Consent, Origin, Request, Session, Standing, User},
    },
};

use super::{authorize::is_by_themselves, redirect::is_registered, register::SETTLED};

/// How long a code is remembered after its use, in seconds: who shows it again has it from elsewhere.
const REMEMBERED: i64 = 10 * 60;

/// Everything that an agreement is about.
struct Asking {
    request: Found<Request>,
    client: Found<Client>,
    session: Found<Session>,
    user: Found<User>,
    /// Of the asked scopes those that this person may give.
    scopes: Vec<String>,
    /// What the page names the question by.
    text: String,
}

impl Authority {
    pub(super) async fn consent_page(&self, inquiry: &Inquiry<'_>, now: i64) -> Answer {
        let query = Pairs::parse(inquiry.query);
        let text = query.only("request").unwrap_or_default();
        let asking = match self.asking(text, inquiry, now).await {
            Ok(asking) => asking,
            Err(instead) => return *instead,
        };
        if self.settings.consent == ConsentMode::Remember && self.is_remembered(&asking, inquiry, now).await {
            return self.agreed(asking, inquiry, now).await.unwrap_or_else(not_now);
        }
        match self.guard(&asking.session.key, &asking.request.key, now).await {
            Ok(guard) => {
                let asked = pages::Asked {
                    request: &asking.request.value,
                    client: &asking.client.value,
                    user: &asking.user.value.name,
                    workspace: asking.user.value.workspace.as_deref(),
                    scopes: &asking.scopes,
                };
                pages::consent(&self.settings, &asked, (text, &guard))
            }
            Err(fault) => not_now(fault),
        }
    }

    pub(super) async fn consenting(&self, inquiry: &Inquiry<'_>, now: i64) -> Answer {
        let form = Pairs::parse(inquiry.body);
        let text = form.only("request").unwrap_or_default();
        let asking = match self.asking(text, inquiry, now).await {
            Ok(asking) => asking,
            Err(instead) => return self.again(&form, inquiry, now).await.unwrap_or(*instead),
        };
        let expected = match self.guard(&asking.session.key, &asking.request.key, now).await {
            Ok(expected) => expected,
            Err(fault) => return not_now(fault),
        };
        if !self.is_from_here(inquiry) || !shows(&form, &expected) {
            self.tell("refused", "consent", &asking.client.key, inquiry.address);
            let words =
                "The answer did not come from the page that was asked on. Go back to your assistant and connect again.";
            return pages::notice(Class::Forbidden, "Not from here", words);
        }
        match form.only("decision") {
            Some("allow") => match self.agreed(asking, inquiry, now).await {
                Ok(answer) => answer,
                Err(fault) => self.again(&form, inquiry, now).await.unwrap_or_else(|| not_now(fault)),
            },
            Some("deny") => self.denied(&asking, inquiry, now).await,
            _ => pages::notice(Class::Faulty, "Nothing was decided", "Go back, and allow it or do not."),
        }
    }

    /// What is asked of whom; what to show instead where somebody has to sign in, or it is too late.
    async fn asking(&self, text: &str, inquiry: &Inquiry<'_>, now: i64) -> Result<Asking, Box<Answer>> {
        let late = || {
            let words = "It has been answered, or was left for too long. Go back to your assistant and connect again.";
            Box::new(pages::notice(Class::Faulty, "This question is over", words))
        };
        let token = Token::parse(text).filter(|token| token.kind == Kind::Request).ok_or_else(late)?;
        let found = async {
            let request = self.state.find::<Request>(&hex::encode(token.digest), now).await?;
            let Some(request) = request else { return Ok(None) };
            let client = self.state.find::<Client>(&request.value.client, now).await?;
            // A document may have taken the address back meanwhile.
            let client = client.filter(|client| {
                let redirects = &client.value.redirects;
                client.value.standing == Standing::Active && is_registered(&request.value.redirect, redirects)
            });
            Ok::<_, Fault>(client.map(|client| (request, client)))
        };
        let (request, client) = found.await.map_err(|fault| Box::new(not_now(fault)))?.ok_or_else(late)?;
        let person = self.person(inquiry, now).await.map_err(|fault| Box::new(not_now(fault)))?;
        let Some((session, user)) = person else {
            return Err(Box::new(Answer::To { address: format!("/oauth/sign-in?request={text}"), cookie: None }));
        };
        let scopes = match &user.value.scopes {
            Some(allowed) => self.settings.within(&request.value.scopes, allowed),
            None => request.value.scopes.clone(),
        };
        Ok(Asking { request, client, session, user, scopes, text: text.to_owned() })
    }

    /// What the form of the page holds, and no other page can know: it belongs to this session and this
    /// question, so a page that was opened twice is right twice (auth.md T22).
    async fn guard(&self, session: &str, request: &str, now: i64) -> Result<String, Fault> {
        let key = self.key(now).await?;
        let mut mac = keyed(key.expose().as_bytes());
        for part in ["consent", session, request] {
            mac.update(part.as_bytes());
            mac.update(b"\n");
        }
        Ok(hex::encode(mac.finalize().into_bytes()))
    }

    /// The same was agreed to before, and nobody else led the person here (auth.md §3.2): neither now, nor when
    /// the client asked, because whoever signs in in between comes from a page of this server.
    async fn is_remembered(&self, asking: &Asking, inquiry: &Inquiry<'_>, now: i64) -> bool {
        let by_themselves = asking.request.value.by_themselves && is_by_themselves(inquiry);
        let found = self.state.find::<Consent>(&asking.key(), now).await;
        by_themselves && matches!(found, Ok(Some(_)))
    }

    async fn agreed(&self, asking: Asking, inquiry: &Inquiry<'_>, now: i64) -> Result<Answer, Fault> {
        let kept = async {
            let token = self.code(&asking.text, now).await?.ok_or(Fault::BUSY)?;
            let until = now + seconds(self.settings.lifetimes.code);
            let request = Request { scopes: asking.scopes.clone(), ..asking.request.value.clone() };
            let workspace = asking.user.value.workspace.clone();
            let code = Code { request, user: asking.user.key.clone(), workspace, grant: None, until };
            let consent = Consent { user: asking.user.key.clone(), client: asking.client.key.clone(), granted_at: now };
            let mut changes = vec![
                Change::remove(&asking.request),
                Change::hold(&asking.user),
                Change::add(hex::encode(token.digest), &asking.client.key, &code, Some(until + REMEMBERED))?,
            ];
            let before = self.state.find::<Consent>(&asking.key(), now).await?;
            changes.push(match before {
                Some(found) => Change::replace(&found, &asking.user.key, &consent, None)?,
                None => Change::add(asking.key(), &asking.user.key, &consent, None)?,
            });
            // A client that somebody agreed to is not forgotten any more.
            let is_new = asking.client.value.origin != Origin::Made && asking.client.expires_at.is_some();
            changes.push(if is_new {
                Change::replace(&asking.client, SETTLED, &asking.client.value, None)?
            } else {
                Change::hold(&asking.client)
            });
            match self.state.apply(changes, now).await? {
                Applied::Done => Ok(token),
                Applied::Overtaken => Err(Fault::BUSY),
            }
        };
        let code = kept.await?;
        self.tell("agreed", "consent", &asking.client.key, inquiry.address);
        Ok(self.told(&asking.request.value, &code))
    }

    /// The answer that was given, for who did not get it: a form that was sent twice, or whose answer was lost
    /// on the way. It is the same code for the same client, as long as nobody has used it.
    async fn again(&self, form: &Pairs, inquiry: &Inquiry<'_>, now: i64) -> Option<Answer> {
        let text = form.only("request").filter(|_| form.only("decision") == Some("allow"))?;
        let (session, user) = self.person(inquiry, now).await.ok()??;
        let guard = self.guard(&session.key, &hex::encode(Token::parse(text)?.digest), now).await.ok()?;
        if !self.is_from_here(inquiry) || !shows(form, &guard) {
            return None;
        }
        let code = self.code(text, now).await.ok()??;
        let kept = self.state.find::<Code>(&hex::encode(code.digest), now).await.ok()??.value;
        let is_unused = kept.user == user.key && kept.grant.is_none() && kept.until > now;
        is_unused.then(|| self.told(&kept.request, &code))
    }

    /// The code that answers a question. It follows from the question's text, which is kept nowhere.
    async fn code(&self, text: &str, now: i64) -> Result<Option<TokenText>, Fault> {
        let key = self.key(now).await?;
        let question = Token::parse(text).filter(|token| token.kind == Kind::Request);
        Ok(question.map(|token| TokenText::following(&Token { kind: Kind::Code, ..token }, text, key)))
    }

    /// Sends a person back to the client with a code.
    fn told(&self, request: &Request, code: &TokenText) -> Answer {
        let told = [("code", code.text.expose().as_str())];
        Answer::To { address: self.back_with(&request.redirect, &told, request.state.as_deref()), cookie: None }
    }

    async fn denied(&self, asking: &Asking, inquiry: &Inquiry<'_>, now: i64) -> Answer {
        let removed = self.state.apply(vec![Change::remove(&asking.request)], now).await;
        if let Err(fault) = removed {
            return not_now(fault.into());
        }
        self.tell("denied", "consent", &asking.client.key, inquiry.address);
        let request = &asking.request.value;
        let told = [("error", "access_denied"), ("error_description", "the person did not agree")];
        Answer::To { address: self.back_with(&request.redirect, &told, request.state.as_deref()), cookie: None }
    }
}

/// Whether a form holds what its page was given.
fn shows(form: &Pairs, guard: &str) -> bool {
    bool::from(form.only("guard").unwrap_or_default().as_bytes().ct_eq(guard.as_bytes()))
}

impl Asking {
    /// By which an agreement to the very same is found again.
    fn key(&self) -> String {
        let mut digest = Sha256::new();
        let workspace = self.user.value.workspace.as_deref().unwrap_or_default();
        let parts = [&self.user.key, &self.client.key, &self.request.value.redirect, &self.request.value.resource];
        for part in
            parts.into_iter().map(String::as_str).chain([workspace]).chain(self.scopes.iter().map(String::as_str))
        {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        hex::encode(digest.finalize())
    }
}

pub(super) fn not_now(fault: Fault) -> Answer {
    pages::notice(fault.class, "Not just now", "This cannot be done just now. Go back, and try again soon.")
}
