//! A server that a scenario starts, stops and kills: a child process on a free port, over a folder
//! of its own, which never outlives the scenario.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::wire;
use crate::base_url::BaseUrl;
use crate::children::{self, Watched};

/// How long a server may take to be ready before it counts as one that does not start.
const START_WITHIN: Duration = Duration::from_secs(120);
/// How long one may take to end after SIGTERM before it is killed.
const END_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks.
const POLL: Duration = Duration::from_millis(1);
/// What the end of a server's log may tell in an error.
const LOG_TAIL: usize = 600;

/// How a server is started: `PROGRAM serve --addr 127.0.0.1:PORT --data-dir DIR ARGS…`.
#[derive(Debug, Clone)]
pub struct ServerCommand {
    /// The program.
    pub program: PathBuf,
    /// Further arguments.
    pub args: Vec<String>,
}

/// A server that is ready.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    _watched: Watched,
    pub(super) base: BaseUrl,
    pub(super) started: Started,
}

/// How long it took from the start of the process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started {
    /// Until `/health/live` was 200.
    pub(super) live: Duration,
    /// Until `/health/ready` was 200.
    pub(super) ready: Duration,
}

impl Server {
    /// Starts a server over `data_dir` and waits until it is ready. What it says goes to `log`.
    ///
    /// # Errors
    /// When it cannot be started, ends, or is not ready within two minutes.
    pub(super) async fn start(
        command: &ServerCommand,
        data_dir: &Path,
        log: &Path,
    ) -> io::Result<Self> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        Self::start_at(command, free, data_dir, log).await
    }

    /// As [`start`](Self::start), on an address that is free.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub(crate) async fn start_at(
        command: &ServerCommand,
        addr: SocketAddr,
        data_dir: &Path,
        log: &Path,
    ) -> io::Result<Self> {
        let said = File::options().create(true).append(true).open(log)?;
        let begun = Instant::now();
        let mut child = Command::new(&command.program)
            .arg("serve")
            .args(["--addr", &addr.to_string(), "--data-dir"])
            .arg(data_dir)
            .args(&command.args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .map_err(|error| {
                let program = command.program.display();
                io::Error::new(error.kind(), format!("cannot start {program}: {error}"))
            })?;
        let watched = children::watch(&child);
        let base = match format!("http://{addr}").parse() {
            Ok(base) => base,
            Err(error) => return Err(end(&mut child, io::Error::other(error))),
        };
        let (mut live, mut waiting) = (None, "/health/live");
        loop {
            if let Some(status) = child.try_wait()? {
                let tail = tail(log);
                let error = format!("the server ended ({status}) before it was ready: {tail}");
                return Err(io::Error::other(error));
            }
            let probe = if live.is_none() { "live" } else { "ready" };
            let path = ["health", probe];
            let reply = wire::once(&base, "GET", &path, b"", Duration::from_secs(5)).await;
            let status = reply.map(|reply| reply.status);
            match (status, live) {
                (Ok(200), None) => {
                    live = Some(begun.elapsed());
                    waiting = "/health/ready";
                }
                (Ok(200), Some(live)) => {
                    let ready = begun.elapsed();
                    let started = Started { live, ready };
                    return Ok(Self {
                        child,
                        _watched: watched,
                        base,
                        started,
                    });
                }
                _ => tokio::time::sleep(POLL).await,
            }
            if begun.elapsed() > START_WITHIN {
                let error = format!("{waiting} was not 200 within {START_WITHIN:?}");
                return Err(end(&mut child, io::Error::other(error)));
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop in order.
    pub(crate) fn terminate(&self) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::TERM)?)
    }

    /// Ends it as a power switch would, but for the page cache.
    pub(super) fn kill_9(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }

    /// Waits for the end of a server that was told to stop; none if it does not.
    pub(crate) async fn wait(mut self) -> io::Result<Option<ExitStatus>> {
        let begun = Instant::now();
        while begun.elapsed() < END_WITHIN {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(None)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already where these fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn end(child: &mut Child, error: io::Error) -> io::Error {
    let _ = child.kill();
    let _ = child.wait();
    error
}

fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let from = text.len().saturating_sub(LOG_TAIL);
    String::from_utf8_lossy(&text[from..]).trim().to_owned()
}

/// Resident memory of a process in bytes; none where `/proc` does not tell.
pub(super) fn resident_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1_024)
}
