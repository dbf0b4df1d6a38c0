//! Pages: fetched within bounds, or turned by the model; never elsewhere than at the source.

use serde_json::{Value, json};

use crate::support::{Scripted, Served, StandIn, call_message, serve, stand_in};

const BRIDGE: &str = r#"
bridge: pages
sources:
  api: { rest: { base_url: "${API}/v1", query: { fixed: "1" }, auth: { api_key: { query: key, value: "${KEY}" } } } }
tools:
  link: { description: Link., rest: { get: /link, paginate: { next: link } } }
  address: { description: Address., rest: { get: /address, paginate: { next: $.next, items: $.results.all } }, output: { select: $.results.all } }
  cursor: { description: Cursor., rest: { get: /cursor, query: { limit: 3 }, paginate: { next: { cursor: $.meta.next, param: after } } }, output: { select: "$.data[*].id" } }
  more: { description: More., rest: { get: /more, paginate: { next: { cursor: "$.data[-1].id", param: after }, more: $.has_more } }, output: { select: "$.data[*].id" } }
  page: { description: Page., rest: { get: /page, paginate: { next: { page: page, start: 0 } } } }
  offset: { description: Offset., rest: { get: /offset, query: { limit: 3 }, paginate: { next: { offset: skip, size: limit } } } }
  few_pages: { description: Few., rest: { get: /page, paginate: { next: { page: page, start: 0 }, max_pages: 2 } } }
  few_items: { description: Few., rest: { get: /page, paginate: { next: { page: page, start: 0 }, max_items: 4 } }, output: { fields: { id: $.id } } }
  loop: { description: Loop., rest: { get: /loop, paginate: { next: $.next, max_pages: 50 } } }
  failing: { description: Fails., rest: { get: /failing, paginate: { next: { page: page, start: 0 } } }, output: { template: "{{#each body}}{{id}} {{/each}}" } }
  evil: { description: Evil., params: { to: { type: string, description: To. } }, rest: { get: /evil, query: { to: "{{to}}" }, paginate: { next: $.next } } }
  turned:
    description: Turned.
    params: { kind: { type: string, default: all, description: Kind. } }
    rest: { get: /link, query: { kind: "{{kind}}" }, paginate: { next: link, expose: true } }
    output: { fields: { id: $.id } }
  turned_text: { description: Turned., rest: { get: /offset, query: { limit: 3 }, paginate: { next: { offset: skip, size: limit }, expose: true } }, output: { format: table } }
  stepped:
    description: Stepped.
    steps: [{ name: all, rest: { get: /page, paginate: { next: { page: page, start: 0 } } } }]
    output: { select: "$.all[*].id" }
"#;
const KEY: &str = "key of+this test";

fn items(from: usize) -> Vec<Value> {
    (from..(from + 3).min(7)).map(|id| json!({ "id": id })).collect()
}

/// Seven items in pages of three, in every way of naming the next one.
async fn api() -> StandIn {
    stand_in(|seen, _| {
        let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
        let param = |name: &str| {
            let pair = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
            pair.map(str::to_owned)
        };
        let number = |name: &str| param(name).and_then(|text| text.parse::<usize>().ok());
        let at = number("at").unwrap_or(0);
        let own = format!("{path}?fixed=1&key=key%20of%2Bthis%20test&at={}", at + 3);
        let is_last = |from: usize| from + 3 >= 7;
        let body = match path {
            "/v1/link" => {
                let answer = Scripted::json(200, &json!(items(at)));
                let host = seen.header("host").unwrap_or_default();
                let link = format!("<http://{host}/v1/link?at=0>; rel=\"first\", <http://{host}{own}>; rel=\"next\"");
                return if is_last(at) { answer } else { answer.header("link", &link) };
            }
            "/v1/address" => {
                let next = if is_last(at) { json!(null) } else { json!(own) };
                json!({ "next": next, "results": { "all": items(at), "seen": [] } })
            }
            "/v1/cursor" => {
                let from = param("after").and_then(|text| text.strip_prefix("c%20")?.parse().ok()).unwrap_or(0);
                let next = if is_last(from) { json!("") } else { json!(format!("c {}", from + 3)) };
                json!({ "data": items(from), "meta": { "next": next } })
            }
            "/v1/more" => {
                let from = number("after").map_or(0, |last| last + 1);
                json!({ "data": items(from), "has_more": !is_last(from) })
            }
            "/v1/page" => json!(items(number("page").unwrap_or(0) * 3)),
            "/v1/offset" => json!(items(number("skip").unwrap_or(0))),
            "/v1/loop" => json!({ "next": "/v1/loop?at=1", "all": [1] }),
            "/v1/failing" if number("page").is_some_and(|page| page > 0) => {
                return Scripted::json(500, &json!({ "message": "secret-host is down" }));
            }
            "/v1/failing" => json!(items(0)),
            "/v1/evil" => {
                let to = percent(&param("to").unwrap_or_default());
                json!({ "next": to.replace("HOST", seen.header("host").unwrap_or_default()), "all": [1] })
            }
            _ => json!({ "message": "no such page" }),
        };
        Scripted::json(200, &body)
    })
    .await
}

