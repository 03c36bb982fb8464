//! D11: acknowledged updates survive `kill -9`, and the state they lead to is that of a server that
//! nobody killed, fed the same points: equal bytes, and the scores that were told are its scores.
//!
//! Each writer has a series of its own and sends its points in their order. Of a request that a kill
//! cuts off, nobody knows whether it was learnt; sent again, its points are late if it was and learnt
//! if it was not. Either way the series has then learnt all of them, once and in order.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::binary::Tidemark;
use super::crash::copy_folder;
use super::from_env;
use super::http::{Connection, once};

const WRITERS: u64 = 24;
/// Sizes of requests in turn: some end between two snapshots, some have several in them.
const SIZES: [usize; 6] = [1, 1, 3, 1, 40, 300];

/// What was told of one point.
#[derive(Clone, Debug, PartialEq)]
struct Ack {
    point_idx: usize,
    state_seq: u64,
    p_value: f64,
    anomaly_score: f64,
}

/// One writer's series.
#[derive(Clone, Debug, Default)]
struct Journal {
    series: String,
    acks: Vec<Ack>,
    /// Points that were acknowledged or sent again.
    n_learnt: usize,
    /// Points of the request that a kill cut off.
    n_unknown: usize,
}

/// What does not hold.
#[derive(Debug, PartialEq)]
enum Violation {
    /// The state has learnt fewer points than were acknowledged.
    Lost {
        series: String,
        acknowledged: usize,
        found: usize,
    },
    /// A point was told another score or number than the uninterrupted server gives it.
    Changed { series: String, point_idx: usize },
    /// The bytes of the state differ from those of the uninterrupted server.
    Diverged { series: String },
}

/// Between two tries of a request that was refused.
const BACK_OFF: std::time::Duration = std::time::Duration::from_millis(5);

/// The points of a series, the same ones every time.
fn point(series: &str, idx: usize) -> (i64, f64) {
    let own = series.bytes().map(u64::from).sum::<u64>() as usize;
    let wave = (idx as f64 / 17.0).sin();
    let noise = ((idx + own) * 7_919 % 1_009) as f64 / 500.0;
    (1_700_000_000 + 60 * idx as i64, 10.0 + wave + noise)
}

fn body(series: &str, from: usize, n: usize) -> Value {
    let points = (from..from + n).map(|idx| point(series, idx));
    let (timestamps, values): (Vec<i64>, Vec<f64>) = points.unzip();
    if n == 1 {
        json!({"timestamp": timestamps[0].to_string(), "value": values[0]})
    } else {
        json!({"timestamps": timestamps, "values": values})
    }
}

/// The entries of a reply to `n` points as acknowledgements.
fn acks(reply: &Value, from: usize, n: usize) -> Vec<Ack> {
    let entry = |name: &str, i: usize| match &reply[name] {
        Value::Array(column) => column[i].clone(),
        single => single.clone(),
    };
    let acks = (0..n).map(|i| Ack {
        point_idx: from + i,
        state_seq: entry("state_seq", i).as_u64().expect("a number"),
        p_value: entry("p_value", i).as_f64().expect("a number"),
        anomaly_score: entry("anomaly_score", i).as_f64().expect("a number"),
    });
    acks.collect()
}

impl Journal {
    fn of(writer: u64) -> Self {
        Self {
            series: format!("own-{writer}"),
            ..Self::default()
        }
    }

    /// Sends points until the server is gone or `requests` are answered.
    fn write(&mut self, addr: SocketAddr, requests: usize) {
        let Ok(mut connection) = Connection::open(addr) else {
            return;
        };
        let target = format!("/update/{}", self.series);
        for i in 0..requests {
            let (from, n) = (self.n_learnt, SIZES[(i + self.n_learnt) % SIZES.len()]);
            let body = body(&self.series, from, n).to_string();
            self.n_unknown = n;
            let reply = loop {
                let Ok(reply) = connection.exchange("POST", &target, body.as_bytes()) else {
                    return;
                };
                // Nothing of it was done, and it may be sent again; two dozen writers can be too many for a while.
                if reply.status == 503 && reply.json()["code"] == "overloaded" {
                    std::thread::sleep(BACK_OFF);
                    continue;
                }
                break reply;
            };
            assert_eq!(reply.status, 200, "{}", reply.text());
            self.acks.extend(acks(&reply.json(), from, n));
            (self.n_learnt, self.n_unknown) = (from + n, 0);
        }
    }

