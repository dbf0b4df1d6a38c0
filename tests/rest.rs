//! REST tools against a stand-in upstream: what goes out, and what the model reads.

use serde_json::{Value, json};

use crate::support::{Served, Upstream, serve, upstream};

const BRIDGE: &str = r#"
bridge: rest
sources:
  api:
    rest:
      base_url: ${API}
      headers: { X-Fixed: always }
      query: { version: "2" }
      auth: { bearer: "${TOKEN}" }
      max_response: 64KiB
  basic: { rest: { base_url: "${API}/echo", auth: { basic: { username: svc, password: "${TOKEN}" } } } }
  header: { rest: { base_url: "${API}/echo", auth: { api_key: { header: X-Api-Key, value: "${TOKEN}" } } } }
  query: { rest: { base_url: "${API}/echo", auth: { api_key: { query: key, value: "${TOKEN}" } } } }
tools:
  get_item:
    description: One item.
    params: { id: { type: integer, minimum: 1, description: Number. } }
    rest: { source: api, get: "/items/{id}", errors: { 404: "There is no item {{id}}." } }
  list_items:
    description: All items.
    params:
      max: { type: integer, required: false, description: How many. }
      tags: { type: array, items: { type: string }, required: false, description: Tags. }
      joined: { type: array, items: { type: string }, required: false, description: Joined. }
    rest:
      source: api
      get: /items
      query: { limit: "{{max}}", tag: "{{tags}}", joined: { value: "{{joined}}", style: form, explode: false }, fixed: "a b&c" }
    output: { select: "$.data[*]", fields: { number: $.id, label: $.name, missing: $.none }, max_items: 3 }
  create:
    description: Creates.
    params:
      name: { type: string, description: Name. }
      price: { type: number, required: false, description: Price. }
      labels: { type: array, items: { type: string }, required: false, description: Labels. }
      dry: { type: boolean, default: false, description: Dry. }
    rest: { source: api, post: /items, query: { dry: "{{dry}}" }, json: "{{args}}" }
  update:
    description: Updates.
    params:
      id: { type: integer, description: Number. }
      name: { type: string, required: false, description: Name. }
      note: { type: string, required: false, description: Note. }
    rest:
      source: api
      put: "/echo/items/{id}"
      headers: { X-Note: "note {{note}}" }
      json: { item: { id: "{{id}}", name: "{{name}}" }, text: "{{name}}!", fixed: [1, true, null] }
  path:
    description: Paths.
    params: { one: { type: string, description: One. }, rest: { type: string, description: Rest. } }
    rest: { source: api, get: "/echo/v-{one}.json/{rest*}" }
  status:
    description: Statuses.
    params: { code: { type: integer, description: Status. } }
    rest: { source: api, get: "/status/{code}" }
  accept_404:
    description: Takes 404.
    rest: { source: api, get: /status/404, success: [2xx, 404] }
  redirect: { description: Redirects., rest: { source: api, get: /redirect } }
  big: { description: Too big., rest: { source: api, get: /big/200 } }
  cut: { description: Cut., rest: { source: api, get: /big/50 }, output: { select: $.rows, max_bytes: 4KiB } }
  table: { description: Table., rest: { source: api, get: /items }, output: { select: "$.data[0:2]", format: table } }
  told:
    description: Told.
    params: { id: { type: integer, description: Number. } }
    rest: { source: api, get: "/items/{id}" }
    output: { template: "{{body.sku}} has {{#each body.tags}}[{{this}}]{{/each}} for {{caller.name}} ({{status}})" }
  html: { description: Page., rest: { source: api, get: /kind/text/html } }
  broken: { description: Broken., rest: { source: api, get: /kind/application/json }, output: { select: $.x } }
  page: { description: Page., rest: { source: api, get: /kind/application/json-page } }
  fields_of_page: { description: Page., rest: { source: api, get: /kind/text/html }, output: { fields: { a: $.a } } }
  torn: { description: Torn., rest: { source: api, get: /kind/application/json } }
  promised:
    description: Promises.
    rest: { source: api, get: /items/1 }
    output: { schema: { type: object, properties: { id: { type: string } }, required: [id] } }
  as_basic: { description: Basic., rest: { source: basic, get: /me } }
  as_header: { description: Header., rest: { source: header, get: /me } }
  as_query: { description: Query., params: { q: { type: string, description: Q. } }, rest: { source: query, get: /me, query: { q: "{{q}}" } } }
