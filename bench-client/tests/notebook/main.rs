//! `tidemark-bench notebook` as its user runs it: the real binary against a server of the base
//! contract on a loopback port.

mod run;
mod server;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bench_client::client::PREVIEW_CHARS;
use bench_client::notebook::NotebookSummary;
use bench_client::record::{COLUMNS, CallRecord};
use bench_client::stats::Sorted;
use bench_client::summary::PhaseSummary;
use serde_json::json;

use self::run::{Results, notebook, start};
use self::server::{Answer, Seen, Server};

const SMALL: [&str; 6] = ["--cooldown", "0s", "--calls", "20", "--workers", "5"];

fn is_burst_fit(seen: &Seen) -> bool {
    seen.target.starts_with("/fit/benchmark_stress_") && !seen.target.contains("_warmup_")
}

/// The number at the end of a path.
fn index(seen: &Seen) -> usize {
    seen.target.rsplit('_').next().unwrap().parse().unwrap()
}

fn recomputed(records: &[CallRecord], figure: fn(&CallRecord) -> f64) -> Sorted {
    Sorted::new(records.iter().map(figure).collect())
}

fn assert_agrees(summary: &PhaseSummary, records: &[CallRecord]) {
    assert_eq!(summary.total_calls, records.len());
    let ok = records.iter().filter(|record| record.ok).count();
    assert_eq!(
        (summary.success_count, summary.error_count),
        (ok, records.len() - ok)
    );
    for (latency, sample) in [
        (
            &summary.latency,
            recomputed(records, |record| record.delta_ms),
        ),
        (
            &summary.since_intended,
            recomputed(records, |record| record.since_intended_ms),
        ),
    ] {
        assert_eq!(latency.min_ms, sample.min());
        assert_eq!(latency.p50_ms, sample.quantile(0.5));
        assert_eq!(latency.p95_ms, sample.quantile(0.95));
        assert_eq!(latency.max_ms, sample.max());
        assert_eq!(latency.mean_ms, sample.mean());
    }
    let mut codes = BTreeMap::new();
    for record in records {
        *codes
            .entry(record.status_code.map_or(-1, i32::from))
            .or_default() += 1;
    }
    assert_eq!(summary.status_codes, codes);
}

#[test]
fn a_run_without_failures_writes_everything() {
    let server = Server::start(|_| Answer::Usual);
    let run = notebook(&server.url, &SMALL);
    assert_eq!(run.code, Some(0), "{run:?}");

    let summary = run.summary();
    assert!(
        run.stdout
            .contains(&format!("(seed {})", summary.config.seed))
    );
    for (file, phase) in [("fit.csv", &summary.fit), ("predict.csv", &summary.predict)] {
        let (header, records) = run.records(file);
        assert_eq!(header, COLUMNS);
        assert_eq!(records.len(), 20);
        let phase = phase.as_ref().unwrap();
        assert_agrees(phase, &records);
        assert!(phase.all_ok() && phase.warm_up.calls == 5);
        for (i, record) in records.iter().enumerate() {
            assert_eq!(record.call_index, i);
            assert_eq!((record.status_code, record.ok), (Some(200), true));
            assert_eq!((&record.error, &record.body_preview), (&None, &None));
            assert!(record.since_intended_ms >= record.delta_ms && record.delta_ms > 0.0);
            let span = record.end_epoch_ms - record.start_epoch_ms;
            assert!((span - record.delta_ms).abs() < 0.01, "{record:?}");
        }
        let wall_s = phase.wall_s;
        let line = format!("Finished 20 calls with 5 workers in {wall_s:.2}s");
        assert!(
            run.stdout.lines().any(|l| l == line),
            "{line} in {}",
            run.stdout
        );
    }
    assert!(!summary.interrupted);
    assert_eq!(summary.config.base_url, server.url);
    assert!(summary.host.cpus > 0);
}

