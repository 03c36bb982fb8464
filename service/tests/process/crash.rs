//! D1 and D7: 64 writers, `kill -9` at a random moment, restart, audit.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::audit::{Ack, Violation, audit};
use super::binary::Tidemark;
use super::http::{Connection, once};
use super::read_back::read_back;
use super::{from_env, payload};

const WRITERS: u64 = 64;
/// Cycles on one store. A new one now and then keeps what is audited after every kill small.
const CYCLES_A_STORE: u64 = 10;

/// What the writers of all cycles have in common.
pub(crate) struct Workload {
    pub(crate) started: Instant,
    /// Each fit of the test has a mark of its own, and so a hash of its own.
    marks: AtomicU64,
    /// Every series of which a fit was sent, answered or not.
    pub(crate) sent: Mutex<BTreeSet<String>>,
}

impl Workload {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            marks: AtomicU64::new(1),
            sent: Mutex::default(),
        }
    }

    /// 64 writers at once, each until the server is gone or it has made `fits`.
    fn write(&self, addr: SocketAddr, cycle: u64, fits: u64) -> Vec<Ack> {
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| scope.spawn(move || self.write_alone(addr, cycle, writer, fits)))
                .collect();
            writers
                .into_iter()
                .flat_map(|writer| writer.join().expect("a writer does not panic"))
                .collect()
        })
    }

    /// One writer of them.
    pub(crate) fn write_alone(
        &self,
        addr: SocketAddr,
        cycle: u64,
        writer: u64,
        fits: u64,
    ) -> Vec<Ack> {
        let mut acks = Vec::new();
        let Ok(mut connection) = Connection::open(addr) else {
            return acks;
        };
        for i in 0..fits {
            let mark = self.marks.fetch_add(1, Ordering::Relaxed);
            // Half of the fits contend for four series, one of them with every writer.
            let series = match (writer + i) % 4 {
                0 => format!("shared-{}", cycle / CYCLES_A_STORE),
                1 => format!("shared-{}-{}", cycle / CYCLES_A_STORE, writer % 3),
                _ => format!("own-{cycle}-{writer}"),
            };
            let mut all = self.sent.lock().expect("no writer panicked");
            all.insert(series.clone());
            drop(all);
            // Some histories are large enough for a record of their own beside the version's.
            let n = if mark.is_multiple_of(16) { 300 } else { 4 };
            let body = payload::fit(mark, n);
            let sent = self.started.elapsed();
            let Ok(reply) = connection.exchange("POST", &format!("/fit/{series}"), &body) else {
                break;
            };
            let told = self.started.elapsed();
            assert_eq!(reply.status, 200, "{}", reply.text());
            let reply = reply.json();
            let text = |name: &str| reply[name].as_str().expect(name).to_owned();
            acks.push(Ack {
                series,
                version: text("version").parse().expect("digits"),
                hash: text("model_hash"),
                sent,
                told,
            });
        }
        acks
    }
}

fn series_of<'a>(acks: impl IntoIterator<Item = &'a Ack>) -> BTreeSet<String> {
    acks.into_iter().map(|ack| ack.series.clone()).collect()
}

/// The training points of some acknowledged versions can be read, too.
fn assert_training_is_there(addr: SocketAddr, acks: &[Ack]) {
    for ack in acks.iter().rev().step_by(acks.len() / 4 + 1) {
        let target = format!("/plot?series_id={}&version={}", ack.series, ack.version);
        let page = once(addr, "GET", &target, b"").expect("a running server answers");
        assert_eq!(page.status, 200, "{target}: {}", page.text());
    }
}

