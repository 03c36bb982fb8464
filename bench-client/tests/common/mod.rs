//! The binary as a process, for every binary of tests: the built-in stub to be measured, a command under way, and what
//! it leaves.
#![allow(
    dead_code,
    reason = "each binary of tests is compiled with the whole of it, and uses a part"
)]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// The longest wait for what has to come; far beyond what the slowest machine takes.
const WITHIN: Duration = Duration::from_secs(60);

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

    pub(crate) fn pid(&self) -> String {
        self.child.id().to_string()
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
    /// None where standard error is no pipe.
    stderr: Option<BufReader<ChildStderr>>,
    stderr_so_far: String,
    dir: TempDir,
}

/// A command that is over.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Where its results are.
    pub(crate) out: PathBuf,
    _dir: TempDir,
}

/// `tidemark-bench` with these arguments, to its end.
pub(crate) fn bench(args: &[&str]) -> Finished {
    let mut command = Command::new(cargo_bin!("tidemark-bench"));
    command.args(args);
    spawn(&mut command).wait()
}

/// `tidemark-bench` with these arguments and `--out`.
pub(crate) fn start(args: &[&str]) -> Running {
    start_with(args, |_command| {})
}

/// As [`start`], with further settings, such as the environment.
pub(crate) fn start_with(args: &[&str], further: impl FnOnce(&mut Command)) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(cargo_bin!("tidemark-bench"));
    command.args(args).arg("--out").arg(out(&dir));
    pipes(&mut command);
    further(&mut command);
    Running::of(command.spawn().unwrap(), dir)
}

fn spawn(command: &mut Command) -> Running {
    pipes(command);
    Running::of(command.spawn().unwrap(), tempfile::tempdir().unwrap())
}

fn pipes(command: &mut Command) {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
}

/// Folders above it are the command's to make.
fn out(dir: &TempDir) -> PathBuf {
    dir.path().join("made/by/it")
}

impl Running {
    fn of(mut child: Child, dir: TempDir) -> Self {
        Self {
            stderr: child.stderr.take().map(BufReader::new),
            child,
            stderr_so_far: String::new(),
            dir,
        }
    }

    pub(crate) fn out(&self) -> PathBuf {
        out(&self.dir)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Sends SIGINT and waits for the end.
    pub(crate) fn interrupt(self) -> Finished {
        self.signal(Signal::INT);
        self.wait()
    }

    /// Waits until a file in the folder is there.
    pub(crate) fn wait_for(&self, file: &str) {
        let until = Instant::now() + WITHIN;
        while !self.out().join(file).exists() {
            assert!(Instant::now() < until, "no {file}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the responses have so many whole lines.
    pub(crate) fn wait_for_responses(&self, lines: usize) {
        let path = self.out().join("responses.jsonl");
        let until = Instant::now() + WITHIN;
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

    /// Reads standard error until `line` is there.
    pub(crate) fn wait_for_stderr(&mut self, line: &str) {
        let stderr = self.stderr.as_mut().expect("it is a pipe");
        while !self.stderr_so_far.lines().any(|seen| seen == line) {
            let read = stderr.read_line(&mut self.stderr_so_far).unwrap();
            assert!(read > 0, "ended without {line:?}: {}", self.stderr_so_far);
        }
    }

    pub(crate) fn wait(self) -> Finished {
        let out = self.out();
        let (stderr, mut text) = (self.stderr, self.stderr_so_far);
        // Beside the other pipe, so that neither fills up.
        let reading = std::thread::spawn(move || {
            if let Some(mut stderr) = stderr {
                stderr.read_to_string(&mut text).unwrap();
            }
            text
        });
        let output = self.child.wait_with_output().unwrap();
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: reading.join().unwrap(),
            out,
            _dir: self.dir,
        }
    }
}

impl Finished {
    pub(crate) fn read(&self, file: &str) -> String {
        let text = std::fs::read_to_string(self.out.join(file));
        text.unwrap_or_else(|error| panic!("{file}: {error}: {self:?}"))
    }

    pub(crate) fn json(&self, file: &str) -> Value {
        serde_json::from_str(&self.read(file)).unwrap()
    }

    /// A file of the folder, as its published schema has it.
    pub(crate) fn valid_json(&self, file: &str, schema: &str) -> Value {
        let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
        let schema = std::fs::read(schemas.join(schema)).unwrap();
        let schema = jsonschema::validator_for(&serde_json::from_slice(&schema).unwrap()).unwrap();
        let json = self.json(file);
        if let Err(error) = schema.validate(&json) {
            panic!("{file}: {error} at {}", error.instance_path());
        }
        json
    }

    pub(crate) fn responses(&self) -> Vec<Value> {
        let text = self.read("responses.jsonl");
        let lines = text.lines();
        lines.map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    /// The names in its folder.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.out).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

pub(crate) fn json(folder: &Path, file: &str) -> Value {
    let text = std::fs::read_to_string(folder.join(file));
    let text = text.unwrap_or_else(|error| panic!("{file}: {error}"));
    serde_json::from_str(&text).unwrap()
}