#[test]
fn the_server_sees_the_notebooks_requests() {
    let server = Server::start(|_| Answer::Usual);
    let run = notebook(&server.url, &[&SMALL[..], &["--seed", "7"]].concat());
    let id = run.summary().run_id;
    let seen = server.seen();
    assert_eq!(seen.len(), 5 + 20 + 1 + 5 + 20);
    assert!(
        seen.iter()
            .all(|s| s.method == "POST" && s.content_type == "application/json")
    );

    for (i, warm_up) in seen[..5].iter().enumerate() {
        assert_eq!(
            warm_up.target,
            format!("/fit/benchmark_stress_{id}_warmup_{i}")
        );
        assert_eq!(
            warm_up.body["timestamps"][0],
            1_700_000_000 + 10 * (100_000 + i)
        );
    }
    let mut fits = seen[5..25].to_vec();
    fits.sort_by_key(index);
    for (i, fit) in fits.iter().enumerate() {
        assert_eq!(fit.target, format!("/fit/benchmark_stress_{id}_{i}"));
        let body = bench_client::payload::fit(7, i as u64);
        assert_eq!(fit.body, serde_json::to_value(body).unwrap());
    }
    assert_eq!(seen[25].target, format!("/fit/benchmark_predict_{id}"));
    let training = json!({
        "timestamps": (1_705_000_000..1_705_000_008).collect::<Vec<_>>(),
        "values": [10.0, 10.2, 10.1, 9.9, 10.3, 10.15, 9.95, 10.25],
    });
    assert_eq!(seen[25].body, training);
    for (i, warm_up) in seen[26..31].iter().enumerate() {
        let timestamp = (1_705_009_000 + i).to_string();
        assert_eq!(warm_up.body, json!({"timestamp": timestamp, "value": 10.0}));
    }
    let mut timestamps = Vec::new();
    for predict in &seen[26..] {
        assert_eq!(
            predict.target,
            format!("/predict/benchmark_predict_{id}?version=0")
        );
        timestamps.push(predict.body["timestamp"].as_str().unwrap().to_owned());
    }
    timestamps[5..].sort();
    let expected: Vec<_> = (0..20).map(|i| (1_705_001_000 + i).to_string()).collect();
    assert_eq!(timestamps[5..], expected);

    let most = |phase: &[Seen]| {
        let mut connections: Vec<_> = phase.iter().map(|s| s.connection).collect();
        connections.sort_unstable();
        connections.dedup();
        connections.len()
    };
    assert!(most(&seen[..5]) == 1, "the warm-up keeps its connection");
    let shared = |a: &[Seen], b: &[Seen]| {
        a.iter()
            .any(|s| b.iter().any(|t| s.connection == t.connection))
    };
    assert!(
        !shared(&seen[..25], &seen[25..]),
        "a client of its own each phase"
    );
}

#[test]
fn failures_are_recorded_and_fail_the_run() {
    let server = Server::start(|seen| match seen {
        fit if is_burst_fit(fit) && index(fit) == 3 => Answer::Status(500, "é".repeat(900)),
        fit if is_burst_fit(fit) && index(fit) == 4 => {
            Answer::Status(422, "{\"detail\":\"<b>\"}".into())
        }
        fit if is_burst_fit(fit) && [8, 9].contains(&index(fit)) => Answer::Drop,
        fit if is_burst_fit(fit) && index(fit) == 10 => Answer::Hang,
        warm_up if warm_up.target.ends_with("_warmup_2") => Answer::Status(503, String::new()),
        _ => Answer::Usual,
    });
    let run = notebook(
        &server.url,
        &[&SMALL[..], &["--fit-timeout", "2s"]].concat(),
    );
    assert_eq!(run.code, Some(1), "{run:?}");

    let (_, records) = run.records("fit.csv");
    assert_eq!(records.len(), 20);
    let preview = records[3].body_preview.as_deref().unwrap();
    assert_eq!(preview, "é".repeat(PREVIEW_CHARS));
    assert_eq!(records[3].status_code, Some(500));
    assert!(records[3].error.as_deref().unwrap().starts_with("HTTP 500"));
    assert_eq!(
        records[4].body_preview.as_deref(),
        Some("{\"detail\":\"<b>\"}")
    );
    for dropped in &records[8..10] {
        assert_eq!((dropped.status_code, dropped.ok), (None, false));
        assert!(
            dropped
                .error
                .as_deref()
                .is_some_and(|e| e.contains("connection closed")),
            "{dropped:?}"
        );
        assert_eq!(dropped.body_preview, None);
    }
    assert!(
        records[10]
            .error
            .as_deref()
            .is_some_and(|e| e.contains("timed out"))
    );
    assert!(records[10].delta_ms >= 2_000.0);

    let fit = run.summary().fit.unwrap();
    assert_agrees(&fit, &records);
    assert_eq!(
        fit.status_codes,
        BTreeMap::from([(-1, 3), (200, 15), (422, 1), (500, 1)])
    );
    assert_eq!(fit.warm_up.failures.len(), 1);
    assert!(
        run.stderr
            .contains("fit warm-up call 3 of 5 failed: HTTP 503"),
        "{}",
        run.stderr
    );
    let report = run.report();
    assert!(report.contains("5 of 40 calls failed"));
    assert!(report.contains("−1 (no reply): 3 calls"));
    assert!(report.contains("&lt;b&gt;") && !report.contains("\"<b>"));
}

