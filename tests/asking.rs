//! Questions to the client: rounds of the stateless revision (protocol.md M-02 to M-07).

use serde_json::{Value, json};

use crate::support::{Post, Response, Served, serve};

const BRIDGE: &str = r#"
bridge: talk
tools:
  greet:
    description: Greets.
    params: { style: { type: string, description: How., default: plain } }
    reply:
      - ask: { name: who, message: "Who are you, in {{style}} words?", fields: { name: { type: string, minLength: 2 } } }
      - text: "Hello, {{answers.who.content.name}}!"
  survey:
    description: Asks everybody at once, and then again.
    reply:
      - together:
          - ask: { name: agree, message: Do you agree?, required: false }
          - sample: { name: capital, prompt: What is the capital of France?, max_tokens: 100, system_prompt: Be brief. }
          - roots: { name: places, required: false }
      - ask: { name: colour, message: "A colour for {{answers.capital.text}}?", fields: { colour: { enum: [red, green] } }, required: false }
      - text: "{{answers.agree.action}} {{answers.capital.text}} {{json answers.places.roots}} {{answers.colour.content.colour}}"
  insist:
    description: Takes no for an answer.
    reply:
      - ask: { name: sure, message: Sure?, otherwise: "They said no." }
      - text: Done.
resources:
  law:
    uri: law://{number}
    description: A law, for those who say who they are.
    params: { number: { type: integer, description: Which. } }
    reply:
      - ask: { name: who, message: Who are you?, fields: { name: string } }
      - text: "{{number}} for {{answers.who.content.name}}"
prompts:
  letter:
    description: A letter.
    params: { to: { type: string, description: To whom. } }
    messages:
      - ask: { name: who, message: Who are you?, fields: { name: string } }
      - text: "{{to}} from {{answers.who.content.name}}"
  note:
    description: A note.
    params: { to: { type: string, description: To whom. } }
    messages:
      - ask: { name: who, message: Who are you?, fields: { name: string } }
      - text: "{{to}} from {{answers.who.content.name}}"
"#;

async fn talk() -> Served {
    serve(&[("talk.yaml", BRIDGE)], &[]).await
}

/// A stateless call; `extra` goes beside the arguments.
async fn call(served: &Served, tool: &str, capabilities: &Value, extra: &Value) -> Response {
    let mut params = extra.clone();
    params["name"] = json!(tool);
    stateless(served, ("tools/call", tool), capabilities, params).await
}

/// A stateless request for what has this name or address.
async fn stateless(served: &Served, (method, name): (&str, &str), capabilities: &Value, mut params: Value) -> Response {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let post = Post::new(message.to_string()).header("mcp-protocol-version", "2026-07-28");
    post.header("mcp-method", method).header("mcp-name", name).send(served.address).await
}

async fn result(served: &Served, tool: &str, capabilities: &Value, extra: &Value) -> Value {
    let response = call(served, tool, capabilities, extra).await;
    assert_eq!(response.status, 200, "{}", response.body);
    assert_eq!(response.header("content-type"), Some("application/json"));
    response.json()["result"].clone()
}

fn forms() -> Value {
    json!({ "elicitation": {} })
}

#[tokio::test]
async fn a_call_ends_with_its_question_and_goes_on_with_the_answer() {
    let served = talk().await;
    let first = result(&served, "greet", &forms(), &json!({})).await;
    assert_eq!(first["resultType"], "input_required");
    assert_eq!(first.get("content"), None, "{first}");
    assert_eq!(
        first["inputRequests"],
        json!({ "who": { "method": "elicitation/create", "params": {
            "message": "Who are you, in plain words?",
            "requestedSchema": {
                "type": "object", "properties": { "name": { "type": "string", "minLength": 2 } }, "required": ["name"],
            },
        } } })
    );
    assert!(first["_meta"]["io.modelcontextprotocol/serverInfo"].is_object(), "{first}");
    let answer = json!({ "who": { "action": "accept", "content": { "name": "Bo" } }, "other": 7 });
    let state = &first["requestState"];
    let done = result(&served, "greet", &forms(), &json!({ "inputResponses": answer, "requestState": state })).await;
    assert_eq!(done["resultType"], "complete");
    assert_eq!(done["content"], json!([{ "type": "text", "text": "Hello, Bo!" }]));
    let at_once = result(&served, "greet", &forms(), &json!({ "inputResponses": answer })).await;
    assert_eq!(at_once["content"], done["content"]);
}

