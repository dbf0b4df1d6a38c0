//! Floor 7. The provider at which people sign in (OpenID Connect Core 1.0 §3.1): where they are sent, what it
//! says when they come back, and whom of its people it may be that come in. Its tokens are looked at and thrown
//! away.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use url::Url;

use crate::{
    issuer::{
        Doubt, Form, Issuer,
        claims::{find, text, words},
        unverified,
    },
    plan::{self, AllowedPeople, Workspace, is_local},
    secret::{Secret, Vault},
    upstream::rest::{FetchFault, Fetcher, Shown},
};

/// An address of a mailbox, and whether it is known to be the person's: the two go together.
const MAIL: [&str; 2] = ["email", "email_verified"];
/// Letters of a person's name.
const LONGEST_NAME: usize = 200;

/// The provider of a plan.
#[derive(Debug)]
pub(super) struct Provider {
    about: plan::Provider,
    secret: Secret<String>,
    issuer: Issuer,
    fetcher: Fetcher,
}

/// What a person's way there and back is known by.
#[derive(Debug)]
pub(super) struct Trip {
    /// What comes back.
    pub(super) state: String,
    /// What stands in the ID token of this way alone.
    pub(super) nonce: String,
    /// What the code is exchanged with (RFC 7636).
    pub(super) verifier: String,
    /// Where the person comes back to.
    pub(super) redirect: String,
}

/// A person who signed in there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Visitor {
    pub(super) name: String,
    pub(super) workspace: Option<String>,
    /// What the person may let clients do; `None` for all there is.
    pub(super) scopes: Option<Vec<String>>,
}

/// Why nobody is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Astray {
    /// The provider cannot be asked just now.
    Unavailable,
    /// It does not say what is needed.
    Unusable,
    /// What came back is not its word about this way.
    Untrusted,
    /// The person is none of those who may come in.
    NotAllowed,
}

impl From<Doubt> for Astray {
    fn from(doubt: Doubt) -> Self {
        match doubt {
            Doubt::Invalid | Doubt::Expired => Self::Untrusted,
            Doubt::Unavailable => Self::Unavailable,
        }
    }
}

impl Provider {
    /// `None` where the vault does not have the secret.
    pub(super) fn new(about: &plan::Provider, vault: &Vault, fetcher: &Fetcher) -> Option<Self> {
        let secret = vault.get(about.client_secret)?.clone();
        let issuer = Issuer::new(&about.issuer, fetcher.clone());
        Some(Self { about: about.clone(), secret, issuer, fetcher: fetcher.clone() })
    }

    /// What people know it by.
    pub(super) fn host(&self) -> &str {
        self.about.issuer.url.host_str().unwrap_or_default()
    }

    /// Its identifier.
    pub(super) fn id(&self) -> &str {
        &self.about.issuer.id
    }

