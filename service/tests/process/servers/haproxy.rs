//! HAProxy as a child process, with the configuration that users are given and addresses of this test.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const CONFIG: &str = include_str!("../../../../deploy/haproxy/haproxy.cfg");
/// Debian puts it where a user's PATH does not look.
const PROGRAM: &str = "/usr/sbin/haproxy";
/// A guard against hanging, not a promise about speed.
const HANG: Duration = Duration::from_secs(60);

/// Where an instance is.
#[derive(Clone, Copy)]
pub(super) struct Instance {
    pub(super) addr: SocketAddr,
    pub(super) health: SocketAddr,
}

/// A running proxy in front of two instances.
pub(super) struct Haproxy {
    child: Child,
    pub(super) addr: SocketAddr,
    socket: PathBuf,
}

/// An address that is free now. Unlike port 0 it can be had again after a restart.
pub(super) fn free_addr() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port can be had");
    listener.local_addr().expect("it is bound")
}

impl Haproxy {
    pub(super) fn start(folder: &Path, instances: [Instance; 2]) -> Self {
        let (addr, socket) = (free_addr(), folder.join("haproxy.sock"));
        let mut config = CONFIG.to_owned();
        let mut replace = |from: &str, to: &str| {
            assert!(config.contains(from), "{from} is not in the configuration");
            config = config.replace(from, to);
        };
        replace("/run/haproxy/tidemark.sock", &socket.display().to_string());
        replace("127.0.0.1:8080", &addr.to_string());
        let servers = ["10.0.0.1:8000 port 8001", "10.0.0.2:8000 port 8001"];
        for (example, instance) in servers.into_iter().zip(instances) {
            let health = instance.health.port();
            replace(example, &format!("{} port {health}", instance.addr));
        }
        let path = folder.join("haproxy.cfg");
        std::fs::write(&path, config).expect("the folder can be written to");
        let child = Command::new(PROGRAM)
            .args(["-db", "-q", "-f"])
            .arg(path)
            .stdin(Stdio::null())
            .spawn()
            .expect("this test needs haproxy: apt-get install haproxy");
        let mut proxy = Self {
            child,
            addr,
            socket,
        };
        proxy.wait_until_up("a");
        proxy.wait_until_up("b");
        proxy
    }

    /// Waits until the server of this name is given requests.
    pub(super) fn wait_until_up(&mut self, name: &str) {
        let started = Instant::now();
        while self.field(name, "status").as_deref() != Some("UP") {
            let ended = self.child.try_wait().expect("a child can be waited for");
            assert_eq!(ended, None, "haproxy ended");
            assert!(started.elapsed() < HANG, "{name} does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How many requests the server of this name was given.
    pub(super) fn n_requests(&self, name: &str) -> u64 {
        let field = self.field(name, "lbtot").expect("there is such a server");
        field.parse().expect("a number")
    }

    /// A field of `show stat`, a table of comma-separated values with a header.
    fn field(&self, name: &str, field: &str) -> Option<String> {
        let mut socket = UnixStream::connect(&self.socket).ok()?;
        socket.write_all(b"show stat\n").ok()?;
        let mut table = String::new();
        socket.read_to_string(&mut table).ok()?;
        let mut lines = table.lines();
        let header = lines.next()?.strip_prefix("# ")?;
        let at = header.split(',').position(|title| title == field)?;
        let of_server = |line: &&str| line.starts_with(&format!("instances,{name},"));
        let line = lines.find(of_server)?;
        line.split(',').nth(at).map(ToOwned::to_owned)
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
