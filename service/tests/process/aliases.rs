//! An alias that was acknowledged survives `kill -9`, and so does the version it was set with.

use std::net::SocketAddr;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::binary::Tidemark;
use super::http::{Connection, once};
use super::payload::{self, POINT};
use super::{crash::copy_folder, from_env};

const WRITERS: u64 = 16;

/// One change of an alias: where it points after it, if that is known.
#[derive(Clone, Debug, PartialEq)]
struct Change {
    version: u64,
    is_acknowledged: bool,
}

/// Fits with the alias and points it back in turn, until the server is gone.
fn write(addr: SocketAddr, series: &str, mut version: u64) -> Vec<Change> {
    let mut changes = Vec::new();
    let Ok(mut connection) = Connection::open(addr) else {
        return changes;
    };
    for i in 0_u64.. {
        let is_fit = i.is_multiple_of(2);
        let target = if is_fit { version + 1 } else { 1 + i % version };
        let reply = if is_fit {
            let mut body: Value = serde_json::from_slice(&payload::fit(i + 1, 4)).expect("JSON");
            body["set_alias"] = json!("live");
            connection.exchange(
                "POST",
                &format!("/fit/{series}"),
                body.to_string().as_bytes(),
            )
        } else {
            let body = json!({ "version": target.to_string() }).to_string();
            connection.exchange(
                "PUT",
                &format!("/series/{series}/aliases/live"),
                body.as_bytes(),
            )
        };
        let is_acknowledged = match reply {
            Ok(reply) => {
                assert!(matches!(reply.status, 200 | 201), "{}", reply.text());
                true
            }
            Err(_) => false,
        };
        version += u64::from(is_fit);
        changes.push(Change {
            version: target,
            is_acknowledged,
        });
        if !is_acknowledged {
            break;
        }
    }
    changes
}

/// The latest version and where the alias points; 0 where there is none.
fn read(addr: SocketAddr, series: &str) -> (u64, u64) {
    let version = |query: &str| {
        let target = format!("/predict/{series}?{query}");
        let reply = once(addr, "POST", &target, POINT).expect("a running server answers");
        let version = reply.json()["model_version"]
            .as_str()
            .map(|text| text.parse().expect("digits"));
        assert!(version.is_some() || reply.status == 404, "{}", reply.text());
        version.unwrap_or(0)
    };
    (version("version=0"), version("alias=live"))
}

/// Whether the alias is where the last acknowledged change pointed it, or one that was under way.
fn is_right(changes: &[Change], found: u64, before: u64) -> bool {
    let acknowledged = changes.iter().rev().find(|change| change.is_acknowledged);
    let last = acknowledged.map_or(before, |change| change.version);
    let under_way = changes.iter().find(|change| !change.is_acknowledged);
    found == last || under_way.is_some_and(|change| change.version == found)
}

#[test]
fn kill_9_loses_no_acknowledged_alias() {
    let cycles = from_env("TIDEMARK_KILL_CYCLES", 8);
    let seed = from_env("TIDEMARK_SEED", u64::from(std::process::id()));
    println!("TIDEMARK_KILL_CYCLES={cycles} TIDEMARK_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut server = Tidemark::start(folder.path(), &[]);
    let mut found = vec![(0, 0); WRITERS as usize];
    let mut n_acknowledged = 0;
    for cycle in 0..cycles {
        let (addr, moment) = (
            server.addr,
            Duration::from_millis(random.random_range(5..150)),
        );
        let told: Vec<Vec<Change>> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .zip(&found)
                .map(|(writer, (latest, _))| {
                    scope.spawn(move || write(addr, &format!("s-{writer}"), *latest))
                })
                .collect();
            std::thread::sleep(moment);
            server.kill_9();
            let told = writers
                .into_iter()
                .map(|writer| writer.join().expect("a writer does not panic"));
            told.collect()
        });
        server = Tidemark::start(folder.path(), &[]);
        for (writer, changes) in told.iter().enumerate() {
            n_acknowledged += changes
                .iter()
                .filter(|change| change.is_acknowledged)
                .count();
            let now = read(server.addr, &format!("s-{writer}"));
            assert!(
                is_right(changes, now.1, found[writer].1),
                "cycle {cycle}: {now:?} after {changes:?}"
            );
            // A version and the alias set with it are one commit.
            assert!(now.1 <= now.0, "{now:?}");
            found[writer] = now;
        }
    }
    println!("{cycles} cycles, {n_acknowledged} acknowledged changes, 0 lost");
    assert!(n_acknowledged > 0);
    server.stop();
}

/// The control: an older copy of the folder.
#[test]
fn a_seeded_loss_of_an_alias_is_reported() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (store, older) = (folder.path().join("store"), folder.path().join("older"));
    let set = |addr, version: u64| {
        let body = json!({ "version": version.to_string() }).to_string();
        let reply = once(addr, "PUT", "/series/s/aliases/live", body.as_bytes()).expect("a reply");
        assert!(matches!(reply.status, 200 | 201));
        Change {
            version,
            is_acknowledged: true,
        }
    };
    let server = Tidemark::start(&store, &[]);
    for mark in 1..=2 {
        once(server.addr, "POST", "/fit/s", &payload::fit(mark, 4)).expect("a reply");
    }
    let mut changes = vec![set(server.addr, 1)];
    server.stop();
    copy_folder(&store, &older);
    let server = Tidemark::start(&store, &[]);
    changes.push(set(server.addr, 2));
    assert!(is_right(&changes, read(server.addr, "s").1, 0));
    server.stop();
    let server = Tidemark::start(&older, &[]);
    assert!(!is_right(&changes, read(server.addr, "s").1, 0));
    server.stop();
}
