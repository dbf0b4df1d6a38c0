//! Every tool of every shipped REST bridge, without a network: stand-ins answer in the shapes that
//! the APIs have, and no tool is left uncalled.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Value, json};

use crate::support::{Scripted, Served, StandIn, serve, stand_in};

/// One call: the tool, its arguments, what the API is asked, and what comes of it.
struct Case {
    tool: &'static str,
    arguments: Value,
    target: &'static str,
    /// Members of the structured content, by pointer.
    expected: Vec<(&'static str, Value)>,
}

fn case(tool: &'static str, arguments: Value, target: &'static str, expected: &[(&'static str, Value)]) -> Case {
    Case { tool, arguments, target, expected: expected.to_vec() }
}

async fn bridge(file: &str, variables: &[(&str, String)]) -> Served {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("bridges").join(file);
    let text = fs::read_to_string(path).expect("a shipped file");
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    serve(&[(file, &text)], &variables).await
}

/// Calls every tool, and holds that there is no other.
async fn calls(server: &Served, api: &StandIn, cases: Vec<Case>) {
    let called: BTreeSet<String> = cases.iter().map(|case| case.tool.to_owned()).collect();
    for Case { tool, arguments, target, expected } in cases {
        let before = api.targets().len();
        let result = server.call(tool, &arguments).await;
        assert_eq!(result.get("isError"), None, "{tool} {arguments}: {result}");
        for (pointer, value) in expected {
            assert_eq!(result["structuredContent"].pointer(pointer), Some(&value), "{tool} {pointer}: {result}");
        }
        let asked = api.targets();
        assert_eq!(asked.get(before).map(String::as_str), Some(target), "{tool} {arguments}");
        // What was just found is known for a while.
        let asked = asked.len();
        server.call(tool, &arguments).await;
        assert_eq!(api.targets().len(), asked, "{tool} {arguments} was asked for twice");
    }
    let listed = server.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await.json();
    let tools = listed["result"]["tools"].as_array().cloned().unwrap_or_default();
    let listed: BTreeSet<String> = tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect();
    assert_eq!(called, listed, "every tool is called");
}

fn quake(id: &str, magnitude: f64) -> Value {
    json!({ "type": "Feature", "id": id,
        "properties": { "mag": magnitude, "place": "62 km SSW of Hihifo, Tonga", "time": 1_763_712_000_123_i64,
            "updated": 1_763_715_600_000_i64, "tz": null, "url": format!("https://earthquake.usgs.gov/earthquakes/eventpage/{id}"),
            "detail": format!("https://earthquake.usgs.gov/fdsnws/event/1/query?eventid={id}&format=geojson"), "felt": null,
            "cdi": null, "mmi": 4.2, "alert": "green", "status": "reviewed", "tsunami": 0, "sig": 416, "net": "us",
            "code": "7000abcd", "ids": ",us7000abcd,", "sources": ",us,", "types": ",origin,phase-data,", "nst": 71,
            "dmin": 3.2, "rms": 0.71, "gap": 67, "magType": "mb", "type": "earthquake",
            "title": format!("M {magnitude} - 62 km SSW of Hihifo, Tonga") },
        "geometry": { "type": "Point", "coordinates": [-174.1, -16.4, 112.5] } })
}

/// The catalogue: 204 where nothing fits, and words in other statuses.
async fn catalogue() -> StandIn {
    stand_in(|seen, _| {
        let list = json!({ "type": "FeatureCollection",
            "metadata": { "generated": 1_763_712_345_000_i64, "url": "https://earthquake.usgs.gov/", "title": "USGS Earthquakes",
                "status": 200, "api": "1.14.1", "count": 2 },
            "features": [quake("us7000abcd", 5.2), quake("us7000abce", 4.6)], "bbox": [-174.1, -16.4, 10, 1, 1, 112.5] });
        match seen.target.as_str() {
            target if target.contains("/count?") => Scripted::json(200, &json!({ "count": 135, "maxAllowed": 20000 })),
            target if target.ends_with("eventid=us7000abcd") => Scripted::json(200, &quake("us7000abcd", 5.2)),
            target if target.ends_with("eventid=none") => Scripted::empty(204),
            target if target.ends_with("eventid=gone") => Scripted::json(409, &json!("Error 409: Conflict")),
            target if target.contains("eventid=") => Scripted::json(404, &json!("Error 404: Not Found")),
            // Nothing that fits is an answer without content.
            target if target.contains("minmagnitude=9") => Scripted::empty(204),
            _ => Scripted::json(200, &list),
        }
    })
    .await
}

#[tokio::test]
async fn earthquakes() {
    let api = catalogue().await;
    let server = bridge("earthquakes.yaml", &[("USGS_URL", api.url())]).await;
    let first = [
        ("/items/0/id", json!("us7000abcd")),
        ("/items/0/time", json!("2025-11-21T08:00:00.123Z")),
        ("/items/0/latitude", json!(-16.4)),
        ("/items/0/longitude", json!(-174.1)),
        ("/items/0/depth_km", json!(112.5)),
        ("/items/1/magnitude", json!(4.6)),
    ];
    let filters = json!({ "since": "2024-01-01", "until": "2025-01-01", "min_magnitude": 6, "latitude": 35.7,
        "longitude": 139.7, "radius_km": 500 });
    let mut wide = filters.clone();
    wide["order"] = json!("magnitude");
    calls(&server, &api, vec![
        case("recent_earthquakes", json!({}), "/earthquakes/feed/v1.0/summary/4.5_day.geojson", &first),
        case(
            "recent_earthquakes",
            json!({ "magnitude": "significant", "period": "month" }),
            "/earthquakes/feed/v1.0/summary/significant_month.geojson",
            &first,
        ),
        case(
            "search_earthquakes",
            wide,
            "/fdsnws/event/1/query?format=geojson&eventtype=earthquake&starttime=2024-01-01&endtime=2025-01-01\
             &minmagnitude=6&latitude=35.7&longitude=139.7&maxradiuskm=500&orderby=magnitude&limit=20&offset=1",
            &first,
        ),
        case(
            "search_earthquakes",
            json!({ "min_magnitude": 9.5, "limit": 5 }),
            "/fdsnws/event/1/query?format=geojson&eventtype=earthquake&minmagnitude=9.5&orderby=time&limit=5&offset=1",
            &[("/items", json!([]))],
        ),
        case(
            "count_earthquakes",
            filters,
            "/fdsnws/event/1/count?format=geojson&eventtype=earthquake&starttime=2024-01-01&endtime=2025-01-01\
             &minmagnitude=6&latitude=35.7&longitude=139.7&maxradiuskm=500",
            &[("/count", json!(135))],
        ),
        case(
            "get_earthquake",
            json!({ "id": "us7000abcd" }),
            "/fdsnws/event/1/query?format=geojson&eventid=us7000abcd",
            &[
                ("/title", json!("M 5.2 - 62 km SSW of Hihifo, Tonga")),
                ("/updated", json!("2025-11-21T09:00:00Z")),
                ("/intensity_estimated", json!(4.2)),
                ("/felt", json!(null)),
            ],
        ),
    ])
    .await;
    for (id, words) in [
        ("none", "There is no earthquake with the id none. Take ids from recent_earthquakes or search_earthquakes."),
        ("us00000000", "There is no earthquake with the id us00000000."),
        ("gone", "The earthquake gone was deleted from the catalogue"),
    ] {
        let text = server.error("get_earthquake", &json!({ "id": id })).await;
        assert!(text.starts_with(words), "{text}");
    }
}

fn story(id: u64) -> Value {
    json!({ "by": "ada", "descendants": 71, "id": id, "kids": [9001, 9002], "score": 111, "time": 1_175_714_200,
        "title": format!("Story {id}"), "type": "story", "url": "https://example.com/" })
}

fn hits(query: &str) -> Value {
    let comment = json!({ "objectID": "9001", "author": "bo", "comment_text": "<p>I &#x27;like&#x27; it.<p>Really.",
        "created_at": "2026-11-21T08:00:00Z", "parent_id": 8863, "story_id": 8863, "story_title": "Story 8863",
        "_tags": ["comment", "author_bo", "story_8863"], "_highlightResult": {} });
    let story = json!({ "objectID": "8863", "title": "Story 8863", "url": "https://example.com/", "author": "ada",
        "points": 111, "num_comments": 71, "created_at": "2007-04-04T19:16:40Z", "created_at_i": 1_175_714_200,
        "_tags": ["story", "author_ada", "story_8863"], "_highlightResult": {} });
    let hit = if query.contains("tags=comment") { comment } else { story };
    json!({ "hits": [hit], "nbHits": 1, "page": 0, "nbPages": 1, "hitsPerPage": 20, "exhaustiveNbHits": true,
        "query": "", "params": "", "processingTimeMS": 4 })
}

/// Lists of numbers, items, users, and the search beside them.
async fn stories() -> StandIn {
    stand_in(|seen, _| {
        let number = |from: &str| seen.target.strip_prefix(from)?.strip_suffix(".json")?.parse::<u64>().ok();
        Scripted::json(
            200,
            &match seen.target.as_str() {
                target if target.starts_with("/search") => hits(target),
                "/askstories.json" => json!([101, 102, 103, 104]),
                "/user/dang.json" => json!({ "about": "<i>Hi</i>", "created": 1_187_454_947, "id": "dang",
                    "karma": 66000, "submitted": (0..30).collect::<Vec<_>>() }),
                // What is not there, and what was deleted from a list, is null.
                _ => match number("/item/") {
                    Some(102 | 999) | None => json!(null),
                    Some(id) => story(id),
                },
            },
        )
    })
    .await
}

#[tokio::test]
async fn hacker_news() {
    let api = stories().await;
    let server =
        bridge("hacker-news.yaml", &[("HACKER_NEWS_URL", api.url()), ("HACKER_NEWS_SEARCH_URL", api.url())]).await;
    let found =
        [("/items/0/story_id", json!(8863)), ("/items/0/comments", json!(71)), ("/items/0/author", json!("ada"))];
    let said = [
        ("/items/0/comment_id", json!(9001)),
        ("/items/0/text", json!("I 'like' it.\n\nReally.")),
        ("/items/0/posted", json!("2026-11-21T08:00:00Z")),
    ];
    calls(&server, &api, vec![
        case("front_page", json!({}), "/search?tags=front_page&hitsPerPage=30", &found),
        case(
            "search_stories",
            json!({ "query": "sqlite \"wal\"", "order": "search_by_date", "min_points": 100, "page": 2 }),
            "/search_by_date?query=sqlite%20%22wal%22&tags=story&numericFilters=points%3E%3D100&hitsPerPage=15&page=2",
            &found,
        ),
        case(
            "search_comments",
            json!({ "query": "wal" }),
            "/search_by_date?query=wal&tags=comment&hitsPerPage=15&page=0",
            &said,
        ),
        case(
            "list_comments",
            json!({ "story_id": 8863 }),
            "/search_by_date?tags=comment%2Cstory_8863&hitsPerPage=30&page=0",
            &said,
        ),
        case(
            "list_stories",
            json!({ "list": "ask", "limit": 3 }),
            "/askstories.json",
            &[("/items/0/title", json!("Story 101")), ("/items/1/title", json!("Story 103"))],
        ),
        case(
            "get_item",
            json!({ "id": 8863 }),
            "/item/8863.json",
            &[("/posted", json!("2007-04-04T19:16:40Z")), ("/answers", json!([9001, 9002])), ("/dead", json!(false))],
        ),
        case(
            "get_user",
            json!({ "user": "dang" }),
            "/user/dang.json",
            &[("/about", json!("Hi")), ("/karma", json!(66000)), ("/latest/19", json!(19))],
        ),
    ])
    .await;
    let stories = server.call("list_stories", &json!({ "list": "ask", "limit": 3 })).await;
    assert_eq!(stories["structuredContent"]["items"].as_array().map(Vec::len), Some(2), "{stories}");
    let text = server.error("get_item", &json!({ "id": 999 })).await;
    assert!(text.starts_with("Hacker News has no item with the id 999."), "{text}");
    let text = server.error("get_user", &json!({ "user": "nobody" })).await;
    assert!(text.starts_with("Hacker News has no user nobody."), "{text}");
}

fn weather(target: &str) -> Value {
    let mut answer = json!({ "latitude": 38.75, "longitude": -9.125, "generationtime_ms": 0.05, "utc_offset_seconds": 0,
        "timezone": "Europe/Lisbon", "timezone_abbreviation": "WET", "elevation": 45.0 });
    if target.contains("&current=") {
        answer["current_units"] = json!({ "time": "iso8601", "interval": "seconds", "temperature_2m": "°C" });
        answer["current"] = json!({ "time": "2026-11-21T12:15", "interval": 900, "temperature_2m": 17.4,
            "apparent_temperature": 16.2, "relative_humidity_2m": 71, "is_day": 1, "precipitation": 0.0, "weather_code": 3,
            "cloud_cover": 100, "pressure_msl": 1019.7, "wind_speed_10m": 11.2, "wind_direction_10m": 300, "wind_gusts_10m": 23.4 });
    } else if target.contains("&hourly=") {
        answer["hourly"] = json!({ "time": ["2026-11-21T00:00", "2026-11-21T01:00"], "temperature_2m": [12.5, 12.1],
            "apparent_temperature": [11.0, 10.8], "precipitation_probability": [0, 5], "precipitation": [0.0, 0.1],
            "weather_code": [3, 61], "cloud_cover": [90, 100], "wind_speed_10m": [7.9, 8.4], "wind_gusts_10m": [15.1, 16.0] });
    } else {
        answer["daily"] = json!({ "time": ["2026-11-21", "2026-11-22"], "weather_code": [3, 61],
            "temperature_2m_max": [18.2, 16.9], "temperature_2m_min": [12.1, 11.4], "precipitation_sum": [0.0, 4.2],
            "precipitation_probability_max": [3, 88], "wind_speed_10m_max": [14.0, 22.3], "wind_gusts_10m_max": [30.1, 48.2],
            "uv_index_max": [2.1, 1.2], "sunrise": ["2026-11-21T07:22", "2026-11-22T07:23"],
            "sunset": ["2026-11-21T17:19", "2026-11-22T17:18"] });
    }
    answer
}

/// Places at `/geo`, forecasts at `/v1`.
async fn skies() -> StandIn {
    stand_in(|seen, _| {
        let place = json!({ "id": 2_267_057, "name": "Lisbon", "latitude": 38.71667, "longitude": -9.13333, "elevation": 45.0,
            "feature_code": "PPLC", "country_code": "PT", "admin1_id": 2_267_056, "timezone": "Europe/Lisbon",
            "population": 517_802, "country_id": 2_264_397, "country": "Portugal", "admin1": "Lisboa" });
        match seen.target.as_str() {
            // What nobody knows has no `results` at all.
            target if target.starts_with("/geo/search?name=Nowhere") => Scripted::json(200, &json!({ "generationtime_ms": 0.5 })),
            target if target.starts_with("/geo/") => {
                Scripted::json(200, &json!({ "results": [place], "generationtime_ms": 0.9 }))
            }
            target if target.contains("latitude=90&") => {
                Scripted::json(400, &json!({ "error": true, "reason": "No data is available for this location" }))
            }
            target => Scripted::json(200, &weather(target)),
        }
    })
    .await
}

#[tokio::test]
async fn open_meteo() {
    let api = skies().await;
    let variables =
        [("OPEN_METEO_GEOCODING_URL", format!("{}/geo", api.url())), ("OPEN_METEO_URL", format!("{}/v1", api.url()))];
    let server = bridge("open-meteo.yaml", &variables).await;
    let place = json!({ "latitude": 38.71667, "longitude": -9.13333 });
    calls(&server, &api, vec![
        case(
            "find_place",
            json!({ "name": "Lisbon", "country_code": "PT" }),
            "/geo/search?name=Lisbon&count=5&language=en&countryCode=PT&format=json",
            &[("/items/0/region", json!("Lisboa")), ("/items/0/latitude", json!(38.71667))],
        ),
        case("find_place", json!({ "name": "Nowhere" }), "/geo/search?name=Nowhere&count=5&language=en&format=json", &[(
            "/items",
            json!([]),
        )]),
        case(
            "forecast_for_city",
            json!({ "city": "Lisbon", "days": 2 }),
            "/geo/search?name=Lisbon&count=1&format=json",
            &[
                ("/place/country", json!("Portugal")),
                ("/days/0/date", json!("2026-11-21")),
                ("/days/1/highest", json!(16.9)),
                ("/days/1/rain_chance", json!(88)),
            ],
        ),
        case(
            "current_weather",
            place.clone(),
            "/v1/forecast?latitude=38.71667&longitude=-9.13333&current=temperature_2m%2Capparent_temperature%2C\
             relative_humidity_2m%2Cis_day%2Cprecipitation%2Cweather_code%2Ccloud_cover%2Cpressure_msl%2Cwind_speed_10m%2C\
             wind_direction_10m%2Cwind_gusts_10m&temperature_unit=celsius&timezone=auto",
            &[("/temperature", json!(17.4)), ("/wind_direction", json!(300))],
        ),
        case(
            "hourly_forecast",
            place.clone(),
            "/v1/forecast?latitude=38.71667&longitude=-9.13333&hourly=temperature_2m%2Capparent_temperature%2C\
             precipitation_probability%2Cprecipitation%2Cweather_code%2Ccloud_cover%2Cwind_speed_10m%2Cwind_gusts_10m\
             &temperature_unit=celsius&forecast_days=2&timezone=auto",
            &[("/items/1/time", json!("2026-11-21T01:00")), ("/items/1/rain_chance", json!(5))],
        ),
        case(
            "daily_forecast",
            place,
            "/v1/forecast?latitude=38.71667&longitude=-9.13333&daily=weather_code%2Ctemperature_2m_max%2C\
             temperature_2m_min%2Cprecipitation_sum%2Cprecipitation_probability_max%2Cwind_speed_10m_max%2C\
             wind_gusts_10m_max%2Cuv_index_max%2Csunrise%2Csunset&temperature_unit=celsius&forecast_days=7&past_days=0\
             &timezone=auto",
            &[("/items/0/sunrise", json!("2026-11-21T07:22")), ("/items/1/uv_index", json!(1.2))],
        ),
    ])
    .await;
    let asked = api.targets();
    let forecast = asked.iter().find(|target| target.contains("forecast_days=2") && target.contains("daily="));
    assert!(
        forecast.is_some_and(|it| it.starts_with("/v1/forecast?latitude=38.71667&longitude=-9.13333&")),
        "{asked:?}"
    );
    let before = asked.len();
    let text = server.error("forecast_for_city", &json!({ "city": "Nowhere" })).await;
    assert!(text.starts_with("No place is called Nowhere."), "{text}");
    assert_eq!(api.targets().len(), before + 1, "no forecast is asked for without a place");
    let text = server.error("current_weather", &json!({ "latitude": 90, "longitude": 0 })).await;
    assert!(text.starts_with("Open-Meteo has no forecast for latitude 90, longitude 0."), "{text}");
}