    /// Sends again what may not have been learnt, or the latest point; says what was lost.
    fn settle(&mut self, addr: SocketAddr) -> Option<Violation> {
        let n = self.n_unknown.max(1);
        let from = (self.n_learnt + self.n_unknown).saturating_sub(n);
        let target = format!("/update/{}", self.series);
        let mut connection = Connection::open(addr).expect("the server listens");
        for idx in from..from + n {
            let body = body(&self.series, idx, 1).to_string();
            let reply = connection.exchange("POST", &target, body.as_bytes());
            let reply = reply.expect("a running server answers").json();
            let seq = reply["state_seq"].as_u64().expect("a number") as usize;
            let learnt = reply["learnt"].as_bool().expect("a verdict");
            let known = seq - usize::from(learnt);
            // All that was acknowledged, and all before the point, has been learnt.
            if known < idx.max(self.n_learnt) {
                return Some(Violation::Lost {
                    series: self.series.clone(),
                    acknowledged: self.n_learnt,
                    found: known,
                });
            }
        }
        (self.n_learnt, self.n_unknown) = (from + n, 0);
        None
    }

    /// Compares with a server that learns all points at once.
    fn audit(&self, killed: SocketAddr, uninterrupted: SocketAddr) -> Vec<Violation> {
        let target = format!("/update/{}", self.series);
        let all = body(&self.series, 0, self.n_learnt.max(2)).to_string();
        let reply = once(uninterrupted, "POST", &target, all.as_bytes()).expect("a reply");
        assert_eq!(reply.status, 200, "{}", reply.text());
        let expected = acks(&reply.json(), 0, self.n_learnt);
        let series = || self.series.clone();
        let mut violations: Vec<Violation> = self
            .acks
            .iter()
            .filter(|ack| expected.get(ack.point_idx) != Some(ack))
            .map(|ack| Violation::Changed {
                series: series(),
                point_idx: ack.point_idx,
            })
            .collect();
        if frozen(killed, &self.series) != frozen(uninterrupted, &self.series) {
            violations.push(Violation::Diverged { series: series() });
        }
        violations
    }
}

/// The hash of the state's bytes.
fn frozen(addr: SocketAddr, series: &str) -> String {
    let target = format!("/series/{series}/versions");
    let reply = once(addr, "POST", &target, br#"{"from":"online"}"#).expect("a reply");
    assert_eq!(reply.status, 200, "{}", reply.text());
    let reply = reply.json();
    reply["model_hash"].as_str().expect("a hash").to_owned()
}

/// All writers at once.
fn write_all(journals: &mut [Journal], addr: SocketAddr, requests: usize) {
    std::thread::scope(|scope| {
        for journal in journals {
            scope.spawn(move || journal.write(addr, requests));
        }
    });
}

fn settle_all(journals: &mut [Journal], addr: SocketAddr) -> Vec<Violation> {
    let lost = journals.iter_mut().map(|journal| journal.settle(addr));
    lost.flatten().collect()
}

fn audit_all(journals: &[Journal], killed: &Tidemark) -> Vec<Violation> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let flags = ["--workers", "1", "--compute-threads", "1"];
    let uninterrupted = Tidemark::start(folder.path(), &flags);
    let audited = journals
        .iter()
        .flat_map(|journal| journal.audit(killed.addr, uninterrupted.addr));
    audited.collect()
}

fn journals() -> Vec<Journal> {
    (0..WRITERS).map(Journal::of).collect()
}

