use std::fs;

use serde_json::Value;

use super::{folder, printed, refused, run};

fn json(args: &[&str]) -> Value {
    let args = [&["show", "--format", "json"], args].concat();
    serde_json::from_str(&printed(&args)).unwrap()
}

#[test]
fn text_has_the_figures_that_people_ask_for() {
    let temp = tempfile::tempdir().unwrap();
    let dir = folder::write(temp.path(), "run", 1_000);
    let text = printed(&["show", dir.to_str().unwrap()]);
    for part in [
        "figures computed again from 1000 responses",
        "Run 20261125_120000_run \"nightly\", http://127.0.0.1:8000",
        "closed loop, 4 clients, 1000 requests",
        "100 × too many requests (first: request 5)",
        "by status: 200 × 900, 429 × 100",
        "processor time 1.50 s (25.00 % of the processors)",
        "memory 20.00 MB",
        "per_million_points",
    ] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
    // 900 replies have a p99 (482 are needed) and no p99.9 (4820).
    let last = text
        .lines()
        .find(|line| line.trim_start().starts_with("last "))
        .unwrap();
    assert_eq!(last.matches("too few").count(), 1, "{last}");
}

#[test]
fn json_has_the_whole_run_and_says_where_its_figures_are_from() {
    let temp = tempfile::tempdir().unwrap();
    let dir = folder::write(temp.path(), "run", 1_000);
    let dir = dir.to_str().unwrap();
    let again = json(&[dir]);
    assert_eq!(again[0]["figures"], "recomputed");
    assert_eq!(again[0]["stats"]["requests"], 1_000);
    assert_eq!(again[0]["config"]["seed"], 7);
    assert_eq!(
        again[0]["summary"]["contributed"]["cost"]["per_million_points"],
        0.1
    );
    let quick = json(&[dir, "--quick"]);
    assert_eq!(quick[0]["figures"], "saved");
    assert_eq!(quick[0]["stats"], again[0]["stats"]);
    let text = printed(&["show", dir, "--quick"]);
    assert!(text.contains("figures those of stats.json"), "{text}");
}

#[test]
fn filters_leave_the_figures_of_the_responses_that_pass() {
    let temp = tempfile::tempdir().unwrap();
    let dir = folder::write(temp.path(), "run", 3_000);
    let dir = dir.to_str().unwrap();
    let requests = |flags: &[&str]| {
        let run = json(&[&[dir], flags].concat());
        run[0]["stats"]["requests"].as_u64().unwrap()
    };
    assert_eq!(requests(&["--op", "ndjson"]), 600);
    assert_eq!(requests(&["--op", "ndjson", "--outcome", "ok"]), 300);
    assert_eq!(requests(&["--status", "429"]), 300);
    assert_eq!(requests(&["--status", "-1"]), 0);
    assert_eq!(requests(&["--index", "100-199"]), 100);
    assert_eq!(requests(&["--above", "10ms"]), 300, "the streams");
    assert_eq!(requests(&["--below", "1ms"]), 0);
    let stretch = json(&[dir, "--from", "10s", "--to", "20s"]);
    let stats = &stretch[0]["stats"];
    assert_eq!(stats["requests"], 1_000);
    let rate = stats["completed_rps"].as_f64().unwrap();
    assert!(
        (rate - 100.0).abs() < 0.5,
        "of ten seconds, not of twenty: {rate}"
    );
    assert_eq!(stretch[0]["summary"]["headline"]["requests"], 1_000);
}

#[test]
fn single_figures_are_a_column_each() {
    let temp = tempfile::tempdir().unwrap();
    let (few, many) = (
        folder::write(temp.path(), "few", 10),
        folder::write(temp.path(), "many", 1_000),
    );
    let (few, many) = (few.to_str().unwrap(), many.to_str().unwrap());
    let args = [
        "show", few, many, "--stat", "requests", "--stat", "p99", "--stat", "shed",
    ];
    let table = printed(&args);
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0], ["requests", "p99", "ms", "shed"]);
    assert_eq!(rows[1], [few, "10", "too", "few", "1"]);
    assert_eq!((rows[2][0], rows[2][1], rows[2][3]), (many, "1000", "100"));
    // The 891st of 900: streams begin at the 801st, and their 91st is request 900.
    let p99: f64 = rows[2][2].parse().unwrap();
    assert!((p99 - 11.9).abs() <= 0.012, "{p99}");
    let values = json(&[few, "--stat", "p99", "--stat", "max"]);
    assert_eq!(values[0]["values"]["p99"], Value::Null);
    assert_eq!(values[0]["too_few"], serde_json::json!(["p99"]));
    assert_eq!(values[0]["values"]["max"], 11.0);
}

