//! Exit codes and words of `gate`. Limits are so far from what was measured that no machine is too
//! slow or too fast for them: a reply takes 5 ms at least, and all of them less than the timeout.

use std::time::Duration;

use bench_client::stub::Settings;
use serde_json::{Value, json};

use crate::process::{bench, path, run, stub, stub_with};

#[test]
fn passes_fails_and_says_what_it_cannot_say() {
    let stub = stub(Duration::from_millis(5));
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("run");
    run(&stub.url, 120, &dir);
    let gate = |rules: &[&str]| bench(&[&["gate", path(&dir)], rules].concat());

    let passed = gate(&[
        "--p95-ms=30000",
        "--max=error_rate=0",
        "--min=p50=5",
        "--max=p90=30000",
    ]);
    assert_eq!(passed.code, Some(0), "{passed:?}");
    assert!(
        passed.stdout.contains("error_rate ≤ 0  0"),
        "{}",
        passed.stdout
    );
    assert!(
        passed.stdout.ends_with("gate: passed\n"),
        "{}",
        passed.stdout
    );

    let failed = gate(&["--p95-ms=4", "--max=error_rate=0"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    let line = failed
        .stdout
        .lines()
        .find(|line| line.contains("p95 ≤ 4 ms"));
    assert!(
        line.is_some_and(|line| line.ends_with("FAIL")),
        "{}",
        failed.stdout
    );
    assert!(
        failed.stdout.ends_with("gate: FAILED\n"),
        "{}",
        failed.stdout
    );

    // 120 samples have a p95, and no p99.
    let few = gate(&["--p99-ms=30000", "--format=json"]);
    assert_eq!(few.code, Some(3), "{few:?}");
    let said: Value = serde_json::from_str(&few.stdout).unwrap();
    assert_eq!(said[0]["gate"], "invalid");
    let wanted =
        json!([{"statistic": "p99", "max": 30000.0, "reading": null, "verdict": "too_few"}]);
    assert_eq!(said[0]["rules"], wanted);

    assert_eq!(gate(&[]).code, Some(2));
    assert_eq!(gate(&["--max=p98=1"]).code, Some(2));
    let nowhere = folder.path().join("nowhere");
    assert_eq!(bench(&["gate", path(&nowhere), "--p95-ms=1"]).code, Some(1));
}

#[test]
fn a_run_that_was_killed_passes_nothing() {
    let stub = stub(Duration::ZERO);
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("run");
    run(&stub.url, 120, &dir);
    // As `kill -9` leaves a folder: no summary, and a line that was cut.
    for file in ["summary.json", "stats.json"] {
        std::fs::remove_file(dir.join(file)).unwrap();
    }
    let responses = dir.join("responses.jsonl");
    let text = std::fs::read_to_string(&responses).unwrap();
    std::fs::write(&responses, &text[..text.len() - 20]).unwrap();
    let gate = bench(&["gate", path(&dir), "--p95-ms=30000"]);
    assert_eq!(gate.code, Some(3), "{gate:?}");
    assert!(
        gate.stdout
            .contains("measurement invalid: the run was cut short"),
        "{}",
        gate.stdout
    );
    assert!(
        gate.stdout.contains("pass"),
        "readings are shown all the same"
    );
}

#[test]
fn wrong_answers_pass_nothing_however_fast() {
    let stub = stub_with(Settings {
        learn: true,
        wrong: 0.5,
        ..Settings::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("run");
    let out = format!("--out={}", path(&dir));
    let flags = ["--oracle", "--requests=100", "--series=5", "--seed=7"];
    let run = bench(&[&["run", "--base-url", &stub.url, &out], &flags[..]].concat());
    assert_eq!(run.code, Some(4), "{run:?}");
    let gate = bench(&["gate", path(&dir), "--p95-ms=30000"]);
    assert_eq!(gate.code, Some(4), "{gate:?}");
    assert!(
        gate.stdout
            .contains("gate: FAILED: the server gave wrong answers"),
        "{}",
        gate.stdout
    );
    let compare = bench(&["compare", path(&dir), path(&dir), "--stat=p50"]);
    assert_eq!(compare.code, Some(4), "{compare:?}");
}
