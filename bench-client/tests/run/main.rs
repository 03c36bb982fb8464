//! `tidemark-bench run` as a process, against the built-in stub: bounds, loops, honesty about a
//! server that stalls, and what is left when a run is cut short.

mod chaos;
mod counting;
mod littles_law;
mod memory;
mod process;
#[path = "../common/schema.rs"]
mod schema;
mod server_side;

use std::io::Read;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use self::process::{Stub, bench, run, start};

const FILES: [&str; 7] = [
    "latency.hlog",
    "report.html",
    "responses.jsonl",
    "run_config.json",
    "stats.json",
    "summary.json",
    "summary.md",
];

fn quantile_s(stats: &Value, metric: &str, q: f64) -> f64 {
    let quantiles = stats["ok"][metric]["quantiles"].as_array().unwrap();
    let quantile = quantiles.iter().find(|quantile| quantile["q"] == q);
    quantile.unwrap()["value_ns"].as_f64().unwrap() / 1e9
}

#[test]
#[cfg(target_os = "linux")]
fn figures_that_were_lost_on_a_full_disk_fail_a_run_that_is_measured_to_its_end() {
    let stub = Stub::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let output = std::process::Command::new(assert_cmd::cargo::cargo_bin!("tidemark-bench"))
        .args(["run", "--base-url", &stub.url, "--requests=50", "--out"])
        .arg(&out)
        .stdout(full.unwrap())
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    let wanted = "cannot write to standard output";
    assert_eq!(error.matches(wanted).count(), 1, "{error}");
    let summary = process::json(&out, "summary.json");
    assert_eq!(summary["interrupted"], false);
    assert_eq!(summary["headline"]["ok"], 50);
    assert!(out.join("report.html").exists());
}