"#;
const TOKEN: &str = "upstream-token-of-this-test";

async fn bridge() -> (Upstream, Served) {
    let api = upstream().await;
    let server = serve(&[("rest.yaml", BRIDGE)], &[("API", &api.url()), ("TOKEN", TOKEN)]).await;
    (api, server)
}

#[tokio::test]
async fn a_body_is_passed_on_as_it_is() {
    let (api, server) = bridge().await;
    let text = server.text("get_item", &json!({ "id": 7 })).await;
    assert_eq!(text, r#"{"id":7,"sku":"SKU-0007","tags":["a","b"],"stock":null}"#);
    let seen = api.last();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/items/7?version=2"));
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!(seen.header("x-fixed"), Some("always"));
    assert!(seen.header("user-agent").is_some_and(|agent| agent.starts_with("mcp-bridge/")));
    let known = ["authorization", "x-fixed", "user-agent", "accept", "accept-encoding", "host"];
    let extra: Vec<_> = seen.headers.keys().filter(|name| !known.contains(&name.as_str())).collect();
    assert!(extra.is_empty(), "only declared headers go out: {extra:?}");
}

#[tokio::test]
async fn values_keep_their_types_and_absent_ones_are_left_out() {
    let (api, server) = bridge().await;
    for (tool, arguments, target, body) in [
        ("list_items", json!({}), "/items?fixed=a%20b%26c&version=2", json!(null)),
        (
            "list_items",
            json!({ "max": "5", "tags": ["x", "y z"], "joined": ["1", "2,3"] }),
            "/items?limit=5&tag=x&tag=y%20z&joined=1,2%2C3&fixed=a%20b%26c&version=2",
            json!(null),
        ),
        (
            "create",
            json!({ "name": "cup", "price": 2.5, "labels": ["a"] }),
            "/items?dry=false&version=2",
            json!({ "name": "cup", "price": 2.5, "labels": ["a"] }),
        ),
        (
            "create",
            json!({ "name": "{{price}} \"${TOKEN}\"", "dry": "true" }),
            "/items?dry=true&version=2",
            json!({ "name": "{{price}} \"${TOKEN}\"" }),
        ),
        (
            "update",
            json!({ "id": 3, "name": "n" }),
            "/echo/items/3?version=2",
            json!({ "item": { "id": 3, "name": "n" }, "text": "n!", "fixed": [1, true, null] }),
        ),
        (
            "update",
            json!({ "id": 3 }),
            "/echo/items/3?version=2",
            json!({ "item": { "id": 3 }, "text": "!", "fixed": [1, true, null] }),
        ),
    ] {
        server.text(tool, &arguments).await;
        let seen = api.last();
        assert_eq!(seen.target, target, "{tool} {arguments}");
        let sent = serde_json::from_str::<Value>(&seen.body).unwrap_or(Value::Null);
        assert_eq!(sent, body, "{tool} {arguments}");
    }
    assert_eq!(api.last().header("x-note"), Some("note"));
}

#[tokio::test]
async fn no_argument_leaves_its_place() {
    let (api, server) = bridge().await;
    for (one, rest, target) in [
        ("a/b", "x", Some("/echo/v-a%2Fb.json/x?version=2")),
        ("ü ?#%", "src/main.rs", Some("/echo/v-%C3%BC%20%3F%23%25.json/src/main.rs?version=2")),
        ("..", "x", None),
        ("a", "../x", None),
        ("a", "x/%2e%2e/y", None),
        ("a", "x/%252e%252e", None),
        ("a", "x\\..\\y", None),
        ("a", "/x", None),
        ("a", "", None),
        ("a\u{0}b", "x", None),
        ("a\r\nX-Evil: 1", "x", None),
        ("", "x", None),
    ] {
        let before = api.seen().len();
        let arguments = json!({ "one": one, "rest": rest });
        if let Some(target) = target {
            server.text("path", &arguments).await;
            assert_eq!(api.last().target, target, "{arguments}");
        } else {
            server.error("path", &arguments).await;
            assert_eq!(api.seen().len(), before, "{arguments} was sent");
        }
    }
    for note in ["a\r\nx-evil: 1", "a\u{0}", "ü"] {
        let before = api.seen().len();
        server.error("update", &json!({ "id": 1, "note": note })).await;
        assert_eq!(api.seen().len(), before, "{note:?} was sent");
    }
}

#[tokio::test]
async fn statuses_become_words_a_model_can_act_on() {
    let (_, server) = bridge().await;
    assert_eq!(server.error("get_item", &json!({ "id": 5000 })).await, "There is no item 5000.");
    for (code, words) in
        [(400, "Told by the API"), (401, "credential"), (403, "credential"), (429, "wait"), (503, "again later")]
    {
        let text = server.error("status", &json!({ "code": code })).await;
        assert!(text.contains(&code.to_string()) && text.contains(words), "{code}: {text}");
    }
    let text = server.error("status", &json!({ "code": 500 })).await;
    assert!(!text.contains("secret-host") && !text.contains('<'), "{text}");
    assert!(server.text("status", &json!({ "code": 204 })).await.contains("204"));
    assert!(server.text("accept_404", &json!({})).await.contains("Told by the API"));
}

#[tokio::test]
async fn redirects_are_not_followed_and_sizes_are_bounded() {
    let (api, server) = bridge().await;
    let text = server.error("redirect", &json!({})).await;
    assert!(text.contains("redirect"), "{text}");
    assert_eq!(api.seen().len(), 1);
    let text = server.error("big", &json!({})).await;
    assert!(text.contains("64 KiB"), "{text}");
    let text = server.text("cut", &json!({})).await;
    let cut: Value = serde_json::from_str(&text).unwrap_or_default();
    let shown = cut["items"].as_array().map_or(0, Vec::len);
    assert!(text.len() <= 4096 && shown == 3, "{} bytes, {shown} items", text.len());
    assert_eq!(cut["truncated"]["of"], 50);
}

#[tokio::test]
async fn one_shaped_value_feeds_text_and_structured_content() {
    let (_, server) = bridge().await;
    let result = server.call("list_items", &json!({})).await;
    let structured = &result["structuredContent"];
    assert_eq!(structured["items"][0], json!({ "number": 1, "label": "Item 1", "missing": null }));
    assert_eq!(structured["truncated"]["shown"], 3);
    let text = result["content"][0]["text"].as_str().unwrap_or_default();
    assert_eq!(serde_json::from_str::<Value>(text).ok().as_ref(), Some(structured));
    assert_eq!(server.text("told", &json!({ "id": 7 })).await, "SKU-0007 has [a][b] for anonymous (200)");
    let table = server.text("table", &json!({})).await;
    assert!(table.contains("| id | name |") && table.contains("| 2 | Item 2 |"), "{table}");
}

#[tokio::test]
async fn other_kinds_of_answer_are_told_apart() {
    let (_, server) = bridge().await;
    assert_eq!(server.text("html", &json!({})).await, "Hello & welcome");
    for tool in ["broken", "torn", "page", "fields_of_page"] {
        let text = server.error(tool, &json!({})).await;
        assert!(text.contains("JSON") && !text.contains("Hello"), "{tool}: {text}");
    }
    assert!(server.error("promised", &json!({})).await.contains("promises"));
}

#[tokio::test]
async fn every_kind_of_credential_stands_where_it_belongs() {
    let (api, server) = bridge().await;
    server.text("as_basic", &json!({})).await;
    assert!(api.last().header("authorization").is_some_and(|value| value.starts_with("Basic c3ZjOn")));
    server.text("as_header", &json!({})).await;
    assert_eq!(api.last().header("x-api-key"), Some(TOKEN));
    assert_eq!(api.last().header("authorization"), None);
    server.text("as_query", &json!({ "q": "x" })).await;
    assert_eq!(api.last().target, format!("/echo/me?q=x&key={TOKEN}"));
}

#[tokio::test]
async fn argument_faults_are_told_all_at_once_and_nothing_is_sent() {
    let (api, server) = bridge().await;
    let text = server.error("create", &json!({ "nam": "x", "price": "cheap", "labels": 3 })).await;
    for part in ["`name`", "`price`", "`labels`", "`nam`"] {
        assert!(text.contains(part), "{part} is not told in: {text}");
    }
    let text = server.error("get_item", &json!({ "id": 0 })).await;
    assert!(text.contains("`id`") && text.contains('1'), "{text}");
    assert!(api.seen().is_empty());
}
