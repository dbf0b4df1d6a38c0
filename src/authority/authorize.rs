//! Floor 7. A client sends a person to agree (RFC 6749 §4.1.1): what may not be trusted ends on a page here,
//! what may goes on, or back to the client with a code that says why not.

use super::{
    Authority,
    answer::{Answer, Class, Fault, Inquiry},
    consent::not_now,
    document,
    form::Pairs,
    pages, redirect,
};
use crate::state::{
    Applied, Change, Found, Kind, TokenText,
    oauth::{Client, GrantType, Request, Standing},
};

/// How long people may take to sign in and agree, in seconds.
const PATIENCE: i64 = 10 * 60;
const LONGEST_STATE: usize = 2048;
const LONGEST_QUERY: usize = 8192;

impl Authority {
    pub(super) async fn authorize(&self, inquiry: &Inquiry<'_>, now: i64) -> Answer {
        let query = Pairs::parse(inquiry.query);
        if let Err(fault) = self.may_come(inquiry.address) {
            return pages::notice(fault.class, "Too many requests", "Wait a minute, then try again.");
        }
        let (client, redirect) = match self.trusted(inquiry, &query, now).await {
            Ok(trusted) => trusted,
            Err(page) => return *page,
        };
        let back = |fault: Fault| {
            let state = query.only("state");
            Answer::To {
                address: self.back_with(&redirect, &[("error", fault.code), ("error_description", fault.words)], state),
                cookie: None,
            }
        };
        let request = match self.request(&query, &client, &redirect) {
            Ok(request) => Request { by_themselves: is_by_themselves(inquiry), ..request },
            Err(fault) => return back(fault),
        };
        let kept = async {
            let id = TokenText::new(Kind::Request).map_err(|_| Fault::BUSY)?;
            let add = Change::add(hex::encode(id.digest), &client.key, &request, Some(now + PATIENCE))?;
            match self.state.apply(vec![add], now).await? {
                Applied::Done => Ok(id),
                Applied::Overtaken => Err(Fault::BUSY),
            }
        };
        match kept.await {
            Ok(id) => Answer::To { address: format!("/oauth/consent?request={}", id.text.expose()), cookie: None },
            Err(fault) => back(fault),
        }
    }

    /// The client, and an address of it. Where these are not right nobody is sent anywhere.
    async fn trusted(
        &self,
        inquiry: &Inquiry<'_>,
        query: &Pairs,
        now: i64,
    ) -> Result<(Found<Client>, String), Box<Answer>> {
        let page = |title: &str, words: &str| Box::new(pages::notice(Class::Faulty, title, words));
        if inquiry.query.len() > LONGEST_QUERY {
            return Err(page("This link is too long", "Go back to your assistant and connect again."));
        }
        let Ok(Some(id)) = query.one("client_id") else {
            return Err(page("This link names no client", "Go back to your assistant and connect again."));
        };
        let found = if document::is_address(id) {
            self.described(id, inquiry.address, now).await.map_err(|fault| Box::new(fault.page()))?
        } else {
            self.state.find::<Client>(id, now).await.map_err(|fault| Box::new(not_now(fault.into())))?
        };
        let Some(client) = found.filter(|it| it.value.standing != Standing::Revoked) else {
            // It is told, and sent nowhere (auth.md T7).
            let words = "Your assistant is not known here any more. Remove this connection from it and add it again: it then introduces itself anew.";
            return Err(page("Unknown client", words));
        };
        let asked = match query.one("redirect_uri") {
            Ok(Some(asked)) => Some(asked),
            Ok(None) => None,
            Err(_) => return Err(page("This link is not right", "It names two addresses to go back to.")),
        };
        let redirect = match (asked, client.value.redirects.as_slice()) {
            (Some(asked), known) if redirect::is_registered(asked, known) => asked.to_owned(),
            (None, [only]) => only.clone(),
            _ => {
                self.tell("refused", "redirect", &client.key, inquiry.address);
                let words = "The address to go back to is not one that this client has registered. Nobody was sent there. Remove the connection from your assistant and add it again.";
                return Err(page("Unknown address", words));
            }
        };
        if client.value.standing == Standing::Pending {
            return Err(Box::new(pages::pending(&client.value)));
        }
        Ok((client, redirect))
    }

    /// What the client asks for.
    fn request(&self, query: &Pairs, client: &Found<Client>, redirect: &str) -> Result<Request, Fault> {
        if !client.value.grants.contains(&GrantType::AuthorizationCode) {
            return Err(Fault::new("unauthorized_client", "this client acts for itself alone"));
        }
        if query.one("response_type")? != Some("code") {
            return Err(Fault::new("unsupported_response_type", "the one response_type is code"));
        }
        let state = query.one("state")?;
        if state.is_some_and(|state| state.len() > LONGEST_STATE) {
            return Err(Fault::new("invalid_request", "state is too long"));
        }
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let challenge =
            query.one("code_challenge")?.filter(|it| (43..=128).contains(&it.len()) && it.bytes().all(unreserved));
        let Some(challenge) = challenge else {
            return Err(Fault::new("invalid_request", "a code_challenge of 43 to 128 characters is needed"));
        };
        if query.one("code_challenge_method")? != Some("S256") {
            return Err(Fault::new("invalid_request", "the one code_challenge_method is S256"));
        }
        let resource = self.settings.resource(query.one("resource")?);
        let resource = resource.ok_or(Fault::new("invalid_target", "this resource is not served here"))?.to_owned();
        let asked = query.one("scope")?;
        let scopes = self.scopes(asked, &client.value)?;
        Ok(Request {
            client: client.key.clone(),
            redirect: redirect.to_owned(),
            scopes,
            resource,
            state: state.map(str::to_owned),
            challenge: challenge.to_owned(),
            by_themselves: false,
        })
    }

    /// What a client is allowed of what it asks for; without a question what is usual (auth.md T19).
    pub(super) fn scopes(&self, asked: Option<&str>, client: &Client) -> Result<Vec<String>, Fault> {
        let asked: Vec<String> = asked
            .into_iter()
            .flat_map(|scopes| scopes.split(' '))
            .filter(|scope| !scope.is_empty() && *scope != "offline_access")
            .map(str::to_owned)
            .collect();
        let wanted = if asked.is_empty() { &self.settings.default_scopes } else { &asked };
        let within = self.settings.within(wanted, &client.scopes);
        if within.is_empty() && !asked.is_empty() && !client.scopes.is_empty() {
            return Err(Fault::new("invalid_scope", "this client may have none of these scopes"));
        }
        Ok(within)
    }

    /// The way back to a client, with what it is told and who tells it (RFC 9207).
    pub(super) fn back_with(&self, redirect: &str, told: &[(&str, &str)], state: Option<&str>) -> String {
        let mut all = told.to_vec();
        all.extend(state.map(|state| ("state", state)));
        all.push(("iss", &self.settings.issuer));
        redirect::with(redirect, &all)
    }
}

/// Whether a person came here by themselves: a page of somebody else led nobody here, as far as the browser says.
pub(super) fn is_by_themselves(inquiry: &Inquiry<'_>) -> bool {
    matches!(inquiry.site, Some("none" | "same-origin"))
}
