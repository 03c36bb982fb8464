//! Servers in processes of their own: a benchmark starts its own binary again in another role.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::machine::{self, Core};
use crate::servers::Role;

/// What a server prints when it can be connected to, before its address.
pub(crate) const LISTENING: &str = "listening on http://";

/// A running server, killed when dropped.
pub struct Server {
    child: Child,
    addr: SocketAddr,
    /// Kept open: a server that prints to a closed pipe dies of it.
    _stdout: Option<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts this program in `role` on the server's core and waits until it listens.
    ///
    /// # Panics
    /// When it ends instead.
    #[must_use]
    pub fn start(role: &Role) -> Self {
        let mut child = spawn(role, Stdio::piped());
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        let addr = loop {
            line.clear();
            let n = stdout.read_line(&mut line).expect("a server prints text");
            assert!(n > 0, "the server {role:?} ended before it listened");
            if let Some(addr) = line.trim().strip_prefix(LISTENING) {
                break addr.parse().expect("a server prints its address");
            }
        };
        Self {
            child,
            addr,
            _stdout: Some(stdout),
        }
    }

    /// Starts this program in `role` and does not wait: it will listen on `addr`.
    #[must_use]
    pub fn start_at(addr: SocketAddr, role: &Role) -> Self {
        Self::adopt(spawn(role, Stdio::null()), addr)
    }

    /// A server of another program that listens on `addr`.
    #[must_use]
    pub fn adopt(child: Child, addr: SocketAddr) -> Self {
        Self {
            child,
            addr,
            _stdout: None,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// CPU time of its threads so far.
    #[must_use]
    pub fn cpu_time(&self) -> Duration {
        machine::cpu_time(self.child.id())
    }

    /// Its resident memory.
    #[must_use]
    pub fn resident_bytes(&self) -> usize {
        machine::resident_bytes(self.child.id())
    }
}

impl Drop for Server {
    /// `kill -9`.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs this program in `role` until it ends by itself.
///
/// # Panics
/// When it cannot be started.
pub fn run_to_end(role: &Role) {
    let mut child = spawn(role, Stdio::inherit());
    child.wait().expect("a child can be waited for");
}

fn spawn(role: &Role, stdout: Stdio) -> Child {
    let program = std::env::current_exe().expect("a program knows its file");
    let mut command = Command::new(program);
    command.args(role.arguments()).stdout(stdout);
    if std::env::var_os("RUST_LOG").is_none() {
        command.env("RUST_LOG", "warn");
    }
    spawn_pinned(&mut command)
}

/// Starts `command` on the server's core.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn spawn_pinned(command: &mut Command) -> Child {
    try_spawn_pinned(command).expect("a program can be started")
}

fn try_spawn_pinned(command: &mut Command) -> std::io::Result<Child> {
    // A child inherits the affinity of the thread that starts it.
    machine::pin(Core::Server);
    let child = command.stdin(Stdio::null()).spawn();
    machine::pin(Core::Load);
    child
}

/// Keeps the server's core from halting, for as long as it lives.
///
/// A halted virtual core is woken by the host, which costs more than a request and is charged to
/// the client that sends it; at half of its capacity a server sleeps between any two requests. This
/// spins at idle priority, which everything else preempts at once.
pub struct Awake(Option<Child>);

impl Awake {
    /// Starts to spin, if `chrt` is there to set the priority.
    #[must_use]
    pub fn start() -> Self {
        let program = std::env::current_exe().expect("a program knows its file");
        let mut command = Command::new("chrt");
        command.args(["--idle", "0"]).arg(program);
        command.args(Role::Spin.arguments());
        Self(try_spawn_pinned(&mut command).ok())
    }

    /// Whether it spins.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.0.is_some()
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Bytes of all files below `folder`.
#[must_use]
pub fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => folder_bytes(&entry.path()),
        Ok(meta) => std::os::unix::fs::MetadataExt::blocks(&meta) * 512,
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}
