//! Points that come too late: judged as of now, and nothing is learnt from them.

use serde_json::json;

use super::{answers, columns, entries, ndjson, points};
use crate::server::Server;

#[tokio::test]
async fn a_late_point_is_judged_and_not_learnt() {
    let server = Server::start().await;
    let points = points(400);
    server.update("a", &columns(&points)).await.ok();
    let before = server.freeze("a").await;
    let last = points[399];
    let twice = server.update_one("a", last).await;
    assert_eq!(
        (&twice["learnt"], &twice["state_seq"]),
        (&json!(false), &json!(400))
    );
    assert_eq!(twice["status"], "ok");
    let outlier = server.update_one("a", (points[10].0, 9_999.0)).await;
    assert_eq!(
        (&outlier["learnt"], &outlier["state_seq"]),
        (&json!(false), &json!(400))
    );
    assert_eq!(
        (&outlier["anomaly"], &outlier["alert"]),
        (&json!(true), &json!(false))
    );
    let between = server.update_one("a", (last.0 - 30, 20.0)).await;
    assert_eq!(between["learnt"], false);
    let all_again = server.update("a", &columns(&points)).await.ok();
    assert_eq!(
        (&all_again["n_learnt"], &all_again["n_alerts"]),
        (&json!(0), &json!(0))
    );
    let after = server.freeze("a").await;
    assert_eq!(
        after["model_hash"], before["model_hash"],
        "nothing was learnt"
    );
    assert_eq!(after["state_seq"], before["state_seq"]);
}

#[tokio::test]
async fn a_late_point_among_others_changes_none_of_their_scores() {
    let server = Server::start().await;
    let points = points(500);
    let expected = entries(&server.update("in-order", &columns(&points)).await.ok());
    let mut muddled = Vec::new();
    let mut is_late = Vec::new();
    for (i, point) in points.iter().enumerate() {
        muddled.push(*point);
        is_late.push(false);
        if i % 5 == 4 {
            muddled.extend([*point, (points[i / 2].0, -3.0)]);
            is_late.extend([true, true]);
        }
    }
    let by_columns = entries(&server.update("columns", &columns(&muddled)).await.ok());
    let by_lines = answers(&server.update_lines("lines", ndjson(&muddled)).await);
    for told in [by_columns, by_lines] {
        let late: Vec<bool> = told.iter().map(|entry| entry["learnt"] == false).collect();
        assert_eq!(late, is_late);
        let in_order: Vec<_> = told.into_iter().filter(|e| e["learnt"] == true).collect();
        assert!(in_order == expected);
    }
    let hash = server.freeze("in-order").await["model_hash"].clone();
    assert_eq!(server.freeze("columns").await["model_hash"], hash);
    assert_eq!(server.freeze("lines").await["model_hash"], hash);
}
