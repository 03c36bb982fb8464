//! The promises of `compare`, measured: the same server called worse in at most one of twenty
//! comparisons, and one that is a tenth slower found in nine of ten. Noise of the machine meets both
//! sides alike, and can make a comparison inconclusive, but not wrong; so what the short form asserts
//! is that verdicts are seldom wrong. `TIDEMARK_TRIALS=100` runs the long form, which also asserts the
//! power, in about twenty minutes of an otherwise idle machine:
//!
//! ```console
//! $ TIDEMARK_TRIALS=100 cargo test -p bench-client --test compare trials -- --nocapture --test-threads 1
//! ```

use std::time::Duration;

use serde_json::Value;

use crate::process::{bench, path, stub};

/// Trials of the short form.
const SHORT: u64 = 6;

/// From here on, a share of the trials is a measurement.
const LONG: u64 = 100;

fn trials() -> u64 {
    let asked = std::env::var("TIDEMARK_TRIALS").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(SHORT)
}

/// How many of so many comparisons a promise of 5 % allows: where there are few, so many that more
/// would be chance once in 400 times.
fn allowed(trials: u64) -> usize {
    if trials >= LONG {
        (trials / 20) as usize
    } else {
        2
    }
}

/// What comparisons of a server that takes `b` with one that takes `a` say.
fn comparisons(a: Duration, b: Duration) -> Vec<Value> {
    let (a, b) = (stub(a), stub(b));
    let trials = trials();
    let folder = tempfile::tempdir().unwrap();
    let flags = if trials >= LONG {
        [
            "--rounds=5",
            "--requests=500",
            "--stat=p50,p95,p99,completed_rps",
        ]
    } else {
        [
            "--rounds=3",
            "--requests=128",
            "--stat=p50,p95,completed_rps",
        ]
    };
    (0..trials)
        .map(|trial| {
            let out = folder.path().join(trial.to_string());
            let out_flag = format!("--out={}", path(&out));
            let seed = format!("--seed={trial}");
            let compare = ["compare", "--a-url", &a.url, "--b-url", &b.url];
            let load = ["--workload=health", "--clients=32", &out_flag, &seed];
            let done = bench(&[&compare[..], &load, &flags].concat());
            let text = std::fs::read_to_string(out.join("compare.json"))
                .unwrap_or_else(|error| panic!("{error}: {}", done.stderr));
            std::fs::remove_dir_all(&out).unwrap();
            let comparison: Value = serde_json::from_str(&text).unwrap();
            let worse = comparison["outcome"] == "worse";
            assert_eq!(done.code, Some(i32::from(worse)), "{}", done.stdout);
            comparison
        })
        .collect()
}

fn with(comparisons: &[Value], verdict: &str) -> usize {
    let has = |comparison: &&Value| {
        let mut findings = comparison["findings"].as_array().unwrap().iter();
        findings.any(|finding| finding["verdict"] == verdict)
    };
    comparisons.iter().filter(has).count()
}

#[test]
fn the_same_server_is_seldom_called_worse() {
    let same = Duration::from_millis(10);
    let comparisons = comparisons(same, same);
    let (worse, better) = (with(&comparisons, "worse"), with(&comparisons, "better"));
    let equivalent = with(&comparisons, "equivalent");
    let trials = comparisons.len();
    println!(
        "A against A, {trials} trials: worse {worse}, better {better}, some figure equivalent {equivalent}"
    );
    assert!(worse <= allowed(trials as u64), "{worse} of {trials}");
    assert!(better <= allowed(trials as u64), "{better} of {trials}");
}

/// 20 ms and 22.2: timers tick every millisecond, and add half of one to both.
#[test]
fn a_server_that_is_a_tenth_slower_is_seldom_called_anything_but_worse() {
    let comparisons = comparisons(Duration::from_millis(20), Duration::from_micros(22_200));
    let medians: Vec<_> = comparisons
        .iter()
        .map(|comparison| &comparison["findings"][0])
        .collect();
    let wrong =
        |median: &&&Value| median["verdict"] == "better" || median["verdict"] == "equivalent";
    let wrong = medians.iter().filter(wrong).count();
    let worse = with(&comparisons, "worse");
    let trials = comparisons.len();
    println!(
        "B a tenth slower, {trials} trials: worse {worse}, median called better or equivalent {wrong}"
    );
    assert!(wrong <= allowed(trials as u64), "{wrong} of {trials}");
    if trials as u64 >= LONG {
        assert!(worse * 10 >= trials * 9, "{worse} of {trials}");
    }
}
