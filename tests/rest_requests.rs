//! What REST tools send, in every form a request can take: styles, cookies, bodies, files.

use serde_json::{Value, json};

use crate::support::{Served, Upstream, serve, upstream};

const BRIDGE: &str = r#"
bridge: requests
sources:
  api: { rest: { base_url: "${API}/echo", query: { version: "2" }, headers: { Accept-Language: en } } }
tools:
  styles:
    description: Every style.
    params:
      ids: { type: array, items: { type: string }, required: false, description: Ids. }
      range:
        type: object
        required: false
        description: Bounds.
        properties:
          gte: { type: number, required: false, description: Least. }
          lt: { type: number, required: false, description: Most. }
    rest:
      get: /styles
      query:
        plain: "{{ids}}"
        comma: { value: "{{ids}}", style: form, explode: false }
        space: { value: "{{ids}}", style: spaceDelimited }
        pipe: { value: "{{ids}}", style: pipeDelimited }
        brackets: { value: "{{ids}}", style: brackets }
        json: { value: "{{ids}}", style: json }
        created: { value: "{{range}}", style: deepObject }
        members: { value: "{{range}}", style: form }
        flat: { value: "{{range}}", style: form, explode: false }
        fields: { value: [id, name], explode: false }
  path:
    description: Paths.
    params:
      office: { type: string, description: Office. }
      x: { type: integer, description: X. }
      y: { type: number, description: Y. }
      file: { type: string, description: File. }
    rest: { get: "/grid/{office}/{x},{y}/forecast/{file*}" }
  cookies:
    description: Cookies.
    params: { region: { type: string, required: false, description: Region. } }
    rest: { get: /cookies, cookies: { consent: "yes", region: "{{region}}", mixed: "r-{{region}}" } }
  form:
    description: A form.
    params:
      email: { type: string, description: Address. }
      plan: { type: string, required: false, nullable: true, description: Plan. }
      tags: { type: array, items: { type: string }, required: false, description: Tags. }
      lines:
        type: array
        required: false
        description: Lines.
        items: { type: object, properties: { sku: { type: string, description: Sku. }, count: { type: integer, description: Count. } } }
    rest:
      post: /form
      form:
        email: "{{email}}"
        metadata: { plan: "{{plan}}", from: bridge }
        tags: "{{tags}}"
        labels: { value: "{{tags}}", style: brackets }
        joined: { value: "{{tags}}", explode: false }
        lines: "{{lines}}"
  form_of_args:
    description: A form of all arguments.
    params:
      id: { type: integer, description: Id. }
      note: { type: string, description: Note. }
      meta: { type: object, additionalProperties: true, required: false, description: More. }
    rest: { put: "/form/{id}", form: "{{args}}" }
  upload:
    description: A file.
    params:
      file: { type: string, format: byte, description: Base64. }
      uri: { type: string, required: false, description: A data URI. }
      name: { type: string, default: report, description: Name. }
      tags: { type: array, items: { type: string }, required: false, description: Tags. }
      csv: { type: string, required: false, description: Text. }
    rest:
      post: /upload
      multipart:
        note: "for {{name}}"
        tags: "{{tags}}"
        file: { value: "{{file}}", filename: "{{name}}.pdf", content_type: application/pdf, max_bytes: 1KiB }
        other: { value: "{{uri}}", filename: other.bin, encoding: base64 }
        table: { value: "{{csv}}", filename: table.csv, content_type: text/csv }
        meta: { value: { name: "{{name}}" }, content_type: application/json }
  xml:
    description: A text body.
    params: { q: { type: string, description: Words. }, n: { type: integer, required: false, description: Number. } }
    rest:
      post: /xml
      text: { content_type: application/xml, template: "<q a=\"{{q}}\" n=\"{{n}}\">{{xml q}}</q>" }
  json_text:
    description: A text body in JSON.
    params: { q: { type: string, description: Words. } }
    rest: { post: /json, text: { content_type: application/vnd.q+json, template: "{\"q\": \"{{q}}\"}" } }
  plain_text:
    description: A text body as it is.
    params: { q: { type: string, description: Words. } }
    rest: { post: /plain, text: { content_type: text/plain; charset=utf-8, template: "{{q}}" } }
  graphql:
    description: GraphQL.
    params:
      id: { type: string, description: Id. }
      first: { type: integer, required: false, description: How many. }
    rest:
      post: /graphql
      graphql:
        query: "query Order($id: ID!, $first: Int) { order(id: $id) { lines(first: $first) { sku } } }"
        variables: { id: "{{id}}", first: "{{first}}" }
        operation: Order
  patch:
    description: A merge patch.
    params:
      id: { type: integer, format: int64, description: Id. }
      big: { type: integer, format: int64, required: false, description: A number. }
      price: { type: number, required: false, description: A number. }
      gone: { type: string, nullable: true, required: false, description: Removes it. }
    rest:
      patch: "/items/{id}"
      headers: { Content-Type: application/merge-patch+json }
      json: { big: "{{big}}", price: "{{price}}", gone: "{{gone}}" }
"#;

