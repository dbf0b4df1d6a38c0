//! What the model reads of an answer, whatever kind it is: content types, charsets, compression,
//! nothing at all, errors with and without a status, pictures and files.

use serde_json::{Value, json};

use crate::support::{PNG, Served, Upstream, serve, upstream};

const BRIDGE: &str = r#"
bridge: answers
sources:
  api: { rest: { base_url: "${API}/bin", max_response: 64KiB } }
tools:
  get: { description: Passes on., params: { name: { type: string, description: Name. } }, rest: { get: "/{name*}" } }
  do: { description: Changes., params: { name: { type: string, description: Name. } }, rest: { post: "/{name*}" } }
  titles:
    description: Of a feed.
    rest: { get: /xml, parse: { xml: { lists: [entry] } } }
    output: { select: "$.feed.entry[*]", fields: { id: "$['@id']", title: $.title } }
  xml_as_text: { description: XML., rest: { get: /xml-as-text, parse: xml }, output: { select: $.feed.entry.title } }
  not_xml: { description: No XML., rest: { get: /csv, parse: xml } }
  rows: { description: Rows., rest: { get: /csv }, output: { fields: { id: $.id, name: $.name } } }
  semicolons:
    description: Rows.
    rest: { get: /semicolons, parse: { csv: { delimiter: ";", columns: [id, name] } } }
    output: { format: table }
  lines: { description: Lines., rest: { get: /ndjson }, output: { select: "$[*].id" } }
  page_as_json: { description: A page., rest: { get: /page-for-json }, output: { select: $.x } }
  text: { description: As text., rest: { get: /csv, parse: text } }
  bytes: { description: As bytes., rest: { get: /csv, parse: binary } }
  picture_as_text: { description: As text., rest: { get: /svg }, output: { content: text } }
  json_as_file: { description: As a file., rest: { get: /untyped }, output: { content: file } }
  slack: { description: Slack., rest: { post: /slack, error_when: { select: $.ok, equals: false } } }
  slack_words:
    description: Slack.
    rest: { post: /slack, error_when: { select: $.error, exists: true }, errors: { 200: "Slack says {{body.error}}." } }
  lacks: { description: Lacks., rest: { get: /people, error_when: { select: $.data, exists: false } } }
  fine: { description: Fine., rest: { get: /slack, error_when: { select: $.ok, equals: true } } }
  graphql: { description: GraphQL., rest: { post: /graphql, graphql: { query: "{ order { total } }" } } }
  graphql_error: { description: GraphQL., rest: { post: /graphql-error, graphql: { query: "{ order { total } }" } } }
  words: { description: Words., rest: { get: /validation, errors: { 422: "Field: {{body.fields.name}} ({{status}})" } } }
  lost_words: { description: Words., rest: { get: /problem, errors: { 4xx: "Field: {{body.fields.name}}" } } }
  people: { description: People., rest: { get: /people }, output: { redact: ["$..ssn", "$[*].salary"] } }
  names: { description: People., rest: { get: /people }, output: { redact: ["$..ssn"], fields: { n: $.name, s: $.ssn } } }
  headers: { description: Headers., rest: { get: /people }, output: { template: "{{headers.x-total}} in all" } }
  cookies: { description: Headers., rest: { get: /people }, output: { template: "{{default headers.set-cookie \"none\"}}" } }
  see_other: { description: Creates., rest: { post: /hop/1, success: [2xx, 303, 302] } }
  moved: { description: Moved., rest: { get: /hop/1, errors: { 302: "It is somewhere else now ({{status}})." } } }
  write_shape: { description: Writes., rest: { post: /page-for-json }, output: { select: $.id } }
  write_schema: { description: Writes., rest: { post: /page-for-json }, output: { fields: { id: $.id } } }
  write_template: { description: Writes., rest: { post: /untyped }, output: { template: "{{body.gone.deep}}" } }
"#;

async fn bridge() -> (Upstream, Served) {
    let api = upstream().await;
    let server = serve(&[("answers.yaml", BRIDGE)], &[("API", &api.url())]).await;
    (api, server)
}

