//! Scenarios with load from the engine.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::command::{Stub, play, start};

#[test]
fn a_paced_load_has_its_count() {
    let right = Stub::start(&[]);
    let played = play("paced", &["--base-url", &right.url]);
    played.assert_verdict("pass", 0);
    assert_eq!(played.figure("asked for"), 20.0);
    let refusing = Stub::start(&["--respond", "503:0.7"]);
    let played = play("paced", &["--base-url", &refusing.url]);
    played.assert_verdict("fail", 1);
}

#[test]
fn a_soak_reads_memory_errors_and_windows() {
    let stub = Stub::start(&[]);
    let flags = [
        "--base-url",
        &stub.url,
        "--server-pid",
        &stub.pid(),
        "--duration",
        "10s",
    ];
    let played = play("soak", &flags);
    assert_eq!(played.check("errors < 1 %"), "pass");
    assert_ne!(
        played.check("resident memory"),
        "not_measurable",
        "{played:#?}"
    );
    assert_eq!(played.figure("whole windows"), 5.0);
    let (first, last) = ("p95 of the first window", "p95 of the last window");
    let slower = played.figure(last) > 1.2 * played.figure(first);
    // Slower while others used the machine is nothing that can be said.
    let passed = played.check("p95 of the last window") == "pass";
    assert_eq!(passed, !slower);
}

/// The memory that is read is this process's, which takes more and more while the stub is asked.
#[test]
fn a_soak_of_a_process_that_grows_fails() {
    let stub = Stub::start(&[]);
    let pid = std::process::id().to_string();
    let flags = ["--base-url", &stub.url, "--server-pid", &pid];
    let over = AtomicBool::new(false);
    let played = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut taken = Vec::new();
            while !over.load(Relaxed) && taken.len() < 2_000 {
                taken.push(vec![1_u8; 1 << 20]);
                std::thread::sleep(Duration::from_millis(100));
            }
            std::hint::black_box(&taken);
        });
        let played = play("soak", &[&flags[..], &["--duration", "12s"]].concat());
        over.store(true, Relaxed);
        played
    });
    played.assert_verdict("fail", 1);
    assert_eq!(played.check("resident memory"), "fail");
    assert!(played.figure("memory, slope") > 1_000.0, "{played:#?}");
}

#[test]
fn a_soak_with_errors_fails_and_one_without_a_process_says_so() {
    let stub = Stub::start(&["--respond", "500:0.1"]);
    let played = play("soak", &["--base-url", &stub.url, "--duration", "4s"]);
    played.assert_verdict("fail", 1);
    assert_eq!(played.check("errors < 1 %"), "fail");
    assert_eq!(played.check("resident memory"), "not_measurable");
}

/// It stops for good while it is overloaded, or, where the machine is very slow, before that, and then the scenario
/// cannot be played.
#[test]
fn a_server_that_stays_down_does_not_recover() {
    let stub = Stub::start(&[
        "--stall",
        "10m@4500ms",
        "--delay-ms",
        "20",
        "--capacity",
        "4",
        "--batch-cost",
        "1",
    ]);
    let played = play("recovery", &["--base-url", &stub.url]);
    played.assert_verdict("fail", 1);
    if !played.report["figures"].as_array().unwrap().is_empty() {
        assert_eq!(played.check("at least 95 %"), "fail");
    }
}

#[test]
fn a_server_that_works_its_queue_off_recovers() {
    let stub = Stub::start(&["--delay-ms", "20", "--capacity", "4", "--batch-cost", "1"]);
    let played = play("recovery", &["--base-url", &stub.url]);
    played.assert_verdict("pass", 0);
}

/// The stub refuses nothing and queues everything: what it promises under overload is nothing.
#[test]
fn a_server_without_admission_does_not_pass_an_overload() {
    let stub = Stub::start(&["--delay-ms", "20", "--capacity", "4", "--batch-cost", "1"]);
    let played = play("overload", &["--base-url", &stub.url]);
    assert_ne!(played.report["verdict"], "pass", "{played:#?}");
    assert_ne!(played.check("O1"), "pass", "{played:#?}");
    assert_ne!(played.check("O2"), "pass", "{played:#?}");
    assert_eq!(played.check("O3"), "not_measurable");
    assert_eq!(played.check("O4"), "not_measurable");
    assert!(
        played.figure("10 × good") < 0.9 * played.figure("1 × good"),
        "{played:#?}"
    );
    played.check("O6");
}

#[test]
fn a_signal_ends_a_scenario_with_130() {
    let stub = Stub::start(&[]);
    let soak = start(&["scenario", "soak", "--base-url", &stub.url]);
    soak.wait_for("soak/soak/responses.jsonl");
    let ended = soak.interrupt();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(!ended.out.join("soak/scenario.json").exists());
}
