//! The binary as a process: against the built-in stub, with pipes or in a terminal.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::Value;
use tempfile::TempDir;

/// A server that ends with the test.
pub(crate) struct Stub {
    child: Child,
    pub(crate) url: String,
}

impl Stub {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(cargo_bin!("tidemark-bench"))
            .args(["stub", "--port", "0", "--delay-ms", "1"])
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

fn command(name: &str, url: &str, flags: &[&str], dir: &TempDir) -> Command {
    let mut command = Command::new(cargo_bin!("tidemark-bench"));
    command
        .args([name, "--base-url", url, "--seed", "7"])
        .args(flags)
        .arg("--out")
        .arg(dir.path().join("made/by/it"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// `tidemark-bench NAME` with pipes.
pub(crate) fn start(name: &str, url: &str, flags: &[&str]) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let child = command(name, url, flags, &dir).spawn().unwrap();
    Running { child, dir }
}

/// `tidemark-bench run` with a terminal of 100 columns for standard error, and what it showed there.
pub(crate) fn run_in_terminal(
    url: &str,
    flags: &[&str],
    environment: &[(&str, &str)],
) -> (Finished, String) {
    let dir = tempfile::tempdir().unwrap();
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let size = Winsize {
        ws_row: 30,
        ws_col: 100,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&terminal, size).unwrap();
    let name = ptsname(&terminal, Vec::new())
        .unwrap()
        .into_string()
        .unwrap();
    let other_end = File::options().read(true).write(true).open(name).unwrap();
    let child = command("run", url, flags, &dir)
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .envs(environment.iter().copied())
        .stderr(other_end)
        .spawn()
        .unwrap();
    let shown = std::thread::spawn(move || {
        let mut shown = Vec::new();
        // Ends with an error once nobody has the other end any more.
        let _ = File::from(terminal).read_to_end(&mut shown);
        String::from_utf8(shown).unwrap()
    });
    let finished = Running { child, dir }.wait();
    (finished, shown.join().unwrap())
}

impl Running {
    pub(crate) fn out(&self) -> PathBuf {
        self.dir.path().join("made/by/it")
    }

    /// Waits until a file in the folder is there; panics after half a minute.
    pub(crate) fn wait_for(&self, file: &str) {
        let until = Instant::now() + Duration::from_secs(30);
        while !self.out().join(file).exists() {
            assert!(Instant::now() < until, "no {file}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn wait(self) -> Finished {
        let out = self.out();
        let output = self.child.wait_with_output().unwrap();
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            out,
            _dir: self.dir,
        }
    }
}

impl Finished {
    pub(crate) fn json(&self, file: &str) -> Value {
        let text = std::fs::read_to_string(self.out.join(file));
        let text = text.unwrap_or_else(|error| panic!("{file}: {error}: {self:?}"));
        serde_json::from_str(&text).unwrap()
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

    /// The names in its folder.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.out).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}
