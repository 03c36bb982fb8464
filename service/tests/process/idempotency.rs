//! D8: a fit whose connection is cut after it was sent, sent again with the same `Idempotency-Key`
//! until it is answered, through `kill -9`, is one version.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::audit::Versions;
use super::binary::Tidemark;
use super::http::{Connection, Reply};
use super::read_back::read_back;
use super::{from_env, payload};

const WRITERS: u64 = 16;
/// A guard against hanging, not a promise about speed.
const ANSWERED_WITHIN: Duration = Duration::from_secs(120);

/// A fit that was answered in the end.
#[derive(Clone, Debug)]
struct Told {
    series: String,
    version: u64,
    hash: String,
}

/// What the writers have in common.
struct Work {
    addr: Mutex<SocketAddr>,
    with_key: bool,
    fits: u64,
    next: AtomicU64,
    cuts: AtomicU64,
    replays: AtomicU64,
    /// Requests whose answers were told twice and differed.
    changed: AtomicU64,
}

impl Work {
    fn new(addr: SocketAddr, fits: u64, with_key: bool) -> Self {
        Self {
            addr: Mutex::new(addr),
            with_key,
            fits,
            next: AtomicU64::new(0),
            cuts: AtomicU64::new(0),
            replays: AtomicU64::new(0),
            changed: AtomicU64::new(0),
        }
    }

    fn connect(&self) -> Option<Connection> {
        let addr = *self.addr.lock().expect("no thread panicked");
        Connection::open(addr).ok()
    }

    /// Fits until all are answered.
    fn write(&self, seed: u64) -> Vec<Told> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut told = Vec::new();
        loop {
            let mark = self.next.fetch_add(1, Ordering::Relaxed);
            if mark >= self.fits {
                return told;
            }
            let series = format!("s-{}", mark % 5);
            // Some take the way over the compute pool, some have a record of their own.
            let body = payload::fit(mark + 1, if mark.is_multiple_of(16) { 2_000 } else { 4 });
            for _ in 0..random.random_range(1..=2) {
                self.send_and_cut(&series, mark, &body, random.random_range(0..4));
            }
            let reply = self.send_until_answered(&series, mark, &body);
            let answer = reply.json();
            let text = |name: &str| answer[name].as_str().expect(name).to_owned();
            told.push(Told {
                series,
                version: text("version").parse().expect("digits"),
                hash: text("model_hash"),
            });
        }
    }

    fn headers(&self, mark: u64) -> String {
        match self.with_key {
            true => format!("Idempotency-Key: fit-{mark}\r\n"),
            false => String::new(),
        }
    }

    fn send_and_cut(&self, series: &str, mark: u64, body: &[u8], wait_ms: u64) {
        let Some(mut connection) = self.connect() else {
            return;
        };
        let target = format!("/fit/{series}");
        if connection
            .send_with(&self.headers(mark), "POST", &target, body)
            .is_ok()
        {
            self.cuts.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(wait_ms));
        }
    }

    fn send_until_answered(&self, series: &str, mark: u64, body: &[u8]) -> Reply {
        let started = Instant::now();
        loop {
            assert!(
                started.elapsed() < ANSWERED_WITHIN,
                "{series}, fit {mark}: no answer"
            );
            let target = format!("/fit/{series}");
            let exchange = |connection: &mut Connection| {
                connection.send_with(&self.headers(mark), "POST", &target, body)?;
                connection.receive()
            };
            match self
                .connect()
                .map(|mut connection| exchange(&mut connection))
            {
                Some(Ok(reply)) if reply.status == 200 => {
                    let is_replay = reply.head.contains("idempotency-replayed: true");
                    self.replays
                        .fetch_add(u64::from(is_replay), Ordering::Relaxed);
                    self.ask_once_more(&reply, |connection| exchange(connection));
                    return reply;
                }
                Some(Ok(reply)) => assert_eq!(reply.status, 503, "{}", reply.text()),
                // The server is gone, and will be back elsewhere.
                Some(Err(_)) | None => {}
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// With a key, one time more changes nothing: the same bytes.
    fn ask_once_more(
        &self,
        reply: &Reply,
        exchange: impl Fn(&mut Connection) -> std::io::Result<Reply>,
    ) {
        if !self.with_key {
            return;
        }
        if let Some(Ok(again)) = self
            .connect()
            .map(|mut connection| exchange(&mut connection))
            && again.status == 200
        {
            let same = again.body == reply.body;
            self.changed.fetch_add(u64::from(!same), Ordering::Relaxed);
        }
    }
}

/// What does not hold.
#[derive(Debug, Default, PartialEq)]
struct Violations {
    /// Versions beyond the first of one fit.
    duplicates: usize,
    /// Fits whose told version is not there with the told hash.
    lost: usize,
    /// Versions of no fit that was told.
    strange: usize,
}

/// Each mark makes a model of its own: a hash that is there twice is a fit that was stored twice.
fn judge(told: &[Told], found: &Versions) -> Violations {
    let mut violations = Violations::default();
    let mut hashes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for fit in told {
        hashes.entry(&fit.series).or_default().insert(&fit.hash);
        let index = usize::try_from(fit.version)
            .ok()
            .and_then(|v| v.checked_sub(1));
        let hash = index.and_then(|i| found.get(&fit.series)?.get(i)?.as_deref());
        violations.lost += usize::from(hash != Some(&fit.hash));
    }
    for (series, versions) in found {
        let mut seen = BTreeSet::new();
        for hash in versions.iter().flatten() {
            let is_told = hashes
                .get(series.as_str())
                .is_some_and(|told| told.contains(hash.as_str()));
            violations.strange += usize::from(!is_told);
            violations.duplicates += usize::from(!seen.insert(hash));
        }
    }
    violations
}

/// All fits by 16 writers, with `kills` of the server between; what was told and what is there.
fn run(fits: u64, kills: u64, with_key: bool, seed: u64) -> (Work, Vec<Told>, Versions) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut server = Tidemark::start(folder.path(), &[]);
    let work = Work::new(server.addr, fits, with_key);
    let done = AtomicBool::new(false);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (told, server) = std::thread::scope(|scope| {
        let work = &work;
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| scope.spawn(move || work.write(seed ^ (writer << 32))))
            .collect();
        let waiting = scope.spawn(|| {
            let told: Vec<Told> = writers
                .into_iter()
                .flat_map(|writer| writer.join().expect("a writer does not panic"))
                .collect();
            done.store(true, Ordering::Release);
            told
        });
        for kill in 1..=kills {
            // When so many fits are under way, and a moment more.
            while work.next.load(Ordering::Relaxed) < fits * kill / (kills + 1)
                && !done.load(Ordering::Acquire)
            {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(random.random_range(0..20)));
            server.kill_9();
            server = Tidemark::start(folder.path(), &[]);
            *work.addr.lock().expect("no thread panicked") = server.addr;
        }
        (waiting.join().expect("it does not panic"), server)
    });
    let series = told.iter().map(|fit| fit.series.clone()).collect();
    let found = read_back(server.addr, series);
    server.stop();
    (work, told, found)
}

