//! The same contract in FastAPI, the usual way to serve it: `peers/fastapi_app.py` under uvicorn
//! with uvloop and httptools, one worker.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use benches::ask::Connection;
use benches::process::{Server, spawn_pinned};
use benches::{data, requests};
use tempfile::TempDir;

/// Whether the peer syncs a fit before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    Memory,
    Fsync,
}

/// The peer with one fitted series, if peers were asked for.
pub(crate) fn fastapi(folder: &TempDir, durability: Durability) -> Option<Server> {
    if std::env::var_os("TIDEMARK_BENCH_PEERS").is_none_or(|value| value != "1") {
        return None;
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let addr = listener.local_addr().expect("it is bound");
    drop(listener);
    let mut command = Command::new(python());
    command
        .args([
            "-m",
            "uvicorn",
            "fastapi_app:app",
            "--no-access-log",
            "--log-level",
            "warning",
        ])
        .args(["--timeout-keep-alive", "600"])
        .args([
            "--loop",
            "uvloop",
            "--http",
            "httptools",
            "--port",
            &addr.port().to_string(),
        ])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdout(Stdio::null());
    if durability == Durability::Fsync {
        command.env("FITS_LOG", folder.path().join("fits.jsonl"));
    }
    let server = Server::adopt(spawn_pinned(&mut command), addr);
    wait(addr);
    let mut connection = Connection::open(addr).expect("FastAPI listens");
    connection.must(&requests::fit(
        &data::series_id(0),
        &data::history(1_000, 1),
        None,
    ));
    connection.must(&requests::predict(&data::series_id(0), 20.1));
    Some(server)
}

fn wait(addr: SocketAddr) {
    for _ in 0..600 {
        if TcpStream::connect(addr).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("FastAPI does not listen");
}

/// An interpreter with the packages, in a virtual environment made once a build folder.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers-venv");
        let python = home.join("bin/python");
        if !home.join("ready").exists() {
            must(Command::new("python3").args(["-m", "venv"]).arg(&home));
            must(Command::new(&python).args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "fastapi",
                "uvicorn[standard]",
            ]));
            std::fs::write(home.join("ready"), "").expect("the disk has room");
        }
        python
    })
}

fn must(command: &mut Command) {
    let status = command.status().expect("python3 is installed");
    assert!(status.success(), "{command:?} failed");
}
