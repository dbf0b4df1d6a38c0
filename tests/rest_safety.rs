//! What an argument or an answer can make a tool do, which is nothing that its author did not
//! write. A recorder stands where attackers would want requests to go, and stays alone; another
//! one keeps every request that was sent (rest.md §9.1, auth.md §4.3 and §4.4).

use serde_json::{Value, json};

use crate::support::{Served, Upstream, serve, upstream};

const BRIDGE: &str = r#"
bridge: safety
sources:
  api:
    rest:
      base_url: "${API}/bin"
      headers: { X-Fixed: always }
      query: { version: "2" }
      auth: { bearer: "${TOKEN}" }
  key: { rest: { base_url: "${API}/bin", auth: { api_key: { header: X-Api-Key, value: "${TOKEN}" } }, redirects: same_origin } }
  query_key: { rest: { base_url: "${API}/bin", auth: { api_key: { query: key, value: "${TOKEN}" } }, redirects: same_origin } }
tools:
  one: { description: One., params: { x: { type: string, description: X. } }, rest: { source: api, get: "/one/{x}/end" } }
  mixed: { description: Mixed., params: { x: { type: string, description: X. } }, rest: { source: api, get: "/v-{x}.json" } }
  rest: { description: Rest., params: { x: { type: string, description: X. } }, rest: { source: api, get: "/rest/{x*}" } }
  pair:
    description: Two in one.
    params: { x: { type: string, description: X. }, y: { type: string, description: Y. } }
    rest: { source: api, get: "/{x}{y}/end" }
  delete: { description: Deletes., params: { x: { type: string, description: X. } }, rest: { source: api, delete: "/users/{x}" } }
  query:
    description: Query.
    params: { x: { type: string, description: X. } }
    rest: { source: api, get: /query, query: { x: "{{x}}", mixed: "a {{x}} b" } }
  header:
    description: Header.
    params: { x: { type: string, description: X. } }
    rest: { source: api, get: /header, headers: { X-Own: "{{x}}" } }
  body:
    description: Body.
    params: { x: { type: string, description: X. } }
    rest: { source: api, post: /body, json: { x: "{{x}}", mixed: "a {{x}} b" } }
  hop: { description: Hops., params: { n: { type: integer, description: N. } }, rest: { source: key, get: "/hop/{n}" } }
  hop_query: { description: Hops., rest: { source: query_key, get: /hop/1 } }
  hop_post: { description: Hops., rest: { source: key, post: /hop/1 } }
  to_key:
    description: Elsewhere.
    params: { url: { type: string, description: Where. }, status: { type: integer, default: 302, description: Status. } }
    rest: { source: key, get: "/redirect-to/{status}", query: { url: "{{url}}" }, headers: { X-Own: mine }, cookies: { sid: mine } }
  to_query_key:
    description: Elsewhere.
    params: { url: { type: string, description: Where. } }
    rest: { source: query_key, get: /redirect-to/302, query: { url: "{{url}}" } }
  to_api:
    description: Elsewhere.
    params: { url: { type: string, description: Where. } }
    rest: { source: api, get: /redirect-to/302, query: { url: "{{url}}" } }
"#;
const TOKEN: &str = "upstream-token-of-this-test";

/// The API, the host that nothing may reach, and the server.
async fn bridge() -> (Upstream, Upstream, Served) {
    let (api, evil) = (upstream().await, upstream().await);
    let server = serve(&[("safety.yaml", BRIDGE)], &[("API", &api.url()), ("TOKEN", TOKEN)]).await;
    (api, evil, server)
}

/// Values that climb, split or hide, in every spelling that some server on the way understands.
const CLIMBING: [&str; 34] = [
    "",
    ".",
    "..",
    "%2e",
    "%2e%2e",
    "%2E%2e",
    ".%2e",
    "%252e%252e",
    "%25252e%25252e",
    "../admin",
    "..%2fadmin",
    "..%5cadmin",
    "..%255cadmin",
    "..\\admin",
    "a/../../admin",
    "a\\..\\..\\admin",
    "a/./b",
    "%2e%2e%2fadmin",
    "%2e%2e/%2e%2e/x",
    "..;/admin",
    "..;x=1/admin",
    ".. ",
    "\t../admin",
    ".\t./admin",
    ".\n./admin",
    "%c0%ae%c0%ae/admin",
    "%e0%80%ae%e0%80%ae/admin",
    "a%00",
    "a\0b",
    "a%0d%0aX-Evil: 1",
    "a\r\nX-Evil: 1",
    "a%250d%250aX",
    "\u{7f}",
    "\u{85}..",
];