#[test]
fn figures_of_prices_could_not_be_asked_for() {
    let temp = tempfile::tempdir().unwrap();
    let dir = folder::write(temp.path(), "run", 20);
    let dir = dir.to_str().unwrap();
    let stats = ["--stat", "cost.per_million_points", "--stat", "cost.total"];
    let table = printed(&[&["show", dir], &stats[..]].concat());
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0], ["cost.per_million_points", "cost.total"]);
    assert_eq!(
        rows[1],
        [dir, "0.1", "—"],
        "what the run has not is no number"
    );
    let values = json(&[&[dir], &stats[..]].concat());
    assert_eq!(values[0]["values"]["cost.per_million_points"], 0.1);
    assert_eq!(values[0]["values"]["cost.total"], Value::Null);
    let (code, error) = refused(&["show", dir, "--op", "fit", "--stat", "cost.total"]);
    assert_eq!(code, 2);
    assert!(error.contains("of the run as a whole"), "{error}");
}

#[test]
fn a_run_that_was_killed_is_shown_with_what_is_missing() {
    let temp = tempfile::tempdir().unwrap();
    let dir = folder::write(temp.path(), "run", 100);
    for file in ["summary.json", "stats.json", "latency.hlog"] {
        fs::remove_file(dir.join(file)).unwrap();
    }
    let responses = dir.join("responses.jsonl");
    let mut lines = fs::read(&responses).unwrap();
    lines.truncate(lines.len() - 20);
    fs::write(&responses, lines).unwrap();
    let text = printed(&["show", dir.to_str().unwrap()]);
    for part in [
        "summary.json is missing",
        "the last line of responses.jsonl was cut",
        "INTERRUPTED after 99 of 100 requests",
    ] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let temp = tempfile::tempdir().unwrap();
    let (code, error) = refused(&["show", temp.path().to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(error.contains("has no run in it"), "{error}");
    let (code, error) = refused(&["show", "any", "--stat", "p98"]);
    assert_eq!(code, 2);
    assert!(
        error.contains("p95") && error.contains("p99"),
        "near names: {error}"
    );
    let (code, _) = refused(&["show"]);
    assert_eq!(code, 2);
}

#[test]
fn a_folder_of_a_sweep_was_told_to_have_no_run() {
    let temp = tempfile::tempdir().unwrap();
    let levels: Vec<_> = (1..=14)
        .map(|n| folder::write(temp.path(), &format!("{n:05}-clients"), 1))
        .collect();
    let sweep = temp.path().to_str().unwrap();
    let (code, error) = refused(&["show", sweep]);
    assert_eq!(code, 1);
    let first = format!("name them, such as {} ", levels[0].display());
    assert!(error.contains(&first), "{error}");
    assert!(error.contains("00012-clients and 2 more"), "{error}");
}

#[test]
fn a_filter_that_nothing_passes_is_noted() {
    let temp = tempfile::tempdir().unwrap();
    let dir = folder::write(temp.path(), "run", 20);
    let dir = dir.to_str().unwrap();
    let note = "note: none of the 20 responses passes the filter";
    let text = printed(&["show", dir, "--op", "fit"]);
    assert!(text.contains(note), "{text}");
    let table = run(&["show", dir, "--op", "fit", "--stat", "p50"]);
    let error = String::from_utf8(table.stderr).unwrap();
    assert!(error.contains("none of the 20 responses"), "{error}");
    let whole = printed(&["show", dir]);
    assert!(!whole.contains("note:"), "{whole}");
    let (code, error) = refused(&["show", dir, "--from", "2s", "--to", "1s"]);
    assert_eq!(code, 2);
    assert!(error.contains("--from is not before --to"), "{error}");
}

#[test]
fn help_teaches_by_example() {
    for command in ["show", "merge"] {
        let help = printed(&[command, "--help"]);
        assert!(
            help.contains(&format!("Examples:\n  tidemark-bench {command} ")),
            "{help}"
        );
    }
}
