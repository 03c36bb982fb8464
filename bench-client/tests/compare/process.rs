//! The binary as a process, and the built-in stub inside the test.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use assert_cmd::cargo::cargo_bin;
use bench_client::stub::{Settings, Stub};

/// A command that is over.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// `tidemark-bench` with these arguments, to its end.
pub(crate) fn bench(args: &[&str]) -> Finished {
    let output = Command::new(cargo_bin!("tidemark-bench"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A server whose requests take `delay`.
pub(crate) fn stub(delay: Duration) -> Stub {
    stub_with(Settings {
        delay,
        ..Settings::default()
    })
}

pub(crate) fn stub_with(settings: Settings) -> Stub {
    Stub::start(&settings).unwrap()
}

/// A run of `requests` health checks in `dir`.
pub(crate) fn run(url: &str, requests: u64, dir: &Path) {
    let requests = format!("--requests={requests}");
    let out = format!("--out={}", dir.display());
    let flags = [
        "run",
        "--base-url",
        url,
        "--workload=health",
        "--clients=16",
        "--seed=7",
    ];
    let done = bench(&[&flags[..], &[&requests, &out]].concat());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
}

pub(crate) fn path(dir: &Path) -> &str {
    dir.to_str().unwrap()
}
