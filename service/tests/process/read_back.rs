//! Reads what a server has, version by version.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Mutex;

use super::audit::Versions;
use super::http::Connection;
use super::payload::POINT;

const READERS: usize = 4;

/// The hashes of every version of each of `series`.
pub(crate) fn read_back(addr: SocketAddr, series: BTreeSet<String>) -> Versions {
    let queue = Mutex::new(series.into_iter());
    let next = || queue.lock().expect("no reader panicked").next();
    std::thread::scope(|scope| {
        let read = || {
            let mut connection = Connection::open(addr).expect("the server listens");
            let mut found = Versions::new();
            while let Some(series) = next() {
                let versions = read_series(&mut connection, &series);
                found.insert(series, versions);
            }
            found
        };
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(read)).collect();
        readers
            .into_iter()
            .flat_map(|reader| reader.join().expect("a reader does not panic"))
            .collect()
    })
}

fn read_series(connection: &mut Connection, series: &str) -> Vec<Option<String>> {
    let latest = match version(connection, series, 0) {
        Some((latest, _)) => latest,
        None => return Vec::new(),
    };
    (1..=latest)
        .map(|number| {
            let (told, hash) = version(connection, series, number)?;
            (told == number).then_some(hash)
        })
        .collect()
}

/// Number and hash of a version, 0 for the latest; `None` if the server does not answer 200.
fn version(connection: &mut Connection, series: &str, version: u64) -> Option<(u64, String)> {
    let target = format!("/predict/{series}?version={version}");
    let reply = connection
        .exchange("POST", &target, POINT)
        .expect("a running server answers");
    if reply.status != 200 {
        return None;
    }
    let reply = reply.json();
    let number = reply["model_version"].as_str()?.parse().ok()?;
    Some((number, reply["model_hash"].as_str()?.to_owned()))
}