#[test]
fn a_retry_with_the_same_key_makes_no_second_version() {
    let fits = from_env("TIDEMARK_D8_FITS", 300);
    let kills = from_env("TIDEMARK_D8_KILLS", 3);
    let seed = from_env("TIDEMARK_SEED", u64::from(std::process::id()));
    println!("TIDEMARK_D8_FITS={fits} TIDEMARK_D8_KILLS={kills} TIDEMARK_SEED={seed}");
    let started = Instant::now();
    let (work, told, found) = run(fits, kills, true, seed);
    let violations = judge(&told, &found);
    println!(
        "{} fits, {} connections cut after the request, {} answers of before, {kills} kills: {violations:?}, {:?}",
        told.len(),
        work.cuts.load(Ordering::Relaxed),
        work.replays.load(Ordering::Relaxed),
        started.elapsed()
    );
    assert_eq!(told.len() as u64, fits);
    assert_eq!(violations, Violations::default());
    assert_eq!(
        work.changed.load(Ordering::Relaxed),
        0,
        "an answer of before has the same bytes"
    );
    assert!(
        work.replays.load(Ordering::Relaxed) > 0,
        "some fit was stored before its retry"
    );
}

/// The control: the same without the key.
#[test]
fn a_retry_without_a_key_is_caught() {
    let seed = u64::from(std::process::id());
    let (_, told, found) = run(100, 1, false, seed);
    let violations = judge(&told, &found);
    assert!(violations.duplicates > 0, "{violations:?}");
    assert_eq!((violations.lost, violations.strange), (0, 0));
}
