//! A store that is not damaged is never called so: it grows from journal to journal, answers kept by keys are
//! swept meanwhile, and it is killed and stopped again and again.
//!
//! ```text
//! TIDEMARK_GROWTH_ENDS=60 TIDEMARK_BIN=$PWD/target/release/tidemark cargo test -p service --test process growth -- --nocapture
//! ```

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::audit::{Ack, audit};
use super::binary::{Ended, Tidemark, program, run};
use super::crash::copy_folder;
use super::damage::files;
use super::from_env;
use super::http::Connection;
use super::read_back::read_back;

const WRITERS: u64 = 4;
const FLAGS: [&str; 2] = ["--idempotency-ttl", "1s"];
/// So many ends are long enough for more than one journal.
const MANY_ENDS: u64 = 30;

/// Histories of noise, which cannot be packed: of most of a journal each hundred of them.
fn bodies() -> Vec<Vec<u8>> {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut body = |n: usize| {
        let timestamps: Vec<usize> = (0..n).collect();
        let values: Vec<f64> = (0..n).map(|_| random.random()).collect();
        let fit = json!({ "timestamps": timestamps, "values": values, "model": "gaussian" });
        fit.to_string().into_bytes()
    };
    [40_000, 40_000, 20_000, 20, 20].map(&mut body).to_vec()
}

/// Fits and updates of one client until the server is gone.
fn write(
    addr: SocketAddr,
    end: u64,
    writer: u64,
    bodies: &[Vec<u8>],
    sent: &AtomicU64,
) -> Vec<Ack> {
    let mut acks = Vec::new();
    let mut random = ChaCha8Rng::seed_from_u64(100 * end + writer);
    let started = Instant::now();
    let Ok(mut connection) = Connection::open(addr) else {
        return acks;
    };
    loop {
        let n = sent.fetch_add(1, Ordering::Relaxed);
        let series = format!("s-{end}-{writer}-{}", random.random_range(0..5));
        let key = format!("Idempotency-Key: {n}\r\n");
        let headers = if n.is_multiple_of(3) {
            key.as_str()
        } else {
            ""
        };
        let body = &bodies[random.random_range(0..bodies.len())];
        let before = started.elapsed();
        let target = format!("/fit/{series}");
        let sent = connection.send_with(headers, "POST", &target, body);
        let Ok(reply) = sent.and_then(|()| connection.receive()) else {
            return acks;
        };
        // Refused for a moment, or while it stops.
        if reply.status == 503 {
            continue;
        }
        assert_eq!(reply.status, 200, "{}", reply.text());
        let reply = reply.json();
        let text = |name: &str| reply[name].as_str().expect(name).to_owned();
        acks.push(Ack {
            series,
            version: text("version").parse().expect("digits"),
            hash: text("model_hash"),
            sent: before,
            told: started.elapsed(),
        });
        if n.is_multiple_of(5) {
            let point = json!({ "timestamp": (1_700_000_000 + n).to_string(), "value": 1.5 });
            let target = format!("/update/u-{writer}");
            let update = connection.exchange("POST", &target, point.to_string().as_bytes());
            if update.is_err() {
                return acks;
            }
        }
    }
}

fn journals(data: &Path) -> Vec<PathBuf> {
    let is_journal = |file: &PathBuf| file.extension().is_some_and(|end| end == "jnl");
    let found = std::fs::read_dir(data.join("store")).into_iter().flatten();
    let found = found.flatten().map(|entry| entry.path());
    found.filter(is_journal).collect()
}

fn verify(data: &Path) -> Ended {
    run(Command::new(program())
        .args(["verify", "--data-dir"])
        .arg(data))
}

/// What the store, or a start of it, takes for damage.
fn is_called_damaged(data: &Path) -> bool {
    let store = data.join("store");
    store.join("tidemark-incomplete").exists() || store.join("tidemark-set-aside").exists()
}

#[test]
fn a_store_that_grows_and_is_killed_is_never_called_damaged() {
    let ends = from_env("TIDEMARK_GROWTH_ENDS", 6);
    let seed = from_env("TIDEMARK_SEED", u64::from(std::process::id()));
    println!("TIDEMARK_GROWTH_ENDS={ends} TIDEMARK_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let data = folder.path().join("data");
    let (bodies, sent) = (bodies(), AtomicU64::new(0));
    let mut acks: Vec<Ack> = Vec::new();
    let mut most_journals = 0;
    for end in 0..ends {
        let server = Tidemark::start(&data, &FLAGS);
        let addr = server.addr;
        let moment = Duration::from_millis(random.random_range(300..1_800));
        let is_stopped = end % 7 == 6;
        let told = std::thread::scope(|scope| {
            let (bodies, sent) = (&bodies, &sent);
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| scope.spawn(move || write(addr, end, writer, bodies, sent)))
                .collect();
            std::thread::sleep(moment);
            most_journals = most_journals.max(journals(&data).len());
            if is_stopped {
                server.stop();
            } else {
                server.kill_9();
            }
            let told = writers
                .into_iter()
                .map(|it| it.join().expect("no writer panics"));
            told.flatten().collect::<Vec<_>>()
        });
        acks.extend(told);
        assert!(!is_called_damaged(&data), "end {end}, after {moment:?}");
    }
    let server = Tidemark::start(&data, &FLAGS);
    let series: BTreeSet<String> = acks.iter().map(|ack| ack.series.clone()).collect();
    let found = read_back(server.addr, series);
    assert_eq!(audit(&acks, &found), []);
    server.stop();
    assert!(!is_called_damaged(&data));
    let verified = verify(&data);
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    println!(
        "{} acknowledged fits, {most_journals} journals at most",
        acks.len()
    );
    assert!(!acks.is_empty(), "some fit was answered before an end");
    assert!(
        ends < MANY_ENDS || most_journals > 1,
        "it did not grow past a journal"
    );
    assert_damage_is_noticed(&data);
}

/// The control: the same store, a byte of whose journal is another one.
fn assert_damage_is_noticed(data: &Path) {
    let damaged = data.with_extension("damaged");
    copy_folder(data, &damaged);
    let mut changed = 0;
    for journal in files(&damaged.join("store"))
        .into_iter()
        .filter(|file| file.extension().is_some_and(|end| end == "jnl"))
    {
        let mut bytes = std::fs::read(&journal).expect("it can be read");
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        if end > 0 {
            bytes[end / 2] ^= 4;
            changed += 1;
            std::fs::write(&journal, bytes).expect("it can be written");
        }
    }
    assert!(changed > 0, "a journal has batches");
    let verified = verify(&damaged);
    assert_eq!(verified.status.code(), Some(1), "{verified:?}");
    assert!(is_called_damaged(&damaged));
}