#[tokio::test]
async fn no_value_climbs_out_of_its_place() {
    let (api, evil, server) = bridge().await;
    for value in CLIMBING {
        for tool in ["one", "rest", "delete"] {
            let text = server.error(tool, &json!({ "x": value })).await;
            assert!(text.contains("`x`") && (value.len() < 4 || !text.contains(value)), "{tool} {value:?}: {text}");
        }
    }
    for (x, y) in [(".", "."), ("%2e", "."), ("", "x"), ("%", "2e%2e")] {
        server.error("pair", &json!({ "x": x, "y": y })).await;
    }
    assert!(api.seen().is_empty() && evil.seen().is_empty());
}

#[tokio::test]
async fn no_value_leads_to_another_place() {
    let (api, evil, server) = bridge().await;
    let host = evil.url().replace("http://", "");
    for (tool, value, expected) in [
        ("one", format!("http://{host}/x"), format!("/bin/one/http:%2F%2F{host}%2Fx/end?version=2")),
        ("one", format!("//{host}"), format!("/bin/one/%2F%2F{host}/end?version=2")),
        ("one", format!("@{host}"), format!("/bin/one/@{host}/end?version=2")),
        ("one", format!("\\\\{host}"), format!("/bin/one/%5C%5C{host}/end?version=2")),
        ("one", "a?x=1#f".into(), "/bin/one/a%3Fx%3D1%23f/end?version=2".into()),
        ("one", "a/b".into(), "/bin/one/a%2Fb/end?version=2".into()),
        ("one", "a;b".into(), "/bin/one/a%3Bb/end?version=2".into()),
        ("one", "...".into(), "/bin/one/.../end?version=2".into()),
        ("one", "{{x}} ${TOKEN}".into(), "/bin/one/%7B%7Bx%7D%7D%20%24%7BTOKEN%7D/end?version=2".into()),
        ("mixed", "..".into(), "/bin/v-...json?version=2".into()),
        ("rest", format!("a/@{host}"), format!("/bin/rest/a/@{host}?version=2")),
        (
            "query",
            "1&version=3#f".into(),
            "/bin/query?x=1%26version%3D3%23f&mixed=a%201%26version%3D3%23f%20b&version=2".into(),
        ),
        (
            "query",
            "\r\nX-Evil: 1".into(),
            "/bin/query?x=%0D%0AX-Evil%3A%201&mixed=a%20%0D%0AX-Evil%3A%201%20b&version=2".into(),
        ),
        (
            "query",
            "{{x}}${TOKEN}".into(),
            "/bin/query?x=%7B%7Bx%7D%7D%24%7BTOKEN%7D&mixed=a%20%7B%7Bx%7D%7D%24%7BTOKEN%7D%20b&version=2".into(),
        ),
    ] {
        let before = api.seen().len();
        server.call(tool, &json!({ "x": value })).await;
        if value == ".." {
            // What stands around it does not make it harmless.
            assert_eq!(api.seen().len(), before);
            continue;
        }
        assert_eq!(api.last().target, expected, "{tool} {value:?}");
    }
    assert!(evil.seen().is_empty());
}

#[tokio::test]
async fn only_declared_headers_go_out_and_no_value_adds_one() {
    let (api, _, server) = bridge().await;
    for value in ["a\r\nx-evil: 1", "a\nb", "a\0b", "ü", "\u{7f}", "a\tb", &"x".repeat(9000)] {
        let text = server.error("header", &json!({ "x": value })).await;
        assert!(text.contains("`x-own`"), "{text}");
    }
    assert!(api.seen().is_empty());
    server.call("header", &json!({ "x": "Bearer x; Host: evil" })).await;
    let mut names: Vec<_> = api.last().headers.keys().map(ToString::to_string).collect();
    names.sort();
    assert_eq!(names, ["accept", "authorization", "host", "user-agent", "x-fixed", "x-own"]);
    assert_eq!(api.last().header("x-own"), Some("Bearer x; Host: evil"));
}

