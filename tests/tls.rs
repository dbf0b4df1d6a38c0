//! TLS of the listener: both versions of HTTP, certificates of clients, and renewed files. Threat model:
//! the listener's part of row 32 of auth.md §5.

use std::{fs, path::Path, process::Command};

use reqwest::{Certificate, Client, Identity, Version};
use serde_json::json;
use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::support::{Served, call_message, serve, until_async, upstream};

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().expect("openssl");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, and a certificate of it for this machine and for a client.
fn authority(folder: &Path, name: &str) {
    openssl(
        folder,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} -keyout {name}-ca.key -out {name}-ca.pem"
        ),
    );
    fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n").unwrap();
    for leaf in ["server", "client"] {
        openssl(
            folder,
            &format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={leaf} -keyout {name}-{leaf}.key -out {name}-{leaf}.csr"
            ),
        );
        openssl(
            folder,
            &format!(
                "x509 -req -in {name}-{leaf}.csr -CA {name}-ca.pem -CAkey {name}-ca.key -CAcreateserial -days 2 -extfile names -out {name}-{leaf}.pem"
            ),
        );
    }
}

async fn desk(folder: &Path, api: &str, tls: &str) -> Served {
    let path = |name: &str| folder.join(name).display().to_string();
    let text = format!(
        "bridge: secure\nsources: {{ api: {{ rest: \"{api}\" }} }}\ntools: {{ item: {{ description: One., rest: {{ get: /echo/x }} }} }}\nserver:\n  tls: {{ {} }}\n",
        tls.replace('@', &path(""))
    );
    serve(&[("secure.yaml", &text)], &[]).await
}

fn client(folder: &Path, authority: &str) -> reqwest::ClientBuilder {
    let root = fs::read(folder.join(format!("{authority}-ca.pem"))).unwrap();
    Client::builder().tls_certs_only([Certificate::from_pem(&root).unwrap()]).no_proxy()
}

async fn ask(client: &Client, server: &Served) -> Result<(u16, Version), reqwest::Error> {
    let request = client.post(format!("https://{}/mcp", server.address)).header("content-type", "application/json");
    let request = request.header("accept", "application/json, text/event-stream");
    let response = request.body(call_message("item", &json!({})).to_string()).send().await?;
    Ok((response.status().as_u16(), response.version()))
}

#[tokio::test]
async fn both_versions_are_spoken_over_tls_and_nothing_without_it() {
    let folder = tempfile::tempdir().unwrap();
    authority(folder.path(), "one");
    authority(folder.path(), "other");
    let api = upstream().await;
    let server = desk(folder.path(), &api.url(), "cert: \"@one-server.pem\", key: \"@one-server.key\"").await;
    let both = client(folder.path(), "one").build().unwrap();
    assert_eq!(ask(&both, &server).await.unwrap(), (200, Version::HTTP_2));
    let first = client(folder.path(), "one").http1_only().build().unwrap();
    assert_eq!(ask(&first, &server).await.unwrap(), (200, Version::HTTP_11));
    assert!(
        ask(&client(folder.path(), "other").build().unwrap(), &server).await.is_err(),
        "a certificate of nobody known"
    );
    let plain = server.post(&call_message("item", &json!({}))).send(server.address).await;
    assert_eq!(plain.status, 0, "who speaks no TLS gets no answer: {}", plain.body);
    // Who says nothing at all is in nobody's way.
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(ask(&both, &server).await.unwrap().0, 200);
    server.stop().await;
    let mut rest = Vec::new();
    assert_eq!(silent.read_to_end(&mut rest).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn clients_show_a_certificate_where_one_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    authority(folder.path(), "one");
    authority(folder.path(), "other");
    let api = upstream().await;
    let tls = "cert: \"@one-server.pem\", key: \"@one-server.key\", client_ca: \"@one-ca.pem\"";
    let server = desk(folder.path(), &api.url(), tls).await;
    let with = |name: &str| {
        let pem =
            [format!("{name}.pem"), format!("{name}.key")].map(|it| fs::read(folder.path().join(it)).unwrap()).concat();
        client(folder.path(), "one").identity(Identity::from_pem(&pem).unwrap()).build().unwrap()
    };
    assert_eq!(ask(&with("one-client"), &server).await.unwrap().0, 200);
    assert!(ask(&with("other-client"), &server).await.is_err(), "of another authority");
    assert!(ask(&client(folder.path(), "one").build().unwrap(), &server).await.is_err(), "none at all");
}

#[tokio::test]
async fn renewed_certificates_are_shown_without_a_new_start() {
    let folder = tempfile::tempdir().unwrap();
    authority(folder.path(), "one");
    authority(folder.path(), "other");
    for part in ["pem", "key"] {
        fs::copy(folder.path().join(format!("one-server.{part}")), folder.path().join(format!("now.{part}"))).unwrap();
    }
    let api = upstream().await;
    let server = desk(folder.path(), &api.url(), "cert: \"@now.pem\", key: \"@now.key\"").await;
    let other = client(folder.path(), "other").pool_max_idle_per_host(0).build().unwrap();
    assert!(ask(&other, &server).await.is_err());
    for part in ["pem", "key"] {
        fs::rename(folder.path().join(format!("other-server.{part}")), folder.path().join(format!("now.{part}")))
            .unwrap();
    }
    until_async("the new certificate", async || ask(&other, &server).await.is_ok()).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_that_everybody_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    authority(folder.path(), "one");
    fs::set_permissions(folder.path().join("one-server.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let text = "bridge: secure\nserver:\n  tls: { cert: one-server.pem, key: one-server.key }\n";
    fs::write(folder.path().join("secure.yaml"), text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_mcp-bridge"))
        .args(["serve", "secure.yaml", "--listen", "127.0.0.1:0"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(3) && told.contains("can be read by everybody"), "{told}");
}
