//! Stop and start again on the same folder: counts, versions and every byte of a reply are back.

use serde_json::json;

use crate::problem::assert_problem;
use crate::server::{Server, history, long_history, point};

/// The training data of a page, which has a nonce of its own every time.
fn drawn(page: &str) -> &str {
    let start = page.find("id=\"data\"").expect("a data element");
    let open = start + page[start..].find('>').expect("its end");
    &page[open..open + page[open..].find("</script>").expect("its closing tag")]
}

async fn all_replies(server: &Server) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    for series in ["short", "long", "many", "robust"] {
        let versions = if series == "many" { 5 } else { 1 };
        for version in 0..=versions {
            for value in [-1e3, 2.5, 55.0, 1e3] {
                let target = format!("{series}?version={version}");
                let reply = server.predict(&target, &point(1_700_000_123, value)).await;
                reply.ok();
                bodies.push(reply.body);
            }
            let target = format!("/plot?series_id={series}&version={version}");
            let page = server.get(&target).await;
            assert_eq!(page.status, 200);
            bodies.push(drawn(page.text()).as_bytes().to_vec());
        }
        let next = server
            .predict(
                &format!("{series}?version={}", versions + 1),
                &point(1, 1.0),
            )
            .await;
        assert_problem(&next, 404, "unknown_version");
    }
    bodies
}

#[tokio::test]
async fn a_restart_changes_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::at(folder.path(), &[]).await;
    server.fit("short", &history(&[1.0, 2.0, 4.0])).await.ok();
    server.fit("long", &long_history(5_000)).await.ok();
    for k in 1..=5 {
        let level = f64::from(k);
        server
            .fit("many", &history(&[level, level + 1.0, level + 3.0]))
            .await
            .ok();
    }
    let mut robust = long_history(200);
    robust["model"] = json!("robust");
    robust["direction"] = json!("below");
    server.fit("robust", &robust).await.ok();
    let before = all_replies(&server).await;
    server.stop().await;
    for round in 1..=3 {
        let server = Server::at(folder.path(), &[]).await;
        assert_eq!(server.series_trained().await, 4, "round {round}");
        assert_eq!(all_replies(&server).await, before, "round {round}");
        server.stop().await;
    }
}

#[tokio::test]
async fn versions_go_on_where_they_stopped() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for version in 1..=4 {
        let server = Server::at(folder.path(), &[]).await;
        let level = f64::from(version);
        let fit = server
            .fit("a", &history(&[level, level + 1.0, level + 3.0]))
            .await
            .ok();
        assert_eq!(fit["version"], version.to_string());
        assert_eq!(server.series_trained().await, 1);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_stopped_server_does_not_answer() {
    let server = Server::start().await;
    let addr = server.addr;
    server.stop().await;
    assert!(std::net::TcpStream::connect(addr).is_err());
}