#[tokio::test]
async fn what_is_no_answer_is_asked_for_again() {
    let served = talk().await;
    for responses in [
        json!(null),
        json!([]),
        json!({}),
        json!({ "whom": { "action": "accept", "content": { "name": "Bo" } } }),
        json!({ "who": "Bo" }),
        json!({ "who": 12345 }),
        json!({ "who": { "action": "agree", "content": { "name": "Bo" } } }),
        json!({ "who": { "action": "accept" } }),
        json!({ "who": { "action": "accept", "content": { "name": "B" } } }),
        json!({ "who": { "action": "accept", "content": { "name": 7 } } }),
        json!({ "who": { "action": "accept", "content": {} } }),
    ] {
        let again = result(&served, "greet", &forms(), &json!({ "inputResponses": responses })).await;
        assert_eq!(again["resultType"], "input_required", "{responses}");
        assert!(again["inputRequests"]["who"].is_object(), "{responses}");
    }
}

#[tokio::test]
async fn a_state_is_good_for_its_own_call_only() {
    let served = talk().await;
    let state = result(&served, "greet", &forms(), &json!({})).await["requestState"].clone();
    let text = state.as_str().expect("a state").to_owned();
    let answer = json!({ "who": { "action": "accept", "content": { "name": "Bo" } } });
    let other_arguments = json!({ "arguments": { "style": "bold" }, "requestState": state, "inputResponses": answer });
    for (tool, extra) in [
        ("greet", json!({ "requestState": format!("{text}-TAMPERED"), "inputResponses": answer })),
        ("greet", json!({ "requestState": text.replacen('A', "B", 1), "inputResponses": answer })),
        ("greet", json!({ "requestState": "", "inputResponses": answer })),
        ("greet", json!({ "requestState": 7, "inputResponses": answer })),
        ("insist", json!({ "requestState": state, "inputResponses": answer })),
        ("greet", other_arguments),
    ] {
        let response = call(&served, tool, &forms(), &extra).await;
        assert_eq!((response.status, &response.json()["error"]["code"]), (200, &json!(-32602)), "{extra}");
    }
}

#[tokio::test]
async fn a_state_is_bound_to_what_was_asked_for_by_its_address_and_name() {
    let served = talk().await;
    let answers = json!({ "who": { "action": "accept", "content": { "name": "Bo" } } });
    let cases = [
        // method, params, where the text of the result stands, and params for which the state is not good
        (
            "resources/read",
            json!({ "uri": "law://1" }),
            "/contents/0/text",
            vec![json!({ "uri": "law://2" }), json!({ "uri": "law://2", "name": "x" })],
        ),
        // What the method does not go by does not stand for what it does go by.
        (
            "resources/read",
            json!({ "uri": "law://1", "name": "x" }),
            "/contents/0/text",
            vec![json!({ "uri": "law://2", "name": "x" }), json!({ "uri": "law://2" })],
        ),
        (
            "prompts/get",
            json!({ "name": "letter", "arguments": { "to": "1" } }),
            "/messages/0/content/text",
            vec![
                json!({ "name": "letter", "arguments": { "to": "2" } }),
                json!({ "name": "note", "arguments": { "to": "1" } }),
                json!({ "name": "note", "uri": "letter", "arguments": { "to": "1" } }),
            ],
        ),
    ];
    for (method, params, place, others) in cases {
        let key = if method == "resources/read" { "uri" } else { "name" };
        let send = async |mut params: Value, state: Option<&Value>| {
            if let Some(state) = state {
                params["requestState"] = state.clone();
                params["inputResponses"] = answers.clone();
            }
            let name = params[key].as_str().expect("a name").to_owned();
            stateless(&served, (method, &name), &forms(), params).await.json()
        };
        let state = send(params.clone(), None).await["result"]["requestState"].clone();
        for other in others {
            let refused = send(other.clone(), Some(&state)).await;
            assert_eq!(refused["error"]["code"], -32602, "{method} {other}: {refused}");
        }
        let done = send(params, Some(&state)).await["result"].clone();
        let text = done.pointer(place).and_then(Value::as_str).unwrap_or_default();
        assert!(text.starts_with('1') && text.ends_with("Bo"), "{method}: {done}");
    }
}

#[tokio::test]
async fn a_state_is_good_at_every_replica_with_the_same_key_and_nowhere_else() {
    let with_key = async |key: &str| {
        let server = format!("{BRIDGE}server: {{ signing_key: \"${{SIGNING}}\" }}\n");
        serve(&[("talk.yaml", &server)], &[("SIGNING", key)]).await
    };
    let key = "a-signing-key-that-is-long-enough";
    let [first, second, other] = [with_key(key).await, with_key(key).await, with_key(&key.repeat(2)).await];
    let [before, after] = [talk().await, talk().await];
    let answer = json!({ "who": { "action": "accept", "content": { "name": "Bo" } } });
    for (asked, answered, is_good) in [
        (&first, &first, true),
        (&first, &second, true),
        (&first, &other, false),
        (&before, &before, true),
        (&before, &after, false),
    ] {
        let state = result(asked, "greet", &forms(), &json!({})).await["requestState"].clone();
        let extra = json!({ "requestState": state, "inputResponses": answer });
        let response = call(answered, "greet", &forms(), &extra).await.json();
        let text = &response["result"]["content"][0]["text"];
        let expected = if is_good { (json!("Hello, Bo!"), Value::Null) } else { (Value::Null, json!(-32602)) };
        assert_eq!((text, &response["error"]["code"]), (&expected.0, &expected.1), "{response}");
    }
}