    /// Where a person is sent to sign in.
    pub(super) async fn address(&self, trip: &Trip) -> Result<String, Astray> {
        let document = self.issuer.document().await?;
        let mut url = endpoint(&document, "authorization_endpoint").ok_or(Astray::Unusable)?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(trip.verifier.as_bytes()));
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.about.client_id)
            .append_pair("redirect_uri", &trip.redirect)
            .append_pair("scope", &self.about.scopes.join(" "))
            .append_pair("state", &trip.state)
            .append_pair("nonce", &trip.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(&self.about.parameters);
        Ok(url.into())
    }

    /// Whether an answer is this provider's, as far as it says whose it is (RFC 9207).
    pub(super) async fn answered(&self, issuer: Option<&str>) -> Result<(), Astray> {
        let document = self.issuer.document().await?;
        let says = document.get("authorization_response_iss_parameter_supported") == Some(&Value::Bool(true));
        match issuer {
            Some(issuer) if issuer == self.id() => Ok(()),
            None if !says => Ok(()),
            Some(_) | None => Err(Astray::Untrusted),
        }
    }

    /// Exchanges a code, and tells who signed in.
    pub(super) async fn visitor(&self, code: &str, trip: &Trip) -> Result<Visitor, Astray> {
        let document = self.issuer.document().await?;
        let place = self.token_endpoint(&document).ok_or_else(|| {
            let issuer = self.id();
            tracing::warn!(
                issuer,
                "codes are exchanged at another origin than the issuer's: name it as `token_endpoint`"
            );
            Astray::Unusable
        })?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &trip.redirect),
            ("code_verifier", &trip.verifier),
        ];
        let client = (self.about.client_id.as_str(), &self.secret);
        let answer = self.fetcher.ask(&place, client, shown(&document), &form).await;
        let answer = answer.map_err(|fault| self.told(&fault))?;
        let token = |name: &str| answer.get(name).and_then(Value::as_str);
        let id_token = token("id_token").ok_or(Astray::Untrusted)?;
        let mut claims = self.claims(id_token, trip).await?;
        let is_known = |claims: &Map<String, Value>| self.needed().all(|name| find(claims, name).is_some());
        if let (false, Some(access)) = (is_known(&claims), token("access_token")) {
            self.ask_for_more(&document, &place, access, &mut claims).await?;
        }
        visitor(&self.about, &claims)
    }

    /// What an ID token says that was issued for this way (OpenID Connect Core 1.0 §3.1.3.7).
    async fn claims(&self, id_token: &str, trip: &Trip) -> Result<Map<String, Value>, Astray> {
        let said = unverified(id_token, Form::Id).filter(|said| said.issuer == self.id()).ok_or(Astray::Untrusted)?;
        let Value::Object(claims) = self.issuer.verify(id_token, &said).await? else { return Err(Astray::Untrusted) };
        let own = self.about.client_id.as_str();
        let is_for_many = claims.get("aud").and_then(Value::as_array).is_some_and(|all| all.len() > 1);
        let is_ours = match claims.get("azp") {
            None => !is_for_many,
            Some(party) => party.as_str() == Some(own),
        };
        let is_new = text(&claims, "nonce") == Some(&trip.nonce) && claims.contains_key("iat");
        if is_ours && is_new && text(&claims, "sub").is_some() { Ok(claims) } else { Err(Astray::Untrusted) }
    }

    /// The claims that decide something.
    fn needed(&self) -> impl Iterator<Item = &str> {
        let names = &self.about.issuer.claims;
        let workspace = match &names.workspace {
            Some(Workspace::Claim(name)) => Some(name.as_str()),
            Some(Workspace::Fixed(_)) | None => None,
        };
        let (by_mail, groups) = match &self.about.allow {
            AllowedPeople::Everybody => (false, None),
            AllowedPeople::These { domains, groups, groups_from } => {
                (!domains.is_empty(), (!groups.is_empty()).then_some(groups_from.as_str()))
            }
        };
        let mail: &[&str] = if by_mail || names.subject == MAIL[0] { &MAIL } else { &[] };
        let all = [Some(names.subject.as_str()), workspace, groups].into_iter().flatten();
        all.chain(names.scopes.iter().map(String::as_str)).chain(mail.iter().copied())
    }

    /// Some providers keep claims out of the ID token (OpenID Connect Core 1.0 §5.3). What it says stays.
    async fn ask_for_more(
        &self,
        document: &Value,
        token_endpoint: &Url,
        access: &str,
        claims: &mut Map<String, Value>,
    ) -> Result<(), Astray> {
        let known = [self.about.issuer.url.origin(), token_endpoint.origin()];
        let Some(place) = endpoint(document, "userinfo_endpoint").filter(|url| known.contains(&url.origin())) else {
            return Ok(());
        };
        let access = Secret::new(access.to_owned());
        let more = self.fetcher.about(&place, &access).await.map_err(|fault| self.told(&fault))?;
        let Value::Object(more) = more else { return Err(Astray::Untrusted) };
        if text(&more, "sub").is_none() || text(&more, "sub") != text(claims, "sub") {
            return Err(Astray::Untrusted);
        }
        if !MAIL.iter().all(|name| claims.contains_key(*name)) {
            // Half of the one and half of the other would say what neither says.
            claims.retain(|name, _| !MAIL.contains(&name.as_str()));
        }
        for (name, value) in more {
            claims.entry(name).or_insert(value);
        }
        Ok(())
    }

    /// Where codes are exchanged. A secret goes to the issuer's own origin, or to where the author says.
    fn token_endpoint(&self, document: &Value) -> Option<Url> {
        let named = self.about.token_endpoint.clone();
        named.or_else(|| {
            endpoint(document, "token_endpoint").filter(|url| url.origin() == self.about.issuer.url.origin())
        })
    }

    fn told(&self, fault: &FetchFault) -> Astray {
        tracing::warn!(issuer = self.id(), %fault, "a provider did not say who signed in");
        match fault {
            // It knows neither the code nor us.
            FetchFault::Status(_, 400..=499) => Astray::Untrusted,
            FetchFault::Status(..) | FetchFault::Address(_) | FetchFault::Broken(..) => Astray::Unavailable,
        }
    }
}