#[test]
fn the_report_is_one_file_with_six_charts() {
    let server = Server::start(|_| Answer::Usual);
    let report = notebook(&server.url, &SMALL).report();
    assert_eq!(report.matches("<svg").count(), 6);
    assert_eq!(report.matches("<circle").count(), 2 * 20, "every point");
    assert_eq!(report.matches("class=\"mean\"").count(), 2);
    for title in [
        "Training API Latency Distribution",
        "Predict API Latency Distribution",
    ] {
        assert!(report.contains(title));
    }
    for recorded in [
        "<td>694.04</td>",
        "<td>521.69</td>",
        "<td>1.16</td>",
        "<td>0.72</td>",
    ] {
        assert!(report.contains(recorded), "{recorded}");
    }
    for reference in [
        "<script", "<link", "<iframe", "src=", "href=", "url(", "@import",
    ] {
        assert!(!report.contains(reference), "{reference}");
    }
    // What is left of addresses is text: the server that was measured.
    assert_eq!(report.matches("https://").count(), 0);
    assert_eq!(
        report.matches("http://").count(),
        report.matches("http://127.0.0.1:").count()
    );
}

#[test]
fn the_same_seed_sends_the_same_bodies() {
    let bodies = || {
        let server = Server::start(|_| Answer::Usual);
        notebook(&server.url, &[&SMALL[..], &["--seed", "99"]].concat());
        let mut bodies: Vec<_> = server.seen().iter().map(|s| s.body.to_string()).collect();
        bodies.sort();
        bodies
    };
    assert_eq!(bodies(), bodies());
}

#[test]
fn warm_connections_are_open_before_the_burst() {
    // Health checks are held until all five are there, so that each needs its own connection.
    let together = std::sync::Barrier::new(5);
    let server = Server::start(move |seen| {
        if seen.target == "/healthcheck" {
            together.wait();
        }
        Answer::Usual
    });
    let run = notebook(&server.url, &[&SMALL[..], &["--warm-connections"]].concat());
    assert_eq!(run.code, Some(0), "{run:?}");
    let seen = server.seen();
    let checks = seen.iter().filter(|s| s.target == "/healthcheck").count();
    assert_eq!(checks, 2 * 5);
    let opened: Vec<_> = seen
        .iter()
        .filter(|s| s.target == "/healthcheck")
        .map(|s| s.connection)
        .collect();
    for measured in seen.iter().filter(|s| is_burst_fit(s)) {
        assert!(opened.contains(&measured.connection), "{measured:?}");
    }
    let warm = run.summary().fit.unwrap().warm_connections.unwrap();
    assert_eq!((warm.requested, warm.answered), (5, 5));
    assert!(run.report().contains("5 of 5 health checks answered"));
}

#[test]
fn a_predict_series_that_cannot_be_fitted_is_said() {
    let server = Server::start(|seen| {
        if seen.target.starts_with("/fit/benchmark_predict_") {
            Answer::Status(507, "disk full".into())
        } else {
            Answer::Usual
        }
    });
    let run = notebook(&server.url, &SMALL);
    assert_eq!(run.code, Some(1));
    let summary = run.summary();
    assert_eq!(summary.predict, None);
    let reason = summary.predict_not_measured.unwrap();
    assert!(
        reason.contains("HTTP 507") && reason.contains("disk full"),
        "{reason}"
    );
    assert_eq!(run.records("predict.csv").1.len(), 0);
    assert_eq!(run.records("fit.csv").1.len(), 20);
    assert!(run.report().contains("disk full"));
    assert!(
        !server
            .seen()
            .iter()
            .any(|s| s.target.starts_with("/predict/"))
    );
}