#[test]
fn goodput_above_the_offered_rate_in_a_short_run() {
    let stub = Stub::start(&[]);
    let run = run(&stub.url, &["--rate=10/s", "--duration=500ms"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let stats = run.json("stats.json");
    assert_eq!(stats["good"], 5);
    assert!(stats["wall_ns"].as_u64().unwrap() >= 500_000_000);
    let goodput = stats["goodput_rps"].as_f64().unwrap();
    assert!(goodput <= 10.0, "{goodput}");
    let headline = &run.json("summary.json")["headline"];
    assert_eq!(headline["goodput_rps"], stats["goodput_rps"]);
    let shown = bench(&["show", run.out.to_str().unwrap(), "--format=json"]);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown[0]["stats"]["wall_ns"], stats["wall_ns"]);
    assert_eq!(shown[0]["notes"], json!([]));
}

#[test]
fn a_count_bound_run_leaves_a_whole_folder() {
    let stub = Stub::start(&[]);
    let run = run(
        &stub.url,
        &[
            "--clients=4",
            "--requests-per-client=25",
            "--warm-up=3",
            "--series=5",
            "--name=first",
        ],
    );
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let mut files: Vec<_> = std::fs::read_dir(&run.out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort_unstable();
    assert_eq!(files, FILES);

    let mut indices: Vec<_> = run
        .responses()
        .iter()
        .map(|r| r["index"].as_u64().unwrap())
        .collect();
    indices.sort_unstable();
    assert_eq!(indices, (0..100).collect::<Vec<_>>());
    let summary = run.json("summary.json");
    assert_eq!(summary["interrupted"], false);
    assert_eq!(summary["planned"], 100);
    assert_eq!(
        summary["before"],
        json!({"set_up": 5, "warm_up": 3, "failures": [], "failed": 0})
    );
    assert_eq!(summary["headline"]["ok"], 100);
    assert_eq!(summary["client_use"]["connections"], 4);
    let config = run.json("run_config.json");
    assert_eq!(
        (&config["name"], &config["seed"]),
        (&json!("first"), &json!(7))
    );
    assert!(
        run.stdout.contains("p99") && run.stdout.contains("too few"),
        "{}",
        run.stdout
    );
    assert_eq!(run.stderr, "", "silent when not a terminal");
}

#[test]
fn the_same_seed_sends_the_same_bytes() {
    let stub = Stub::start(&[]);
    let flags = [
        "--clients=2",
        "--requests=40",
        "--workload=predict=3,fit=1",
        "--no-set-up",
    ];
    let sizes = || {
        let run = run(&stub.url, &flags);
        let mut sizes: Vec<_> = run
            .responses()
            .iter()
            .map(|r| {
                (
                    r["index"].as_u64(),
                    r["op"].to_string(),
                    r["bytes_out"].as_u64(),
                )
            })
            .collect();
        sizes.sort_unstable();
        sizes
    };
    let once = sizes();
    assert_eq!(once.len(), 40);
    assert_eq!(once.iter().filter(|(_, op, _)| op == "\"fit\"").count(), 10);
    // The ids of series carry the run's id, of equal length in every run.
    assert_eq!(once, sizes());
}

#[test]
fn a_time_bound_run_ends_at_its_deadline() {
    let stub = Stub::start(&["--delay-ms=1"]);
    let begun = Instant::now();
    let run = run(
        &stub.url,
        &["--clients=2", "--duration=700ms", "--workload=health"],
    );
    assert!(begun.elapsed() >= Duration::from_millis(700));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let stats = run.json("stats.json");
    let last_sent = stats["send_window"]["last_sent_ns"].as_u64().unwrap();
    // A send is decided on before the deadline; what delays it then is the machine.
    assert!(last_sent < 1_000_000_000, "{last_sent}");
    assert!(stats["requests"].as_u64().unwrap() > 20);
    assert_eq!(run.json("summary.json")["planned"], Value::Null);
}

/// The client's own test of coordinated omission: a server that stops for two seconds of ten is
/// two seconds slow for everybody who would have come in that time.
#[test]
fn a_stall_is_in_the_p99_of_an_open_loop() {
    let stub = Stub::start(&["--stall=2s@4s"]);
    let run = run(
        &stub.url,
        &[
            "--rate=500/s",
            "--duration=10s",
            "--workload=health",
            "--max-connections=20",
        ],
    );
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let stats = run.json("stats.json");
    let requests = stats["requests"].as_u64().unwrap();
    assert!((4_990..=5_000).contains(&requests), "{requests}");
    assert!(
        quantile_s(&stats, "last", 0.99) >= 1.9,
        "{}",
        stats["ok"]["last"]
    );
    // The negative control: from when each was sent, the same requests hide the stall, for only
    // as many of them were in it as there are connections.
    assert!(
        quantile_s(&stats, "service", 0.99) < 1.9,
        "{}",
        stats["ok"]["service"]
    );
    assert!(
        stats["late_sends"].as_u64().unwrap() >= 900,
        "{}",
        stats["late_sends"]
    );
}

#[test]
fn an_interrupt_writes_everything_and_exits_130() {
    for signal in [Signal::INT, Signal::TERM] {
        let stub = Stub::start(&["--delay-ms=5"]);
        let running = start(
            &stub.url,
            &["--clients=3", "--duration=60s", "--workload=health"],
        );
        running.wait_for_responses(30);
        running.signal(signal);
        let run = running.wait();
        assert_eq!(run.code, Some(130), "{}", run.stderr);
        let summary = run.json("summary.json");
        assert_eq!(summary["interrupted"], true);
        assert_eq!(summary["rebuilt"], false);
        let requests = run.json("stats.json")["requests"].as_u64().unwrap();
        assert_eq!(requests as usize, run.responses().len());
        assert!(summary["dropped"].as_u64().unwrap() <= 3);
        let report = std::fs::read_to_string(run.out.join("report.html")).unwrap();
        assert!(report.to_lowercase().contains("interrupted"));
    }
}

#[test]
fn an_interrupt_before_the_first_request_is_one_too() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let running = start(&url, &["--duration=60s", "--timeout=60s"]);
    // The first connection is the question whether anybody is there; over the next come the fits
    // before the run, which are never answered.
    let _asked = listener.accept().unwrap();
    let (mut fits, _) = listener.accept().unwrap();
    fits.read_exact(&mut [0; 4]).unwrap();
    running.signal(Signal::INT);
    let run = running.wait();
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    assert!(
        run.stderr.contains("before the first request"),
        "{}",
        run.stderr
    );
    assert!(!run.out.join("run_config.json").exists());
}

#[test]
fn what_a_killed_run_wrote_loads() {
    let stub = Stub::start(&["--delay-ms=2"]);
    let running = start(
        &stub.url,
        &["--clients=3", "--duration=60s", "--workload=health"],
    );
    running.wait_for_responses(50);
    running.signal(Signal::KILL);
    let run = running.wait();
    assert_eq!(run.code, None);
    let text = std::fs::read_to_string(run.out.join("responses.jsonl")).unwrap();
    let whole = text.matches('\n').count();
    let shown = bench(&["show", run.out.to_str().unwrap(), "--format", "json"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    let shown = if shown.is_array() {
        shown[0].clone()
    } else {
        shown
    };
    assert_eq!(shown["stats"]["requests"], whole, "{shown}");
    assert_eq!(shown["summary"]["rebuilt"], true);
    assert_eq!(shown["summary"]["interrupted"], true);
}

#[test]
fn a_folder_holds_one_run() {
    let stub = Stub::start(&[]);
    let first = run(&stub.url, &["--requests=10", "--workload=health"]);
    let out = first.out.to_str().unwrap();
    let again = bench(&[
        "run",
        "--base-url",
        &stub.url,
        "--requests=5",
        "--workload=health",
        "--out",
        out,
    ]);
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains(out), "{}", again.stderr);
    assert_eq!(
        first.responses().len(),
        10,
        "nothing of the first was touched"
    );
}

#[test]
fn failures_are_told_and_exit_1() {
    let stub = Stub::start(&["--respond=503:1"]);
    let run = run(
        &stub.url,
        &["--requests=20", "--workload=health", "--clients=2"],
    );
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let stats = run.json("stats.json");
    assert_eq!(stats["outcomes"]["shed"], 20);
    assert_eq!(stats["ok"]["last"]["count"], 0);
    assert_eq!(stats["by_outcome"]["shed"]["count"], 20);
    assert_eq!(
        stats["error_rate"],
        Value::Null,
        "a rate is for the headline"
    );
    assert_eq!(run.json("summary.json")["headline"]["error_rate"], 1.0);
}

#[test]
fn set_up_that_fails_altogether_measures_nothing() {
    let stub = Stub::start(&["--respond=500:1"]);
    let run = run(&stub.url, &["--requests=20", "--series=3"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("none of the 3 fits"), "{}", run.stderr);
    assert!(run.stderr.contains("HTTP 500"), "{}", run.stderr);
    assert!(!run.out.join("run_config.json").exists());
}

#[test]
fn an_unreachable_server_is_one_sentence() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let run = run(&url, &["--requests=5"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    assert!(
        run.stderr
            .starts_with(&format!("error: cannot reach {url}: ")),
        "{}",
        run.stderr
    );
    assert_eq!(run.stderr.lines().count(), 1);
    assert!(!run.out.exists());
}

#[test]
fn flags_that_exclude_each_other_are_usage_errors() {
    for flags in [
        &["--requests=5", "--duration=1s"][..],
        &["--requests-per-client=5", "--duration=1s"],
        &["--requests-per-client=5", "--rate=5/s"],
        &["--clients=5", "--rate=5/s"],
        &["--rate=0/s"],
        &["--duration=0s"],
        &["--requests=0"],
        &["--workload=predict=0"],
        &["--workload=nonsense"],
        &["--clients=0"],
        &["--base-url=https://h"],
    ] {
        let args: Vec<_> = ["run"].iter().chain(flags).copied().collect();
        let run = bench(&args);
        assert_eq!(run.code, Some(2), "{flags:?}: {}", run.stderr);
        assert!(
            run.stderr.contains("--help") || run.stderr.contains("error:"),
            "{}",
            run.stderr
        );
    }
}