#[tokio::test]
async fn every_kind_of_text_is_read_for_what_it_is() {
    let (_, server) = bridge().await;
    for (name, expected) in [
        ("xml", r#"{"feed":{"entry":{"@id":"1","title":"A & B"}}}"#),
        ("csv", r#"[{"id":"007","name":"Cup, red"},{"id":"8","name":"Pot"}]"#),
        ("ndjson", r#"[{"id":1},{"id":2}]"#),
        ("sse", r#"[{"id":1},{"event":"end","data":"bye"}]"#),
        ("html", "One\n\nTwo & three"),
        ("latin1", "café"),
        ("sjis-json", "{\"n\":\"日\"}"),
        ("utf16", r#"{"n":1}"#),
        ("untyped", r#"{"n":1}"#),
        ("gzip", r#"{"packed":true}"#),
        ("partial", r#"{"part":1}"#),
        ("svg", "<svg/>"),
        ("no-content", "Done: the API answered with status 204 and no content."),
        ("accepted", "Accepted: the API is still working on it (status 202 and no content). See /jobs/7."),
        ("created", "Done: the API answered with status 201 and no content. See /things/9."),
        ("created-elsewhere", "Done: the API answered with status 201 and no content."),
    ] {
        for tool in ["get", "do"] {
            assert_eq!(server.text(tool, &json!({ "name": name })).await, expected, "{tool} {name}");
        }
    }
}

#[tokio::test]
async fn what_is_structured_can_be_shaped() {
    let (_, server) = bridge().await;
    for (tool, expected) in [
        ("titles", r#"{"items":[{"id":"1","title":"A & B"}]}"#),
        ("xml_as_text", "\"A & B\""),
        ("rows", r#"{"items":[{"id":"007","name":"Cup, red"},{"id":"8","name":"Pot"}]}"#),
        ("lines", "[1,2]"),
        ("text", "id,name\n007,\"Cup, red\"\n8,Pot\n"),
        ("picture_as_text", "<svg/>"),
        ("fine", r#"{"ok":false,"error":"channel_not_found"}"#),
        ("graphql", r#"{"data":{"order":{"total":7}}}"#),
        ("headers", "375 in all"),
        ("cookies", "none"),
        // Where what was made stands, as forms answer; the author says that it is no error.
        ("see_other", "Done: the API answered with status 302 and no content. See /hop/0."),
    ] {
        assert_eq!(server.text(tool, &json!({})).await, expected, "{tool}");
    }
    assert!(server.text("semicolons", &json!({})).await.contains("| 7 | Cup |"));
    for (tool, expected) in [
        ("not_xml", "The API was to answer with XML, and what it sent is not valid XML."),
        ("page_as_json", "The API was to answer with JSON, and what it sent is not valid JSON."),
    ] {
        assert_eq!(server.error(tool, &json!({})).await, expected, "{tool}");
    }
}

#[tokio::test]
async fn pictures_sounds_and_files_are_content_of_their_own() {
    let (_, server) = bridge().await;
    let content = async |tool: &str, arguments: Value| server.call(tool, &arguments).await["content"].clone();
    let png = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, PNG);
    assert_eq!(
        content("get", json!({ "name": "png" })).await,
        json!([{ "type": "image", "data": png, "mimeType": "image/png" }])
    );
    assert_eq!(
        content("get", json!({ "name": "wav" })).await,
        json!([{ "type": "audio", "data": "UklGRg==", "mimeType": "audio/wav" }])
    );
    let resource =
        json!({ "uri": "attachment:///Report%207%2Epdf", "mimeType": "application/pdf", "blob": "JVBERi0xLjc=" });
    assert_eq!(
        content("get", json!({ "name": "pdf" })).await,
        json!([{ "type": "text", "text": "Report 7.pdf (application/pdf, 8 bytes)" }, { "type": "resource", "resource": resource }])
    );
    let csv = content("bytes", json!({})).await;
    assert_eq!(csv[1]["resource"]["text"], "id,name\n007,\"Cup, red\"\n8,Pot\n");
    let json = content("json_as_file", json!({})).await;
    assert_eq!(json[1]["resource"]["mimeType"], "application/octet-stream");
}

#[tokio::test]
async fn errors_say_what_the_api_said_and_never_show_its_page() {
    let (_, server) = bridge().await;
    for (tool, name, expected) in [
        ("get", "problem", "GET /{name*} was answered with status 409: Out of stock: None of SKU-7 is left."),
        ("get", "gzip-problem", "GET /{name*} was answered with status 409: Out of stock: None of SKU-7 is left."),
        (
            "do",
            "zstd-error",
            "POST /{name*} was answered with status 502. The fault is on the side of the API; trying again later may help.",
        ),
        (
            "get",
            "error-page",
            "GET /{name*} was answered with status 500. The fault is on the side of the API; trying again later may help.",
        ),
        (
            "get",
            "retry-after/37",
            "GET /{name*} was answered with status 429. The API asks to wait 37 s before the next call.",
        ),
        ("get", "gzip-bomb", "`api` answered with more than 64 KiB, which is the most that is read; ask for less."),
        ("slack", "", "POST /slack was answered with an error: channel_not_found."),
        ("slack_words", "", "Slack says channel_not_found."),
        ("lacks", "", "GET /people was answered with an error."),
        ("graphql_error", "", "POST /graphql-error was answered with an error: No such order."),
        ("words", "", "Field: is too long (422)"),
        ("moved", "", "It is somewhere else now (302)."),
        ("lost_words", "", "GET /problem was answered with status 409: Out of stock: None of SKU-7 is left."),
    ] {
        let arguments = if name.is_empty() { json!({}) } else { json!({ "name": name }) };
        assert_eq!(server.error(tool, &arguments).await, expected, "{tool} {name}");
    }
}

#[tokio::test]
async fn what_must_not_be_shown_is_blotted_out_before_anything_else() {
    let (_, server) = bridge().await;
    assert_eq!(
        server.text("people", &json!({})).await,
        r#"[{"id":1,"name":"Ada","ssn":"[redacted]","salary":null,"address":{"ssn":"[redacted]"}}]"#
    );
    assert_eq!(server.text("names", &json!({})).await, r#"{"items":[{"n":"Ada","s":"[redacted]"}]}"#);
}

#[tokio::test]
async fn a_change_that_was_made_is_never_told_as_a_failure() {
    let (_, server) = bridge().await;
    let text = server.text("write_shape", &json!({})).await;
    assert!(text.starts_with("Done: the API answered with status 200.") && !text.contains("secret-host"), "{text}");
    let text = server.text("write_template", &json!({})).await;
    assert!(text.contains(r#"{"n":1}"#) && text.contains("template"), "{text}");
    // Without what its schema promises a result would be refused by clients: the words must do.
    let text = server.error("write_schema", &json!({})).await;
    assert!(text.starts_with("Done: ") && text.ends_with("Do not make the change again."), "{text}");
}
