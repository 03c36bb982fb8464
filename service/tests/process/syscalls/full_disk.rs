//! D5: a full disk costs fits, for as long as it is full, and nothing else.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::volume::Volume;
use crate::audit::{Ack, audit};
use crate::binary::Tidemark;
use crate::http::{Connection, Reply, once};
use crate::payload::{self, POINT};
use crate::read_back::read_back;

const MIB: u64 = 1024 * 1024;
/// The promise.
const RECOVERS_WITHIN: Duration = Duration::from_secs(5);
/// Predicts that are counted before and while the disk is full.
const PREDICTS: usize = 1_000;

/// Fits on one series, and what was acknowledged of them.
struct Fits {
    started: Instant,
    acks: Vec<Ack>,
    sent: u64,
}

impl Fits {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            acks: Vec::new(),
            sent: 0,
        }
    }

    /// Sends one of `n` points.
    fn fit(&mut self, addr: SocketAddr, series: &str, n: usize) -> Reply {
        self.send(addr, series, &payload::fit(self.sent, n))
    }

    fn send(&mut self, addr: SocketAddr, series: &str, body: &[u8]) -> Reply {
        self.sent += 1;
        let sent = self.started.elapsed();
        let reply = once(addr, "POST", &format!("/fit/{series}"), body).expect("it answers");
        if reply.status == 200 {
            let told = reply.json();
            let text = |name: &str| told[name].as_str().expect(name).to_owned();
            self.acks.push(Ack {
                series: series.to_owned(),
                version: text("version").parse().expect("digits"),
                hash: text("model_hash"),
                sent,
                told: self.started.elapsed(),
            });
        }
        reply
    }

    /// Fits until one is acknowledged; how long that took, if it took no longer than was promised.
    fn recovers(&mut self, addr: SocketAddr) -> Option<Duration> {
        let since = Instant::now();
        while since.elapsed() < RECOVERS_WITHIN {
            if self.fit(addr, "a", 4).status == 200 {
                return Some(since.elapsed());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    fn assert_nothing_is_lost(&self, addr: SocketAddr) {
        let series: BTreeSet<String> = self.acks.iter().map(|ack| ack.series.clone()).collect();
        assert_eq!(audit(&self.acks, &read_back(addr, series)), []);
    }
}

/// A history of 100,000 points that hardly compress, whose last value stands at the end of the body.
fn large() -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let n = 100_000;
    let timestamps: Vec<usize> = (0..n).collect();
    let values: Vec<f64> = (1..n)
        .map(|_| random.random())
        .chain([1_000_000.0])
        .collect();
    let (timestamps, values) = (
        serde_json::json!(timestamps).to_string(),
        serde_json::json!(values).to_string().replace(".0]", "]"),
    );
    format!(r#"{{"model":"gaussian","timestamps":{timestamps},"values":{values}}}"#).into_bytes()
}

fn assert_is(reply: &Reply, status: u16, code: &str) {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.json()["code"], code);
    assert!(reply.head.contains("retry-after: "), "{}", reply.head);
}

/// The next update of a state.
fn update(addr: SocketAddr, fits: &Fits) -> Reply {
    // Later than every one before, or it would be late and nothing to store.
    let at = 1_769_846_460 + fits.sent;
    let point = format!(r#"{{"timestamp":"{at}","value":12.5}}"#);
    once(addr, "POST", "/update/learning", point.as_bytes()).expect("it answers")
}

/// Fits, updates and aliases are refused in words; ready stays, because predicts go on.
fn assert_is_full(addr: SocketAddr, fits: &mut Fits) {
    assert_is(&fits.fit(addr, "a", 4), 507, "storage_full");
    assert_is(&fits.fit(addr, "new", 4), 507, "storage_full");
    let send = |method, target, body| once(addr, method, target, body).expect("it answers");
    assert_is(&update(addr, fits), 507, "storage_full");
    let alias = send("PUT", "/series/a/aliases/live", br#"{"version":"1"}"#);
    assert_is(&alias, 507, "storage_full");
    assert_eq!(send("GET", "/health/ready", b"").status, 200);
}

/// The time that so many predicts took, of a version in memory and of one that may not be there, each of
/// which was answered.
fn predicts(addr: SocketAddr) -> Duration {
    let started = Instant::now();
    let mut connection = Connection::open(addr).expect("it listens");
    for i in 0..PREDICTS {
        let target = ["/predict/a", "/predict/a?version=1"][i % 2];
        let reply = connection.exchange("POST", target, POINT);
        assert_eq!(reply.expect("it answers").status, 200, "{i}");
    }
    started.elapsed()
}

/// The value of a metric.
fn metric(addr: SocketAddr, name: &str) -> f64 {
    let page = once(addr, "GET", "/metrics", b"").expect("it answers");
    let line = page.text().lines().find_map(|line| line.strip_prefix(name));
    let value = line.unwrap_or_else(|| panic!("no {name}")).trim().parse();
    value.expect("a number")
}

#[test]
fn a_full_disk_refuses_fits_and_recovers_by_itself() {
    let volume = Volume::of_mib(96);
    let flags = ["--disk-reserve", "16MiB"];
    let server = Tidemark::spawn(&mut volume.serve(&flags));
    let mut fits = Fits::new();
    for _ in 0..20 {
        assert_eq!(fits.fit(server.addr, "a", 300).status, 200);
    }
    let first = update(server.addr, &fits).json()["state_seq"].as_u64();
    assert_eq!(first, Some(1));
    let normal = predicts(server.addr);
    // Below the reserve, and then to the last byte.
    for (learnt, left) in [(2, 8 * MIB), (3, 0)] {
        volume.fill(left);
        assert_is_full(server.addr, &mut fits);
        let full = predicts(server.addr);
        println!("{PREDICTS} predicts: {normal:?}, with {left} bytes free {full:?}");
        let (free, reserve) = (
            "tidemark_store_free_bytes ",
            "tidemark_store_reserve_bytes ",
        );
        let told = metric(server.addr, free);
        assert!(told < 16.0 * MIB as f64, "{told} with {left} left");
        assert_eq!(metric(server.addr, reserve), 16.0 * MIB as f64);
        volume.clear();
        let recovered = fits.recovers(server.addr).expect("it recovers by itself");
        println!("recovered {recovered:?} after there was space");
        let next = update(server.addr, &fits).json()["state_seq"].as_u64();
        assert_eq!(next, Some(learnt), "what was refused was not learnt");
    }
    // A server that is started on a full disk answers as well.
    volume.fill(0);
    assert_is_full(server.addr, &mut fits);
    server.kill_9();
    let server = Tidemark::spawn(&mut volume.serve(&flags));
    fits.assert_nothing_is_lost(server.addr);
    assert_is_full(server.addr, &mut fits);
    predicts(server.addr);
    volume.clear();
    fits.recovers(server.addr).expect("it recovers by itself");
    fits.assert_nothing_is_lost(server.addr);
    server.stop();
    let server = Tidemark::spawn(&mut volume.serve(&flags));
    fits.assert_nothing_is_lost(server.addr);
    server.stop();
}

/// The control: a server that does not see how much space is left finds out while it writes. It must stop writing
/// then, and is reported as one that does not recover by itself; nothing is lost all the same.
#[test]
fn a_server_that_does_not_look_does_not_recover_and_loses_nothing() {
    let volume = Volume::of_mib(96);
    let server = Tidemark::spawn(&mut volume.serve_blind());
    let mut fits = Fits::new();
    for _ in 0..20 {
        assert_eq!(fits.fit(server.addr, "a", 300).status, 200);
    }
    volume.fill(0);
    // The last page of the journal has room for some.
    let mut replies = (0..1_000).map(|_| fits.fit(server.addr, "a", 300));
    let refused = replies.find(|reply| reply.status != 200);
    assert_is(
        &refused.expect("the disk is full"),
        503,
        "store_unavailable",
    );
    predicts(server.addr);
    volume.clear();
    assert_eq!(fits.recovers(server.addr), None);
    server.kill_9();
    let server = Tidemark::spawn(&mut volume.serve(&[]));
    fits.assert_nothing_is_lost(server.addr);
    server.stop();
}

/// What fills the disk is the store itself, with tables that are written beside the fits.
#[test]
fn a_store_that_fills_its_disk_loses_nothing() {
    let flags = ["--disk-reserve", "24MiB"];
    let volume = Volume::of_mib(128);
    let server = Tidemark::spawn(&mut volume.serve(&flags));
    let mut fits = Fits::new();
    let mut body = large();
    let refused = loop {
        // Another value at the end makes another model.
        let last = format!("1{:06}]", fits.sent);
        body.splice(body.len() - last.len() - 1..body.len() - 1, last.bytes());
        let reply = fits.send(server.addr, "a", &body);
        if reply.status != 200 {
            break reply;
        }
        assert!(fits.acks.len() < 1_000, "the disk does not fill");
    };
    println!(
        "{} fits were acknowledged, then {}, with {} MiB free",
        fits.acks.len(),
        refused.status,
        volume.free_bytes() / MIB
    );
    assert_is(&refused, 507, "storage_full");
    predicts(server.addr);
    volume.grow_to_mib(192);
    fits.recovers(server.addr).expect("it recovers by itself");
    server.kill_9();
    let server = Tidemark::spawn(&mut volume.serve(&[]));
    fits.assert_nothing_is_lost(server.addr);
    server.stop();
}
