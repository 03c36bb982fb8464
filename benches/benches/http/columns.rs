//! One predict of 10⁶ points in columns, beside reading and parsing the same body.

use std::time::{Duration, Instant};

use benches::ask::Connection;
use benches::process::Server;
use benches::report::{Target, median, verdict};
use benches::servers::Role;
use benches::{data, is_smoke, requests};

use crate::fixture::{Fitted, folder};

pub(crate) fn run() {
    let folder = folder();
    let Fitted { service, reply } = Fitted::start(&folder);
    let floor = Server::start(&Role::Floor { reply });
    let (n_points, n) = if is_smoke() {
        (5_000, 1)
    } else {
        (1_000_000, 15)
    };
    let points = data::history(n_points, 2);
    let request = |query| requests::predict_columns(&data::series_id(0), query, &points);
    let (all, verdicts) = (request(""), request("?fields=anomaly"));
    let mut to_service = Connection::open(service.addr()).expect("the service listens");
    let mut to_floor = Connection::open(floor.addr()).expect("the floor listens");
    let replies = [to_service.must(&verdicts), to_service.must(&all)];
    check(&replies[0], n_points, 1);
    check(&replies[1], n_points, 12);
    let sizes = replies.map(|reply| reply.len() as f64 / 1e6);
    to_floor.must(&verdicts);
    let mut turns = [
        Turn::new("verdicts", &service),
        Turn::new("all fields", &service),
        Turn::new("read and parse", &floor),
    ];
    for _ in 0..n {
        turns[0].time(|| to_service.must(&verdicts));
        turns[1].time(|| to_service.must(&all));
        turns[2].time(|| to_floor.must(&verdicts));
    }
    println!(
        "\npredict, {n_points} points in columns, median of {n}; {:.1} MB asked, {:.1} MB of verdicts, {:.1} MB of all fields:",
        verdicts.len() as f64 / 1e6,
        sizes[0],
        sizes[1]
    );
    for turn in &turns {
        let (wall, cpu) = (median(&turn.wall_ms), median(&turn.cpu_ms));
        println!(
            "{:<24} {wall:>9.2} ms, server's CPU {cpu:>9.2} ms",
            turn.name
        );
    }
    let [verdicts, all, floor] = &turns;
    let wall = |a: &Turn<'_>| median(&a.wall_ms) / median(&floor.wall_ms);
    verdict(
        "G9",
        "columns / read and parse, verdicts, wall",
        wall(verdicts),
        Target::AtMost(1.3),
    );
    println!("     all fields: {:.3}", wall(all));
}

struct Turn<'a> {
    name: &'static str,
    server: &'a Server,
    wall_ms: Vec<f64>,
    cpu_ms: Vec<f64>,
}

impl<'a> Turn<'a> {
    fn new(name: &'static str, server: &'a Server) -> Self {
        Self {
            name,
            server,
            wall_ms: Vec::new(),
            cpu_ms: Vec::new(),
        }
    }

    fn time(&mut self, ask: impl FnOnce() -> Vec<u8>) {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let (cpu, start) = (self.server.cpu_time(), Instant::now());
        let _body = ask();
        self.wall_ms.push(ms(start.elapsed()));
        self.cpu_ms.push(ms(self.server.cpu_time() - cpu));
    }
}

/// Every column asked for has its length, and their verdicts add up.
fn check(body: &[u8], n_points: usize, n_columns: usize) {
    let reply: serde_json::Value = serde_json::from_slice(body).expect("it is JSON");
    assert_eq!(reply["n_points"], n_points);
    let members = reply.as_object().expect("it is an object");
    let columns: Vec<_> = members
        .values()
        .filter_map(|member| member.as_array())
        .collect();
    assert_eq!(columns.len(), n_columns);
    assert!(columns.iter().all(|column| column.len() == n_points));
    let verdicts = members["anomaly"].as_array().expect("it was asked for");
    let anomalies = verdicts.iter().filter(|verdict| **verdict == true).count();
    assert_eq!(reply["n_anomalies"], anomalies);
}
