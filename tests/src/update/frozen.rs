//! A frozen state is a version like any other, and judges the next point as the state would have.

use serde_json::{Value, json};

use super::{columns, entries, points};
use crate::problem::assert_problem;
use crate::server::{Server, point};

/// What a predict says, without who said it.
fn verdict(reply: &Value) -> Value {
    let mut verdict = reply.clone();
    let members = verdict.as_object_mut().expect("an object");
    for name in [
        "model_version",
        "model_hash",
        "state_seq",
        "learnt",
        "alert",
    ] {
        members.remove(name);
    }
    verdict
}

#[tokio::test]
async fn a_frozen_version_answers_as_the_update_of_the_next_point() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::at(folder.path(), &[]).await;
    let points = points(1_200);
    server.update("a", &columns(&points[..590])).await.ok();
    // 590 is the spike's turn: 3 · 197 − 1.
    let frozen = server.freeze("a").await;
    assert_eq!(
        (&frozen["version"], &frozen["model"]),
        (&json!("1"), &json!("tail_views"))
    );
    assert_eq!(
        (&frozen["state_seq"], &frozen["points_used"]),
        (&json!(590), &json!(590))
    );
    assert_eq!(frozen["trained_from"], points[0].0);
    assert_eq!(frozen["trained_to"], points[589].0);
    assert!(frozen["duration_ms"].as_f64().is_some_and(|ms| ms > 0.0));
    let (timestamp, value) = points[590];
    let next = point(timestamp, value);
    let predicted = server.predict("a", &next).await;
    assert_eq!(predicted.ok()["model_hash"], frozen["model_hash"]);
    let updated = server.update_one("a", points[590]).await;
    assert_eq!(verdict(&updated), verdict(&predicted.ok()));
    assert_eq!(updated["anomaly"], true);
    // Columns of the version go on as the updates do.
    let ahead = columns(&points[590..]);
    let foretold = entries(&server.predict("a", &ahead).await.ok());
    let told = entries(&server.update("a", &columns(&points[591..])).await.ok());
    let told: Vec<Value> = std::iter::once(&updated)
        .chain(&told)
        .map(verdict)
        .collect();
    let foretold_verdicts: Vec<Value> = foretold.iter().map(verdict).collect();
    assert!(told == foretold_verdicts);
    // And it stays so: after more updates, another version and a restart.
    let second = server.freeze("a").await;
    assert_eq!(
        (&second["version"], &second["state_seq"]),
        (&json!("2"), &json!(1_200))
    );
    assert_ne!(second["model_hash"], frozen["model_hash"]);
    let again = server.predict("a?version=1", &next).await;
    assert_eq!(again.body, predicted.body);
    server.stop().await;
    let server = Server::at(folder.path(), &[]).await;
    let again = server.predict("a?version=1", &next).await;
    assert_eq!(again.body, predicted.body);
    assert_eq!(server.series_trained().await, 1);
}

#[tokio::test]
async fn a_fit_and_a_frozen_state_share_the_numbers_of_their_series() {
    let server = Server::start().await;
    server.fit("a", &columns(&points(300))).await.ok();
    let after = (points(300)[299].0 + 60, 20.0);
    server.update_one("a?from=1", after).await;
    assert_eq!(server.freeze("a").await["version"], "2");
    let fit = server.fit("a", &columns(&points(300))).await.ok();
    assert_eq!(fit["version"], "3");
    assert_eq!(server.freeze("a").await["version"], "4");
    let states = server.update_one("a", (after.0 + 60, 20.0)).await;
    assert_eq!(states["model_version"], "1", "it began there");
    let frozen = server.freeze("a").await;
    assert_eq!(
        frozen["trained_from"],
        points(1)[0].0,
        "the history was learnt"
    );
    assert_eq!(frozen["points_used"], 302);
}

#[tokio::test]
async fn a_frozen_version_has_a_plot_without_points() {
    let server = Server::start().await;
    server.update("a", &columns(&points(200))).await.ok();
    server.freeze("a").await;
    let page = server.get("/plot?series_id=a").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("<b>0</b> training points"));
    assert_problem(
        &server.get("/plot?series_id=a&version=2").await,
        404,
        "unknown_version",
    );
}
