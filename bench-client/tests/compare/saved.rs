//! `compare` over folders: verdicts that no machine is too slow for, since one server takes ten times
//! as long as the other, and what cannot be compared.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::process::{bench, path, run, stub};
use crate::schema;

struct Folders {
    _dir: tempfile::TempDir,
    fast: Vec<PathBuf>,
    slow: Vec<PathBuf>,
}

/// Three runs each of a server that takes 4 ms and of one that takes 40.
fn folders() -> Folders {
    let dir = tempfile::tempdir().unwrap();
    let (fast, slow) = (
        stub(Duration::from_millis(4)),
        stub(Duration::from_millis(40)),
    );
    let runs = |url: &str, name: &str| {
        let one = |n: u32| {
            let folder = dir.path().join(format!("{name}-{n}"));
            run(url, 128, &folder);
            folder
        };
        (1..=3).map(one).collect()
    };
    Folders {
        fast: runs(&fast.url, "fast"),
        slow: runs(&slow.url, "slow"),
        _dir: dir,
    }
}

fn compare(a: &[PathBuf], b: &[PathBuf], flags: &[&str]) -> crate::process::Finished {
    let mut line = vec!["compare", "--a"];
    line.extend(a.iter().map(|dir| path(dir)));
    line.push("--b");
    line.extend(b.iter().map(|dir| path(dir)));
    line.extend(flags);
    bench(&line)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn ten_times_is_worse_one_way_and_better_the_other() {
    let folders = folders();
    let flags = ["--stat=p50,p99", "--format=json", "--min-effect=50%"];
    let worse = compare(&folders.fast, &folders.slow, &flags);
    assert_eq!(worse.code, Some(1), "{worse:?}");
    let said = json(&worse.stdout);
    assert_eq!(
        (&said["outcome"], &said["findings"][0]["verdict"]),
        (&"worse".into(), &"worse".into())
    );
    assert!(said["findings"][0]["low"].as_f64().unwrap() > 0.5);
    // 128 samples a run have no p99.
    assert_eq!(said["findings"][1]["verdict"], "inconclusive");
    let reason = said["findings"][1]["reason"].as_str().unwrap();
    assert!(reason.starts_with("A: too few samples"), "{reason}");
    assert_eq!(said["differences"][0]["setting"], "base_url");

    let better = compare(&folders.slow, &folders.fast, &flags);
    assert_eq!(better.code, Some(0), "{better:?}");
    assert_eq!(json(&better.stdout)["findings"][0]["verdict"], "better");

    // The same draws, and so the same to the last digit.
    let again = compare(&folders.fast, &folders.slow, &flags);
    assert_eq!(again.stdout, worse.stdout);
    let seeded = compare(
        &folders.fast,
        &folders.slow,
        &[&flags[..], &["--seed=5"]].concat(),
    );
    assert_ne!(
        json(&seeded.stdout)["findings"][0]["low"],
        said["findings"][0]["low"]
    );

    let out = folders.fast[0].parent().unwrap().join("out");
    let out_flag = format!("--out={}", path(&out));
    let text = compare(
        &folders.fast,
        &folders.slow,
        &["--stat=p50", &out_flag, "--paired"],
    );
    assert!(
        text.stdout.contains("WORSE") && text.stdout.contains("differs: base_url"),
        "{text:?}"
    );
    let file = json(&std::fs::read_to_string(out.join("compare.json")).unwrap());
    assert_eq!(
        (&file["paired"], &file["min_effect"]),
        (&true.into(), &0.05.into())
    );
    schema::assert_valid("compare.schema.json", &file, "/findings/0/verdict");
}

#[test]
fn one_run_a_side_is_compared_with_a_warning() {
    let folders = folders();
    let pair = bench(&[
        "compare",
        path(&folders.fast[0]),
        path(&folders.slow[0]),
        "--stat=p50,max",
    ]);
    assert_eq!(pair.code, Some(1), "{pair:?}");
    assert!(
        pair.stdout.contains("warning: a side has one run only"),
        "{}",
        pair.stdout
    );
    assert!(
        pair.stdout.contains("max: one run a side does not tell"),
        "{}",
        pair.stdout
    );
    let uneven = compare(&folders.fast, &folders.slow[..1], &["--paired"]);
    assert_eq!(uneven.code, Some(2), "{uneven:?}");
}

#[test]
fn what_was_not_asked_for_alike_is_refused_and_what_was_cut_short_is_invalid() {
    let folders = folders();
    let stub = stub(Duration::from_millis(4));
    let other = folders.fast[0].parent().unwrap().join("other");
    run(&stub.url, 200, &other);
    let unlike = [
        "compare",
        path(&folders.fast[0]),
        path(&other),
        "--stat=p50",
    ];
    let refused = bench(&unlike);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused.stderr.contains("load.bound.n"),
        "{}",
        refused.stderr
    );
    let taken = bench(&[&unlike[..], &["--unlike", "--min-effect=100%"]].concat());
    assert!(
        taken.stdout.contains("differs: load.bound.n: 128 and 200"),
        "{taken:?}"
    );

    for file in ["summary.json", "stats.json"] {
        std::fs::remove_file(folders.slow[0].join(file)).unwrap();
    }
    let responses = folders.slow[0].join("responses.jsonl");
    let text = std::fs::read_to_string(&responses).unwrap();
    std::fs::write(&responses, &text[..text.len() - 20]).unwrap();
    let cut = compare(&folders.fast, &folders.slow, &["--stat=p50"]);
    assert_eq!(cut.code, Some(3), "{cut:?}");
    assert!(cut.stdout.contains("a run was cut short"), "{}", cut.stdout);
    let few = compare(&folders.fast, &folders.fast, &["--stat=p99.9"]);
    assert_eq!(few.code, Some(3), "nothing to compare: {few:?}");
}

#[test]
fn an_interrupted_comparison_keeps_its_runs_and_says_nothing() {
    let stub = stub(Duration::from_millis(4));
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut child = Command::new(cargo_bin!("tidemark-bench"))
        .args(["compare", "--a-url", &stub.url, "--b-url", &stub.url])
        .args(["--workload=health", "--duration=1s", "--out", path(&out)])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while !out.join("002-b/responses.jsonl").exists() {
        assert!(Instant::now() < until, "the second run never began");
        std::thread::sleep(Duration::from_millis(20));
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(out.join("001-a/summary.json").exists() && out.join("002-b/summary.json").exists());
    assert!(!out.join("003-b").exists() && !out.join("compare.json").exists());
}
