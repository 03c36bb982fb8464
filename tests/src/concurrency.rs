//! Read your write under concurrency: versions are 1…n without a gap, and whoever was told of one
//! is never answered by an older one.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::server::{Server, history, point};

const TASKS: usize = 32;
const FITS: usize = 8;

fn number(version: &Value) -> u64 {
    version.as_str().expect("a string").parse().expect("digits")
}

/// Every task fits a series of its own and two shared ones, and predicts after each fit.
async fn hammer(server: &Arc<Server>) -> BTreeMap<String, Vec<u64>> {
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let server = Arc::clone(server);
            tokio::spawn(async move {
                let mut told = Vec::new();
                for i in 0..FITS {
                    let series = match i % 3 {
                        0 => format!("own-{task}"),
                        1 => "shared-a".to_owned(),
                        _ => format!("shared-{}", task % 4),
                    };
                    let mark = (task * FITS + i) as f64;
                    let fit = server
                        .fit(&series, &history(&[mark, mark + 1.0, mark + 3.0]))
                        .await
                        .ok();
                    let version = number(&fit["version"]);
                    let latest = server.predict(&series, &point(9, 1.0)).await.ok();
                    let seen = number(&latest["model_version"]);
                    assert!(seen >= version, "{series}: told {version}, then saw {seen}");
                    let exact = server
                        .predict(&format!("{series}?version={version}"), &point(9, 1.0))
                        .await
                        .ok();
                    assert_eq!(
                        exact["model_hash"], fit["model_hash"],
                        "{series} version {version}"
                    );
                    told.push((series, version));
                }
                told
            })
        })
        .collect();
    let mut versions: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for task in tasks {
        for (series, version) in task.await.expect("the task does not panic") {
            versions.entry(series).or_default().push(version);
        }
    }
    versions
}

/// Series whose versions are not exactly 1…n.
fn broken(versions: &BTreeMap<String, Vec<u64>>) -> Vec<&str> {
    versions
        .iter()
        .filter(|(_, numbers)| {
            let mut sorted = (*numbers).clone();
            sorted.sort_unstable();
            !sorted.into_iter().eq(1..=numbers.len() as u64)
        })
        .map(|(series, _)| series.as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fit_that_answered_is_seen_by_every_later_predict() {
    for flags in [
        &[][..],
        &["--model-cache", "1KiB"],
        &["--workers", "1", "--compute-threads", "1"],
    ] {
        let server = Arc::new(Server::with(flags).await);
        let versions = hammer(&server).await;
        assert_eq!(versions.values().map(Vec::len).sum::<usize>(), TASKS * FITS);
        assert_eq!(broken(&versions), [""; 0], "{flags:?}");
        assert_eq!(server.series_trained().await, versions.len() as u64);
    }
}

#[test]
fn a_gap_and_a_repeat_are_noticed() {
    let history = |numbers: &[u64]| BTreeMap::from([("a".to_owned(), numbers.to_vec())]);
    assert!(broken(&history(&[2, 1, 3])).is_empty());
    for numbers in [&[1, 3][..], &[1, 2, 2], &[2, 3], &[0, 1], &[1, 1]] {
        assert_eq!(broken(&history(numbers)), ["a"], "{numbers:?}");
    }
}
