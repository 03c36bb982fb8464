//! `batch-compare` against the stub, whose costs are known, and against a server that answers batches
//! otherwise than points.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use bench_client::stub::Settings;
use serde_json::Value;

use crate::process::{Finished, bench, path, stub_with};
use crate::schema;

fn batch_compare(url: &str, out: &Path, flags: &[&str]) -> Finished {
    let out = format!("--out={}", path(out));
    let line = ["batch-compare", "--base-url", url, "--seed=7", &out];
    bench(&[&line[..], flags].concat())
}

fn comparison(out: &Path) -> Value {
    let text = std::fs::read_to_string(out.join("comparison.json")).unwrap();
    let file = serde_json::from_str(&text).unwrap();
    schema::assert_valid("comparison.schema.json", &file, "/optimized/p95");
    file
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

/// Single points come at twice the rate that twenty connections have at 40 ms each, and queue. What
/// batches cost decides whether they help: ten delays each are no less work, one delay is a tenth.
#[test]
fn the_stub_gives_batching_nothing_for_free() {
    let folder = tempfile::tempdir().unwrap();
    let improvement = |name: &str, batch_cost| {
        let stub = stub_with(Settings {
            delay: Duration::from_millis(40),
            batch_cost,
            ..Settings::default()
        });
        let out = folder.path().join(name);
        let done = batch_compare(&stub.url, &out, &["--rate=1000/s", "--p95-ms=30000"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        comparison(&out)
    };
    let honest = improvement("honest", None);

    for percentile in ["p50", "p95"] {
        // No batch is there before its ten delays are over.
        assert!(
            number(&honest["optimized"][percentile]) >= 400.0,
            "{honest}"
        );
        assert!(
            number(&honest["improvement"][percentile]) <= 0.0,
            "{honest}"
        );
    }
    let cheap = improvement("cheap", Some(1.0));
    // The last of the single points cannot be answered before 800 ms, and came after 399.
    assert!(number(&cheap["baseline"]["p99"]) >= 350.0, "{cheap}");
    for percentile in ["p50", "p95", "p99"] {
        assert!(number(&cheap["improvement"][percentile]) > 0.0, "{cheap}");
    }
}

#[test]
fn logs_have_a_row_a_point_and_the_gate_fails_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    let stub = stub_with(Settings {
        delay: Duration::from_millis(5),
        ..Settings::default()
    });
    for via in ["columns", "ndjson"] {
        let out = folder.path().join(via);
        let via = format!("--via={via}");
        // A batch of ten takes 50 ms at least.
        let flags = ["--rate=800/s", "--points=200", "--p95-ms=49", &via];
        let done = batch_compare(&stub.url, &out, &flags);
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(
            done.stdout.contains("p95 of the batches ≤ 49 ms: FAILED"),
            "{}",
            done.stdout
        );
        assert!(
            done.stdout.contains("p99 of 200 points is a guess"),
            "{}",
            done.stdout
        );
        for (log, least_ms) in [
            ("latency_baseline.csv", 5.0),
            ("latency_optimized.csv", 50.0),
        ] {
            let text = std::fs::read_to_string(out.join(log)).unwrap();
            let mut lines = text.lines();
            assert_eq!(
                lines.next(),
                Some("request_id,timestamp_ms,latency_ms,status_code")
            );
            let rows: Vec<Vec<f64>> = lines
                .map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect())
                .collect();
            let ids: Vec<f64> = rows.iter().map(|row| row[0]).collect();
            assert_eq!(ids, (0..200).map(f64::from).collect::<Vec<_>>());
            assert!(
                rows.iter().all(|row| row[2] >= least_ms && row[3] == 200.0),
                "{log}"
            );
            // Points arrive every 1.25 ms in both.
            let between = rows.windows(2).map(|pair| pair[1][1] - pair[0][1]);
            assert!(
                between.into_iter().all(|ms| (ms - 1.25).abs() < 0.01),
                "{log}"
            );
        }
        let comparison = comparison(&out);
        for side in ["baseline", "optimized"] {
            let side = comparison[side].as_object().unwrap();
            let keys: Vec<_> = side.keys().map(String::as_str).collect();
            let wanted = [
                "failed_requests",
                "p50",
                "p95",
                "p99",
                "successful_requests",
                "total_requests",
            ];
            assert_eq!(keys, wanted);
            assert_eq!(
                (&side["total_requests"], &side["failed_requests"]),
                (&200.into(), &0.into())
            );
        }
    }
    let refused = batch_compare(&stub.url, folder.path(), &["--points=401"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

#[test]
fn points_that_fail_are_in_the_log_and_fail_the_gate() {
    let folder = tempfile::tempdir().unwrap();
    // The checks are 23 requests, the single points take 3.8 s: the batches are all in the minute in
    // which nothing is answered, and the checks are long before it.
    let stub = stub_with(Settings {
        stall: Some("60s@3500ms".parse().unwrap()),
        ..Settings::default()
    });
    let out = folder.path().join("out");
    let flags = ["--points=20", "--rate=5/s", "--timeout=1s"];
    let done = batch_compare(&stub.url, &out, &flags);
    assert_eq!(done.code, Some(1), "{done:?}");
    let text = std::fs::read_to_string(out.join("latency_optimized.csv")).unwrap();
    assert_eq!(
        text.lines().filter(|line| line.ends_with(",-1")).count(),
        20,
        "{text}"
    );
    assert_eq!(comparison(&out)["optimized"]["failed_requests"], 20);
    assert!(comparison(&out)["optimized"]["p95"].is_null());
}

/// Answers fits and single points as the contract has it, and calls the fourth point of every batch
/// an anomaly.
fn wrong_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || serve(stream));
        }
    });
    url
}

fn serve(stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let begin = head.len();
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
            let line = head[begin..].to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let many = String::from_utf8(body).unwrap().contains("timestamps");
        let reply = if head.starts_with("POST /fit/") {
            r#"{"series_id":"x","version":"1","points_used":8}"#
        } else if many {
            concat!(
                r#"{"anomaly":[false,false,false,true,false,false,false,false,false,false],"#,
                r#""model_version":"1","n_points":10,"n_anomalies":1}"#
            )
        } else {
            r#"{"anomaly":false,"model_version":"1"}"#
        };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", reply.len());
        if writer.write_all((head + reply).as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn a_faster_way_to_other_answers_is_not_measured() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let done = batch_compare(&wrong_server(), &out, &[]);
    assert_eq!(done.code, Some(1), "{done:?}");
    let line = done.stdout.lines().find(|line| line.starts_with("FAILED"));
    let line = line.unwrap_or_else(|| panic!("{}", done.stdout));
    assert!(line.contains("bit for bit: point 3 alone: "), "{line}");
    assert!(
        done.stdout.contains("nothing was measured"),
        "{}",
        done.stdout
    );
    assert!(!out.join("comparison.json").exists() && !out.join("baseline").exists());
}
