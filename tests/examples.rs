//! Every file that ships checks clean, and the shop answers offline.

use std::{
    fs,
    path::{Path, PathBuf},
};

use mcp_bridge::{
    check::check,
    diag::render::{Form, render},
    text::FileSet,
};
use serde_json::json;

use crate::support::{Fixed, Scripted, serve, stand_in};

/// Files that `check` has something to say about, and what.
const LOUD: &[(&str, &str)] = &[("conformance.yaml", "MB0305"), ("whole-json-schema.yaml", "MB0408")];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|it| it == "yaml") {
            found.push(path);
        }
    }
}

#[test]
fn every_shipped_file_checks_clean() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    files(&root.join("bridges"), &mut found);
    files(&root.join("examples"), &mut found);
    assert!(found.len() >= 6, "{found:?}");
    let variables = Fixed::new(&[
        ("COMPANY_API_TOKEN", "token-for-this-test"),
        ("COMPANY_BRIDGE_KEY_HASH", &format!("sha256:{}", "0123456789abcdef".repeat(4))),
    ]);
    for path in found {
        let text = fs::read_to_string(&path).expect("a file");
        let first = text.lines().next().unwrap_or_default();
        let schema = first.strip_prefix("# yaml-language-server: $schema=").unwrap_or_default();
        let folder = path.parent().unwrap_or(root);
        assert!(folder.join(schema).is_file(), "{}: the first line names no schema: {first}", path.display());
        let mut set = FileSet::new();
        set.add(path.display().to_string(), text);
        let checked = check(&set, &variables);
        let mut report = Vec::new();
        render(Form::Concise, &checked.diagnostics, &set, &mut report).expect("memory");
        let report = String::from_utf8_lossy(&report);
        let expected = LOUD.iter().find(|(name, _)| path.ends_with(name)).map_or("none", |(_, code)| code);
        let (expected, others): (Vec<_>, Vec<_>) = report.lines().partition(|line| line.contains(expected));
        assert_eq!(others, Vec::<&str>::new());
        assert_eq!(expected.is_empty(), !LOUD.iter().any(|(name, _)| path.ends_with(name)), "{}", path.display());
    }
}

#[tokio::test]
async fn the_bookstore_answers_offline() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("bridges");
    let read = |name: &str| fs::read_to_string(root.join(name)).expect("a shipped file");
    let (bridge, seed) = (read("bookstore.yaml"), read("bookstore.sql"));
    let shop = serve(&[("bookstore.yaml", &bridge), ("bookstore.sql", &seed)], &[]).await;
    let found = shop.call("find_books", &json!({ "text": "the", "limit": 3 })).await["structuredContent"].clone();
    let id = found["rows"][0]["book_id"].clone();
    assert!(id.is_u64(), "{found}");
    let book = shop.call("get_book", &json!({ "book_id": id })).await["structuredContent"].clone();
    assert_eq!(book["book_id"], id);
    let report = shop.call("sales_report", &json!({})).await["structuredContent"].clone();
    assert!(report["row_count"].as_u64().is_some_and(|rows| rows > 1), "{report}");
    let listed = shop.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await.json();
    assert!(listed["result"]["tools"].as_array().is_some_and(|tools| tools.len() >= 8));
    for tool in listed["result"]["tools"].as_array().into_iter().flatten() {
        assert!(tool["outputSchema"].is_object(), "{tool}");
    }
}

fn shipped(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("bridges").join(name)).expect("a shipped file")
}

#[tokio::test]
async fn the_weather_goes_from_the_name_of_a_city_to_its_forecast() {
    let api = stand_in(|seen, _| {
        let place = json!({ "name": "Lisbon", "admin1": "Lisboa", "country": "Portugal", "latitude": 38.71667,
            "longitude": -9.13333, "timezone": "Europe/Lisbon", "population": 517_802 });
        let daily = json!({ "time": ["2026-11-21", "2026-11-22"], "weather_code": [3, 61],
            "temperature_2m_max": [18.2, 16.9], "temperature_2m_min": [12.1, 11.4] });
        Scripted::json(
            200,
            &match () {
                () if seen.target.starts_with("/geo/search?name=Nowhere") => json!({ "generationtime_ms": 0.5 }),
                () if seen.target.starts_with("/geo/search?") => {
                    json!({ "results": [place], "generationtime_ms": 0.9 })
                }
                () => {
                    json!({ "latitude": 38.7, "longitude": -9.1, "daily_units": { "time": "iso8601" }, "daily": daily })
                }
            },
        )
    })
    .await;
    let (geocoding, weather) = (format!("{}/geo", api.url()), format!("{}/v1", api.url()));
    let variables = [("OPEN_METEO_GEOCODING_URL", geocoding.as_str()), ("OPEN_METEO_URL", weather.as_str())];
    let server = serve(&[("open-meteo.yaml", &shipped("open-meteo.yaml"))], &variables).await;
    let found =
        server.call("forecast_for_city", &json!({ "city": "Lisbon", "days": 2 })).await["structuredContent"].clone();
    assert_eq!(found["place"]["country"], "Portugal");
    let [first, second] = [&found["days"][0], &found["days"][1]];
    assert_eq!(
        (&first["date"], &second["highest"], &second["rain_chance"]),
        (&json!("2026-11-21"), &json!(16.9), &json!(null))
    );
    let targets = api.targets();
    assert_eq!(targets[0], "/geo/search?name=Lisbon&count=1&format=json");
    assert!(targets[1].starts_with("/v1/forecast?latitude=38.71667&longitude=-9.13333&daily="), "{}", targets[1]);
    let text = server.error("forecast_for_city", &json!({ "city": "Nowhere" })).await;
    assert!(text.starts_with("No place is called Nowhere."), "{text}");
    assert_eq!(api.targets().len(), 3, "no forecast is asked for without a place");
}

#[tokio::test]
async fn hacker_news_lists_stories_with_their_titles() {
    let api = stand_in(|seen, _| {
        let id = seen.target.trim_start_matches("/item/").trim_end_matches(".json").parse::<u64>();
        Scripted::json(
            200,
            &match id {
                Err(_) => json!([101, 102, 103, 104]),
                Ok(102) => json!(null),
                Ok(id) => json!({ "id": id, "type": "story", "by": "ada", "title": format!("Story {id}"), "score": 7,
                "time": 1_700_000_000, "descendants": 3 }),
            },
        )
    })
    .await;
    let url = api.url();
    let server =
        serve(&[("hacker-news.yaml", &shipped("hacker-news.yaml"))], &[("HACKER_NEWS_URL", url.as_str())]).await;
    let found = server.call("list_stories", &json!({ "list": "ask", "limit": 3 })).await["structuredContent"].clone();
    let titles: Vec<_> = found["items"].as_array().into_iter().flatten().map(|item| item["title"].clone()).collect();
    assert_eq!(titles, [json!("Story 101"), json!("Story 103")]);
    assert_eq!(api.targets()[0], "/askstories.json");
    assert_eq!(api.targets().len(), 4);
}
