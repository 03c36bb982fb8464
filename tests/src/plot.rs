//! `GET /plot`: a page of its own, with that version's training data in it and nothing to load.

use serde_json::{Value, json};

use crate::histories::{daily, with};
use crate::problem::{assert_problem, assert_problem_at};
use crate::reply::Reply;
use crate::server::{Server, history, long_history};
use crate::window_models::MODELS as WINDOW_MODELS;

/// The JSON of the page's data element.
fn data(page: &Reply) -> Value {
    let text = page.text();
    let start = text.find("id=\"data\"").expect("a data element");
    let open = start + text[start..].find('>').expect("its end") + 1;
    let close = open + text[open..].find("</script>").expect("its closing tag");
    serde_json::from_str(&text[open..close]).expect("JSON")
}

#[tokio::test]
async fn the_page_has_the_training_points_and_the_band() {
    let server = Server::start().await;
    for n in [6, 500, 3_000] {
        let body = long_history(n);
        let fit = server.fit("a", &body).await.ok();
        let page = server.get("/plot?series_id=a").await;
        assert_eq!(page.status, 200);
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        let chart = data(&page);
        assert_eq!(chart["timestamps"], body["timestamps"], "{n} points");
        assert_eq!(chart["values"], body["values"], "{n} points");
        for column in ["expected", "lower", "upper", "anomaly"] {
            assert_eq!(chart[column].as_array().map(Vec::len), Some(n), "{column}");
        }
        let columns = server
            .predict(
                "a",
                &json!({"timestamps": body["timestamps"], "values": body["values"]}),
            )
            .await
            .ok();
        assert_eq!(chart["anomaly"], columns["anomaly"]);
        assert_eq!(chart["lower"], columns["lower_bound"]);
        assert_eq!(chart["upper"], columns["upper_bound"]);
        let version = fit["version"].as_str().expect("a version");
        assert!(page.text().contains(&format!("version {version}")));
    }
}

/// A window model judges a point by those before it, and the first points of a history have too few.
#[tokio::test]
async fn the_first_window_of_a_window_model_is_not_judged() {
    let server = Server::start().await;
    // Ends at another time of the day than it began: were the first points taken to follow the last
    // ones, they would be out of place.
    let mut history = daily(30);
    for column in ["timestamps", "values"] {
        let points = history[column].as_array_mut().expect("a column");
        points.truncate(24 * 29 + 11);
    }
    let (mut shown, mut out_of_place) = (0, 0);
    for model in WINDOW_MODELS {
        let body = with(history.clone(), &json!({ "model": model }));
        server.fit(model, &body).await.ok();
        let chart = data(&server.get(&format!("/plot?series_id={model}")).await);
        let expected = chart["expected"].as_array().expect("a column");
        let unjudged = expected.iter().take_while(|value| value.is_null()).count();
        assert!((7..256).contains(&unjudged), "{model}: {unjudged}");
        assert!(expected[unjudged..].iter().all(Value::is_number), "{model}");
        for column in ["lower", "upper"] {
            let bounds = chart[column].as_array().expect("a column");
            assert!(bounds[..unjudged].iter().all(Value::is_null), "{model}");
        }
        let alarms = |reply: &Value| {
            let flags = reply["anomaly"].as_array().expect("a column");
            let first = flags[..unjudged + 24].iter();
            first.filter(|flag| **flag == json!(true)).count()
        };
        shown += alarms(&chart);
        // The control: the same points as a request, which follows the training.
        let points = json!({"timestamps": body["timestamps"], "values": body["values"]});
        out_of_place += alarms(&server.predict(model, &points).await.ok());
    }
    assert!(5 * shown < out_of_place, "{shown} {out_of_place}");
}

#[tokio::test]
async fn a_version_shows_its_own_points() {
    let server = Server::start().await;
    let (first, second) = ([1.0, 2.0, 4.0], [10.0, 20.0, 40.0]);
    server.fit("a", &history(&first)).await.ok();
    server.fit("a", &history(&second)).await.ok();
    for (query, values) in [
        ("", second),
        ("&version=2", second),
        ("&version=v1", first),
        ("&version=0", second),
    ] {
        let page = server.get(&format!("/plot?series_id=a{query}")).await;
        assert_eq!(data(&page)["values"], json!(values), "{query}");
    }
    let turned = server.get("/plot?version=1&series_id=a").await;
    assert_eq!(data(&turned)["values"], json!(first));
}

/// Whatever would make a browser ask another address, or this one again.
const LOADS: [&str; 16] = [
    "src=",
    "href=",
    "url(",
    "@import",
    "<link",
    "<img",
    "<iframe",
    "<object",
    "<embed",
    "<base",
    "fetch(",
    "XMLHttpRequest",
    "WebSocket",
    "EventSource",
    "import(",
    "sendBeacon",
];

#[tokio::test]
async fn the_page_loads_nothing() {
    let server = Server::start().await;
    server.fit("a", &history(&[1.0, 2.0, 4.0])).await.ok();
    let page = server.get("/plot?series_id=a").await;
    let text = page.text();
    assert!(text.starts_with("<!DOCTYPE html>") && text.trim_end().ends_with("</html>"));
    for load in LOADS {
        assert!(!text.contains(load), "the page has {load}");
    }
}

#[tokio::test]
async fn the_policy_runs_the_pages_own_scripts_only() {
    let server = Server::start().await;
    server.fit("a", &history(&[1.0, 2.0, 4.0])).await.ok();
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let page = server.get("/plot?series_id=a").await;
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(!policy.contains("script-src 'unsafe-inline'"), "{policy}");
        assert!(
            !policy.contains("http:") && !policy.contains("https:"),
            "{policy}"
        );
        let start = policy.find("'nonce-").expect("a nonce") + "'nonce-".len();
        let nonce = policy[start..].split('\'').next().expect("its end");
        let scripts = page.text().matches("<script").count();
        let signed = page.text().matches(&format!("nonce=\"{nonce}\"")).count();
        assert!(scripts > 0 && scripts == signed, "{signed} of {scripts}");
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        nonces.push(nonce.to_owned());
    }
    assert_ne!(nonces[0], nonces[1], "a nonce is used once");
}

#[tokio::test]
async fn a_plot_of_nothing_is_refused() {
    let server = Server::start().await;
    server.fit("a", &history(&[1.0, 2.0, 4.0])).await.ok();
    let loc = json!(["query", "series_id"]);
    for target in ["/plot", "/plot?", "/plot?version=1"] {
        assert_problem_at(&server.get(target).await, 422, "missing_field", &loc);
    }
    assert_problem(
        &server.get("/plot?series_id=b").await,
        404,
        "unknown_series",
    );
    let unknown = server.get("/plot?series_id=a&version=2").await;
    assert_problem(&unknown, 404, "unknown_version");
    let other = server.get("/plot?series_id=a&series=b").await;
    assert_problem(&other, 422, "invalid_query");
}
