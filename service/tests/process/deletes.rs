//! D13: versions and series are deleted while others fit, `kill -9` at a random moment, restart, audit.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::audit::Ack;
use super::binary::Tidemark;
use super::crash::copy_folder;
use super::delete_audit::{Delete, Facts, Found, audit};
use super::http::Connection;
use super::{from_env, payload};

const WRITERS: u64 = 12;
const SHARED: [&str; 2] = ["shared-0", "shared-1"];

/// What the writers of all cycles have in common.
struct Work {
    started: Instant,
    marks: AtomicU64,
    facts: Mutex<Facts>,
}

impl Work {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            marks: AtomicU64::new(1),
            facts: Mutex::default(),
        }
    }

    /// Some fit and some delete, each until the server is gone or it has done `most`.
    fn write(&self, addr: SocketAddr, seed: u64, most: u64) {
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let mut random = ChaCha8Rng::seed_from_u64(seed.wrapping_add(writer));
                scope.spawn(move || {
                    let Ok(mut connection) = Connection::open(addr) else {
                        return;
                    };
                    for _ in 0..most {
                        let own = format!("own-{writer}");
                        let series = match random.random_range(0..4) {
                            0 | 1 => own.as_str(),
                            at => SHARED[at - 2],
                        };
                        let is_answered = match random.random_range(0..100) {
                            0..65 => self.fit(&mut connection, series),
                            65..95 => {
                                let version = self.some_version(series, &mut random);
                                self.delete(&mut connection, series, Some(version))
                            }
                            _ => self.delete(&mut connection, series, None),
                        };
                        if !is_answered {
                            break;
                        }
                    }
                });
            }
        });
    }

    fn some_version(&self, series: &str, random: &mut ChaCha8Rng) -> u64 {
        let facts = self.facts.lock().expect("no writer panicked");
        let last = facts.fits.iter().rev().find(|fit| fit.series == series);
        let last = last.map_or(1, |fit| fit.version);
        random.random_range(last.saturating_sub(8).max(1)..=last + 1)
    }

    fn fit(&self, connection: &mut Connection, series: &str) -> bool {
        let mark = self.marks.fetch_add(1, Ordering::Relaxed);
        let body = payload::fit(mark, if mark.is_multiple_of(16) { 300 } else { 4 });
        let sent = self.started.elapsed();
        let Ok(reply) = connection.exchange("POST", &format!("/fit/{series}"), &body) else {
            return false;
        };
        assert_eq!(reply.status, 200, "{}", reply.text());
        let told = self.started.elapsed();
        let reply = reply.json();
        let text = |name: &str| reply[name].as_str().expect(name).to_owned();
        let ack = Ack {
            series: series.to_owned(),
            version: text("version").parse().expect("digits"),
            hash: text("model_hash"),
            sent,
            told,
        };
        self.facts
            .lock()
            .expect("no writer panicked")
            .fits
            .push(ack);
        true
    }

    fn delete(&self, connection: &mut Connection, series: &str, version: Option<u64>) -> bool {
        let target = match version {
            Some(version) => format!("/series/{series}/versions/{version}"),
            None => format!("/series/{series}"),
        };
        let sent = self.started.elapsed();
        let reply = connection.exchange("DELETE", &target, b"");
        let told = match &reply {
            Ok(reply) if reply.status == 204 => Some(self.started.elapsed()),
            Ok(reply) => {
                assert_eq!(reply.status, 404, "{}", reply.text());
                return true;
            }
            Err(_) => None,
        };
        let delete = Delete {
            series: series.to_owned(),
            version,
            sent,
            told,
        };
        let mut facts = self.facts.lock().expect("no writer panicked");
        facts.deletes.push(delete);
        reply.is_ok()
    }

    fn facts(&self) -> Facts {
        self.facts.lock().expect("no writer panicked").clone()
    }
}

/// What the server says of every version that may ever have been.
fn read_back(addr: SocketAddr, facts: &Facts) -> Found {
    let mut connection = Connection::open(addr).expect("it listens");
    let mut ask = |series: &str, version: u64| {
        let target = format!("/predict/{series}?version={version}");
        let reply = connection.exchange("POST", &target, payload::POINT);
        let reply = reply.expect("a running server answers");
        match reply.status {
            200 => {
                let reply = reply.json();
                let text = |name: &str| reply[name].as_str().expect(name).to_owned();
                let version: u64 = text("model_version").parse().expect("digits");
                Ok(Some((version, text("model_hash"))))
            }
            404 => Ok(None),
            status => Err(status),
        }
    };
    let mut found = Found::default();
    for (series, last) in facts.last_versions() {
        // Some that were never acknowledged may be there.
        for version in 1..=last + WRITERS {
            let read = ask(&series, version);
            found.versions.insert((series.clone(), version), read);
        }
        found.latest.insert(series.clone(), ask(&series, 0));
    }
    found
}

fn restart(folder: &Path) -> Tidemark {
    Tidemark::start(folder, &[])
}

#[test]
fn kill_9_brings_no_deleted_version_back_and_loses_no_other() {
    let cycles = from_env("TIDEMARK_KILL_CYCLES", 8);
    let seed = from_env("TIDEMARK_SEED", u64::from(std::process::id()));
    println!("TIDEMARK_KILL_CYCLES={cycles} TIDEMARK_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let work = Work::new();
    let mut server = restart(folder.path());
    for cycle in 0..cycles {
        let (addr, moment) = (
            server.addr,
            Duration::from_millis(random.random_range(20..300)),
        );
        let seed = random.random();
        std::thread::scope(|scope| {
            let writers = scope.spawn(|| work.write(addr, seed, u64::MAX));
            std::thread::sleep(moment);
            server.kill_9();
            writers.join().expect("no writer panicked");
        });
        server = restart(folder.path());
        let facts = work.facts();
        let violations = audit(&facts, &read_back(server.addr, &facts));
        assert_eq!(violations, [], "cycle {cycle}, killed after {moment:?}");
    }
    let facts = work.facts();
    let n_told = facts.deletes.iter().filter(|delete| delete.told.is_some());
    println!(
        "{cycles} cycles, {} acknowledged fits, {} acknowledged deletions, none lost, none back",
        facts.fits.len(),
        n_told.count()
    );
    // What the counts of the heads say agrees with what is there.
    server.stop();
    let verified = super::binary::run(
        std::process::Command::new(super::binary::program())
            .args(["verify", "--data-dir"])
            .arg(folder.path()),
    );
    assert!(verified.status.success(), "{verified:?}");
}

/// The control: an older copy of the store has what was deleted since, and has not what was fitted since.
#[test]
fn a_seeded_return_and_a_seeded_loss_are_reported() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (store, older) = (folder.path().join("store"), folder.path().join("older"));
    let work = Work::new();
    let server = restart(&store);
    work.write(server.addr, 1, 40);
    server.stop();
    copy_folder(&store, &older);
    let server = restart(&store);
    work.write(server.addr, 2, 40);
    let facts = work.facts();
    assert_eq!(audit(&facts, &read_back(server.addr, &facts)), []);
    server.stop();
    let server = restart(&older);
    let violations = audit(&facts, &read_back(server.addr, &facts));
    let has = |words: &str| {
        violations
            .iter()
            .any(|violation| format!("{violation:?}").starts_with(words))
    };
    assert!(has("Returned") && has("Lost"), "{violations:?}");
    server.stop();
}
