//! S1, by a program that others wrote: slowhttptest with slow heads, slow bodies and slow readers.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use crate::binary::{Tidemark, run};
use crate::slow_peers::patient;
use crate::{from_env, payload};

/// Seconds after which slowhttptest gives up on a server that does not close.
const LONGEST_S: u64 = 25;
/// Ten seconds are promised; it counts in whole seconds, and opens its connections in the first two.
const CLOSED_WITHIN_S: u64 = 14;

/// What slowhttptest has seen.
#[derive(Debug)]
struct Seen {
    /// The second in which no connection was left, if there was one.
    none_left_s: Option<u64>,
    /// Seconds in which its probe was not answered.
    unavailable_s: usize,
    connected: u64,
}

/// Runs one of its attacks until no connection is left.
fn attack(addr: SocketAddr, mode: &[&str], target: &str) -> Seen {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let prefix = folder.path().join("seen");
    let n = from_env("TIDEMARK_SLOW_PEERS", 200).to_string();
    let mut command = Command::new("slowhttptest");
    command
        .args(mode)
        .args([
            "-c", &n, "-r", "200", "-i", "2", "-p", "3", "-v", "1", "-g", "-l",
        ])
        .arg(LONGEST_S.to_string())
        .arg("-o")
        .arg(&prefix)
        .args(["-u", &format!("http://{addr}{target}")]);
    let ended = run(&mut command);
    let path = prefix.with_extension("csv");
    let table = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; {ended:?}", path.display()));
    seen(&table, &ended.output)
}

/// Reads `Seconds,Closed,Pending,Connected,Service Available`, a line a second, and the sentence at the end.
fn seen(table: &str, output: &str) -> Seen {
    let rows: Vec<Vec<u64>> = table
        .lines()
        .skip(1)
        .map(|line| {
            line.split(',')
                .map(|field| field.trim().parse().expect("a whole number"))
                .collect()
        })
        .collect();
    let last = rows.last().expect("a line a second");
    let is_over = output.contains("No open connections left");
    assert!(
        is_over || output.contains("Hit test time limit"),
        "{output}"
    );
    Seen {
        // It ends within the second after the last line.
        none_left_s: is_over.then_some(last[0] + 1),
        unavailable_s: rows.iter().filter(|row| row[4] == 0).count(),
        connected: rows.iter().map(|row| row[3]).max().unwrap_or_default(),
    }
}

/// Its three ways, each against a target that has what it needs.
const ATTACKS: [(&[&str], &str); 3] = [
    (&["-H"], "/health/live"),
    (
        &["-B", "-s", "8192", "-f", "application/json"],
        "/predict/a",
    ),
    // Ten replies on each, into a small window that is read at 512 bytes a second.
    (
        &[
            "-X", "-k", "10", "-w", "512", "-y", "1024", "-n", "1", "-z", "512",
        ],
        "/metrics",
    ),
];

#[test]
fn its_connections_are_closed_and_its_probe_is_answered() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(folder.path(), &[]);
    let fitted = crate::http::once(server.addr, "POST", "/fit/a", &payload::fit(1, 50));
    assert_eq!(fitted.expect("a reply").status, 200);
    for (mode, target) in ATTACKS {
        let seen = attack(server.addr, mode, target);
        println!("slowhttptest {}: {seen:?}", mode.join(" "));
        let none_left = seen.none_left_s.expect("all of them are closed");
        assert!(none_left <= CLOSED_WITHIN_S, "{seen:?}");
        assert!(seen.connected > 0, "it has attacked: {seen:?}");
        assert!(seen.unavailable_s <= 2, "{seen:?}");
    }
    server.stop();
}

/// The control: it finds connections left at a server that closes none.
#[test]
fn a_server_that_closes_no_connection_is_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || patient(stream));
        }
    });
    std::thread::scope(|scope| {
        for (mode, target) in ATTACKS {
            scope.spawn(move || {
                let seen = attack(addr, mode, target);
                assert_eq!(seen.none_left_s, None, "{mode:?}: {seen:?}");
                assert!(seen.connected > 0, "{mode:?}: {seen:?}");
            });
        }
    });
}
