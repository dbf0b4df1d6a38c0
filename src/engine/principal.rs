//! Floor 6. Who is calling: the one form in which tools, limits and records see a caller, however
//! it identified itself.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::plan::{Admission, Assertion, CallerPart, Requirement};
use crate::telemetry::Who;

/// How a caller identified itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identified {
    /// Not at all: the server asks nobody who they are.
    Anonymous,
    /// By an API key.
    ApiKey,
    /// By a token of an OAuth issuer.
    Token,
    /// By a credential that an upstream vouched for.
    Upstream,
}

impl Identified {
    /// The word that `caller.kind`, logs and records show.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::ApiKey => "api_key",
            Self::Token => "oauth",
            Self::Upstream => "upstream",
        }
    }
}

/// All that is known of a caller. There is no default: whoever makes one says every part.
#[derive(Clone, Debug)]
pub struct Identity {
    /// How it identified itself.
    pub kind: Identified,
    /// What no other caller of this kind has.
    pub id: String,
    /// The name that logs show.
    pub name: String,
    /// Who it is, to those who issued the credential.
    pub subject: Option<String>,
    /// Where it belongs.
    pub workspace: Option<String>,
    /// The program that calls.
    pub client_id: Option<String>,
    /// What it may do, with all that is implied.
    pub scopes: BTreeSet<String>,
    /// What else its credential says.
    pub claims: Map<String, Value>,
    /// Whether it is believed when it names the person behind it.
    pub end_users: Assertion,
}

/// Who is calling. Made once for each credential, shared by all its requests.
#[derive(Clone, Debug)]
pub struct Principal {
    identity: Identity,
    end_user: Option<String>,
    /// The form that templates read.
    value: Value,
}

/// Whether a caller may see and call a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Admitted {
    /// It may.
    Yes,
    /// It lacks scopes, and with more of them it might.
    Scopes,
    /// It may not, whatever scopes it gets.
    No,
}

impl Principal {
    /// A caller that did not have to identify itself.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::new(Identity {
            kind: Identified::Anonymous,
            id: String::new(),
            name: "anonymous".into(),
            subject: None,
            workspace: None,
            client_id: None,
            scopes: BTreeSet::new(),
            claims: Map::new(),
            end_users: Assertion::Hearsay,
        })
    }

    /// A caller whose credential was verified.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        let value = json!({
            "kind": identity.kind.name(),
            "subject": identity.subject,
            "name": identity.name,
            "workspace": identity.workspace,
            "scopes": identity.scopes,
            "client_id": identity.client_id,
            "end_user": null,
            "claims": identity.claims,
        });
        Self { identity, end_user: None, value }
    }

    /// The same caller on behalf of a person that it names. Templates see the person only when
    /// the caller is believed.
    #[must_use]
    pub fn on_behalf_of(&self, person: &str) -> Self {
        let mut all = self.clone();
        all.end_user = Some(person.to_owned());
        if let (Assertion::Believed, Some(slot)) = (self.identity.end_users, all.value.get_mut("end_user")) {
            *slot = Value::from(person);
        }
        all
    }

    /// How the caller identified itself.
    #[must_use]
    pub const fn kind(&self) -> Identified {
        self.identity.kind
    }

    /// What no other caller has: by this its calls are counted.
    #[must_use]
    pub fn key(&self) -> (Identified, &str) {
        (self.identity.kind, &self.identity.id)
    }

    /// The name that logs show.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.identity.name
    }

    /// Who the caller is, to those who issued its credential.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.identity.subject.as_deref()
    }

    /// Where the caller belongs.
    #[must_use]
    pub fn workspace(&self) -> Option<&str> {
        self.identity.workspace.as_deref()
    }

    /// The program that calls.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.identity.client_id.as_deref()
    }

    /// What the caller may do, with all that is implied.
    #[must_use]
    pub const fn scopes(&self) -> &BTreeSet<String> {
        &self.identity.scopes
    }

    /// The person that the caller names, and whether it is believed.
    #[must_use]
    pub fn end_user(&self) -> Option<(&str, Assertion)> {
        self.end_user.as_deref().map(|person| (person, self.identity.end_users))
    }

    /// The caller as records tell of it.
    #[must_use]
    pub fn who(&self) -> Who {
        let one = &self.identity;
        Who {
            kind: one.kind.name(),
            id: one.id.clone(),
            name: one.name.clone(),
            subject: one.subject.clone(),
            workspace: one.workspace.clone(),
            client_id: one.client_id.clone(),
            end_user: self.end_user.clone(),
            end_user_verified: self.end_user.is_some().then_some(one.end_users == Assertion::Believed),
        }
    }

    /// A part of the identity. `None` when this caller has no such part: a tool that binds it
    /// must not run.
    #[must_use]
    pub fn part(&self, part: &CallerPart) -> Option<&Value> {
        let found = match part {
            CallerPart::Kind => self.value.get("kind"),
            CallerPart::Subject => self.value.get("subject"),
            CallerPart::Name => self.value.get("name"),
            CallerPart::Workspace => self.value.get("workspace"),
            CallerPart::Scopes => self.value.get("scopes"),
            CallerPart::ClientId => self.value.get("client_id"),
            CallerPart::EndUser => self.value.get("end_user"),
            CallerPart::Claim(name) => self.claim(name),
        };
        found.filter(|value| !value.is_null() && value.as_str() != Some(""))
    }

    /// A claim by its name, which may hold dots, or by a dotted path into one.
    fn claim(&self, name: &str) -> Option<&Value> {
        let claims = self.value.get("claims")?;
        claims.get(name).or_else(|| name.split('.').try_fold(claims, |value, step| value.get(step)))
    }

    /// Whether the caller may see and call a tool.
    #[must_use]
    pub fn admitted(&self, admission: &Admission) -> Admitted {
        if !admission.require.iter().all(|required| self.meets(required)) {
            return Admitted::No;
        }
        if admission.scopes.iter().all(|scope| self.identity.scopes.contains(scope)) {
            Admitted::Yes
        } else {
            Admitted::Scopes
        }
    }

    fn meets(&self, required: &Requirement) -> bool {
        let fits = |value: &Value| match value {
            Value::String(text) => required.any_of.iter().any(|wanted| wanted == text),
            Value::Number(_) | Value::Bool(_) => required.any_of.contains(&value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        };
        match self.part(&required.part) {
            Some(Value::Array(items)) => items.iter().any(fits),
            Some(value) => fits(value),
            None => false,
        }
    }

    /// The form that templates read as `caller`.
    pub(super) fn value(&self) -> &Value {
        &self.value
    }
}

