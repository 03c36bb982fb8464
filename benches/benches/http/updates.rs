//! Updates: with the sync, without it, beside fits, and beside a handler that learns nothing.

use std::time::Instant;

use benches::ask::Connection;
use benches::process::Server;
use benches::report::{Contender, Target, median, ratio, verdict};
use benches::requests::{self, Updates};
use benches::servers::Role;
use benches::{data, is_smoke};
use service::store::Durability;
use tempfile::TempDir;

use crate::fits::fits;
use crate::fixture::{Fitted, folder, predicts, rounds, warm_up};

/// Updates go to random series of this many, all of which have a state before the clock runs.
const N_SERIES: usize = 2_000;
/// Points of a request in columns.
const N_COLUMN: usize = 1_000;

pub(crate) fn run() {
    single_points();
    columns();
}

fn n_series() -> usize {
    if is_smoke() { 50 } else { N_SERIES }
}

/// A server with states that have learnt some points, and what comes next for them.
fn started(folder: &TempDir, durability: Durability) -> (Server, Updates) {
    let path = folder.path().join(format!("updates-{durability:?}"));
    let server = Server::start(&Role::service(path, durability));
    let mut connection = Connection::open(server.addr()).expect("the service listens");
    let mut updates = Updates::new(n_series(), 7);
    for series in 0..n_series() {
        let points = data::history(200, series as u64);
        let target = format!("/update/{}", data::series_id(series));
        let body = format!("{{{}}}", requests::columns_members(&points));
        connection.must(&requests::post(&target, &body));
    }
    updates.begin_after(*data::history(200, 0).timestamps.last().expect("a point"));
    (server, updates)
}

fn single_points() {
    let folder = folder();
    let Fitted { service, reply } = Fitted::start(&folder);
    drop(service);
    let enter = |name, (server, mut updates): (Server, Updates)| {
        let next = move |out: &mut Vec<u8>| updates.write(out);
        Contender::new(name, server, 100, warm_up(), next)
    };
    let fitting = Role::service(folder.path().join("fits"), Durability::Synced);
    let mut all = vec![
        enter("synced", started(&folder, Durability::Synced)),
        enter("not synced", started(&folder, Durability::Buffered)),
        Contender::new("fits", Server::start(&fitting), 100, warm_up(), fits()),
        Contender::new(
            "floor",
            Server::start(&Role::Floor { reply }),
            100,
            warm_up(),
            predicts(),
        ),
    ];
    let connections = "100 connections";
    rounds().run(&format!("update, one point, {connections}"), &mut all);
    let [synced, buffered, fits, floor] = all.as_slice() else {
        unreachable!("four entered above");
    };
    let rate = |other| ratio(synced, other, |s| s.per_second);
    verdict(
        "update",
        "updates a second, synced / not synced",
        rate(buffered),
        Target::AtLeast(0.70),
    );
    println!(
        "     updates / fits of 6 points, both synced: {:.3}",
        rate(fits)
    );
    println!(
        "     updates / predicts that a handler answers with a constant: {:.3}",
        rate(floor)
    );
}

fn columns() {
    let folder = folder();
    let server = Server::start(&Role::service(
        folder.path().join("columns"),
        Durability::Synced,
    ));
    let mut connection = Connection::open(server.addr()).expect("the service listens");
    let n = if is_smoke() { 2 } else { 200 };
    let all = data::history(n * N_COLUMN, 3);
    let target = format!("/update/{}", data::series_id(0));
    let pieces = all
        .timestamps
        .chunks(N_COLUMN)
        .zip(all.values.chunks(N_COLUMN));
    let mut rates = Vec::new();
    for (timestamps, values) in pieces {
        let points = service::store::training::TrainingPoints {
            timestamps: timestamps.to_vec(),
            values: values.to_vec(),
        };
        let body = format!("{{{}}}", requests::columns_members(&points));
        let request = requests::post(&target, &body);
        let start = Instant::now();
        let reply = connection.must(&request);
        rates.push(N_COLUMN as f64 / start.elapsed().as_secs_f64());
        let reply: serde_json::Value = serde_json::from_slice(&reply).expect("it is JSON");
        assert_eq!(reply["n_learnt"], N_COLUMN);
    }
    println!(
        "\nupdate, columns of {N_COLUMN} points, one connection, synced, all fields: {:.0} points a second, median of {n}",
        median(&rates)
    );
}
