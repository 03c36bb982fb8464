//! One run of the binary and its results.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Stdio};

use assert_cmd::cargo::cargo_bin;
use bench_client::notebook::NotebookSummary;
use bench_client::record::CallRecord;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A run that is under way.
pub(crate) struct Run {
    child: Child,
    stderr: BufReader<ChildStderr>,
    stderr_so_far: String,
    dir: TempDir,
}

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) out: PathBuf,
    _dir: TempDir,
}

/// Runs `tidemark-bench notebook` against `url` to its end.
pub(crate) fn notebook(url: &str, flags: &[&str]) -> Finished {
    Run::start(url, flags).finish()
}

impl Run {
    pub(crate) fn start(url: &str, flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new(cargo_bin!("tidemark-bench"))
            .args(["notebook", "--base-url", url])
            .args(flags)
            .arg("--out")
            .arg(dir.path().join("made/by/the/run"))
            // A proxy of the environment must not be asked; this one would refuse.
            .envs(
                ["http_proxy", "HTTP_PROXY", "ALL_PROXY"].map(|name| (name, "http://127.0.0.1:1")),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self {
            child,
            stderr,
            stderr_so_far: String::new(),
            dir,
        }
    }

    /// Reads standard error until `line` is there.
    pub(crate) fn wait_for_stderr(&mut self, line: &str) {
        while !self.stderr_so_far.lines().any(|seen| seen == line) {
            let read = self.stderr.read_line(&mut self.stderr_so_far).unwrap();
            assert!(read > 0, "ended without {line:?}: {}", self.stderr_so_far);
        }
    }

    /// Sends SIGINT and waits for the end.
    pub(crate) fn interrupt(self) -> Finished {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        self.finish()
    }

    fn finish(mut self) -> Finished {
        // Either pipe holds far more than a run prints, so that one after the other is no deadlock.
        self.stderr.read_to_string(&mut self.stderr_so_far).unwrap();
        let output = self.child.wait_with_output().unwrap();
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: self.stderr_so_far,
            out: self.dir.path().join("made/by/the/run"),
            _dir: self.dir,
        }
    }
}

impl Finished {
    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.out.join(file))
            .unwrap_or_else(|e| panic!("{file}: {e}: {self:?}"))
    }

    pub(crate) fn summary(&self) -> NotebookSummary {
        serde_json::from_str(&self.read("summary.json")).unwrap()
    }

    pub(crate) fn report(&self) -> String {
        self.read("report.html")
    }

    /// Header and rows.
    pub(crate) fn records(&self, file: &str) -> (Vec<String>, Vec<CallRecord>) {
        let text = self.read(file);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader
            .headers()
            .unwrap()
            .iter()
            .map(str::to_owned)
            .collect();
        (header, reader.deserialize().map(Result::unwrap).collect())
    }
}
