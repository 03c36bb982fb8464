//! The server as it is seen from its own side during a run.

use serde_json::Value;

use super::counting::{Counting, Counts};
use super::process::{Finished, Stub, run};
use super::schema;

fn timeline(run: &Finished) -> Vec<Value> {
    let text = std::fs::read_to_string(run.out.join("timeline.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn server(run: &Finished) -> Value {
    let server = run.json("summary.json")["contributed"]["server"].clone();
    if !server.is_null() {
        schema::assert_valid("server.schema.json", &server, "/sampling/samples");
    }
    server
}

#[test]
fn what_its_process_uses_is_on_the_time_axis_of_the_run() {
    let stub = Stub::start(&[]);
    let pid = stub.child.id().to_string();
    let flags = ["--rate=200/s", "--duration=2s", "--server-pid", &pid];
    let run = run(&stub.url, &flags);
    assert_eq!(run.code, Some(0), "{} {}", run.stdout, run.stderr);
    let timeline = timeline(&run);
    // A look that takes long is no second one.
    assert!((4..=10).contains(&timeline.len()), "{}", timeline.len());
    let at: Vec<u64> = timeline
        .iter()
        .map(|sample| sample["at_ns"].as_u64().unwrap())
        .collect();
    assert!(at.is_sorted() && at[0] < 1_000_000_000, "{at:?}");
    assert!(*at.last().unwrap() >= 2_000_000_000, "{at:?}");
    for sample in &timeline {
        schema::assert_valid("timeline.schema.json", sample, "/process/rss_bytes");
        assert_eq!(sample["process"]["pid"].to_string(), pid);
        assert!(sample["process"]["rss_bytes"].as_u64().unwrap() > 1 << 20);
    }
    let seen = server(&run);
    assert!(seen["processors"].as_f64().unwrap() > 0.0, "{seen}");
    assert!(seen["max_fds"].as_f64().unwrap() >= 3.0, "{seen}");
    assert_eq!(seen["counts"], Value::Null, "the stub has no metrics");
    let page = std::fs::read_to_string(run.out.join("report.html")).unwrap();
    assert!(page.contains("Processors the server used"));
    assert!(page.contains("Resident memory of the server"));
}

#[test]
fn a_server_that_counts_right_is_reconciled_exactly() {
    let counting = Counting::start(Counts::Right);
    let flags = [
        "--clients=4",
        "--requests=3000",
        "--workload=predict=8,fit=1,update=1",
        "--no-set-up",
    ];
    let run = run(&counting.url, &flags);
    assert_eq!(run.code, Some(0), "{} {}", run.stdout, run.stderr);
    let counts = server(&run)["counts"].clone();
    assert_eq!(counts["verdict"]["reconciled"], "exact", "{counts}");
    assert_eq!([&counts["client"], &counts["server"]], [3_000, 3_000]);
    assert_eq!(counts["counts"].as_array().unwrap().len(), 3);
    assert!(run.stdout.contains("reconciled: exact, 3000 replies"));
    assert!(timeline(&run)[0]["metrics"]["in_flight"] == 3.0);
}

/// The negative control: one request of ten thousand.
#[test]
fn a_server_that_miscounts_by_one_in_ten_thousand_is_caught() {
    for (counts, missing, surplus) in [
        (Counts::Without(10_000), 1, 0),
        (Counts::Twice(10_000), 0, 1),
    ] {
        let counting = Counting::start(counts);
        let flags = ["--clients=4", "--requests=10000", "--no-set-up"];
        let run = run(&counting.url, &flags);
        let verdict = server(&run)["counts"]["verdict"].clone();
        assert_eq!(verdict["reconciled"], "differs_by", "{verdict}");
        assert_eq!(
            [&verdict["missing"], &verdict["surplus"]],
            [missing, surplus]
        );
        assert!(run.stdout.contains("DIFFERS by 1"), "{}", run.stdout);
        let page = std::fs::read_to_string(run.out.join("report.html")).unwrap();
        assert!(page.contains("DIFFERS by 1"));
    }
}

#[test]
fn metrics_are_read_where_they_are_asked_for_and_not_where_they_are_not() {
    let counting = Counting::start(Counts::None);
    let load = ["--clients=1", "--requests=20", "--no-set-up"];
    let with = |more: &[&str]| run(&counting.url, &[&load[..], more].concat());
    let quiet = with(&[]);
    assert_eq!(quiet.code, Some(0), "{}", quiet.stderr);
    assert!(!quiet.out.join("timeline.jsonl").exists());
    assert!(server(&quiet).is_null());

    let elsewhere = Counting::start(Counts::Right);
    let url = format!("{}/metrics", elsewhere.url);
    let run = with(&["--server-metrics", &url]);
    // What was sent to one server was not counted by another.
    let verdict = server(&run)["counts"]["verdict"].clone();
    assert_eq!(verdict["missing"], 20, "{verdict}");

    let none = with(&["--server-metrics", "none"]);
    assert!(server(&none).is_null());
    for (wrong, why) in [
        ("nowhere", "relative URL"),
        ("https://localhost/metrics", "plain http"),
        (&format!("{}/metrics", counting.url), "HTTP 404"),
    ] {
        let run = with(&["--server-metrics", wrong]);
        assert_eq!(run.code, Some(2), "{wrong}: {}", run.stderr);
        assert!(run.stderr.contains(why), "{wrong}: {}", run.stderr);
    }
}