#[tokio::test]
async fn members_that_are_null_are_members_that_are_not_there() {
    let served = talk().await;
    let nothing = json!({ "arguments": null, "requestState": null, "inputResponses": null });
    let first = result(&served, "greet", &forms(), &nothing).await;
    assert_eq!(first["resultType"], "input_required", "{first}");
}

#[tokio::test]
async fn questions_that_stand_together_are_asked_together() {
    let served = talk().await;
    let able = json!({ "elicitation": {}, "sampling": {}, "roots": {} });
    let first = result(&served, "survey", &able, &json!({})).await;
    let requests = first["inputRequests"].as_object().expect("requests");
    assert_eq!(requests.keys().collect::<Vec<_>>(), ["agree", "capital", "places"]);
    assert_eq!(
        requests["capital"],
        json!({ "method": "sampling/createMessage", "params": {
            "messages": [{ "role": "user", "content": { "type": "text", "text": "What is the capital of France?" } }],
            "systemPrompt": "Be brief.", "maxTokens": 100,
        } })
    );
    assert_eq!(requests["places"], json!({ "method": "roots/list" }));
    let answers = json!({
        "agree": { "action": "decline" },
        "capital": { "role": "assistant", "model": "m", "content": { "type": "text", "text": "Paris" } },
        "places": { "roots": [{ "uri": "file:///home" }] },
    });
    let extra = json!({ "inputResponses": answers, "requestState": first["requestState"] });
    let second = result(&served, "survey", &able, &extra).await;
    assert_eq!(second["inputRequests"]["colour"]["params"]["message"], "A colour for Paris?");
    assert_eq!(second["inputRequests"].as_object().map(serde_json::Map::len), Some(1));
    assert_ne!(second["requestState"], first["requestState"]);
    // The earlier answers travel in the state.
    let answer = json!({ "colour": { "action": "accept", "content": { "colour": "green" } } });
    let extra = json!({ "inputResponses": answer, "requestState": second["requestState"] });
    let done = result(&served, "survey", &able, &extra).await;
    assert_eq!(done["content"][0]["text"], r#"decline Paris [{"uri":"file:///home"}] green"#);
}

#[tokio::test]
async fn nobody_is_asked_what_their_client_did_not_declare() {
    let served = talk().await;
    let only_sampling = result(&served, "survey", &json!({ "sampling": {} }), &json!({})).await;
    let asked = only_sampling["inputRequests"].as_object().expect("requests");
    assert_eq!(asked.keys().collect::<Vec<_>>(), ["capital"]);
    for (tool, capabilities, needed) in [
        ("survey", json!({ "elicitation": {} }), json!({ "sampling": {} })),
        ("greet", json!({ "sampling": {} }), json!({ "elicitation": {} })),
        ("greet", json!({ "elicitation": { "url": {} } }), json!({ "elicitation": {} })),
    ] {
        let response = call(&served, tool, &capabilities, &json!({})).await;
        assert_eq!((response.status, &response.json()["error"]["code"]), (400, &json!(-32021)), "{tool}");
        assert_eq!(response.json()["error"]["data"]["requiredCapabilities"], needed, "{tool}");
    }
}

#[tokio::test]
async fn a_no_ends_the_call_in_the_words_of_the_author() {
    let served = talk().await;
    for action in ["decline", "cancel"] {
        let extra = json!({ "inputResponses": { "sure": { "action": action } } });
        let end = result(&served, "insist", &forms(), &extra).await;
        assert_eq!((&end["isError"], &end["content"][0]["text"]), (&json!(true), &json!("They said no.")));
    }
    let extra = json!({ "inputResponses": { "sure": { "action": "accept" } } });
    assert_eq!(result(&served, "insist", &forms(), &extra).await["content"][0]["text"], "Done.");
    // A client with a handshake and no session cannot be asked, and is told so.
    assert_eq!(served.error("insist", &json!({})).await, "They said no.");
    let words = served.error("greet", &json!({})).await;
    assert!(words.contains("elicitation"), "{words}");
}
