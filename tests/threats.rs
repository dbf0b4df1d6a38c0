//! The threat model (auth.md §5), row by row: which test proves it. A row whose test is renamed or lost
//! fails here. Below stand the proofs that belong to no other file.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Post, Served, call_message, raw, serve, upstream};

/// A row, the threat in a few words, and its proofs as `file::test`, or as a folder of `tests/check`.
type Row = (u8, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    (
        1,
        "call without credential",
        &["tests/threats.rs::only_what_is_public_answers_strangers", "tests/check/MB0802-open"],
    ),
    (
        2,
        "DNS rebinding",
        &[
            "tests/wire.rs::only_known_hosts_and_pages_are_served_on_every_route",
            "tests/sign-in/browser.mjs::a name that leads here by somebody else's doing shows nothing",
        ],
    ),
    (
        3,
        "foreign pages",
        &[
            "tests/wire.rs::only_known_hosts_and_pages_are_served_on_every_route",
            "tests/serve.rs::a_page_that_may_call_may_send_the_headers_it_asks_for",
        ],
    ),
    (
        4,
        "verifiers that fail open",
        &[
            "tests/threats.rs::no_text_that_was_not_issued_is_a_credential",
            "tests/keys.rs::a_state_that_is_gone_lets_nobody_in",
            "tests/oauth.rs::an_issuer_that_is_down_lets_nobody_in_that_it_has_not_vouched_for",
            "tests/passthrough.rs::an_upstream_that_cannot_say_lets_nobody_in_and_keeps_nobody_out_for_long",
            "tests/passthrough.rs::what_is_refused_stays_outside_and_nobody_else_is_asked",
        ],
    ),
    (5, "tokens for others", &["tests/oauth.rs::a_token_that_is_wrong_in_any_way_lets_nobody_in"]),
    (
        6,
        "more than the scopes permit",
        &[
            "tests/access.rs::callers_see_and_call_what_their_scopes_permit",
            "tests/access.rs::what_a_caller_cannot_see_is_in_no_words_of_the_server",
            "tests/oauth.rs::more_scopes_can_be_asked_for",
            "tests/wire.rs::headers_are_held_against_the_body",
        ],
    ),
    (
        7,
        "another workspace",
        &[
            "tests/serve.rs::what_the_server_binds_cannot_be_set_by_the_model",
            "tests/access.rs::a_request_made_of_the_caller_is_not_sent_without_that_part",
            "tests/caching.rs::callers_that_a_request_names_share_nothing",
        ],
    ),
    (8, "another caller's session", &["tests/sessions.rs::a_session_is_its_callers_and_every_replica_knows_it"]),
    (
        9,
        "replies that cross",
        &[
            "tests/serve.rs::clients_with_equal_ids_never_see_each_others_answers",
            "tests/wire_properties.rs::clients_with_equal_ids_never_see_each_others_answers",
        ],
    ),
    (
        10,
        "codes sent elsewhere",
        &[
            "tests/authority.rs::nobody_is_sent_to_an_address_that_is_not_registered",
            "src/authority/redirect.rs::an_asked_address_is_a_registered_one_to_the_letter",
        ],
    ),
    (
        11,
        "codes without a proof",
        &[
            "tests/authority.rs::a_code_is_good_once_for_the_client_that_has_its_secret",
            "tests/authority.rs::a_request_that_is_not_right_goes_back_with_its_fault",
        ],
    ),
    (12, "codes used twice", &["tests/authority.rs::a_code_is_good_once_for_the_client_that_has_its_secret"]),
    (
        13,
        "consent by somebody else",
        &[
            "tests/authority_pages.rs::only_the_person_who_was_asked_can_answer",
            "tests/authority_pages.rs::pages_are_not_framed_kept_or_told_of",
            "tests/sign-in/browser.mjs::no page is shown in a frame of another page",
            "tests/sign-in/browser.mjs::what a stranger's page sends is refused, signs nobody in and agrees to nothing",
            "tests/authority_pages.rs::what_was_agreed_to_is_asked_again_unless_the_files_say_so",
        ],
    ),
    (
        14,
        "clients that pretend",
        &[
            "tests/authority_pages.rs::what_clients_say_of_themselves_is_shown_as_text",
            "tests/authority.rs::a_client_from_elsewhere_waits_for_an_administrator",
        ],
    ),
    (
        15,
        "accounts of another provider",
        &[
            "tests/elsewhere.rs::who_comes_back_is_who_left_and_once",
            "tests/elsewhere.rs::a_person_signs_in_elsewhere_and_agrees_here",
            "tests/elsewhere.rs::a_word_that_is_wrong_in_any_way_signs_nobody_in",
        ],
    ),
    (16, "answers of another issuer", &["tests/authority.rs::a_client_comes_unknown_and_goes_on_for_a_person"]),
    (17, "stolen refresh tokens", &["tests/authority.rs::a_refresh_token_leads_to_one_other_and_its_theft_is_noticed"]),
    (
        18,
        "guessing credentials",
        &[
            "tests/limits.rs::guessing_keys_is_slow_and_keeps_nobody_out",
            "tests/authority_pages.rs::passwords_are_not_guessed",
        ],
    ),
    (19, "floods of registrations", &["tests/authority.rs::clients_register_within_what_the_files_allow"]),
    (
        20,
        "tokens in files and logs",
        &[
            "tests/canary.rs::no_secret_is_in_files_logs_or_answers",
            "tests/keys.rs::no_token_is_kept_or_shown_again",
            "tests/authority.rs::nothing_that_is_kept_opens_anything",
        ],
    ),
    (21, "a key that leaked", &["tests/keys.rs::a_key_lives_from_its_making_to_its_revocation"]),
    (
        23,
        "arguments that lead elsewhere",
        &[
            "tests/rest_safety.rs::no_value_climbs_out_of_its_place",
            "tests/rest_safety.rs::no_value_leads_to_another_place",
        ],
    ),
    (
        24,
        "documents that strangers name",
        &[
            "tests/documents.rs::nobody_is_asked_who_is_not_on_the_open_internet",
            "tests/documents.rs::a_document_that_is_not_right_sends_nobody_anywhere",
            "src/upstream/rest/fetch.rs::an_address_out_of_a_document_leads_nowhere_inside",
            "src/upstream/rest/fetch.rs::a_name_that_leads_inside_is_not_even_connected_to",
        ],
    ),
    (
        25,
        "redirects",
        &["tests/rest_safety.rs::redirects_are_followed_within_the_origin_only_and_credentials_below_the_base_only"],
    ),
    (
        26,
        "headers of the caller that go on",
        &[
            "tests/rest_safety.rs::only_declared_headers_go_out_and_no_value_adds_one",
            "tests/serve.rs::the_callers_credential_reaches_its_source_and_no_other",
        ],
    ),
    (27, "line breaks in headers", &["tests/rest_safety.rs::only_declared_headers_go_out_and_no_value_adds_one"]),
    (
        28,
        "credentials passed on",
        &[
            "tests/check/MB0656-no-verifier",
            "tests/check/MB0657-two-origins",
            "tests/check/MB0805-passthrough-of-a-token",
            "tests/passthrough.rs::what_the_specification_forbids_is_said_by_check_and_at_each_start",
        ],
    ),
    (
        29,
        "writes through tools that read",
        &[
            "src/upstream/sql/tests/writes.rs::the_engine_asks_before_it_compiles",
            "tests/escapes.rs::postgresql_keeps_reads_from_writing",
            "tests/check/MB0605-not-permitted",
        ],
    ),
    (30, "SQL in arguments", &["src/upstream/sql/tests/values.rs::arguments_go_in_by_what_they_are"]),
    (
        31,
        "statements without an end",
        &[
            "src/upstream/sql/tests/life.rs::a_statement_that_takes_too_long_is_stopped",
            "tests/postgres.rs::rows_bytes_and_time_are_bounded",
        ],
    ),
    (
        32,
        "slow, large, deep and many",
        &[
            "tests/threats.rs::many_who_never_finish_keep_nobody_out",
            "tests/threats.rs::a_connection_of_http_2_is_bounded",
            "tests/hostile.rs::large_messages_have_their_stated_answers",
            "src/serve/tests.rs::a_client_that_does_not_go_on_is_closed",
            "src/serve/tests.rs::one_address_cannot_take_every_place",
        ],
    ),
    (
        33,
        "made-up people",
        &[
            "tests/limits.rs::people_share_what_their_caller_has_and_made_up_ones_win_nothing",
            "tests/limits.rs::a_person_is_believed_of_a_caller_that_is",
            "src/engine/limiter.rs::a_flood_of_keys_takes_no_memory_and_those_that_are_busy_stay_counted",
            "tests/check/MB0662-people-made-up",
        ],
    ),
    (34, "forged lines in logs", &["tests/canary.rs::no_secret_is_in_files_logs_or_answers"]),
    (35, "tools that are too much together", &["tests/check/MB0660-three-at-once"]),
    (
        36,
        "words of tools that change",
        &["tests/audit.rs::what_models_are_told_of_tools_has_a_digest_that_changes_with_it"],
    ),
    (
        37,
        "no record",
        &[
            "tests/audit.rs::what_cannot_be_recorded_is_not_done",
            "tests/audit.rs::every_decision_and_every_call_is_told_without_a_value",
        ],
    ),
    (38, "secrets in files", &["tests/check/MB0804-"]),
];

