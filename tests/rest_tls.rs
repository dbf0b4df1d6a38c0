//! TLS and proxies of sources: who is trusted, what is shown, and what never shows in an error.

use serde_json::json;

use crate::support::{Authority, Identity, Served, Validity, proxy, serve, tls_api};

const KEY: &str = "upstream-key-of-this-test";

/// A bridge with one source; `rest` is what it says beside its base.
async fn bridge(base: &str, rest: &str, files: &[(&str, &str)], variables: &[(&str, &str)]) -> Served {
    let bridge = format!(
        "bridge: tls\nsources:\n  api: {{ rest: {{ base_url: \"{base}\", auth: {{ bearer: \"${{KEY}}\" }}, {rest} }} }}\n\
         tools:\n  get: {{ description: Gets., timeout: 5s, rest: {{ get: /thing }} }}\n"
    );
    let files: Vec<_> = [("tls.yaml", bridge.as_str())].into_iter().chain(files.iter().copied()).collect();
    let variables: Vec<_> = [("KEY", KEY)].into_iter().chain(variables.iter().copied()).collect();
    serve(&files, &variables).await
}

fn files<'a>(authority: &'a Authority, client: &'a Identity) -> Vec<(&'static str, &'a str)> {
    vec![("ca.pem", &authority.pem), ("client.pem", &client.certificate), ("client.key", &client.key)]
}

/// What a model may read of a connection that did not come about: no address, no file, no secret.
fn is_discreet(text: &str, port: u16) {
    for secret in [KEY, "localhost", "127.0.0.1", &port.to_string(), "pem", "secret", "BEGIN"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert!(text.starts_with("`api` "), "{text}");
}

#[tokio::test]
async fn only_a_certificate_of_a_trusted_authority_for_this_host_is_taken() {
    let (own, other) = (Authority::new("Own"), Authority::new("Other"));
    for (issuer, name, validity, trust, fine) in [
        (&own, "localhost", Validity::Now, Some(&own), true),
        (&own, "localhost", Validity::Now, Some(&other), false),
        // The authorities of the system do not know it.
        (&own, "localhost", Validity::Now, None, false),
        (&own, "other.example", Validity::Now, Some(&own), false),
        (&own, "127.0.0.1", Validity::Now, Some(&own), false),
        (&own, "localhost", Validity::Over, Some(&own), false),
    ] {
        let api = tls_api(&issuer.issue(name, validity), None).await;
        let port = api.address.port();
        let (rest, files) = match trust {
            Some(authority) => ("tls: { ca: ca.pem }", vec![("ca.pem", authority.pem.as_str())]),
            None => ("max_response: 1MiB", Vec::new()),
        };
        let server = bridge(&format!("https://localhost:{port}"), rest, &files, &[]).await;
        if fine {
            assert_eq!(server.text("get", &json!({})).await, r#"{"before":0}"#);
            assert_eq!(api.seen()[0].header("authorization"), Some(format!("Bearer {KEY}").as_str()));
        } else {
            let text = server.error("get", &json!({})).await;
            is_discreet(&text, port);
            assert!(text.contains("no trusted TLS connection"), "{name}: {text}");
            assert!(api.seen().is_empty(), "nothing is said to {name}");
        }
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_one_is_asked_for() {
    let (own, clients) = (Authority::new("Own"), Authority::new("Clients"));
    let (known, stranger) = (clients.issue("bridge", Validity::Now), own.issue("bridge", Validity::Now));
    for (client, fine) in [(Some(&known), true), (Some(&stranger), false), (None, false)] {
        let api = tls_api(&own.issue("localhost", Validity::Now), Some(&clients)).await;
        let port = api.address.port();
        let rest = match client {
            Some(_) => "tls: { ca: ca.pem, client_cert: client.pem, client_key: client.key }",
            None => "tls: { ca: ca.pem }",
        };
        let files = files(&own, client.unwrap_or(&known));
        let server = bridge(&format!("https://localhost:{port}"), rest, &files, &[]).await;
        if fine {
            assert_eq!(server.text("get", &json!({})).await, r#"{"before":0}"#);
        } else {
            is_discreet(&server.error("get", &json!({})).await, port);
            assert!(api.seen().is_empty());
        }
    }
}

#[tokio::test]
async fn a_proxy_carries_what_only_the_source_can_read() {
    let own = Authority::new("Own");
    let api = tls_api(&own.issue("api.invalid", Validity::Now), None).await;
    let tunnel = proxy(api.address, None).await;
    let address = format!("http://agent:secret%20word@{}", tunnel.address);
    let rest = "tls: { ca: ca.pem }, proxy: \"${PROXY}\"";
    let files = [("ca.pem", own.pem.as_str())];
    let server = bridge("https://api.invalid/v1", rest, &files, &[("PROXY", &address)]).await;
    assert_eq!(server.text("get", &json!({})).await, r#"{"before":0}"#);
    let seen = api.seen();
    assert_eq!((seen[0].target.as_str(), seen[0].header("proxy-authorization")), ("/v1/thing", None));
    assert_eq!(seen[0].header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    let heads = tunnel.heads();
    assert!(heads[0].starts_with("CONNECT api.invalid:443 HTTP/1.1\r\n"), "{heads:?}");
    // `agent:secret word`
    assert!(heads[0].to_lowercase().contains("proxy-authorization: basic ywdlbnq6c2vjcmv0ihdvcmq="), "{heads:?}");
    assert!(!heads[0].contains(KEY), "the key of the source is none of the proxy's business");

    // What the tunnel leads to is held against the name of the source all the same.
    let elsewhere = tls_api(&own.issue("elsewhere.invalid", Validity::Now), None).await;
    let tunnel = proxy(elsewhere.address, None).await;
    let address = format!("http://{}", tunnel.address);
    let server = bridge("https://api.invalid/v1", rest, &files, &[("PROXY", &address)]).await;
    is_discreet(&server.error("get", &json!({})).await, tunnel.address.port());
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_proxy_that_does_not_serve_is_told_without_its_address() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let to = nobody.local_addr().expect("an address");
    let refusing = proxy(to, Some("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")).await;
    drop(nobody);
    for (at, base) in
        [(refusing.address, "https://api.invalid/v1"), (to, "https://api.invalid/v1"), (to, "http://api.invalid/v1")]
    {
        let address = format!("http://agent:secret%20word@{at}");
        let server = bridge(base, "proxy: \"${PROXY}\"", &[], &[("PROXY", &address)]).await;
        let text = server.error("get", &json!({})).await;
        is_discreet(&text, at.port());
        assert!(!text.contains("agent") && !text.contains("word"), "{text}");
    }
}