#[tokio::test]
async fn values_are_put_in_once_and_never_read_again() {
    let (api, _, server) = bridge().await;
    for value in [
        "\"",
        "\\",
        "a\nb",
        "</script>",
        "{{x}}",
        "{{{x}}}",
        "${TOKEN}",
        "$${TOKEN}",
        "\u{2028}",
        "\u{0}",
        "\",\"admin\":\"",
    ] {
        server.call("body", &json!({ "x": value })).await;
        let sent: Value = serde_json::from_str(&api.last().body).expect("JSON");
        assert_eq!(sent, json!({ "x": value, "mixed": format!("a {value} b") }), "{value:?}");
    }
    // A lone surrogate is no text in any language.
    let message =
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"body","arguments":{"x":"\ud800"}}}"#;
    let before = api.seen().len();
    let response =
        crate::support::Post::new(message).header("mcp-protocol-version", "2025-06-18").send(server.address).await;
    assert!(!response.body.contains("\"content\":[{\"type\":\"text\",\"text\":\"{"), "{}", response.body);
    assert_eq!(api.seen().len(), before);
}

#[tokio::test]
async fn redirects_are_followed_within_the_origin_only_and_credentials_below_the_base_only() {
    let (api, evil, server) = bridge().await;
    assert_eq!(server.text("hop", &json!({ "n": 2 })).await, r#"{"arrived":true}"#);
    let seen = api.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|it| it.header("x-api-key") == Some(TOKEN)));
    assert!(server.error("hop", &json!({ "n": 9 })).await.contains("more redirects"));
    assert!(server.error("hop_post", &json!({})).await.contains("not followed"));

    // What was reflected of a key in the query is not taken for the key.
    server.text("hop_query", &json!({})).await;
    assert_eq!(api.last().target, format!("/bin/hop/0?x=1&key={TOKEN}"));

    // Elsewhere on the same host: nothing that was declared goes along.
    server.text("to_key", &json!({ "url": "/elsewhere?a=1#f" })).await;
    let last = api.last();
    assert_eq!(last.target, "/elsewhere?a=1");
    let mut names: Vec<_> = last.headers.keys().map(ToString::to_string).collect();
    names.sort();
    assert_eq!(names, ["accept", "host", "user-agent"]);
    server.text("to_query_key", &json!({ "url": format!("{}/binary?key={TOKEN}&b=2", api.url()) })).await;
    assert_eq!(api.last().target, "/binary?b=2");

    let before = api.seen().len();
    let host = evil.url().replace("http://", "");
    let port = host.rsplit(':').next().unwrap_or_default();
    let targets = [
        evil.url(),
        format!("//{host}/x"),
        format!("\\\\{host}\\x"),
        format!("https://{host}/x"),
        format!("http://localhost:{port}/x"),
        format!("http://user:pw@{}/x", api.url().replace("http://", "")),
        "ftp://127.0.0.1/x".into(),
        "file:///etc/passwd".into(),
        "javascript:alert(1)".into(),
    ];
    for (count, url) in targets.iter().enumerate() {
        for status in [301, 303, 307] {
            let text = server.error("to_key", &json!({ "url": url, "status": status })).await;
            assert!(text.contains("not followed") && !text.contains(&host), "{url}: {text}");
        }
        assert_eq!(api.seen().len(), before + 3 * (count + 1), "{url}");
    }
    assert!(server.error("to_api", &json!({ "url": "/bin/hop/0" })).await.contains("to the same host"));
    assert!(evil.seen().is_empty(), "{:?}", evil.seen());
}

#[tokio::test]
async fn the_environment_names_no_proxy_and_no_address() {
    let (api, evil) = (upstream().await, upstream().await);
    let folder = tempfile::TempDir::new().expect("a folder");
    let bridge = format!(
        "bridge: b\nsources:\n  plain: {{ rest: \"{}\" }}\n  tls: {{ rest: \"https://api.invalid\" }}\ntools:\n  \
         plain: {{ description: P., rest: {{ source: plain, get: /items/1 }} }}\n  \
         tls: {{ description: T., rest: {{ source: tls, get: /items/1 }} }}\n",
        api.url()
    );
    std::fs::write(folder.path().join("b.yaml"), bridge).expect("the folder can be written");
    for (tool, code) in [("plain", 0), ("tls", 1)] {
        let (folder, proxy) = (folder.path().to_owned(), evil.url());
        let run = move || {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mcp-bridge"));
            command.args(["call", "b.yaml", tool]).current_dir(folder).env_clear();
            for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
                command.env(name, &proxy);
            }
            command.output().expect("the program can be started")
        };
        let output = tokio::task::spawn_blocking(run).await.expect("no panic");
        assert_eq!(output.status.code(), Some(code), "{tool}: {output:?}");
    }
    assert_eq!((api.seen().len(), evil.seen().len()), (1, 0));
}