/// A row about what is not in the tree: a vault of credentials and its key.
const WITHOUT: &[u8] = &[22];
/// Row 39 is held where there is a network (`deny.toml`); of row 40 it is decided that the loopback
/// needs no credential unless the file asks for one (bridge-format.md, `listen`).
const ELSEWHERE: &[u8] = &[39, 40];

#[test]
fn every_row_has_its_proof() {
    let mut lost = Vec::new();
    for (row, threat, proofs) in ROWS {
        for proof in *proofs {
            if !is_there(proof) {
                lost.push(format!("row {row}, {threat}: {proof}"));
            }
        }
    }
    assert!(lost.is_empty(), "\n{}", lost.join("\n"));
    let mut rows: Vec<u8> = ROWS.iter().map(|(row, ..)| *row).chain(WITHOUT.iter().chain(ELSEWHERE).copied()).collect();
    rows.sort_unstable();
    assert_eq!(rows, (1..=40).collect::<Vec<_>>(), "each row stands in one place");
}

/// Whether a proof is in the tree: `file::test`, by the name of a function or the words of a check of another
/// language, or the beginning of a folder's name.
pub(crate) fn is_there(proof: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some((file, test)) = proof.split_once("::") else {
        return folders(&root.join("tests/check")).iter().any(|name| format!("tests/check/{name}").starts_with(proof));
    };
    let is_rust = Path::new(file).extension().is_some_and(|it| it == "rs");
    let wanted = if is_rust { format!("fn {test}(") } else { test.to_owned() };
    fs::read_to_string(root.join(file)).is_ok_and(|text| text.contains(&wanted))
}

