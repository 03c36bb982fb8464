//! D3: the process is killed at each call by which it changes a file, one after the other, and the next start
//! finds a store that is whole.
//!
//! strace counts calls by thread. A first run without faults shows every call with its thread and file; the
//! r-th one of a call on a file is then met by `-P FILE -e inject=CALL:signal=KILL:when=r`, whichever thread
//! makes it. Files that have another name every time are met by the count of the call alone. The call at which the process is killed is not carried out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use super::strace::traced;
use super::trace_files::{Point, points};
use crate::audit::{Ack, Violation, audit};
use crate::binary::{Ended, Tidemark};
use crate::crash::copy_folder;
use crate::from_env;
use crate::http::once;
use crate::payload::{self, POINT};
use crate::read_back::read_back;

/// Servers that are killed beside each other.
const AT_ONCE: usize = 4;

/// What was acknowledged before the end.
struct Told {
    since: Instant,
    acks: Vec<Ack>,
    /// Points learnt by series.
    learnt: BTreeMap<String, u64>,
    has_alias: bool,
}

/// Fits, updates and an alias, one after the other, until the server is gone.
fn work(addr: SocketAddr, told: &mut Told) -> std::io::Result<()> {
    let first = told.acks.len() as u64 + 1;
    for (mark, series) in (first..).zip(["a", "b", "a", "c", "a"]) {
        let sent = told.since.elapsed();
        // Some histories are large enough for a record of their own beside the version's.
        let n = if mark % 2 == 0 { 300 } else { 4 };
        let reply = once(
            addr,
            "POST",
            &format!("/fit/{series}"),
            &payload::fit(mark, n),
        )?;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let reply = reply.json();
        let text = |name: &str| reply[name].as_str().expect(name).to_owned();
        told.acks.push(Ack {
            series: series.to_owned(),
            version: text("version").parse().expect("digits"),
            hash: text("model_hash"),
            sent,
            told: told.since.elapsed(),
        });
        let point = format!(
            r#"{{"timestamp":"{}","value":12.5}}"#,
            1_769_846_400 + 60 * mark
        );
        let reply = once(addr, "POST", &format!("/update/{series}"), point.as_bytes())?;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let seq = reply.json()["state_seq"].as_u64().expect("a number");
        told.learnt.insert(series.to_owned(), seq);
        if mark == first + 2 {
            let body = br#"{"version":"1"}"#;
            let reply = once(addr, "PUT", "/series/a/aliases/live", body)?;
            assert!(matches!(reply.status, 200 | 201), "{}", reply.text());
            told.has_alias = true;
        }
    }
    Ok(())
}

/// What a start and a stop go through.
#[derive(Clone, Copy, Debug)]
enum Folder {
    /// The store is made.
    Empty,
    /// The journal of a crash is read back.
    Crashed,
    /// So it is, and its end is torn, and lists of tables are damaged: journals and keyspaces are written
    /// anew before the store is opened.
    Damaged,
}

impl Folder {
    fn prepare(self, data: &Path) -> Told {
        let mut told = Told {
            since: Instant::now(),
            acks: Vec::new(),
            learnt: BTreeMap::new(),
            has_alias: false,
        };
        if !matches!(self, Self::Empty) {
            let server = Tidemark::start(data, &[]);
            work(server.addr, &mut told).expect("nobody kills it");
            server.kill_9();
        }
        if matches!(self, Self::Damaged) {
            damage(&data.join("store"));
        }
        told
    }
}

/// Damage that costs nothing: the journal has all that lists of tables do not name any more.
fn damage(store: &Path) {
    for keyspace in [0, 2, 3] {
        let list = store.join(format!("keyspaces/{keyspace}/current"));
        std::fs::write(list, b"cut off").expect("it can be written");
    }
    let journal = store.join("0.jnl");
    let mut bytes = std::fs::read(&journal).expect("it can be read");
    let end = bytes.iter().rposition(|byte| *byte != 0);
    let end = end.expect("it has batches") + 1;
    bytes.truncate(end);
    bytes.extend([7; 40]);
    std::fs::write(&journal, bytes).expect("it can be written");
}

/// Starts, works and stops under strace; how the server ended.
fn live(strace: &[&str], data: &Path, told: &mut Told) -> Ended {
    match Tidemark::try_spawn(&mut traced(strace, data, &[])) {
        Err(ended) => ended,
        Ok(server) => {
            // A server that was killed answers nobody; what it answered before is noted.
            let _ = work(server.addr, told);
            server.terminate();
            server.wait()
        }
    }
}

