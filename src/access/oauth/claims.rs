//! Floor 7. From claims to a principal.

use serde_json::{Map, Value};

use crate::{
    engine::{Identified, Identity, Principal},
    issuer::claims::{find, text, words},
    plan::{Assertion, ClaimNames, Implied, Workspace, with_implied},
};

/// Claims of the token itself, which say nothing about the caller.
const OWN: [&str; 6] = ["exp", "nbf", "iat", "jti", "active", "token_type"];
/// Claims that name the program that calls, in the words of several issuers.
const CLIENT: [&str; 4] = ["client_id", "azp", "appid", "cid"];

/// Makes a principal of verified claims. `None` without a subject: nobody is no principal.
pub(super) fn principal(issuer: &str, names: &ClaimNames, claims: &Value, implied: &Implied) -> Option<Principal> {
    let claims = claims.as_object()?;
    let subject = text(claims, &names.subject)?;
    let held = names.scopes.iter().filter_map(|name| find(claims, name)).flat_map(words);
    let scopes = with_implied(implied, held);
    let workspace = match &names.workspace {
        Some(Workspace::Claim(name)) => text(claims, name),
        Some(Workspace::Fixed(name)) => Some(name.as_str()),
        None => None,
    };
    let about: Map<String, Value> = claims
        .iter()
        .filter(|(name, _)| !OWN.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Some(Principal::new(Identity {
        kind: Identified::Token,
        id: format!("{issuer} {subject}"),
        name: subject.to_owned(),
        subject: Some(subject.to_owned()),
        workspace: workspace.map(str::to_owned),
        client_id: CLIENT.iter().find_map(|name| text(claims, name)).map(str::to_owned),
        scopes,
        claims: about,
        end_users: Assertion::Hearsay,
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn claims_of_several_issuers_say_who_where_and_what() {
        let names = |workspace: &str| ClaimNames {
            subject: "sub".into(),
            workspace: Some(Workspace::Claim(workspace.into())),
            scopes: vec!["scope".into(), "scp".into(), "realm_access.roles".into()],
        };
        let implied = Implied::from([("write".to_owned(), BTreeSet::from(["read".to_owned()]))]);
        let told = |claims: &Value, workspace: &str| {
            let principal = principal("https://i", &names(workspace), claims, &implied)?;
            let scopes: Vec<_> = principal.scopes().iter().cloned().collect();
            Some((principal.workspace().map(str::to_owned), scopes.join(" "), principal.client_id().map(str::to_owned)))
        };
        for (claims, workspace, expected) in [
            (
                json!({ "sub": "a", "scope": "write  other", "org": "acme" }),
                "org",
                Some((Some("acme"), "other read write", None)),
            ),
            (json!({ "sub": "a", "scp": ["read"], "azp": "app" }), "org", Some((None, "read", Some("app")))),
            (
                json!({ "sub": "a", "realm_access": { "roles": ["x"] }, "o": { "id": "u" } }),
                "o.id",
                Some((Some("u"), "x", None)),
            ),
            (json!({ "sub": "", "scope": "read" }), "org", None),
            (json!({ "sub": 7 }), "org", None),
            (json!({ "scope": "read" }), "org", None),
            (json!([]), "org", None),
        ] {
            let expected = expected.map(|(workspace, scopes, client): (Option<&str>, &str, Option<&str>)| {
                (workspace.map(str::to_owned), scopes.to_owned(), client.map(str::to_owned))
            });
            assert_eq!(told(&claims, workspace), expected, "{claims}");
        }
    }
}