fn folders(path: &Path) -> Vec<String> {
    fs::read_dir(path).unwrap().map(|it| it.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

const KEY: &str = "a-key-of-this-test-alone";

fn bridge(api: &str, auth: &str) -> String {
    format!(
        "bridge: desk\nsources:\n  api: {{ rest: {{ base_url: \"{api}\", auth: {{ passthrough: {{ from: authorization }} }} }} }}\n  open: {{ rest: \"{api}\" }}\n\
         tools: {{ look: {{ description: Looks., rest: {{ source: open, get: /echo/look }} }}, mine: {{ description: Mine., rest: {{ source: api, get: /echo/mine }} }} }}\n\
         server:\n  public_url: https://mcp.shop.example\n  auth:\n{auth}"
    )
}

async fn desk(auth: &str) -> (Served, crate::support::Upstream) {
    let api = upstream().await;
    (serve(&[("desk.yaml", &bridge(&api.url(), auth))], &[("KEY", KEY)]).await, api)
}

const KEYS: &str = "    api_keys: { store: true, header: x-api-key, static: [{ name: ci, value: \"${KEY}\" }] }\n";
/// This upstream vouches for nobody.
const PROBE: &str = "    passthrough: { verify: { source: api, get: /status/401 } }\n";
/// An issuer that is not there.
const ISSUER: &str =
    "    oauth: { mode: resource_server, issuers: [{ issuer: \"http://127.0.0.1:9\", audiences: [a] }] }\n";

#[tokio::test]
async fn only_what_is_public_answers_strangers() {
    let (server, api) = desk(KEYS).await;
    for method in ["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"] {
        for path in [
            "/",
            "/mcp",
            "/mcp/desk",
            "/mcp/",
            "/mcp/no",
            "/sse",
            "/sse/desk",
            "/messages",
            "/messages?sessionId=x",
            "/healthz",
            "/readyz",
            "/metrics",
            "/admin",
            "/console",
            "/oauth/token",
            "/token",
            "/register",
            "/authorize",
            "/consent",
            "/login",
            "/.well-known/oauth-protected-resource",
            "/.well-known/oauth-protected-resource/mcp",
            "/.well-known/oauth-authorization-server",
            "/.well-known/openid-configuration",
            "//mcp",
            "/%6dcp",
            "/mcp/../mcp",
        ] {
            let head = format!(
                "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\naccept: application/json, text/event-stream\r\ncontent-type: application/json\r\n"
            );
            let body = call_message("look", &json!({})).to_string();
            let body = if matches!(method, "GET" | "HEAD" | "OPTIONS") { String::new() } else { body };
            let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
            let told = raw(server.address, request.as_bytes()).await;
            let is_public = matches!(path, "/healthz" | "/readyz");
            assert_eq!(
                told.status < 400,
                is_public && matches!(method, "GET" | "HEAD"),
                "{method} {path}: {} {}",
                told.status,
                told.body
            );
        }
    }
    assert!(api.seen().is_empty(), "no tool ran");
}

/// Credentials that nobody issued: mutations of those that somebody did, and forms of other kinds.
fn made_up() -> Vec<String> {
    let mut all: Vec<String> =
        vec![String::new(), " ".into(), ".".into(), "..".into(), "a.b.c".into(), "null".into(), "undefined".into()];
    for known in
        [KEY, "mcb_pat_0123456789abcdefghijABCDEFGHIJabcdefghijklmn", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ."]
    {
        for cut in 0..known.len() {
            all.push(known[..cut].to_owned());
            let mut changed = known.to_owned();
            let other = if known.as_bytes()[cut] == b'x' { "y" } else { "x" };
            changed.replace_range(cut..=cut, other);
            all.push(changed);
        }
        all.extend([
            format!("{known} "),
            format!("{known},{known}"),
            known.to_uppercase(),
            format!("{known}\t{known}"),
        ]);
    }
    all.retain(|text| text.trim() != KEY);
    all
}

#[tokio::test]
async fn no_text_that_was_not_issued_is_a_credential() {
    let limit = "  rate_limit: { per_ip_unauthenticated: 100000/s }\n";
    for (auth, may_be_unknown) in [
        (KEYS.to_owned(), false),
        (PROBE.to_owned(), false),
        (ISSUER.to_owned(), true),
        (format!("{KEYS}{PROBE}"), false),
        (format!("{KEYS}{ISSUER}"), true),
    ] {
        // A token in `Authorization` is never passed on beside an issuer.
        let auth = format!("{auth}{limit}");
        let api = upstream().await;
        let file = bridge(&api.url(), &auth);
        let file =
            if may_be_unknown { file.replace("passthrough: { from: authorization }", "none: true") } else { file };
        let server = serve(&[("desk.yaml", &file)], &[("KEY", KEY)]).await;
        for text in made_up() {
            for header in ["authorization", "x-api-key"] {
                let value = if header == "authorization" { format!("Bearer {text}") } else { text.clone() };
                let told = Post::new(call_message("look", &json!({})).to_string())
                    .header(header, &value)
                    .send(server.address)
                    .await;
                let expected = if may_be_unknown && told.status == 503 { 503 } else { 401 };
                assert_eq!(told.status, expected, "{auth} {header}: {value:?}: {}", told.body);
            }
        }
        assert!(api.seen().iter().all(|seen| !seen.target.starts_with("/echo")), "no tool ran");
    }
}

#[tokio::test]
async fn browsers_are_told_to_stay_with_tls_where_there_is_any() {
    let (server, api) = desk(KEYS).await;
    let sealed = |told: &crate::support::Response| told.header("strict-transport-security").map(str::to_owned);
    let told = server.post(&call_message("look", &json!({}))).send(server.address).await;
    assert_eq!((told.status, sealed(&told).as_deref()), (401, Some("max-age=31536000")));
    let plain = bridge(&api.url(), KEYS).replace("  public_url: https://mcp.shop.example\n", "");
    let server = serve(&[("desk.yaml", &plain)], &[("KEY", KEY)]).await;
    assert_eq!(sealed(&server.post(&call_message("look", &json!({}))).send(server.address).await), None);
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Frames as they come in: kind and content. Ends with the connection.
async fn frames(stream: &mut TcpStream) -> Vec<(u8, Vec<u8>)> {
    let mut all = Vec::new();
    let mut head = [0; 9];
    while stream.read_exact(&mut head).await.is_ok() {
        let mut content = vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
        if stream.read_exact(&mut content).await.is_err() {
            break;
        }
        all.push((head[3], content));
    }
    all
}

#[tokio::test]
async fn a_connection_of_http_2_is_bounded() {
    let (server, _) = desk(KEYS).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // Requests that are taken back at once: the server ends the connection instead of going along.
    let fields = b"\x82\x86\x04\x08/healthz\x01\x09localhost";
    let mut flood = PREFACE.to_vec();
    for stream in (1_u32..8001).step_by(2) {
        flood.extend_from_slice(&[0, 0, u8::try_from(fields.len()).unwrap(), 1, 5]);
        flood.extend_from_slice(&stream.to_be_bytes());
        flood.extend_from_slice(fields);
        flood.extend_from_slice(&[0, 0, 4, 3, 0]);
        flood.extend_from_slice(&stream.to_be_bytes());
        flood.extend_from_slice(&8_u32.to_be_bytes());
    }
    // The server may close before it has read all of it.
    let _ = stream.write_all(&flood).await;
    let told = frames(&mut stream).await;
    let (_, settings) = told.iter().find(|(kind, _)| *kind == 4).expect("settings");
    let setting = |number: u8| {
        let found = settings.chunks_exact(6).find(|it| it[..2] == [0, number]);
        found.map(|it| u32::from_be_bytes([it[2], it[3], it[4], it[5]]))
    };
    assert_eq!(setting(3), Some(64), "requests at once");
    assert_eq!(setting(6), Some(64 << 10), "bytes of a head");
    let (_, away) = told.iter().find(|(kind, _)| *kind == 7).expect("the end of the connection");
    assert_eq!(away[4..8], 11_u32.to_be_bytes(), "because of too many");
}

#[tokio::test]
async fn many_who_never_finish_keep_nobody_out() {
    let (server, _) = desk(KEYS).await;
    let mut slow = Vec::new();
    for number in 0..500 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        // Some stop within the head, some within the body of a request that would be let in.
        let begun = match number % 2 {
            0 => "POST /mcp HTTP/1.1\r\nhost: localhost\r\nx-slow: ".to_owned(),
            _ => format!(
                "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\ncontent-length: 1000000\r\n\r\n{{"
            ),
        };
        stream.write_all(begun.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let told = server
        .post(&call_message("look", &json!({})))
        .header("authorization", &format!("Bearer {KEY}"))
        .send(server.address)
        .await;
    assert_eq!((told.status, told.json()["result"].get("isError")), (200, None::<&Value>), "{}", told.body);
    drop(slow);
}