#[test]
fn an_unreachable_server_is_one_sentence() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let run = notebook(&url, &SMALL);
    assert_eq!(run.code, Some(1));
    assert_eq!(run.stdout, "");
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    let sentence = format!("error: cannot reach {url}: Connection refused");
    assert!(run.stderr.starts_with(&sentence), "{}", run.stderr);
    assert!(!run.out.exists(), "no folder without results");
}

#[test]
fn usage_errors_are_exit_code_2() {
    let run = notebook("https://127.0.0.1:1", &SMALL);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("https is not supported"),
        "{}",
        run.stderr
    );
}

#[test]
fn sigint_in_a_burst_writes_what_was_measured() {
    // Ten are answered, in whatever order they come; whoever comes later holds its worker.
    let answered = Arc::new(Mutex::new(Vec::new()));
    let server = Server::start({
        let answered = Arc::clone(&answered);
        move |seen| {
            let mut answered = answered.lock().unwrap();
            match seen {
                fit if !is_burst_fit(fit) => Answer::Usual,
                fit if answered.len() < 10 => {
                    answered.push(index(fit));
                    Answer::Usual
                }
                _ => Answer::Hang,
            }
        }
    });
    let run = start(&server.url, &SMALL);
    // All five workers are held, so that the ten calls before them have come to their end.
    server.wait_for(10 + 5, is_burst_fit);
    let run = run.interrupt();
    assert_eq!(run.code, Some(130), "{run:?}");
    let summary = run.summary();
    assert!(summary.interrupted);
    let (_, records) = run.records("fit.csv");
    let measured: Vec<_> = records.iter().map(|r| r.call_index).collect();
    let mut answered = answered.lock().unwrap().clone();
    answered.sort_unstable();
    assert_eq!(measured, answered);
    let fit = summary.fit.as_ref().unwrap();
    assert_agrees(fit, &records);
    assert_eq!(fit.planned_calls, 20);
    assert_eq!(summary.predict, None);
    let header_only = (COLUMNS.map(str::to_owned).to_vec(), vec![]);
    assert_eq!(run.records("predict.csv"), header_only);
    assert!(run.report().contains("Interrupted: 10 of 40 calls made"));
}

#[test]
fn sigint_in_the_cool_down_keeps_the_first_phase() {
    let server = Server::start(|_| Answer::Usual);
    let mut run = start(&server.url, &["--calls=20", "--workers=5", "--cooldown=1h"]);
    run.wait_for_stderr("cool-down: 3600 s left");
    let run = run.interrupt();
    assert_eq!(run.code, Some(130), "{run:?}");
    let summary: NotebookSummary = run.summary();
    assert!(summary.interrupted && summary.fit.unwrap().all_ok());
    assert_eq!(run.records("fit.csv").1.len(), 20);
    assert!(
        !server
            .seen()
            .iter()
            .any(|s| s.target.contains("benchmark_predict_"))
    );
}

#[test]
fn slow_answers_show_the_clients_queue() {
    let server = Server::start(|seen| {
        let held = Duration::from_millis(30);
        if is_burst_fit(seen) {
            Answer::Late(held)
        } else {
            Answer::Usual
        }
    });
    let run = notebook(&server.url, &["--calls=6", "--workers=2", "--cooldown=0s"]);
    let (_, records) = run.records("fit.csv");
    assert!(records.iter().all(|r| r.delta_ms >= 30.0));
    // Three rounds of two: whoever went last had waited for two rounds before it was sent.
    let longest = recomputed(&records, |r| r.since_intended_ms).max().unwrap();
    assert!(longest >= 90.0, "{longest}");
    let waited = records.iter().map(|r| r.since_intended_ms - r.delta_ms);
    assert!(waited.fold(0.0, f64::max) >= 60.0);
}
