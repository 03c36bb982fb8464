//! Many clients, one series: every learnt point has a number of its own, 1 to n without a gap.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};

use super::{answers, entries};
use crate::server::{Server, point};

const CLIENTS: usize = 12;
const REQUESTS: usize = 30;
const NONE: [u64; 0] = [];

/// One request, of a kind and length of its own, with the latest times there are.
async fn send(server: &Server, series: &str, clock: &AtomicI64, i: usize) -> Vec<Value> {
    let n = [1, 1, 7, 40][i % 4];
    let from = clock.fetch_add(n, Ordering::SeqCst);
    let times: Vec<i64> = (from..from + n).collect();
    let values: Vec<f64> = times.iter().map(|t| (t * 7_919 % 101) as f64).collect();
    match i % 4 {
        0 | 1 => vec![server.update_one(series, (times[0], values[0])).await],
        2 => {
            let lines = times.iter().zip(&values);
            let body: String = lines.map(|(t, v)| format!("{}\n", point(*t, *v))).collect();
            answers(&server.update_lines(series, body).await)
        }
        _ => {
            let body = json!({ "timestamps": times, "values": values });
            entries(&server.update(series, &body).await.ok())
        }
    }
}

/// The numbers of the learnt points, sorted, and every gap and repeat among them.
fn faults(mut numbers: Vec<u64>) -> Vec<u64> {
    numbers.sort_unstable();
    let expected = 1..=numbers.len() as u64;
    let pairs = numbers.iter().zip(expected);
    pairs.filter(|(n, e)| **n != *e).map(|(n, _)| *n).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_have_neither_gap_nor_repeat() {
    let server = Arc::new(Server::with(&["--workers", "3", "--compute-threads", "2"]).await);
    let clock = Arc::new(AtomicI64::new(1));
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (server, clock) = (Arc::clone(&server), Arc::clone(&clock));
            tokio::spawn(async move {
                let mut told = Vec::new();
                for i in 0..REQUESTS {
                    told.extend(send(&server, "shared", &clock, i + client).await);
                }
                told
            })
        })
        .collect();
    let mut told = Vec::new();
    for task in tasks {
        told.extend(task.await.expect("the task does not panic"));
    }
    let mut learnt: Vec<&Value> = told
        .iter()
        .filter(|reply| reply["learnt"] == true)
        .collect();
    let numbers = learnt
        .iter()
        .map(|reply| reply["state_seq"].as_u64().expect("a number"));
    assert_eq!(faults(numbers.collect()), NONE);
    // The order of the numbers is one of times, and the state that of these points in that order.
    learnt.sort_by_key(|reply| reply["state_seq"].as_u64());
    let time = |reply: &Value| reply["timestamp"].as_i64().expect("a time");
    assert!(learnt.windows(2).all(|two| time(two[0]) < time(two[1])));
    let alone = Server::start().await;
    let times: Vec<i64> = learnt.iter().map(|reply| time(reply)).collect();
    let values: Vec<&Value> = learnt.iter().map(|reply| &reply["value"]).collect();
    let body = json!({ "timestamps": times, "values": values });
    let again = entries(&alone.update("alone", &body).await.ok());
    assert!(
        again.iter().eq(learnt.iter().copied()),
        "each was scored before it was learnt"
    );
    let hash = alone.freeze("alone").await["model_hash"].clone();
    assert_eq!(server.freeze("shared").await["model_hash"], hash);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_wishes_starts_a_state() {
    let server = Arc::new(Server::start().await);
    let tasks: Vec<_> = (1..=20)
        .map(|i| {
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                // Two of each, the second of which might be the first, sent again.
                let target = format!("a?alarm_rate=0.{:02}", i % 10 + 1);
                let started = server.update(&target, &point(i, 1.0)).await;
                started.status
            })
        })
        .collect();
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.expect("the task does not panic"));
    }
    statuses.sort_unstable();
    let (started, others) = ([200; 2], [409; 18]);
    assert_eq!(statuses[..], [&started[..], &others[..]].concat());
}

#[test]
fn a_gap_and_a_repeat_are_noticed() {
    assert_eq!(faults(vec![2, 1, 3]), NONE);
    assert_eq!(faults(vec![1, 3]), [3]);
    assert_eq!(faults(vec![1, 2, 2, 3]), [2, 3]);
}
