//! The binary as a process: the built-in stub to be measured, and what measures it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// A server that ends with the test.
pub(crate) struct Stub {
    pub(crate) child: Child,
    pub(crate) url: String,
}

impl Stub {
    pub(crate) fn start(flags: &[&str]) -> Self {
        let mut child = Command::new(cargo_bin!("tidemark-bench"))
            .args(["stub", "--port", "0"])
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ");
        let url = url.unwrap_or_else(|| panic!("{line}")).to_owned();
        Self { child, url }
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that is under way.
pub(crate) struct Running {
    child: Child,
    dir: TempDir,
}

/// A command that is over.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) out: PathBuf,
    _dir: TempDir,
}

/// `tidemark-bench run` against `url`, to its end.
pub(crate) fn run(url: &str, flags: &[&str]) -> Finished {
    start(url, flags).wait()
}

/// `tidemark-bench run` against `url`.
pub(crate) fn start(url: &str, flags: &[&str]) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("made/by/the/run");
    let mut command = Command::new(cargo_bin!("tidemark-bench"));
    command
        .args(["run", "--base-url", url, "--seed", "7"])
        .args(flags)
        .arg("--out")
        .arg(&out);
    Running {
        child: spawn(&mut command),
        dir,
    }
}

/// Any other command of the binary.
pub(crate) fn bench(args: &[&str]) -> Finished {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(cargo_bin!("tidemark-bench"));
    command.args(args);
    Running {
        child: spawn(&mut command),
        dir,
    }
    .wait()
}

fn spawn(command: &mut Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

impl Running {
    pub(crate) fn out(&self) -> PathBuf {
        self.dir.path().join("made/by/the/run")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until the responses have so many whole lines; panics after half a minute.
    pub(crate) fn wait_for_responses(&self, lines: usize) {
        let path = self.out().join("responses.jsonl");
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let there = text.matches('\n').count();
            if there >= lines {
                return;
            }
            assert!(Instant::now() < until, "only {there} responses");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn wait(mut self) -> Finished {
        let out = self.out();
        let mut stderr = self.child.stderr.take().unwrap();
        let reading = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).map(|_| text)
        });
        let output = self.child.wait_with_output().unwrap();
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: reading.join().unwrap().unwrap(),
            out,
            _dir: self.dir,
        }
    }
}

impl Finished {
    pub(crate) fn json(&self, file: &str) -> Value {
        json(&self.out, file)
    }

    pub(crate) fn responses(&self) -> Vec<Value> {
        let text = read(&self.out, "responses.jsonl");
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

pub(crate) fn json(folder: &Path, file: &str) -> Value {
    serde_json::from_str(&read(folder, file)).unwrap()
}

fn read(folder: &Path, file: &str) -> String {
    std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}
