//! The measurement's check of itself: requests in flight are their rate times their latency.

use serde_json::Value;

use super::process::{Finished, Stub, bench, run};

const LOAD: [&str; 2] = ["--rate=100/s", "--duration=2s"];

fn shown(run: &Finished) -> String {
    let folder = run.out.to_str().unwrap();
    let shown = bench(&["show", folder]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    shown.stdout + &shown.stderr
}

/// Writes every response down again with its latency changed.
fn with_latencies(run: &Finished, change: impl Fn(u64) -> u64) {
    let changed = run.responses().into_iter().map(|mut response| {
        let ns = |name: &str| response[name].as_u64().unwrap();
        let (sent, last) = (ns("sent_ns"), ns("last_ns"));
        let last = sent + change(last - sent);
        response["last_ns"] = Value::from(last);
        format!("{response}\n")
    });
    let changed: String = changed.collect();
    std::fs::write(run.out.join("responses.jsonl"), changed).unwrap();
}

#[test]
fn requests_in_flight_are_their_rate_times_their_latency() {
    let stub = Stub::start(&["--delay-ms=20"]);
    let run = run(&stub.url, &LOAD);
    let used = run.json("summary.json")["client_use"].clone();
    let sum = run.json("stats.json")["in_flight_ns"].as_f64().unwrap();
    let integral = used["in_flight_ns"].as_f64().unwrap();
    assert!((sum / integral - 1.0).abs() <= 0.05, "{sum} {integral}");
    // 200 requests of at least 20 ms.
    assert!(integral >= 200.0 * 20e6, "{integral}");
    assert!(run.stdout.contains("Little's law: "), "{}", run.stdout);
    assert!(!shown(&run).contains("does not hold"));
}

/// The negative control.
#[test]
fn latencies_that_were_noted_wrong_are_caught() {
    let stub = Stub::start(&["--delay-ms=20"]);
    let run = run(&stub.url, &LOAD);
    with_latencies(&run, |ns| ns * 9 / 10);
    let said = shown(&run);
    assert!(said.contains("Little's law does not hold"), "{said}");
}
