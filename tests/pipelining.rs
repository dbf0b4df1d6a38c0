//! Many quick reads over few connections to PostgreSQL: they go to the server several at a time, and each
//! call is answered as if it were alone.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::{Served, postgres, serve, spawn, until, until_async};

const SHOP: &str = "
CREATE TABLE notes (id bigint PRIMARY KEY, text text);
INSERT INTO notes SELECT n, 'note ' || n FROM generate_series(1, 1000) n;
CREATE FUNCTION quotient(n int) RETURNS int LANGUAGE sql AS 'SELECT 100 / n';
";

const BRIDGE: &str = r#"
bridge: shop
sources:
  db: { sql: { url: "${DB}", pool: { max: 2 } } }
tools:
  find:
    description: Finds.
    params: { id: { type: integer, description: Id. } }
    sql: { query: "SELECT id, text FROM notes WHERE id = :id", returns: row }
  divide:
    description: Divides.
    params: { by: { type: integer, description: By what. } }
    sql: { query: "SELECT quotient(:by) AS quotient", returns: value }
  some:
    description: Finds some.
    params: { from: { type: integer, description: First. } }
    sql: { query: "SELECT id, text FROM notes WHERE id >= :from ORDER BY id", max_rows: 3 }
  doze:
    description: Sleeps.
    timeout: 1s
    params: { seconds: { type: number, description: How long. } }
    sql: { query: "SELECT :seconds AS seconds, pg_sleep(:seconds)::text AS slept" }
"#;

async fn shop(name: &str) -> Option<Arc<Served>> {
    let host = postgres()?;
    host.database(name, SHOP);
    Some(Arc::new(serve(&[("shop.yaml", BRIDGE)], &[("DB", &host.url("app", name))]).await))
}

/// Calls a tool with each of the arguments at once, after it has shown to be quick.
async fn all(served: &Arc<Served>, calls: impl IntoIterator<Item = (&'static str, Value)>) -> Vec<Value> {
    let calls: Vec<_> = calls
        .into_iter()
        .map(|(tool, arguments)| {
            let served = Arc::clone(served);
            spawn(async move { served.call(tool, &arguments).await })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.expect("no panic"));
    }
    answers
}

#[tokio::test]
async fn each_call_gets_its_own_rows() {
    let Some(served) = shop("together").await else { return };
    for round in 0..4 {
        let calls = (1..=150).map(|n| match n % 3 {
            0 => ("some", json!({ "from": n })),
            _ => ("find", json!({ "id": n + 150 * round })),
        });
        for (answer, n) in all(&served, calls).await.iter().zip(1..) {
            let structured = &answer["structuredContent"];
            if n % 3 == 0 {
                let ids: Vec<_> = structured["rows"].as_array().expect("rows").iter().map(|row| &row["id"]).collect();
                assert_eq!(json!(ids), json!([n, n + 1, n + 2]), "{answer}");
                assert_eq!(structured["truncated"], true, "{answer}");
            } else {
                let id = n + 150 * round;
                let expected = if id <= 1000 { json!(format!("note {id}")) } else { Value::Null };
                assert_eq!(structured["text"], expected, "{answer}");
            }
        }
    }
}

#[tokio::test]
async fn what_fails_fails_alone_and_says_why() {
    let Some(served) = shop("failing").await else { return };
    for _ in 0..3 {
        let calls = (0..90).map(|n| ("divide", json!({ "by": n % 5 })));
        for (answer, n) in all(&served, calls).await.iter().zip(0..) {
            match n % 5 {
                0 => assert!(answer.to_string().contains("division by zero"), "{answer}"),
                by => assert_eq!(answer["structuredContent"]["result"], 100 / by, "{answer}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_one_holds_the_others_up_for_a_moment_only_and_is_stopped() {
    let Some(served) = shop("dozing").await else { return };
    let host = postgres().expect("it is there");
    for _ in 0..3 {
        all(&served, (0..20).map(|_| ("doze", json!({ "seconds": 0 })))).await;
        let slow = |n: usize| if n == 5 { 60 } else { 0 };
        let answers = all(&served, (0..40).map(|n| ("doze", json!({ "seconds": slow(n) })))).await;
        for (n, answer) in answers.iter().enumerate() {
            if n == 5 {
                assert!(answer.to_string().contains("took longer than 1 s"), "{answer}");
            } else {
                assert_eq!(answer["structuredContent"]["rows"][0]["slept"], "", "{answer}");
            }
        }
    }
    let running = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'dozing' AND state = 'active'";
    until("the server runs nothing more", || host.admin("postgres", running) == "0").await;
}

#[tokio::test]
async fn a_server_that_ends_in_the_middle_is_found_again_and_mixes_nothing_up() {
    let Some(served) = shop("ending").await else { return };
    let host = postgres().expect("it is there");
    for round in 0..4 {
        let ends = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'ending'";
        let end = tokio::task::spawn_blocking(|| host.admin("postgres", ends));
        let answers = all(&served, (1..=200).map(|n| ("find", json!({ "id": n })))).await;
        end.await.expect("no panic");
        for (answer, n) in answers.iter().zip(1..) {
            let is_its_own = answer["structuredContent"]["text"] == json!(format!("note {n}"));
            assert!(is_its_own || answer["isError"] == true, "round {round}: {answer}");
        }
    }
    until_async("a server that answers", async || {
        let answer = served.call("find", &json!({ "id": 7 })).await;
        answer["structuredContent"]["text"] == "note 7"
    })
    .await;
    for (answer, n) in all(&served, (1..=40).map(|n| ("find", json!({ "id": n })))).await.iter().zip(1..) {
        assert_eq!(answer["structuredContent"]["text"], json!(format!("note {n}")), "{answer}");
    }
}
