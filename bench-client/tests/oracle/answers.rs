use serde_json::json;

use super::process::{Stub, run};
use super::trials;

/// Enough columns for 10⁵ answers, one of which is wrong.
const COLUMNS: [&str; 8] = [
    "--workload=columns",
    "--batch=200",
    "--clients=2",
    "--requests=500",
    "--series=10",
    "--points-per-fit=30",
    "--warm-up=0",
    "--oracle",
];

#[test]
fn right_answers_pass() {
    let stub = Stub::start(&["--learn"]);
    let mixed = [
        "--workload=predict=8,columns=1,fit=2,health=1",
        "--clients=8",
        "--requests=3000",
        "--series=10",
        "--points-per-fit=30",
        "--batch=20",
        "--oracle",
    ];
    let run = run(&stub.url, &mixed);
    let answers = &run.json("summary.json")["answers"];
    assert_eq!(run.code, Some(0), "{answers:#}\n{}", run.stderr);
    assert_eq!(answers["wrong"], 0);
    assert_eq!(answers["unchecked"], 0);
    // All but the health checks.
    assert_eq!(answers["checked"], 2_750);
    assert_eq!(run.json("run_config.json")["workload"]["sigma"], json!(3.0));
    assert!(run.stdout.contains("replies with"), "{}", run.stdout);
}

#[test]
fn one_wrong_answer_in_100_000_is_noticed_every_time() {
    for trial in 0..trials() {
        let stub = Stub::start(&["--wrong=1e-5", "--seed", &trial.to_string()]);
        let run = run(&stub.url, &COLUMNS);
        let summary = run.json("summary.json");
        let answers = &summary["answers"];
        assert_eq!(
            run.code,
            Some(4),
            "trial {trial}: {answers:#}\n{}",
            run.stderr
        );
        assert_eq!(
            (&answers["points"], &answers["wrong_points"]),
            (&json!(100_000), &json!(1))
        );
        assert_eq!(answers["examples"].as_array().unwrap().len(), 1);
        assert!(run.stdout.contains("WRONG ANSWERS: 1 replies, 1 points"));
        // It came in time, and is not good.
        let stats = run.json("stats.json");
        assert_eq!(
            (&stats["outcomes"]["ok"], &stats["good"]),
            (&json!(500), &json!(499))
        );
        let per_s = stats["goodput_rps"].as_f64().unwrap();
        assert_eq!(summary["headline"]["goodput_rps"].as_f64(), Some(per_s));
        assert!(per_s < stats["completed_rps"].as_f64().unwrap());
    }
}

#[test]
fn a_wrong_answer_to_a_single_point_is_noticed_and_survives_loading() {
    let stub = Stub::start(&["--wrong=0.002"]);
    let flags = [
        "--clients=4",
        "--requests=1000",
        "--series=10",
        "--points-per-fit=30",
        "--warm-up=0",
        "--oracle",
    ];
    let run = run(&stub.url, &flags);
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    assert_eq!(run.json("summary.json")["answers"]["wrong"], 2);
    let shown = super::process::bench(&["show", run.out.to_str().unwrap()]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(
        shown.stdout.contains("WRONG ANSWERS: 2 replies"),
        "{}",
        shown.stdout
    );
    // The figures are computed again, and are those of stats.json.
    assert!(!shown.stderr.contains("other figures"), "{}", shown.stderr);
}

/// A server that learns nothing is wrong about every anomaly.
#[test]
fn a_server_that_only_says_no_is_found_out() {
    let stub = Stub::start(&[]);
    let flags = ["--clients=2", "--requests=2000", "--series=10", "--oracle"];
    let run = run(&stub.url, &flags);
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    let answers = &run.json("summary.json")["answers"];
    let wrong = answers["wrong"].as_u64().unwrap();
    // One point in fifty is made to be an anomaly; the season after the training makes more.
    assert!((40..1_000).contains(&wrong), "{answers:#}");
    assert!(
        answers["examples"][0]["what"]
            .as_str()
            .unwrap()
            .contains("anomaly is false")
    );
}

#[test]
fn an_oracle_needs_something_that_it_knows() {
    for flags in [
        &["--workload=update", "--oracle"][..],
        &["--no-set-up", "--oracle"],
        &["--payloads=/nowhere", "--oracle"],
    ] {
        let refused = run("http://127.0.0.1:1", flags);
        assert_eq!(refused.code, Some(2), "{flags:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("--oracle"), "{}", refused.stderr);
    }
}
