//! The traps that clients and servers of OAuth fell into together (auth.md §2.6), trap by trap: which test
//! holds the rule. A trap whose test is renamed or lost fails here. Below stand the proofs that belong to no
//! other file.

use serde_json::json;

use crate::{
    support::{
        Post, Served,
        person::{NOTES, PASSWORD, POKE, Person, bridge, command},
        serve,
    },
    threats::is_there,
};

/// A trap, what it is about in a few words, and its proofs: `file::test`, or a folder of `tests/check`.
type Row = (u8, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    (
        1,
        "an issuer that is written in two ways",
        &[
            "tests/authority.rs::a_client_comes_unknown_and_goes_on_for_a_person",
            "tests/authority.rs::programs_on_any_page_may_ask_where_no_cookie_counts",
            "tests/check/MB0801-public-url-with-a-slash",
            "tests/sign-in/mcp_client.py::async def signs_in",
        ],
    ),
    (2, "resources with a slash more", &["tests/authority.rs::a_token_is_for_the_address_that_it_was_asked_for"]),
    (3, "a resource of another origin", &["tests/check/MB0811-issuing", "tests/check/MB0811-issuer"]),
    (
        4,
        "metadata below a path",
        &[
            "tests/authority.rs::programs_on_any_page_may_ask_where_no_cookie_counts",
            "tests/oauth.rs::clients_read_who_issues_tokens_and_nothing_where_nobody_does",
            "tests/traps.rs::programs_are_never_sent_elsewhere",
        ],
    ),
    (
        5,
        "metadata behind a sign-in",
        &[
            "tests/authority.rs::a_client_comes_unknown_and_goes_on_for_a_person",
            "tests/oauth.rs::clients_read_who_issues_tokens_and_nothing_where_nobody_does",
        ],
    ),
    (6, "metadata that cannot be had", &["tests/traps.rs::metadata_is_there_whatever_else_is_not"]),
    (
        7,
        "clients that are forgotten",
        &[
            "tests/authority.rs::a_token_is_for_the_address_that_it_was_asked_for",
            "tests/authority.rs::what_was_given_outlives_the_server_and_ends_with_the_person",
            "tests/traps.rs::a_client_that_is_not_known_is_told_so",
            "tests/sign-in/checks.mjs::registers, signs in, calls, renews, and goes on after a new start",
        ],
    ),
    (
        8,
        "pages that may not ask",
        &[
            "tests/authority.rs::programs_on_any_page_may_ask_where_no_cookie_counts",
            "tests/serve.rs::a_page_that_may_call_may_send_the_headers_it_asks_for",
        ],
    ),
    (
        9,
        "ports that are chosen late",
        &[
            "src/authority/redirect.rs::an_asked_address_is_a_registered_one_to_the_letter",
            "tests/authority.rs::nobody_is_sent_to_an_address_that_is_not_registered",
        ],
    ),
    (
        10,
        "several addresses at once",
        &[
            "tests/authority.rs::clients_register_within_what_the_files_allow",
            "tests/sign-in/checks.mjs::the addresses of ${name}",
        ],
    ),
    (
        11,
        "secrets sent in another way",
        &[
            "src/authority/client.rs::a_client_names_itself_in_the_header_or_in_the_form",
            "tests/authority.rs::a_client_acts_for_itself_with_its_own_secret",
            "tests/sign-in/authlib_client.py::def for_itself",
            "tests/sign-in/conformance.mjs::authorization-code-grant",
        ],
    ),
    (
        12,
        "secrets written in another way",
        &[
            "src/authority/client.rs::a_client_names_itself_in_the_header_or_in_the_form",
            "tests/sign-in/mcp_client.py::async def is_given",
            "tests/sign-in/checks.mjs::with a given id and secret, without a registration",
        ],
    ),
    (
        13,
        "null",
        &[
            "tests/authority.rs::clients_register_within_what_the_files_allow",
            "tests/sign-in/checks.mjs::oauth4webapi: registration, code, refresh",
        ],
    ),
    (
        14,
        "renewals that race or get lost",
        &["tests/authority.rs::a_refresh_token_leads_to_one_other_and_its_theft_is_noticed"],
    ),
    (
        15,
        "clients that ask for ever",
        &[
            "tests/authority.rs::a_client_comes_unknown_and_goes_on_for_a_person",
            "tests/traps.rs::a_client_that_asks_for_ever_is_told_to_wait",
            "tests/sign-in/checks.mjs::goes round in circles and is told to wait",
        ],
    ),
    (16, "a code posted twice", &["tests/authority.rs::a_code_is_good_once_for_the_client_that_has_its_secret"]),
    (
        17,
        "policies that stop the way back",
        &[
            "tests/authority_pages.rs::pages_are_not_framed_kept_or_told_of",
            "tests/sign-in/browser.mjs::and on to a third site (T17)",
        ],
    ),
    (
        18,
        "answers without their issuer",
        &[
            "src/authority/redirect.rs::what_is_told_stands_once",
            "tests/authority.rs::a_request_that_is_not_right_goes_back_with_its_fault",
            "tests/sign-in/browser.mjs::what is denied is told to the client, and gives no code",
        ],
    ),
    (
        19,
        "requests without scope and state",
        &[
            "tests/authority.rs::a_client_comes_unknown_and_goes_on_for_a_person",
            "tests/authority.rs::a_client_may_ask_for_more_than_it_registered_with",
        ],
    ),
    (
        20,
        "faults of grants told as unknown clients",
        &[
            "tests/authority.rs::a_code_is_good_once_for_the_client_that_has_its_secret",
            "tests/traps.rs::a_client_that_is_not_known_is_told_so",
        ],
    ),
    (
        21,
        "providers with habits",
        &[
            "tests/oauth.rs::a_good_token_says_who_where_and_what",
            "tests/oauth.rs::an_issuer_is_asked_about_what_only_it_can_read",
        ],
    ),
    (22, "a page that is opened twice", &["tests/authority_pages.rs::only_the_person_who_was_asked_can_answer"]),
    (23, "redirects of what programs ask", &["tests/traps.rs::programs_are_never_sent_elsewhere"]),
];