/// What does not hold after a restart: all that was told is there, and series go on with the next number.
fn violations(data: &Path, told: &Told) -> Vec<String> {
    let server = Tidemark::start(data, &[]);
    let series = ["a", "b", "c"].map(str::to_owned);
    let found = read_back(server.addr, BTreeSet::from(series));
    let audited: Vec<Violation> = audit(&told.acks, &found);
    let mut violations: Vec<String> = audited.iter().map(|it| format!("{it:?}")).collect();
    let send = |method, target: &str, body: &[u8]| {
        once(server.addr, method, target, body).expect("a running server answers")
    };
    for (series, versions) in &found {
        let reply = send("POST", &format!("/fit/{series}"), &payload::fit(99, 4));
        let next = (versions.len() + 1).to_string();
        if reply.status != 200 || reply.json()["version"] != *next {
            violations.push(format!("fit of {series}, not {next}: {}", reply.text()));
        }
        let later = br#"{"timestamp":"1769900000","value":12.5}"#;
        let reply = send("POST", &format!("/update/{series}"), later);
        let learnt = told.learnt.get(series).copied().unwrap_or(0);
        // The reply to the last one may have been lost with the process.
        let may_be = learnt + 1..=learnt + 2;
        let seq = reply.json()["state_seq"].as_u64();
        if reply.status != 200 || !seq.is_some_and(|seq| may_be.contains(&seq)) {
            violations.push(format!(
                "state of {series}, after {learnt}: {}",
                reply.text()
            ));
        }
    }
    if told.has_alias {
        let reply = send("POST", "/predict/a?alias=live", POINT);
        if reply.status != 200 || reply.json()["model_version"] != "1" {
            violations.push(format!("alias: {}", reply.text()));
        }
    }
    server.stop();
    violations
}

/// The calls of a life without faults.
fn calls_of(folder: Folder) -> Vec<Point> {
    let place = tempfile::tempdir().expect("a temporary folder can be made");
    let (data, path) = (place.path().join("data"), place.path().join("trace"));
    let mut told = folder.prepare(&data);
    let trace = path.to_str().expect("a path of ours is UTF-8");
    let calls = format!("trace={}", super::trace_files::CALLS);
    let strace = ["--seccomp-bpf", "-y", "-o", trace, "-e", &calls];
    let ended = live(&strace, &data, &mut told);
    assert!(ended.status.success(), "{ended:?}");
    let text = std::fs::read_to_string(&path).expect("strace escapes what is not ASCII");
    points(&text, &data)
}

/// Whether the process was killed at `point`.
fn crash_at(folder: Folder, point: &Point) -> bool {
    let place = tempfile::tempdir().expect("a temporary folder can be made");
    let data = place.path().join("data");
    let mut told = folder.prepare(&data);
    let call = format!("trace={}", point.call);
    let inject = format!("inject={}:signal=KILL:when={}", point.call, point.rank);
    // Without a filter in the kernel, beside which strace sends no signal.
    let mut strace = vec!["-o", "/dev/null", "-e", &call, "-e", &inject];
    let file = point.path.as_ref().map(|path| match path.as_str() {
        // `join` would add a slash, and strace compares names.
        "" => data.clone(),
        path => data.join(path),
    });
    if let Some(file) = &file {
        strace.extend(["-P", file.to_str().expect("a path of ours is UTF-8")]);
    }
    let ended = live(&strace, &data, &mut told);
    let violations = violations(&data, &told);
    assert_eq!(
        violations,
        Vec::<String>::new(),
        "{folder:?}, killed at {point:?}"
    );
    !ended.status.success()
}

#[test]
fn every_crash_point_recovers() {
    let all = std::env::var("TIDEMARK_CRASH_POINTS").is_ok_and(|text| text == "all");
    let seed = from_env("TIDEMARK_SEED", u64::from(std::process::id()));
    let step = if all { 1 } else { 40 };
    println!("every {step}. point, TIDEMARK_SEED={seed}");
    for folder in [Folder::Empty, Folder::Crashed, Folder::Damaged] {
        let all = calls_of(folder);
        assert!(all.len() > 20, "{folder:?}: {all:?}");
        let is_chosen = |(i, point): &(usize, &Point)| {
            // The moment at which a new store moves to its place is met in any case.
            i % step == seed as usize % step || point.call == "rename"
        };
        let chosen = all.iter().enumerate().filter(is_chosen);
        let chosen = chosen.map(|(_, point)| point);
        let queue = Mutex::new(chosen);
        let next = || queue.lock().expect("nobody panics while it is held").next();
        let crash = || {
            let points = std::iter::from_fn(next);
            points.partition::<Vec<&Point>, _>(|point| crash_at(folder, point))
        };
        let (mut killed, mut missed) = (0, Vec::new());
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(crash)).collect();
            for worker in workers {
                let (met, not_met) = worker.join().expect("each point recovers");
                killed += met.len();
                missed.extend(not_met);
            }
        });
        println!(
            "{folder:?}: {} calls change a file; killed at {killed}, each recovers; another life did not come by {missed:?}",
            all.len()
        );
        assert!(killed > missed.len(), "most calls are met again");
    }
}

/// The control: a folder from before the work is reported by the same check.
#[test]
fn a_seeded_loss_is_reported() {
    let place = tempfile::tempdir().expect("a temporary folder can be made");
    let (data, older) = (place.path().join("data"), place.path().join("older"));
    let mut told = Folder::Crashed.prepare(&data);
    copy_folder(&data, &older);
    let server = Tidemark::start(&data, &[]);
    work(server.addr, &mut told).expect("nobody kills it");
    server.stop();
    assert_eq!(violations(&data, &told), Vec::<String>::new());
    let reported = violations(&older, &told);
    let lost = reported.iter().filter(|it| it.starts_with("Lost")).count();
    let states = reported.iter().filter(|it| it.starts_with("state")).count();
    assert_eq!((lost, states), (5, 3), "{reported:?}");
}
