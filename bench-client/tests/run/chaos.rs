//! What is done to the server during a run, and when it is back.

use serde_json::Value;

use super::process::{Finished, Stub, run};
use super::schema;

const LOAD: [&str; 3] = ["--rate=200/s", "--duration=7s", "--timeout=5s"];

fn acts(run: &Finished) -> Vec<Value> {
    let summary = run.json("summary.json");
    let chaos = &summary["contributed"]["chaos"];
    schema::assert_valid("chaos.schema.json", chaos, "/acts/0/recovery");
    chaos["acts"].as_array().unwrap().clone()
}

#[test]
fn a_server_that_stood_still_is_back_when_it_goes_on() {
    let stub = Stub::start(&[]);
    let pid = stub.child.id().to_string();
    let mut flags = LOAD.to_vec();
    flags.extend([
        "--at",
        "2s",
        "sigstop",
        "--at",
        "3500ms",
        "kill -CONT {pid}",
    ]);
    flags.extend([
        "--server-pid",
        &pid,
        "--good-within=500ms",
        "--recover-within=4s",
    ]);
    let run = run(&stub.url, &flags);
    assert_eq!(run.code, Some(0), "{} {}", run.stdout, run.stderr);
    let acts = acts(&run);
    let recovered = |i: usize| {
        let recovery = &acts[i]["recovery"];
        if i == 1 && recovery["verdict"] == "undisturbed" {
            // It was there again before the next window began.
            return 0.0;
        }
        assert_eq!(recovery["verdict"], "recovered", "{recovery}");
        recovery["after_s"].as_f64().unwrap()
    };
    assert!(recovered(0) >= 1.3, "{}", recovered(0));
    assert!(recovered(1) < recovered(0) - 1.0, "{}", recovered(1));
    assert_eq!(acts[0]["result"], "ok");
    assert_eq!(acts[1]["result"], "exit status: 0");
    assert!(
        run.stdout.contains("sigstop: ok; back to 95 % after"),
        "{}",
        run.stdout
    );
    let page = std::fs::read_to_string(run.out.join("report.html")).unwrap();
    assert!(page.contains("Done to the server") && page.contains("class=\"moment\""));
}

#[test]
fn a_server_that_never_comes_back_fails_the_run() {
    let stub = Stub::start(&[]);
    let pid = stub.child.id().to_string();
    let mut flags = LOAD.to_vec();
    flags.extend(["--at", "2s", "kill -9 {pid}", "--server-pid", &pid]);
    flags.push("--recover-within=60s");
    let run = run(&stub.url, &flags);
    assert_eq!(run.code, Some(1), "{} {}", run.stdout, run.stderr);
    assert_eq!(acts(&run)[0]["recovery"]["verdict"], "not_recovered");
    assert!(run.stdout.contains("not back to 95 %"), "{}", run.stdout);
}

#[test]
fn what_cannot_be_done_is_told_before_the_run() {
    let stub = Stub::start(&[]);
    for (flags, reason) in [
        (&["--at", "2s", "restart"][..], "needs --server-bin"),
        (&["--at", "2s", "sigterm"], "--server-pid"),
        (&["--at", "2s", "kill {pid}"], "--server-pid"),
        (&["--at", "soon", "sigterm"], "--at soon"),
        (&["--at", "2s", " "], "no action"),
        (
            &["--at", "2s", "true", "--server-pid", "999999999"],
            "--server-pid 999999999",
        ),
        (&["--recover-within", "2s"], "--at"),
    ] {
        let run = run(&stub.url, flags);
        assert_eq!(run.code, Some(2), "{flags:?}: {}", run.stderr);
        assert!(run.stderr.contains(reason), "{flags:?}: {}", run.stderr);
        assert!(!run.out.join("run_config.json").exists());
    }
}