#[test]
fn kill_9_loses_no_acknowledged_fit() {
    let cycles = from_env("TIDEMARK_KILL_CYCLES", 20);
    let seed = from_env("TIDEMARK_SEED", u64::from(std::process::id()));
    let within_ms = from_env("TIDEMARK_KILL_WITHIN_MS", 250);
    println!(
        "TIDEMARK_KILL_CYCLES={cycles} TIDEMARK_KILL_WITHIN_MS={within_ms} TIDEMARK_SEED={seed}"
    );
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let started = Instant::now();
    let (mut acknowledged, mut stored, mut series) = (0, 0, 0);
    for first in (0..cycles).step_by(CYCLES_A_STORE as usize) {
        let cycles = first..cycles.min(first + CYCLES_A_STORE);
        let audited = kill_again_and_again(cycles, 5..within_ms, &mut random);
        acknowledged += audited.acknowledged;
        stored += audited.stored;
        series += audited.series;
    }
    println!(
        "{cycles} cycles, {acknowledged} acknowledged fits, {stored} stored versions of {series} series, 0 lost, \
         0 gaps, 0 repeats, 0 reordered, {:?}",
        started.elapsed()
    );
    assert!(acknowledged > 0, "some writer was answered before a kill");
}

/// What was found right.
struct Audited {
    acknowledged: usize,
    stored: usize,
    series: usize,
}

/// Cycles on a store of their own, each with a kill after so many milliseconds, followed by an audit of everything so
/// far.
fn kill_again_and_again(
    cycles: Range<u64>,
    moments_ms: Range<u64>,
    random: &mut ChaCha8Rng,
) -> Audited {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let work = Workload::new();
    let mut acks: Vec<Ack> = Vec::new();
    let mut server = Tidemark::start(folder.path(), &[]);
    for cycle in cycles {
        let addr = server.addr;
        let moment = Duration::from_millis(random.random_range(moments_ms.clone()));
        let told = std::thread::scope(|scope| {
            let writers = scope.spawn(|| work.write(addr, cycle, u64::MAX));
            std::thread::sleep(moment);
            server.kill_9();
            writers.join().expect("no writer panicked")
        });
        server = Tidemark::start(folder.path(), &[]);
        assert_training_is_there(server.addr, &told);
        acks.extend(told);
        let found = read_back(server.addr, series_of(&acks));
        let violations = audit(&acks, &found);
        assert_eq!(violations, [], "cycle {cycle}, killed after {moment:?}");
    }
    let sent = work.sent.into_inner().expect("no writer panicked");
    let found = read_back(server.addr, sent);
    assert_eq!(audit(&acks, &found), []);
    let series = found
        .values()
        .filter(|versions| !versions.is_empty())
        .count();
    let health = once(server.addr, "GET", "/healthcheck", b"").expect("a reply");
    let counted = &health.json()["series_trained"];
    assert_eq!(*counted, series, "the count agrees with what is there");
    Audited {
        acknowledged: acks.len(),
        stored: found.values().map(Vec::len).sum(),
        series,
    }
}

#[test]
fn a_seeded_loss_is_reported() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (store, older) = (folder.path().join("store"), folder.path().join("older"));
    let work = Workload::new();
    let server = Tidemark::start(&store, &[]);
    let mut acks = work.write(server.addr, 0, 3);
    server.stop();
    copy_folder(&store, &older);
    let server = Tidemark::start(&store, &[]);
    let later = work.write(server.addr, 0, 3);
    acks.extend(later.clone());
    assert_eq!(audit(&acks, &read_back(server.addr, series_of(&acks))), []);
    server.stop();
    let server = Tidemark::start(&older, &[]);
    let violations = audit(&acks, &read_back(server.addr, series_of(&acks)));
    let lost = |ack: &Ack| Violation::Lost {
        series: ack.series.clone(),
        version: ack.version,
    };
    assert_eq!(violations, later.iter().map(lost).collect::<Vec<_>>());
    server.stop();
}

/// Copies files and folders.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("a folder can be read") {
        let entry = entry.expect("a folder can be read");
        let target = to.join(entry.file_name());
        let kind = entry.file_type().expect("a file has a type");
        if kind.is_dir() {
            copy_folder(&entry.path(), &target);
        } else if kind.is_file() {
            // Not the socket that a server that was killed has left.
            std::fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}