#[test]
fn kill_9_loses_no_acknowledged_update_and_the_state_is_the_same_bytes() {
    let cycles = from_env("TIDEMARK_KILL_CYCLES", 12);
    let seed = from_env("TIDEMARK_SEED", u64::from(std::process::id()));
    println!("TIDEMARK_KILL_CYCLES={cycles} TIDEMARK_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let started = Instant::now();
    let mut journals = journals();
    let mut server = Tidemark::start(folder.path(), &[]);
    for cycle in 0..cycles {
        let addr = server.addr;
        let moment = Duration::from_millis(random.random_range(5..250));
        std::thread::scope(|scope| {
            let writers = scope.spawn(|| write_all(&mut journals, addr, usize::MAX));
            std::thread::sleep(moment);
            server.kill_9();
            writers.join().expect("no writer panicked");
        });
        let threads = (cycle % 3 + 1).to_string();
        let flags = ["--workers", &threads, "--compute-threads", &threads];
        server = Tidemark::start(folder.path(), &flags);
        let lost = settle_all(&mut journals, server.addr);
        assert_eq!(lost, [], "cycle {cycle}, killed after {moment:?}");
    }
    assert_eq!(audit_all(&journals, &server), []);
    let acknowledged: usize = journals.iter().map(|journal| journal.acks.len()).sum();
    let learnt: usize = journals.iter().map(|journal| journal.n_learnt).sum();
    println!(
        "{cycles} cycles, {acknowledged} acknowledged points, {learnt} learnt by {WRITERS} states: 0 lost, 0 told \
         another score, 0 states with other bytes, {:?}",
        started.elapsed()
    );
    assert!(acknowledged > 0, "some writer was answered before a kill");
}

/// The controls: an older copy of the folder, and a point that differs in its last bit.
#[test]
fn a_seeded_loss_and_a_seeded_change_are_reported() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (store, older) = (folder.path().join("store"), folder.path().join("older"));
    let mut journals = journals();
    let grow = |store: &Path, journals: &mut Vec<Journal>| {
        let server = Tidemark::start(store, &[]);
        write_all(journals, server.addr, 4);
        server.stop();
    };
    grow(&store, &mut journals);
    copy_folder(&store, &older);
    grow(&store, &mut journals);
    let server = Tidemark::start(&older, &[]);
    let lost = settle_all(&mut journals.clone(), server.addr);
    assert_eq!(lost.len(), journals.len(), "{lost:?}");
    assert!(lost.iter().all(|v| matches!(v, Violation::Lost { .. })));
    server.stop();
    let server = Tidemark::start(&store, &[]);
    assert_eq!(settle_all(&mut journals, server.addr), []);
    let changed = &mut journals[0];
    let idx = changed.n_learnt;
    let (timestamp, value) = point(&changed.series, idx);
    let next_up = f64::from_bits(value.to_bits() + 1);
    let body = json!({"timestamp": timestamp.to_string(), "value": next_up}).to_string();
    let target = format!("/update/{}", changed.series);
    once(server.addr, "POST", &target, body.as_bytes()).expect("a reply");
    changed.n_learnt += 1;
    changed.acks[5].p_value = 0.123;
    let told = audit_all(&journals, &server);
    let series = || "own-0".to_owned();
    let expected = [
        Violation::Changed {
            series: series(),
            point_idx: 5,
        },
        Violation::Diverged { series: series() },
    ];
    assert_eq!(told, expected);
}

#[test]
fn clients_of_one_series_have_numbers_without_repeat_through_kills() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let clock = std::sync::atomic::AtomicI64::new(1);
    let mut told: Vec<u64> = Vec::new();
    let mut n_unknown = 0;
    for _ in 0..4 {
        let server = Tidemark::start(folder.path(), &[]);
        let addr = server.addr;
        let write = || {
            let mut numbers = Vec::new();
            let Ok(mut connection) = Connection::open(addr) else {
                return numbers;
            };
            loop {
                let time = clock.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let body = json!({"timestamp": time, "value": time % 7}).to_string();
                let reply = connection.exchange("POST", "/update/shared", body.as_bytes());
                let Ok(reply) = reply else { return numbers };
                let reply = reply.json();
                if reply["learnt"] == true {
                    numbers.push(reply["state_seq"].as_u64().expect("a number"));
                }
            }
        };
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(write)).collect();
            std::thread::sleep(Duration::from_millis(150));
            server.kill_9();
            for writer in writers {
                told.extend(writer.join().expect("a writer does not panic"));
            }
        });
        n_unknown += WRITERS;
    }
    told.sort_unstable();
    let n_told = told.len() as u64;
    told.dedup();
    assert_eq!(told.len() as u64, n_told, "a number was told twice");
    let latest = *told.last().expect("some writer was answered");
    // Numbers that nobody was told are those of requests that a kill cut off.
    assert!(latest - n_told <= n_unknown, "{latest} {n_told}");
}
