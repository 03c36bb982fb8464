//! Restarts and evictions: the state goes on as if there had been none, to the last bit.

use serde_json::Value;

use super::{columns, entries, points};
use crate::server::Server;

#[tokio::test]
async fn a_restart_changes_no_bit_whatever_the_threads() {
    let points = points(2_000);
    let uninterrupted = Server::start().await;
    let expected = entries(&uninterrupted.update("a", &columns(&points)).await.ok());
    let hash = uninterrupted.freeze("a").await["model_hash"].clone();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut told = Vec::new();
    // Pieces that end before, at and after a snapshot, and one that has several.
    let ends = [1, 2, 255, 256, 257, 300, 511, 700, 701, 2_000];
    for (round, end) in ends.into_iter().enumerate() {
        let threads = (round % 3 + 1).to_string();
        let flags = ["--workers", &threads, "--compute-threads", &threads];
        let server = Server::at(folder.path(), &flags).await;
        let from = told.len();
        if round % 2 == 0 {
            let reply = server.update("a", &columns(&points[from..end])).await;
            told.extend(entries(&reply.ok()));
        } else {
            for point in &points[from..end] {
                told.push(server.update_one("a", *point).await);
            }
        }
        server.stop().await;
    }
    assert!(told == expected);
    let server = Server::at(folder.path(), &[]).await;
    assert_eq!(server.freeze("a").await["model_hash"], hash);
}

#[tokio::test]
async fn a_state_that_left_memory_comes_back_as_it_was() {
    const SERIES: usize = 40;
    let points = points(300);
    // Room for a handful of states and for no model.
    let small = Server::with(&["--model-cache", "100KiB"]).await;
    let large = Server::start().await;
    for (i, point) in points.iter().enumerate() {
        // In turn, so that each comes back again and again.
        let series = format!("s{}", i % SERIES);
        let told: Value = small.update_one(&series, *point).await;
        assert_eq!(told, large.update_one(&series, *point).await, "point {i}");
        assert_eq!(told["state_seq"], i / SERIES + 1);
    }
    for i in 0..SERIES {
        let series = format!("s{i}");
        let hash = small.freeze(&series).await["model_hash"].clone();
        assert_eq!(large.freeze(&series).await["model_hash"], hash, "{series}");
    }
}