#[test]
fn every_trap_has_its_proof() {
    let mut lost = Vec::new();
    for (row, about, proofs) in ROWS {
        for proof in *proofs {
            if !is_there(proof) {
                lost.push(format!("T{row}, {about}: {proof}"));
            }
        }
    }
    assert!(lost.is_empty(), "\n{}", lost.join("\n"));
    assert!(ROWS.iter().map(|(row, ..)| *row).eq(1..=23), "each trap stands in one place");
}

async fn desk() -> Served {
    let server = serve(&[("desk.yaml", &bridge("")), NOTES], &[]).await;
    command(server.folder.path(), &["users", "add", "ada", "--password"], PASSWORD);
    server
}

/// What programs read before they come.
const METADATA: &[&str] = &[
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-protected-resource/mcp/desk",
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-authorization-server/mcp",
    "/.well-known/oauth-authorization-server/mcp/desk",
];

#[tokio::test]
async fn metadata_is_there_whatever_else_is_not() {
    let server = desk().await;
    let client = server.registered(POKE).await;
    let broken = rusqlite::Connection::open(server.folder.path().join("mcp-bridge-state.db")).expect("it opens");
    broken.execute_batch("ALTER TABLE oauth_record RENAME TO gone").expect("a change");
    let refused = server.token(&client, &[("grant_type", "refresh_token"), ("refresh_token", "x")]).await;
    assert_eq!(refused.status, 503, "the state is gone: {}", refused.body);
    for path in METADATA {
        assert_eq!(server.get(path, &[]).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn programs_are_never_sent_elsewhere() {
    let server = desk().await;
    let to = |method: &str, path: &str| Post::new("x=1").head(&format!("{method} {path} HTTP/1.1"));
    for path in ["/oauth/token", "/oauth/register", "/oauth/revoke", "/oauth/introspect", "/mcp", "/mcp/desk"]
        .iter()
        .chain(METADATA)
    {
        for path in [(*path).to_owned(), format!("{path}/"), format!("/{path}"), format!("{path}?x")] {
            for method in ["GET", "POST", "OPTIONS"] {
                let response = to(method, &path).send(server.address).await;
                let is_redirect = (300..400).contains(&response.status) || response.header("location").is_some();
                assert!(!is_redirect, "{method} {path}: {}", response.status);
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_is_not_known_is_told_so() {
    let server = desk().await;
    let mut client = server.registered(POKE).await;
    let code = {
        let mut person = Person::new(&server);
        assert_eq!(person.sign_in("ada", PASSWORD, "").await.status, 303);
        person.agrees(&client, &[]).await
    };
    let pairs = [("grant_type", "authorization_code"), ("code", code.as_str())];
    // The client is known, and what it shows is not right: it does not register anew for that.
    let response = server.token(&client, &pairs).await;
    assert_eq!((response.status, &response.json()["error"]), (400, &json!("invalid_grant")));
    client.id.push('x');
    let response = server.token(&client, &pairs).await;
    assert_eq!((response.status, &response.json()["error"]), (401, &json!("invalid_client")));
    assert!(response.header("www-authenticate").is_some_and(|it| it.starts_with("Basic ")));
}

#[tokio::test]
async fn a_client_that_asks_for_ever_is_told_to_wait() {
    let server = desk().await;
    let (client, other) = (server.registered(POKE).await, server.registered(POKE).await);
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    let mut asked = 0;
    let limited = loop {
        let response = server.token(&client, &pairs).await;
        asked += 1;
        match response.status {
            400 => assert!(asked < 1000, "nobody told it to wait"),
            status => break (status, response),
        }
    };
    assert_eq!(limited.0, 429, "{}", limited.1.body);
    assert!(limited.1.header("retry-after").is_some_and(|wait| wait.parse::<u32>().is_ok_and(|wait| wait > 0)));
    assert_eq!(server.token(&other, &pairs).await.status, 400, "others are served");
}
