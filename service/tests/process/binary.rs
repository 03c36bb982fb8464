//! The binary under test as a child process that never outlives its test.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A guard against hanging, not a promise about speed.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// `tidemark serve` over `data_dir` on a free port, draining without delay unless `flags` say so.
pub(crate) fn serve(data_dir: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemark"));
    serve_arguments(&mut command, data_dir, flags);
    command
}

pub(crate) fn serve_arguments(command: &mut Command, data_dir: &Path, flags: &[&str]) {
    command.args(["serve", "--data-dir"]).arg(data_dir);
    if !flags.contains(&"--addr") {
        command.args(["--addr", "127.0.0.1:0"]);
    }
    if !flags.contains(&"--drain-delay") {
        command.args(["--drain-delay", "0s"]);
    }
    command.args(flags);
    for name in [
        "RUST_LOG",
        "TIDEMARK_ADDR",
        "TIDEMARK_DATA_DIR",
        "TIDEMARK_HEALTH_ADDR",
        "TIDEMARK_LOG_FILTER",
        "TIDEMARK_LOG_FORMAT",
        "TIDEMARK_OTLP_ENDPOINT",
        "TIDEMARK_TRACE_SAMPLE",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    ] {
        command.env_remove(name);
    }
}

/// A server that said where it listens.
pub(crate) struct Tidemark {
    child: Child,
    pub(crate) addr: SocketAddr,
    /// That of `--health-addr`.
    health: Option<SocketAddr>,
    errors: File,
}

/// A server that has not said where it listens.
pub(crate) struct Starting {
    child: Child,
    output: BufReader<ChildStdout>,
    said: String,
    errors: File,
}

impl Starting {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let errors = tempfile::tempfile().expect("a temporary file can be made");
        let handle = errors.try_clone().expect("a file can be shared");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(handle)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = child.stdout.take().expect("it is piped");
        Self {
            child,
            output: BufReader::new(output),
            said: String::new(),
            errors,
        }
    }

    /// The address in the line `WHAT on http://ADDR`, once it is printed.
    pub(crate) fn told(&mut self, what: &str) -> Option<SocketAddr> {
        loop {
            if let Some(addr) = told(&self.said, what) {
                return Some(addr);
            }
            let read = self.output.read_line(&mut self.said);
            if read.expect("stdout can be read") == 0 {
                return None;
            }
        }
    }

    /// Waits until it listens or ends.
    pub(crate) fn listening(mut self) -> Result<Tidemark, Ended> {
        match self.told("listening") {
            Some(addr) => Ok(Tidemark {
                child: self.child,
                addr,
                health: told(&self.said, "health"),
                errors: self.errors,
            }),
            None => Err(ended(&mut self.child, self.errors, self.said)),
        }
    }
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// What it wrote to stderr.
    pub(crate) errors: String,
    /// What it wrote to stdout, where that was collected.
    pub(crate) output: String,
}

impl Tidemark {
    pub(crate) fn start(data_dir: &Path, flags: &[&str]) -> Self {
        Self::spawn(&mut serve(data_dir, flags))
    }

    /// Runs `command` until it prints its address.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self::try_spawn(command).unwrap_or_else(|ended| panic!("it did not start: {ended:?}"))
    }

    /// As [`Tidemark::spawn`] for a server that may refuse to start.
    pub(crate) fn try_spawn(command: &mut Command) -> Result<Self, Ended> {
        Starting::spawn(command).listening()
    }

    /// Where probes have a listener of their own.
    pub(crate) fn health(&self) -> SocketAddr {
        self.health.expect("it was started with --health-addr")
    }

    /// What it has written to stderr so far.
    pub(crate) fn log(&self) -> String {
        // At an offset of its own: the process writes at the one that both share.
        let length = self.errors.metadata().expect("it is open").len();
        let mut bytes = vec![0; usize::try_from(length).expect("a log fits into memory")];
        let read = self.errors.read_exact_at(&mut bytes, 0);
        read.expect("what is written can be read");
        String::from_utf8(bytes).expect("the log is UTF-8")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the process is there");
    }

    /// Ends the process as a power switch would, but for the page cache.
    pub(crate) fn kill_9(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().expect("a killed child can be waited for");
    }

    /// Waits for the end of a process that was told to stop.
    pub(crate) fn wait(mut self) -> Ended {
        let errors = self.errors.try_clone().expect("a file can be shared");
        ended(&mut self.child, errors, String::new())
    }

    /// Stops in order; the store is closed when this returns.
    pub(crate) fn stop(self) {
        self.signal(Signal::TERM);
        let ended = self.wait();
        assert!(ended.status.success(), "{ended:?}");
    }
}

impl Drop for Tidemark {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in the line `WHAT on http://ADDR`, or `https`.
fn told(said: &str, what: &str) -> Option<SocketAddr> {
    let line = |line: &str| {
        let rest = line.strip_prefix(what)?.strip_prefix(" on http")?;
        let rest = rest.strip_prefix('s').unwrap_or(rest);
        rest.strip_prefix("://")?.parse().ok()
    };
    said.lines().find_map(line)
}

/// Runs a command that is expected to end by itself.
pub(crate) fn run(command: &mut Command) -> Ended {
    let mut errors = tempfile::tempfile().expect("a temporary file can be made");
    let mut output = tempfile::tempfile().expect("a temporary file can be made");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a file can be shared"))
        .stderr(errors.try_clone().expect("a file can be shared"))
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let status = wait(&mut child);
    Ended {
        status,
        errors: contents(&mut errors),
        output: contents(&mut output),
    }
}

fn ended(child: &mut Child, mut errors: File, output: String) -> Ended {
    let status = wait(child);
    Ended {
        status,
        errors: contents(&mut errors),
        output,
    }
}

fn wait(child: &mut Child) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return status;
        }
        if started.elapsed() > ENDS_WITHIN {
            let _ = child.kill();
            panic!("the process did not end within {ENDS_WITHIN:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn contents(file: &mut File) -> String {
    let mut text = String::new();
    file.rewind().expect("a file can be rewound");
    file.read_to_string(&mut text).expect("the output is UTF-8");
    text
}