async fn bridge() -> (Upstream, Served) {
    let api = upstream().await;
    let server = serve(&[("requests.yaml", BRIDGE)], &[("API", &api.url())]).await;
    (api, server)
}

#[tokio::test]
async fn lists_and_mappings_are_written_in_their_style() {
    let (api, server) = bridge().await;
    let fixed = "fields=id,name&version=2";
    for (arguments, expected) in [
        (json!({}), fixed.to_owned()),
        (json!({ "ids": [] }), format!("json=%5B%5D&{fixed}")),
        (
            json!({ "ids": ["a,b", "7"] }),
            format!(
                "plain=a%2Cb&plain=7&comma=a%2Cb,7&space=a%2Cb%207&pipe=a%2Cb%7C7&brackets%5B%5D=a%2Cb&brackets%5B%5D=7\
                 &json=%5B%22a%2Cb%22%2C%227%22%5D&{fixed}"
            ),
        ),
        (
            json!({ "range": { "lt": 5.5, "gte": 1 } }),
            format!("created%5Blt%5D=5.5&created%5Bgte%5D=1&lt=5.5&gte=1&flat=lt,5.5,gte,1&{fixed}"),
        ),
    ] {
        server.text("styles", &arguments).await;
        assert_eq!(api.last().target, format!("/echo/styles?{expected}"), "{arguments}");
    }
    let before = api.seen().len();
    for ids in [json!(["a b"]), json!(["a|b"])] {
        let text = server.error("styles", &json!({ "ids": ids })).await;
        assert!(text.contains("separates"), "{text}");
    }
    assert_eq!(api.seen().len(), before);
}

#[tokio::test]
async fn several_params_share_a_segment_and_one_fills_several() {
    let (api, server) = bridge().await;
    let arguments = json!({ "office": "L/W X", "x": 31, "y": -97.5, "file": "a b/c.txt" });
    server.text("path", &arguments).await;
    assert_eq!(api.last().target, "/echo/grid/L%2FW%20X/31,-97.5/forecast/a%20b/c.txt?version=2");
}

#[tokio::test]
async fn cookies_stay_in_their_own() {
    let (api, server) = bridge().await;
    server.text("cookies", &json!({ "region": "eu-1" })).await;
    assert_eq!(api.last().header("cookie"), Some("consent=yes; region=eu-1; mixed=r-eu-1"));
    server.text("cookies", &json!({})).await;
    assert_eq!(api.last().header("cookie"), Some("consent=yes; mixed=r-"));
    let before = api.seen().len();
    for region in ["eu; admin=1", "a,b", "a b", "\"", "a\\b", "a\r\nx: 1", "ü", "\u{0}"] {
        let text = server.error("cookies", &json!({ "region": region })).await;
        assert!(text.contains("cookie `region`"), "{text}");
    }
    assert_eq!(api.seen().len(), before);
}

#[tokio::test]
async fn forms_nest_with_brackets() {
    let (api, server) = bridge().await;
    for (tool, arguments, expected) in [
        ("form", json!({ "email": "a@b.c" }), "email=a%40b.c&metadata%5Bfrom%5D=bridge"),
        ("form", json!({ "email": "", "plan": null }), "email=&metadata%5Bfrom%5D=bridge"),
        (
            "form",
            json!({ "email": "a&b=c", "plan": "pro", "tags": ["x", "y z"],
                "lines": [{ "sku": "A", "count": 1 }, { "sku": "B", "count": 2 }] }),
            "email=a%26b%3Dc&metadata%5Bplan%5D=pro&metadata%5Bfrom%5D=bridge&tags=x&tags=y%20z&labels%5B%5D=x\
             &labels%5B%5D=y%20z&joined=x,y%20z&lines%5B0%5D%5Bsku%5D=A&lines%5B0%5D%5Bcount%5D=1\
             &lines%5B1%5D%5Bsku%5D=B&lines%5B1%5D%5Bcount%5D=2",
        ),
        ("form_of_args", json!({ "id": 7, "note": "n", "meta": { "a": [1] } }), "note=n&meta%5Ba%5D=1"),
    ] {
        server.text(tool, &arguments).await;
        let seen = api.last();
        assert_eq!(seen.body, expected, "{arguments}");
        assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
    }
    let before = api.seen().len();
    let arguments = json!({ "id": 7, "note": "n", "meta": { "a][admin": true } });
    assert!(server.error("form_of_args", &arguments).await.contains("bracket"));
    assert_eq!(api.seen().len(), before);
}

/// The parts of a multipart body, each with its head and content.
fn parts(content_type: &str, body: &[u8]) -> Vec<(String, Vec<u8>)> {
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").expect("a boundary");
    let text = body.iter().map(|byte| char::from(*byte)).collect::<String>();
    let mut all = text.split(&format!("--{boundary}")).skip(1).collect::<Vec<_>>();
    assert_eq!(all.pop(), Some("--\r\n"));
    let part = |text: &str| {
        let (head, content) = text.trim_start_matches("\r\n").split_once("\r\n\r\n").expect("a head");
        let content = content.strip_suffix("\r\n").expect("an end");
        (head.to_owned(), content.chars().map(|it| u8::try_from(u32::from(it)).expect("a byte")).collect())
    };
    all.into_iter().map(part).collect()
}

