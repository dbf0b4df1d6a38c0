//! Floor 7. Which credentials are whose.

use sha2::{Digest, Sha256};

use super::*;
use crate::{
    plan::{ApiKey, ApiKeys, Assertion, KeyProof, Server},
    secret::Secret,
};

#[test]
fn a_key_is_found_by_value_and_by_digest_in_either_header() {
    let mut vault = Vault::default();
    let value = KeyProof::Value(vault.store(Secret::new("first-key-of-the-test".into())));
    let digest = KeyProof::Digest(Sha256::digest(b"second-key-of-the-test").into());
    let key = |name: &str, proof| ApiKey {
        name: name.into(),
        proof,
        workspace: None,
        scopes: Vec::new(),
        end_users: Assertion::Hearsay,
    };
    let keys = vec![key("one", value), key("two", digest)];
    let keys = ApiKeys { keys, stored: Stored::Refused, header: Some("x-api-key".into()) };
    let plan = Plan { server: Server { api_keys: Some(keys), ..Server::default() }, ..Plan::default() };
    let all = Authenticator::new(&plan, &vault, None).unwrap();
    for (authorization, header, expected) in [
        (Some("Bearer first-key-of-the-test"), None, "one"),
        (Some("bearer  second-key-of-the-test "), None, "two"),
        (None, Some("second-key-of-the-test"), "two"),
        (Some("Bearer of-the-upstream"), Some("first-key-of-the-test"), "one"),
        (Some("Bearer first-key-of-the-test"), Some("wrong"), "invalid"),
        (Some("Basic first-key-of-the-test"), None, "invalid"),
        (Some("Bearer first-key-of-the-tes"), None, "invalid"),
        (Some("Bearer "), None, "invalid"),
        (None, None, "missing"),
    ] {
        let presented = Presented {
            path: "/mcp",
            authorization: authorization.map(str::as_bytes),
            header: header.map(str::as_bytes),
            lent: None,
        };
        let told = match all.identify(presented) {
            Verdict::Known(principal) => principal.name().to_owned(),
            Verdict::Refused(refused) => format!("{refused:?}").to_lowercase(),
            Verdict::Ask(_) => "asked".into(),
        };
        assert_eq!(told, expected, "{authorization:?} {header:?}");
    }
    for (value, ours) in [
        ("first-key-of-the-test", true),
        ("Bearer second-key-of-the-test", true),
        ("Bearer of-the-upstream", false),
        ("Bearer mcb_pat_whatever-it-is", true),
        ("", false),
    ] {
        assert_eq!(all.is_key(value.as_bytes()), ours, "{value}");
    }
}