/// Undoes percent-encoding.
fn percent(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digits = [*high, *low];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).expect("ASCII"), 16).expect("digits"));
                rest = tail;
            }
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

async fn bridge() -> (StandIn, Served) {
    let api = api().await;
    let server = serve(&[("pages.yaml", BRIDGE)], &[("API", &api.url()), ("KEY", KEY)]).await;
    (api, server)
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

#[tokio::test]
async fn every_way_of_naming_the_next_page_leads_to_all_items() {
    let whole: Vec<Value> = (0..7).map(|id| json!({ "id": id })).collect();
    let ids: Vec<usize> = (0..7).collect();
    for (tool, expected, requests, last) in [
        ("link", json!(whole), 3, "/v1/link?fixed=1&at=6&key=key%20of%2Bthis%20test"),
        ("address", json!(whole), 3, "/v1/address?fixed=1&at=6&key=key%20of%2Bthis%20test"),
        ("cursor", json!(ids), 3, "/v1/cursor?limit=3&fixed=1&key=key%20of%2Bthis%20test&after=c%206"),
        ("more", json!(ids), 3, "/v1/more?fixed=1&key=key%20of%2Bthis%20test&after=5"),
        ("page", json!(whole), 3, "/v1/page?fixed=1&key=key%20of%2Bthis%20test&page=2"),
        ("offset", json!(whole), 3, "/v1/offset?limit=3&fixed=1&key=key%20of%2Bthis%20test&skip=6"),
        ("stepped", json!(ids), 3, "/v1/page?fixed=1&key=key%20of%2Bthis%20test&page=2"),
    ] {
        let (api, server) = bridge().await;
        assert_eq!(read(&server.text(tool, &json!({})).await), expected, "{tool}");
        let targets = api.targets();
        assert_eq!(targets.len(), requests, "{tool}: {targets:?}");
        assert_eq!(targets.last().map(String::as_str), Some(last), "{tool}");
    }
}

#[tokio::test]
async fn what_is_left_out_is_told_with_the_reason() {
    let (api, server) = bridge().await;
    let few = read(&server.text("few_pages", &json!({})).await);
    assert_eq!(few["items"].as_array().map(Vec::len), Some(6));
    assert!(few["truncated"]["hint"].as_str().is_some_and(|hint| hint.contains("only 2 pages")), "{few}");
    let few = server.call("few_items", &json!({})).await["structuredContent"].clone();
    assert_eq!(few["items"].as_array().map(Vec::len), Some(4));
    assert!(few["truncated"]["hint"].as_str().is_some_and(|hint| hint.contains("only 4 items")), "{few}");
    let before = api.seen().len();
    let looped = read(&server.text("loop", &json!({})).await);
    assert_eq!(api.seen().len() - before, 2, "{looped}");
    assert!(looped["truncated"]["hint"].as_str().is_some_and(|hint| hint.contains("again and again")), "{looped}");
    let text = server.text("failing", &json!({})).await;
    assert!(text.starts_with("0 1 2") && text.contains("status 500") && !text.contains("secret-host"), "{text}");
}

#[tokio::test]
async fn a_next_page_elsewhere_is_never_asked_for() {
    let (api, server) = bridge().await;
    let other = stand_in(|_, _| Scripted::json(200, &json!({ "all": [2] }))).await;
    for (to, fine) in [
        ("/v1/page?page=9", true),
        ("?to=", true),
        (&*format!("{}/v1/page", other.url()), false),
        ("//HOST.evil.example/v1/page", false),
        ("http://user@HOST/v1/page", false),
        ("https://HOST/v1/page", false),
        ("/admin", false),
        ("/v1/../admin", false),
        ("/v1/%2e%2e/admin", false),
        ("/v1\\..\\..\\admin", false),
        ("/v10/page", false),
        ("javascript:alert(1)", false),
    ] {
        let before = api.seen().len();
        let result = server.call("evil", &json!({ "to": to })).await;
        let text = result["content"][0]["text"].as_str().unwrap_or_default();
        assert_eq!(result.get("isError").is_none(), fine, "{to}: {text}");
        assert_eq!(api.seen().len() - before, if fine { 2 } else { 1 }, "{to}");
        assert!(fine || text.contains("not below its own base"), "{to}: {text}");
    }
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn a_model_turns_pages_by_a_cursor_of_its_own() {
    let (api, server) = bridge().await;
    let mut cursor = Value::Null;
    let mut pages = Vec::new();
    let mut cursors = Vec::new();
    loop {
        let arguments = if cursor.is_null() { json!({}) } else { json!({ "cursor": cursor }) };
        let page = server.call("turned", &arguments).await["structuredContent"].clone();
        pages.push(page["items"].as_array().map_or(0, Vec::len));
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
        assert!(!cursor.to_string().contains("key"), "{cursor}");
        cursors.push(cursor.clone());
    }
    assert_eq!((pages, api.seen().len()), (vec![3, 3, 1], 3));
    let text = server.text("turned_text", &json!({})).await;
    assert!(text.contains("| id |") && text.contains("`cursor`: "), "{text}");
    let [first, second] = [&cursors[0], &cursors[1]];
    let forged = format!("{}A", second.as_str().unwrap_or_default());
    for arguments in [
        json!({ "cursor": first, "kind": "other" }),
        json!({ "cursor": forged }),
        json!({ "cursor": "x" }),
        json!({ "cursor": "" }),
        json!({ "cursor": "AAAAAAAAAAAAAAAAAAAAAHsiYXQiOiIvdjEvbGluayJ9" }),
    ] {
        let before = api.seen().len();
        let text = server.error("turned", &arguments).await;
        assert!(text.contains("cursor"), "{arguments}: {text}");
        assert_eq!(api.seen().len(), before, "{arguments}");
    }
    // It belongs to one tool.
    assert!(server.error("turned_text", &json!({ "cursor": first })).await.contains("not valid here"));
    let list = server.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await.json();
    let tools = list["result"]["tools"].as_array().cloned().unwrap_or_default();
    let turned = tools.iter().find(|tool| tool["name"] == "turned").expect("it is listed");
    assert_eq!(turned["inputSchema"]["properties"]["cursor"]["type"], "string");
}

const KEYED: &str = "
server:
  auth: { api_keys: { static: [{ name: ada, value: \"${ADA}\" }, { name: bo, value: \"${BO}\" }] } }
";

#[tokio::test]
async fn a_cursor_is_of_no_use_to_others() {
    let api = api().await;
    let url = api.url();
    let (ada, bo) = ("ada-key-of-this-test-0123456789", "bo-key-of-this-test-0123456789");
    let variables = [("API", url.as_str()), ("KEY", KEY), ("ADA", ada), ("BO", bo)];
    let server = serve(&[("pages.yaml", BRIDGE), ("server.yaml", KEYED)], &variables).await;
    let ask = async |key: &str, arguments: Value| {
        let post = server.post(&call_message("turned", &arguments));
        post.header("authorization", &format!("Bearer {key}")).send(server.address).await.json()["result"].clone()
    };
    let cursor = ask(ada, json!({})).await["structuredContent"]["next_cursor"].clone();
    assert!(cursor.is_string());
    assert_eq!(ask(bo, json!({ "cursor": cursor })).await["isError"], true);
    assert_eq!(ask(ada, json!({ "cursor": cursor })).await.get("isError"), None);
}
