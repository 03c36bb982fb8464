//! Versions: counted from 1, named in the forms of the contract, immutable once answered.

use rstest::rstest;
use serde_json::json;

use crate::problem::{assert_problem, assert_problem_at};
use crate::server::{Server, history, point};

/// A series with as many versions, each of a level of its own: version k expects 10·k.
async fn fitted(server: &Server, series: &str, versions: u32) {
    for k in 1..=versions {
        let level = 10.0 * f64::from(k);
        let fit = server
            .fit(series, &history(&[level - 1.0, level, level + 1.0]))
            .await
            .ok();
        assert_eq!(fit["version"], k.to_string());
    }
}

#[rstest]
#[case("", "3")]
#[case("?version=0", "3")]
#[case("?version=v0", "3")]
#[case("?version=V00", "3")]
#[case("?version=1", "1")]
#[case("?version=v1", "1")]
#[case("?version=V2", "2")]
#[case("?version=%202%20", "2")]
#[case("?version=+v2+", "2")]
#[case("?version=%09V3", "3")]
#[case("?version=0002", "2")]
#[tokio::test]
async fn a_version_is_digits_with_an_optional_v(#[case] query: &str, #[case] version: &str) {
    let server = Server::start().await;
    fitted(&server, "a", 3).await;
    let reply = server
        .predict(&format!("a{query}"), &point(9, 10.0))
        .await
        .ok();
    assert_eq!(reply["model_version"], version, "{query}");
    let expected: f64 = 10.0 * version.parse::<f64>().expect("digits");
    assert_eq!(reply["expected_value"], expected, "{query}");
}

#[tokio::test]
async fn any_other_version_is_refused_with_its_place() {
    let server = Server::start().await;
    fitted(&server, "a", 1).await;
    for form in [
        "", "abc", "-1", "%2B1", "1.5", "1e0", "v", "vv1", "v-1", "v%201", "1%202", "latest",
        "0x1", "%D9%A1", "1%00", "%20",
    ] {
        for target in [
            format!("/predict/a?version={form}"),
            format!("/plot?series_id=a&version={form}"),
        ] {
            let method = if target.starts_with("/plot") {
                "GET"
            } else {
                "POST"
            };
            let body = point(1, 1.0).to_string();
            let refused = server.send(method, &target, &[], body).await;
            let loc = json!(["query", "version"]);
            assert_problem_at(&refused, 422, "invalid_version", &loc);
        }
    }
}

#[tokio::test]
async fn a_query_that_says_two_things_is_refused() {
    let server = Server::start().await;
    fitted(&server, "a", 2).await;
    for (query, name) in [
        ("version=1&version=2", "version"),
        ("verison=1", "verison"),
        ("version=1&x=2", "x"),
        ("version=%ff", "version"),
    ] {
        let refused = server.predict(&format!("a?{query}"), &point(1, 1.0)).await;
        let loc = json!(["query", name]);
        assert_problem_at(&refused, 422, "invalid_query", &loc);
    }
}

#[tokio::test]
async fn an_unknown_version_is_not_found() {
    let server = Server::start().await;
    fitted(&server, "a", 2).await;
    for version in [
        "3",
        "v4",
        "18446744073709551615",
        "99999999999999999999999999",
    ] {
        let query = format!("a?version={version}");
        let refused = server.predict(&query, &point(1, 1.0)).await;
        assert_problem(&refused, 404, "unknown_version");
        let plot = format!("/plot?series_id=a&version={version}");
        assert_problem(&server.get(&plot).await, 404, "unknown_version");
    }
}

#[tokio::test]
async fn a_version_answers_with_the_same_bytes_after_later_fits() {
    let server = Server::start().await;
    fitted(&server, "a", 1).await;
    let requests: Vec<_> = (-3..=3)
        .map(|k| point(5, 10.0 + 3.0 * f64::from(k)))
        .collect();
    let mut before = Vec::new();
    for request in &requests {
        let exact = server.predict("a?version=1", request).await;
        exact.ok();
        let latest = server.predict("a", request).await;
        assert_eq!(latest.body, exact.body, "it is the latest");
        before.push(exact.body);
    }
    for k in 2..=6 {
        let level = 10.0 * f64::from(k);
        server
            .fit("a", &history(&[level, level + 2.0, level + 1.0]))
            .await
            .ok();
        for (request, bytes) in requests.iter().zip(&before) {
            let again = server.predict("a?version=1", request).await;
            assert_eq!(&again.body, bytes, "after version {k}");
        }
    }
    let latest = server.predict("a", &requests[0]).await.ok();
    assert_eq!(latest["model_version"], "6");
}

#[tokio::test]
async fn series_do_not_share_numbers() {
    let server = Server::start().await;
    for series in ["a", "a.b", "A", "a:1", "a@1", "-", "..."] {
        fitted(&server, series, 2).await;
    }
    assert_eq!(server.series_trained().await, 7);
}
