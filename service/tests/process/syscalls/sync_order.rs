//! D2: the record of a fit or an update is synced before its reply is written. `kill -9` alone does not show
//! this, because the page cache survives the process; the order of system calls does.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::trace::{Violation, name, violations};
use crate::binary::{Tidemark, program, serve_arguments};
use crate::http::Connection;
use crate::{from_env, payload};

pub(super) const CALLS: &str = "trace=fdatasync,fsync,pwrite64,write,writev,sendto,sendmsg";
/// Bytes of each call that are shown: more than a batch of all concurrent fits has.
pub(super) const SHOWN: &str = "262144";
const CONCURRENT: u64 = 16;
/// A guard against hanging, not a promise about speed.
pub(super) const TRACE_ENDS_WITHIN: Duration = Duration::from_secs(60);

#[derive(Clone, Copy)]
enum Disk {
    Real,
    /// libeatmydata turns every sync into nothing: the seeded fault.
    SyncsIgnored,
}

pub(super) fn need(package: &str, there: bool) {
    assert!(
        there,
        "this test needs {package}: apt-get install strace eatmydata"
    );
}

pub(super) fn eatmydata() -> PathBuf {
    let found = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten()
        .map(|folder| folder.path().join("libeatmydata.so"))
        .find(|path| path.exists());
    need("eatmydata", found.is_some());
    found.expect("it was found above")
}

/// The server under strace. The tracer is its grandchild (`-D`), so that signals and exit code
/// are the server's own.
fn traced(data_dir: &Path, trace: &Path, disk: Disk) -> Tidemark {
    need("strace", Command::new("strace").arg("-V").output().is_ok());
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-y", "--seccomp-bpf", "-s", SHOWN, "-e", CALLS]);
    command.args(["-e", "signal=none", "-o"]).arg(trace);
    if matches!(disk, Disk::SyncsIgnored) {
        let preload = format!("LD_PRELOAD={}", eatmydata().display());
        command.args(["-E", &preload]);
    }
    command.arg(program());
    serve_arguments(&mut command, data_dir, &[]);
    Tidemark::spawn(&mut command)
}

/// What is traced of every series.
#[derive(Clone, Copy)]
enum Traced {
    Fit,
    /// The second update: the first one, before the trace begins, starts the state with a snapshot.
    Update,
}

impl Traced {
    fn request(self, connection: &mut Connection, series: &str, idx: usize) {
        let sent = match self {
            Self::Fit => {
                let n = if idx % 10 == 9 { 300 } else { 4 };
                let target = format!("/fit/{series}");
                connection.send("POST", &target, &payload::fit(idx as u64, n))
            }
            Self::Update => {
                let id = format!("X-Request-ID: {series}\r\n");
                let target = format!("/update/{series}");
                let point = br#"{"timestamp":"1769846460","value":12.5}"#;
                connection.send_with(&id, "POST", &target, point)
            }
        };
        let reply = sent.and_then(|()| connection.receive()).expect("a reply");
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    /// What has to be there before the trace begins.
    fn prepare(self, data_dir: &Path, series: &[String]) {
        if matches!(self, Self::Update) {
            let server = Tidemark::start(data_dir, &[]);
            let mut connection = Connection::open(server.addr).expect("it listens");
            for series in series {
                let target = format!("/update/{series}");
                let reply = connection.exchange("POST", &target, payload::POINT);
                assert_eq!(reply.expect("a reply").status, 200);
            }
            server.stop();
        }
    }
}

/// One request a series, the first half one after the other, the second half concurrently.
fn request_all(server: &Tidemark, series: &[String], traced: Traced) {
    let half = series.len() / 2;
    let mut connection = Connection::open(server.addr).expect("it listens");
    (0..half).for_each(|idx| traced.request(&mut connection, &series[idx], idx));
    let next = AtomicU64::new(half as u64);
    std::thread::scope(|scope| {
        for _ in 0..CONCURRENT {
            scope.spawn(|| {
                let mut connection = Connection::open(server.addr).expect("it listens");
                loop {
                    let idx = next.fetch_add(1, Ordering::Relaxed) as usize;
                    if idx >= series.len() {
                        break;
                    }
                    traced.request(&mut connection, &series[idx], idx);
                }
            });
        }
    });
}

/// The trace of a server that answered `n` requests and stopped in order.
fn trace_of(n: u64, kind: Traced, disk: Disk) -> (String, Vec<String>) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (data, path) = (folder.path().join("data"), folder.path().join("trace"));
    let series: Vec<String> = (0..n).map(name).collect();
    kind.prepare(&data, &series);
    let server = traced(&data, &path, disk);
    let pid = server.pid().to_string();
    request_all(&server, &series, kind);
    server.stop();
    let started = Instant::now();
    loop {
        let bytes = std::fs::read(&path).expect("strace wrote a trace");
        let text = String::from_utf8(bytes).expect("strace escapes what is not ASCII");
        // The process' first thread is the last one that strace reports the end of.
        let is_end = |line: &str| {
            let mut words = line.split_whitespace();
            words.next() == Some(&pid) && words.eq(["+++", "exited", "with", "0", "+++"])
        };
        if text.ends_with('\n') && text.lines().next_back().is_some_and(is_end) {
            return (text, series);
        }
        assert!(started.elapsed() < TRACE_ENDS_WITHIN, "strace did not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn assert_synced(n: u64, kind: Traced) {
    let (trace, series) = trace_of(n, kind, Disk::Real);
    assert_eq!(violations(&trace, &series), []);
    let of_journal = |line: &&str| line.contains("sync(") && line.contains(".jnl>");
    let syncs = trace.lines().filter(of_journal).count();
    println!("{n} requests, {syncs} syncs of the journal, 0 violations");
    let unsynced: Vec<&str> = trace
        .lines()
        .filter(|line| !line.contains("sync"))
        .collect();
    let all = series.iter().cloned().map(Violation::NotSynced);
    assert_eq!(
        violations(&unsynced.join("\n"), &series),
        all.collect::<Vec<_>>(),
        "the same trace without its syncs"
    );
}

#[test]
fn strace_shows_the_sync_before_the_reply() {
    assert_synced(from_env("TIDEMARK_D2_FITS", 200), Traced::Fit);
}

#[test]
fn strace_shows_the_sync_before_the_reply_to_an_update() {
    assert_synced(from_env("TIDEMARK_D2_UPDATES", 200), Traced::Update);
}

#[test]
fn a_server_whose_syncs_do_nothing_is_caught() {
    for kind in [Traced::Fit, Traced::Update] {
        let (trace, series) = trace_of(40, kind, Disk::SyncsIgnored);
        let all = series.iter().cloned().map(Violation::NotSynced);
        assert_eq!(violations(&trace, &series), all.collect::<Vec<_>>());
    }
}
