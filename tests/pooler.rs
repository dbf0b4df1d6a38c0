//! A source behind `PgBouncer` in its transaction mode, where each call may come to another connection of
//! the server: `prepared: unnamed` keeps nothing on one, and what is set for a caller ends with the call.

use serde_json::json;

use mcp_bridge::serve::Drained;

use crate::support::{Served, pooler, postgres, serve, spawn};

const SHOP: &str = "
CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text);
INSERT INTO notes (text) VALUES ('a'), ('b'), ('c');
";

fn bridge(more: &str) -> String {
    format!(
        r#"
bridge: shop
sources:
  db: {{ sql: {{ url: "${{DB}}", prepared: unnamed, read_only: false, pool: {{ max: 4 }}{more} }} }}
tools:
  find:
    description: Finds.
    params: {{ ids: {{ type: array, items: {{ type: integer }}, description: Ids. }} }}
    sql: {{ query: "SELECT id, text, interval '1 day 2 hours' AS span FROM notes WHERE id IN (:ids) ORDER BY id" }}
  add:
    description: Adds.
    params: {{ text: {{ type: string, description: Text. }} }}
    sql: {{ mode: write, query: "INSERT INTO notes (text) VALUES (:text)", expect_rows: 1 }}
  doze: {{ description: Sleeps., timeout: 300ms, sql: {{ query: "SELECT pg_sleep(60)::text AS slept" }} }}
  who:
    description: Who.
    sql: {{ query: "SELECT current_setting('app.who', true) AS who, pg_backend_pid() AS connection", returns: row }}
"#
    )
}

#[tokio::test]
async fn transactions_go_through_a_pooler() {
    let Some(host) = postgres() else { return };
    let Some(pooler) = pooler() else { return };
    host.database("pooled", SHOP);
    let served =
        std::sync::Arc::new(serve(&[("shop.yaml", &bridge(""))], &[("DB", &pooler.url("app", "pooled"))]).await);
    let calls = (0..8).map(|number| {
        let served = std::sync::Arc::clone(&served);
        spawn(async move { both(&served, number).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.expect("no panic");
    }
    assert_eq!(host.admin("pooled", "SELECT count(*) FROM notes"), "11");
    // The pooler passes on what stops a statement, and its connection serves the next call.
    let error = served.error("doze", &json!({})).await;
    assert!(error.contains("took longer than 300 ms"), "{error}");
    both(&served, 9).await;
    // PgBouncer 1.18 ends with a client that leaves before what it asked to be stopped has stopped.
    let served = std::sync::Arc::into_inner(served).expect("no call is left");
    assert_eq!(served.stop().await, Drained::Whole);
}

async fn both(served: &Served, number: usize) {
    let result = served.call("find", &json!({ "ids": [1, 3] })).await;
    let rows = json!([{ "id": 1, "text": "a", "span": "P1DT2H" }, { "id": 3, "text": "c", "span": "P1DT2H" }]);
    assert_eq!(result["structuredContent"]["rows"], rows, "{result}");
    let added = served.call("add", &json!({ "text": number.to_string() })).await;
    assert_eq!(added["structuredContent"]["affected"], 1, "{added}");
}

#[tokio::test]
async fn what_is_set_for_a_caller_ends_with_the_call() {
    let Some(host) = postgres() else { return };
    let Some(pooler) = pooler() else { return };
    host.database("poolers", SHOP);
    let url = pooler.url("app", "poolers");
    let mine = bridge(", session: { app.who: mine }");
    let served = serve(&[("shop.yaml", &mine)], &[("DB", &url)]).await;
    let other = serve(&[("shop.yaml", &bridge(""))], &[("DB", &url)]).await;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        let mine = served.call("who", &json!({})).await;
        assert_eq!(mine["structuredContent"]["who"], "mine", "{mine}");
        ours.push(mine["structuredContent"]["connection"].clone());
        let left = other.call("who", &json!({})).await;
        let who = &left["structuredContent"]["who"];
        assert!(left["structuredContent"].is_object() && (who.is_null() || who == ""), "{left}");
        theirs.push(left["structuredContent"]["connection"].clone());
    }
    assert!(ours.iter().any(|connection| theirs.contains(connection)), "none is shared: {ours:?} and {theirs:?}");
}