/// An address out of the issuer's document that people or secrets may be sent to.
fn endpoint(document: &Value, name: &str) -> Option<Url> {
    let url = document.get(name).and_then(Value::as_str).and_then(|text| Url::parse(text).ok())?;
    (url.scheme() == "https" || (url.scheme() == "http" && is_local(&url))).then_some(url)
}

/// How the provider wants to be shown the secret; in a header where it does not say (RFC 8414 §2).
fn shown(document: &Value) -> Shown {
    let methods = document.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
    let takes = |name: &str| methods.is_some_and(|all| all.iter().any(|method| method == name));
    if takes("client_secret_post") && !takes("client_secret_basic") { Shown::InTheForm } else { Shown::InAHeader }
}

/// The address of a person's mailbox, where the provider has seen that it is theirs.
fn email(claims: &Map<String, Value>) -> Option<&str> {
    let is_verified = match claims.get("email_verified")? {
        Value::Bool(verified) => *verified,
        Value::String(verified) => verified == "true",
        _ => false,
    };
    text(claims, "email").filter(|_| is_verified)
}

/// Who it is by verified claims, if they may come in.
fn visitor(about: &plan::Provider, claims: &Map<String, Value>) -> Result<Visitor, Astray> {
    let names = &about.issuer.claims;
    let comes = match &about.allow {
        AllowedPeople::Everybody => true,
        AllowedPeople::These { domains, groups, groups_from } => {
            let domain =
                email(claims).and_then(|it| it.rsplit_once('@')).map(|(_, domain)| domain.to_ascii_lowercase());
            let held = find(claims, groups_from).map(words).unwrap_or_default();
            domain.is_some_and(|domain| domains.contains(&domain))
                || groups.iter().any(|group| held.contains(&group.as_str()))
        }
    };
    // A mailbox that nobody has seen to be theirs is anybody's.
    let name = if names.subject == "email" { email(claims) } else { text(claims, &names.subject) };
    let name = name.filter(|name| name.len() <= LONGEST_NAME && !name.chars().any(char::is_control));
    let (Some(name), true) = (name, comes) else { return Err(Astray::NotAllowed) };
    let workspace = match &names.workspace {
        Some(Workspace::Claim(claim)) => text(claims, claim).map(str::to_owned),
        Some(Workspace::Fixed(workspace)) => Some(workspace.clone()),
        None => None,
    };
    let scopes = (!names.scopes.is_empty()).then(|| {
        let held = names.scopes.iter().filter_map(|claim| find(claims, claim)).flat_map(words);
        held.map(str::to_owned).collect()
    });
    Ok(Visitor { name: name.to_owned(), workspace, scopes })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use serde_json::json;

    use super::*;
    use crate::plan::ClaimNames;

    fn provider(allow: AllowedPeople, subject: &str) -> plan::Provider {
        let mut vault = Vault::default();
        let claims = ClaimNames {
            subject: subject.into(),
            workspace: Some(Workspace::Claim("org".into())),
            scopes: vec!["roles".into()],
        };
        plan::Provider {
            issuer: plan::Issuer {
                id: "https://idp.example".into(),
                url: Url::parse("https://idp.example").unwrap(),
                audiences: vec!["me".into()],
                algorithms: Vec::new(),
                jwks: None,
                introspection: None,
                claims,
                leeway: Duration::ZERO,
            },
            client_id: "me".into(),
            client_secret: vault.store(Secret::new("s".into())),
            token_endpoint: None,
            scopes: Vec::new(),
            parameters: BTreeMap::new(),
            allow,
        }
    }

    #[test]
    fn only_those_come_in_whom_the_file_names() {
        let these = |domains: &[&str], groups: &[&str]| AllowedPeople::These {
            domains: domains.iter().map(|it| (*it).to_owned()).collect(),
            groups: groups.iter().map(|it| (*it).to_owned()).collect(),
            groups_from: "groups".into(),
        };
        let mail = |address: &str, verified: Value| json!({ "sub": "7", "email": address, "email_verified": verified });
        let of_example = || these(&["example.com"], &[]);
        for (allow, subject, claims, expected) in [
            (AllowedPeople::Everybody, "sub", json!({ "sub": "7" }), Some("7")),
            (AllowedPeople::Everybody, "sub", json!({}), None),
            (AllowedPeople::Everybody, "sub", json!({ "sub": "7\n" }), None),
            (AllowedPeople::Everybody, "sub", json!({ "sub": "7".repeat(201) }), None),
            (AllowedPeople::Everybody, "email", mail("a@b.example", json!(true)), Some("a@b.example")),
            (AllowedPeople::Everybody, "email", mail("a@b.example", json!(false)), None),
            (AllowedPeople::Everybody, "email", json!({ "email": "a@b.example" }), None),
            (of_example(), "sub", mail("ada@example.com", json!(true)), Some("7")),
            (of_example(), "sub", mail("ada@EXAMPLE.com", json!("true")), Some("7")),
            (of_example(), "sub", mail("ada@example.com", json!(false)), None),
            (of_example(), "sub", mail("ada@example.com", json!("yes")), None),
            (of_example(), "sub", json!({ "sub": "7", "email": "ada@example.com" }), None),
            (of_example(), "sub", mail("ada@example.com.evil.example", json!(true)), None),
            (of_example(), "sub", mail("ada@evil.example", json!(true)), None),
            (of_example(), "sub", mail("example.com", json!(true)), None),
            (of_example(), "sub", mail("example.com@evil.example", json!(true)), None),
            (these(&[], &["eng"]), "sub", json!({ "sub": "7", "groups": ["eng", "x"] }), Some("7")),
            (these(&[], &["eng"]), "sub", json!({ "sub": "7", "groups": ["english"] }), None),
            (these(&[], &["eng"]), "sub", json!({ "sub": "7", "groups": "eng x" }), Some("7")),
            (these(&["example.com"], &["eng"]), "sub", json!({ "sub": "7", "groups": ["eng"] }), Some("7")),
            (these(&[], &[]), "sub", mail("ada@example.com", json!(true)), None),
        ] {
            let found = visitor(&provider(allow, subject), claims.as_object().unwrap());
            assert_eq!(found.as_ref().ok().map(|it| it.name.as_str()), expected, "{claims}");
        }
    }

    #[test]
    fn claims_say_where_and_what() {
        let claims = json!({ "sub": "7", "org": "acme", "roles": ["notes:read", "other"] });
        let found = visitor(&provider(AllowedPeople::Everybody, "sub"), claims.as_object().unwrap()).unwrap();
        assert_eq!(found.workspace.as_deref(), Some("acme"));
        assert_eq!(found.scopes, Some(vec!["notes:read".to_owned(), "other".to_owned()]));
        let found = visitor(&provider(AllowedPeople::Everybody, "sub"), json!({ "sub": "7" }).as_object().unwrap());
        assert_eq!(found.unwrap().scopes, Some(Vec::new()), "who is given nothing may give nothing");
    }

    #[test]
    fn a_secret_goes_to_addresses_alone_that_cannot_be_listened_to() {
        for (address, expected) in [
            ("https://idp.example/token", true),
            ("http://127.0.0.1:1/token", true),
            ("http://idp.example/token", false),
            ("javascript:alert(1)", false),
            ("token", false),
        ] {
            assert_eq!(
                endpoint(&json!({ "token_endpoint": address }), "token_endpoint").is_some(),
                expected,
                "{address}"
            );
        }
        let methods = |all: Value| shown(&json!({ "token_endpoint_auth_methods_supported": all }));
        assert_eq!(methods(json!(["client_secret_post"])), Shown::InTheForm);
        assert_eq!(methods(json!(["client_secret_post", "client_secret_basic"])), Shown::InAHeader);
        assert_eq!(shown(&json!({})), Shown::InAHeader);
    }
}