/// The caller's own request headers, for sources that pass a credential on. Whoever implements
/// it leaves out the header that carried the key of this server.
pub trait CallerHeaders: Sync {
    /// The value of a header, its name in lower case; `None` when there is not exactly one.
    fn get(&self, name: &str) -> Option<&[u8]>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &Value, scopes: &[&str]) -> Principal {
        Principal::new(Identity {
            kind: Identified::Token,
            id: "ada".into(),
            name: "ada".into(),
            subject: Some("ada".into()),
            workspace: Some(String::new()),
            client_id: None,
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            claims: claims.as_object().cloned().unwrap_or_default(),
            end_users: Assertion::Hearsay,
        })
    }

    #[test]
    fn what_a_caller_has_not_is_no_part_of_it() {
        let ada = token(&json!({ "dept": "sales", "realm": { "id": 7 }, "https://a.b/c": "x", "none": null }), &[]);
        for (part, expected) in [
            ("kind", Some(json!("oauth"))),
            ("workspace", None),
            ("client_id", None),
            ("end_user", None),
            ("claims.dept", Some(json!("sales"))),
            ("claims.realm.id", Some(json!(7))),
            ("claims.https://a.b/c", Some(json!("x"))),
            ("claims.none", None),
            ("claims.dept.deeper", None),
            ("claims.other", None),
        ] {
            let part = CallerPart::parse(part).unwrap();
            assert_eq!(ada.part(&part), expected.as_ref(), "{}", part.name());
        }
    }

    #[test]
    fn a_person_is_seen_when_the_caller_is_believed() {
        let key = |end_users| Principal::new(Identity { end_users, ..token(&json!({}), &[]).identity });
        for (trust, seen) in [(Assertion::Believed, Some(json!("p-1"))), (Assertion::Hearsay, None)] {
            let caller = key(trust).on_behalf_of("p-1");
            assert_eq!(caller.part(&CallerPart::EndUser), seen.as_ref());
            assert_eq!(caller.end_user(), Some(("p-1", trust)));
        }
    }

    #[test]
    fn scopes_can_be_had_and_claims_cannot() {
        let needs = |scopes: &[&str], require: &[(&str, &[&str])]| Admission {
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            require: require
                .iter()
                .map(|(part, values)| Requirement {
                    part: CallerPart::parse(part).unwrap(),
                    any_of: values.iter().map(|value| (*value).to_owned()).collect(),
                })
                .collect(),
            rate: None,
        };
        let ada = token(&json!({ "dept": "sales", "groups": ["a", "b"], "level": 3 }), &["read"]);
        for (admission, expected) in [
            (needs(&[], &[]), Admitted::Yes),
            (needs(&["read"], &[]), Admitted::Yes),
            (needs(&["read", "write"], &[]), Admitted::Scopes),
            (needs(&["read"], &[("claims.dept", &["support", "sales"])]), Admitted::Yes),
            (needs(&[], &[("claims.groups", &["b"])]), Admitted::Yes),
            (needs(&[], &[("claims.level", &["3"])]), Admitted::Yes),
            (needs(&[], &[("claims.dept", &["support"])]), Admitted::No),
            (needs(&["write"], &[("claims.dept", &["support"])]), Admitted::No),
            (needs(&[], &[("workspace", &[""])]), Admitted::No),
            (needs(&[], &[("claims.other", &["x"])]), Admitted::No),
        ] {
            assert_eq!(ada.admitted(&admission), expected, "{admission:?}");
        }
    }
}
