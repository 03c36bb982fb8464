//! A hot swap under load: clients ask by alias while it is pointed elsewhere and the series is fitted
//! again. No request fails, no answer is of two versions, none is older than the last change that
//! was acknowledged before it was asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::server::{Server, history, point};

const CLIENTS: usize = 8;
const SWAPS: usize = 120;

/// What one version says.
#[derive(Clone, Debug, PartialEq)]
struct Version {
    hash: String,
    expected: f64,
}

/// An answer by alias, and which changes it may be of.
#[derive(Clone, Debug)]
struct Answer {
    version: u64,
    hash: String,
    /// Of every point of the request.
    expected: Vec<f64>,
    /// Changes acknowledged before it was asked.
    acknowledged: usize,
    /// Changes sent before it was read.
    sent: usize,
}

#[derive(Debug, Default, PartialEq)]
struct Violations {
    mixed: usize,
    stale: usize,
}

/// `targets[i]` is where change number i + 1 pointed the alias.
fn judge(answers: &[Answer], versions: &BTreeMap<u64, Version>, targets: &[u64]) -> Violations {
    let mut violations = Violations::default();
    for answer in answers {
        let said = versions.get(&answer.version);
        let is_whole = said.is_some_and(|said| {
            said.hash == answer.hash && answer.expected.iter().all(|value| *value == said.expected)
        });
        violations.mixed += usize::from(!is_whole);
        let may_be = &targets[answer.acknowledged - 1..answer.sent];
        violations.stale += usize::from(!may_be.contains(&answer.version));
    }
    violations
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

fn number(value: &Value) -> u64 {
    value.as_str().expect("a string").parse().expect("digits")
}

/// Changes so far, by one client alone.
#[derive(Default)]
struct Changes {
    sent: AtomicUsize,
    acknowledged: AtomicUsize,
    are_over: AtomicBool,
}

/// Fits version `k` at a level of its own, pointing the alias to it if asked.
async fn fit(server: &Server, k: u64, alias: Option<&str>) -> Version {
    let level = 1_000.0 * k as f64;
    let mut body = history(&[level - 1.0, level, level + 1.0]);
    body["set_alias"] = json!(alias);
    let fit = server.fit("a", &body).await.ok();
    assert_eq!(number(&fit["version"]), k);
    Version {
        hash: text(&fit["model_hash"]),
        expected: level,
    }
}

/// Every kind of change in turn: a new version with the alias, one without, an older one.
async fn swap(
    server: &Server,
    changes: &Changes,
    first: Version,
) -> (BTreeMap<u64, Version>, Vec<u64>) {
    let (mut versions, mut targets) = (BTreeMap::from([(1, first)]), vec![1]);
    for i in 0..SWAPS as u64 {
        let next = versions.len() as u64 + 1;
        if i % 3 == 1 {
            versions.insert(next, fit(server, next, None).await);
            continue;
        }
        targets.push(if i % 3 == 0 {
            next
        } else {
            i * 7 % (next - 1) + 1
        });
        changes.sent.fetch_add(1, Ordering::SeqCst);
        let target = *targets.last().expect("pushed just now");
        if target == next {
            versions.insert(next, fit(server, next, Some("live")).await);
        } else {
            let body = json!({ "version": target.to_string() }).to_string();
            let put = server
                .send("PUT", "/series/a/aliases/live", &[], body)
                .await;
            assert_eq!(number(&put.ok()["version"]), target);
        }
        changes.acknowledged.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
    }
    changes.are_over.store(true, Ordering::SeqCst);
    (versions, targets)
}

async fn ask(server: &Server, changes: &Changes, client: usize) -> Vec<Answer> {
    let columns = json!({ "timestamps": (1..=50).collect::<Vec<_>>(), "values": vec![1.0; 50] });
    let mut answers = Vec::new();
    while !changes.are_over.load(Ordering::SeqCst) {
        let acknowledged = changes.acknowledged.load(Ordering::SeqCst);
        let body = if client.is_multiple_of(2) {
            point(9, 1.0)
        } else {
            columns.clone()
        };
        let reply = server.predict("a?alias=live", &body).await.ok();
        let expected = match &reply["expected_value"] {
            Value::Array(column) => column
                .iter()
                .map(|value| value.as_f64().expect("a number"))
                .collect(),
            one => vec![one.as_f64().expect("a number")],
        };
        answers.push(Answer {
            version: number(&reply["model_version"]),
            hash: text(&reply["model_hash"]),
            expected,
            acknowledged,
            sent: changes.sent.load(Ordering::SeqCst),
        });
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hot_swap_fails_no_request_and_mixes_no_answer() {
    // The second has no memory for models: every answer is read back, through every race there is.
    for flags in [&[][..], &["--model-cache", "1KiB"]] {
        let server = Arc::new(Server::with(flags).await);
        let changes = Arc::new(Changes::default());
        let first = fit(&server, 1, Some("live")).await;
        changes.sent.store(1, Ordering::SeqCst);
        changes.acknowledged.store(1, Ordering::SeqCst);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (server, changes) = (Arc::clone(&server), Arc::clone(&changes));
                tokio::spawn(async move { ask(&server, &changes, client).await })
            })
            .collect();
        let (versions, targets) = swap(&server, &changes, first).await;
        let mut answers = Vec::new();
        for client in clients {
            answers.extend(client.await.expect("no request fails"));
        }
        assert!(answers.len() >= CLIENTS, "there was a load");
        let violations = judge(&answers, &versions, &targets);
        assert_eq!(
            violations,
            Violations::default(),
            "{} answers",
            answers.len()
        );
        println!(
            "{flags:?}: {} answers during {} changes",
            answers.len(),
            targets.len()
        );
    }
}

/// The control: what the judge has to see.
#[test]
fn a_mixed_and_a_stale_answer_are_noticed() {
    let versions: BTreeMap<u64, Version> = (1..=3)
        .map(|k| {
            let (hash, expected) = (format!("h{k}"), k as f64);
            (k, Version { hash, expected })
        })
        .collect();
    let right = Answer {
        version: 2,
        hash: "h2".into(),
        expected: vec![2.0; 3],
        acknowledged: 2,
        sent: 3,
    };
    let targets = [1, 2, 3];
    let judged = |answer: Answer| judge(&[answer], &versions, &targets);
    assert_eq!(judged(right.clone()), Violations::default());
    let (mixed, stale) = (
        Violations { mixed: 1, stale: 0 },
        Violations { mixed: 0, stale: 1 },
    );
    assert_eq!(
        judged(Answer {
            hash: "h3".into(),
            ..right.clone()
        }),
        mixed
    );
    assert_eq!(
        judged(Answer {
            expected: vec![2.0, 2.0, 3.0],
            ..right.clone()
        }),
        mixed
    );
    assert_eq!(
        judged(Answer {
            acknowledged: 3,
            ..right.clone()
        }),
        stale
    );
    assert_eq!(
        judged(Answer {
            acknowledged: 1,
            sent: 1,
            ..right
        }),
        stale
    );
}