#[tokio::test]
async fn files_are_decoded_named_and_bounded() {
    let (api, server) = bridge().await;
    let arguments = json!({
        "file": "AP8NCg==", "uri": "data:image/png;base64,iVBO Rw", "tags": ["a", "b"], "csv": "a,b\r\n--x",
    });
    server.text("upload", &arguments).await;
    let seen = api.last();
    let found = parts(seen.header("content-type").unwrap_or_default(), &seen.bytes);
    let expected: [(&str, &[u8]); 7] = [
        ("Content-Disposition: form-data; name=\"note\"", b"for report"),
        ("Content-Disposition: form-data; name=\"tags\"", b"a"),
        ("Content-Disposition: form-data; name=\"tags\"", b"b"),
        (
            "Content-Disposition: form-data; name=\"file\"; filename=\"report.pdf\"\r\nContent-Type: application/pdf",
            b"\x00\xFF\r\n",
        ),
        (
            "Content-Disposition: form-data; name=\"other\"; filename=\"other.bin\"\r\nContent-Type: image/png",
            b"\x89PNG",
        ),
        (
            "Content-Disposition: form-data; name=\"table\"; filename=\"table.csv\"\r\nContent-Type: text/csv",
            b"a,b\r\n--x",
        ),
        ("Content-Disposition: form-data; name=\"meta\"\r\nContent-Type: application/json", b"{\"name\":\"report\"}"),
    ];
    let expected = expected.map(|(head, content)| (head.to_owned(), content.to_vec()));
    assert_eq!(found, expected);

    let before = api.seen().len();
    let long = "A".repeat(1400);
    for (arguments, words) in [
        (json!({ "file": "AP8N", "name": "a\"; x=\"" }), "file name"),
        (json!({ "file": "AP8N", "name": "../../etc/passwd" }), "file name"),
        (json!({ "file": "AP8N", "name": "a\r\nX-Evil: 1" }), "file name"),
        (json!({ "file": long }), "1 KiB"),
        (json!({ "file": "AP8N", "uri": "no base64!" }), "base64"),
        (json!({ "file": "AP8N", "uri": "data:text/html" }), "base64"),
    ] {
        let text = server.error("upload", &arguments).await;
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(api.seen().len(), before);
}

#[tokio::test]
async fn text_bodies_escape_for_their_type() {
    let (api, server) = bridge().await;
    let injected = "a\"b\\ <x>&'\n{{q}} ${API} \u{2028}";
    for (tool, content_type, expected) in [
        (
            "xml",
            "application/xml",
            "<q a=\"a&quot;b\\ &lt;x&gt;&amp;&#39;\n{{q}} ${API} \u{2028}\" n=\"\">a&quot;b\\ &lt;x&gt;&amp;&#39;\n{{q}} ${API} \u{2028}</q>",
        ),
        ("json_text", "application/vnd.q+json", "{\"q\": \"a\\\"b\\\\ <x>&'\\n{{q}} ${API} \u{2028}\"}"),
        ("plain_text", "text/plain; charset=utf-8", injected),
    ] {
        server.text(tool, &json!({ "q": injected })).await;
        let seen = api.last();
        assert_eq!((seen.header("content-type"), seen.body.as_str()), (Some(content_type), expected), "{tool}");
    }
}

#[tokio::test]
async fn graphql_sends_its_document_as_it_is() {
    let (api, server) = bridge().await;
    server.text("graphql", &json!({ "id": "x\") { evil } #" })).await;
    let sent: Value = serde_json::from_str(&api.last().body).unwrap_or_default();
    assert_eq!(sent["variables"], json!({ "id": "x\") { evil } #" }));
    assert_eq!(sent["operationName"], "Order");
    assert!(sent["query"].as_str().is_some_and(|query| query.starts_with("query Order(") && !query.contains("evil")));
    let list = server.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await.json();
    let tools = list["result"]["tools"].as_array().cloned().unwrap_or_default();
    let hints = tools.iter().find(|tool| tool["name"] == "graphql").map(|tool| tool["annotations"].clone());
    assert_eq!(hints.unwrap_or_default()["readOnlyHint"], true, "a query reads, although it is sent with POST");
}

#[tokio::test]
async fn numbers_stay_exact_and_null_is_sent_where_it_was_given() {
    let (api, server) = bridge().await;
    for (arguments, target, body) in [
        (
            json!({ "id": 9_007_199_254_740_993_i64, "big": "9223372036854775807", "price": 0.1 }),
            "/echo/items/9007199254740993?version=2",
            r#"{"big":9223372036854775807,"price":0.1}"#,
        ),
        (json!({ "id": "5", "gone": null }), "/echo/items/5?version=2", r#"{"gone":null}"#),
        (json!({ "id": 5 }), "/echo/items/5?version=2", "{}"),
    ] {
        server.text("patch", &arguments).await;
        let seen = api.last();
        assert_eq!((seen.target.as_str(), seen.body.as_str()), (target, body), "{arguments}");
        assert_eq!(seen.header("content-type"), Some("application/merge-patch+json"));
    }
}
