//! `tidemark-bench stub` as its user starts and stops it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use rustix::process::{Pid, Signal, kill_process};

use super::POINT;
use super::client::Client;

struct Running {
    child: Child,
    url: String,
}

fn run(flags: &[&str]) -> Running {
    let mut child = Command::new(cargo_bin!("tidemark-bench"))
        .arg("stub")
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let url = line.trim_end().strip_prefix("listening on ");
    let url = url.unwrap_or_else(|| panic!("{line:?}")).to_owned();
    Running { child, url }
}

impl Running {
    /// Exit code and standard error.
    fn stop(self, signal: Signal) -> (Option<i32>, String) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let output = self.child.wait_with_output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }
}

#[test]
fn it_says_where_it_listens_and_stops_on_either_signal() {
    for signal in [Signal::INT, Signal::TERM] {
        let running = run(&["--port", "0"]);
        assert!(running.url.starts_with("http://127.0.0.1:"));
        let mut client = Client::connect(&running.url);
        assert_eq!(client.post("/predict/s", POINT).status, 200);
        // The open connection does not hold it.
        assert_eq!(running.stop(signal), (Some(0), "1 requests\n".to_owned()));
    }
}

#[test]
fn its_flags_arrive() {
    let running = run(&[
        "--delay-ms=30",
        "--batch-cost=3",
        "--capacity=1",
        "--threads=2",
    ]);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let body = r#"{"timestamps":[1],"values":[1]}"#;
            scope.spawn(|| Client::connect(&running.url).post("/predict/s", body));
        }
    });
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(180), "{took:?}");
    assert_eq!(running.stop(Signal::TERM).0, Some(0));

    let running = run(&["--respond=503:0.5,429:0.5"]);
    let mut client = Client::connect(&running.url);
    let statuses: Vec<_> = (0..40)
        .map(|_| client.post("/predict/s", POINT))
        .inspect(|reply| assert_eq!(reply.header("retry-after"), Some("1")))
        .map(|reply| reply.status)
        .collect();
    assert!(statuses.contains(&503) && statuses.contains(&429));
    assert!(statuses.iter().all(|status| [429, 503].contains(status)));
    running.stop(Signal::TERM);

    let running = run(&["--drop=1", "--seed=9"]);
    let mut client = Client::connect(&running.url);
    assert!(
        client
            .try_post("/predict/s", "application/json", POINT)
            .is_none()
    );
    running.stop(Signal::TERM);

    let running = run(&["--stall=300ms@0s"]);
    let took = Client::connect(&running.url).post("/predict/s", POINT).took;
    assert!(took >= Duration::from_millis(299), "{took:?}");
    running.stop(Signal::TERM);
}

#[test]
fn unusable_flags_are_usage_errors() {
    for (flag, wanted) in [
        ("--stall=2s", "such as 2s@4s"),
        ("--respond=200:1", "300 to 599"),
        ("--drop=2", "from 0 to 1"),
        ("--delay-ms=-1", "milliseconds"),
        ("--batch-cost=x", "expected a number"),
        ("--capacity=0", "--capacity"),
        ("--threads=0", "--threads"),
        ("--respond=503:0.6,500:0.6", "more than 1 together"),
    ] {
        let output = Command::new(cargo_bin!("tidemark-bench"))
            .args(["stub", flag])
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{flag}: {stderr}");
        assert!(stderr.contains(wanted), "{flag}: {stderr}");
    }
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = Command::new(cargo_bin!("tidemark-bench"))
        .args(["stub", "--port", &port])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    let wanted = format!("error: cannot listen on 127.0.0.1:{port}: ");
    assert!(stderr.starts_with(&wanted), "{stderr}");
}
