//! A million series: ready again after `kill -9`, first predicts, memory, and what a predict costs
//! when it may be for any of them.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use benches::ask::Connection;
use benches::load::{Load, Pace};
use benches::process::{Server, folder_bytes, run_to_end};
use benches::report::{Target, median, verdict};
use benches::requests::AcrossSeries;
use benches::servers::Role;
use benches::{data, is_smoke, requests};
use service::store::Durability;

use crate::fixture::{folder, rounds, warm_up};

const CONNECTIONS: usize = 100;
const FEW: usize = 1_000;
/// First predicts that are timed one by one.
const FIRST: usize = 1_000;

pub(crate) fn run() {
    let n_series = if is_smoke() { 2 * FEW } else { 1_000_000 };
    let folder = folder();
    let start = Instant::now();
    run_to_end(&Role::Fill {
        data_dir: folder.path().to_path_buf(),
        n_series,
    });
    println!(
        "\n{n_series} series stored in {:?}, {} MB; the process that stored them was aborted",
        start.elapsed(),
        folder_bytes(folder.path()) / 1_000_000
    );
    drop(restart(folder.path(), n_series, "after the abort"));
    let server = restart(folder.path(), n_series, "after kill -9 of the server");
    first_predicts(&server, n_series);
    crowd(&server, n_series);
    let kept = Connection::open(server.addr())
        .expect("the server listens")
        .must(&requests::get("/healthcheck"));
    let kept: serde_json::Value = serde_json::from_slice(&kept).expect("it is JSON");
    assert_eq!(kept["series_trained"], n_series);
    drop(server);
    drop(restart(folder.path(), n_series, "after kill -9 under load"));
}

fn restart(data_dir: &Path, n_series: usize, when: &str) -> Server {
    let addr = TcpListener::bind(("127.0.0.1", 0))
        .and_then(|free| free.local_addr())
        .expect("a port is free");
    let start = Instant::now();
    let role = Role::Service {
        addr,
        data_dir: data_dir.to_path_buf(),
        durability: Durability::Synced,
    };
    let server = Server::start_at(addr, &role);
    let live = wait_for(addr, "/health/live", start);
    let ready = wait_for(addr, "/health/ready", start);
    let mut connection = Connection::open(addr).expect("the server listens");
    connection.must(&requests::predict(&data::series_id(n_series / 2), 20.1));
    let first = start.elapsed();
    println!(
        "restart {when}: live {live:?}, ready {ready:?}, first predict {first:?}, {} MB resident",
        server.resident_bytes() / 1_000_000
    );
    verdict(
        "G12",
        "live after, s",
        live.as_secs_f64(),
        Target::AtMost(0.3),
    );
    verdict(
        "G12",
        "ready after, s",
        ready.as_secs_f64(),
        Target::AtMost(1.0),
    );
    server
}

/// Time from `start` until a GET of `path` is answered with 200.
fn wait_for(addr: SocketAddr, path: &str, start: Instant) -> Duration {
    loop {
        let reply = Connection::open(addr).and_then(|mut c| c.ask(&requests::get(path)));
        if reply.is_ok_and(|reply| reply.status == 200) {
            return start.elapsed();
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{path} is never 200"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn first_predicts(server: &Server, n_series: usize) {
    let mut connection = Connection::open(server.addr()).expect("the server listens");
    let order = data::shuffled(n_series, 11);
    let time = |index: &usize| {
        let request = requests::predict(&data::series_id(*index), 20.1);
        let start = Instant::now();
        connection.must(&request);
        start.elapsed().as_secs_f64() * 1e3
    };
    let mut times: Vec<f64> = order.iter().take(FIRST).map(time).collect();
    times.sort_by(f64::total_cmp);
    let worst = times[times.len() - 1];
    println!(
        "first predict of {} random series: p50 {:.3} ms, p99 {:.3} ms",
        times.len(),
        median(&times),
        times[times.len() * 99 / 100]
    );
    verdict(
        "G12",
        "slowest first predict of a series, ms",
        worst,
        Target::AtMost(20.0),
    );
}

fn crowd(server: &Server, n_series: usize) {
    let template = requests::predict(&data::series_id(0), 20.1);
    let mut load = Load::connect(server.addr(), CONNECTIONS);
    load_every_model(&mut load, &template, n_series);
    println!(
        "all models in memory: {} MB resident",
        server.resident_bytes() / 1_000_000
    );
    let mut few = AcrossSeries::new(template.clone(), 0..FEW, 12);
    let mut many = AcrossSeries::new(template, 0..n_series, 13);
    let rounds = rounds();
    let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
    for _ in 0..rounds.n {
        of_few.push(cpu_us(server, &mut load, rounds.turn, |out| few.write(out)));
        of_many.push(cpu_us(server, &mut load, rounds.turn, |out| {
            many.write(out)
        }));
    }
    let ratios: Vec<f64> = of_many
        .iter()
        .zip(&of_few)
        .map(|(many, few)| many / few)
        .collect();
    println!(
        "CPU a predict: {:.2} us over {FEW} series, {:.2} us over {n_series}",
        median(&of_few),
        median(&of_many)
    );
    verdict(
        "G13",
        "CPU a predict, many series / few",
        median(&ratios),
        Target::AtMost(1.3),
    );
}

fn load_every_model(load: &mut Load, template: &[u8], n_series: usize) {
    let mut in_turn = AcrossSeries::new(template.to_vec(), 0..n_series, 0);
    let mut next = 0;
    while next < n_series {
        let _ = load.run(warm_up(), Pace::Closed, |out| {
            in_turn.write_for(next % n_series, out);
            next += 1;
        });
    }
}

fn cpu_us(server: &Server, load: &mut Load, turn: Duration, next: impl FnMut(&mut Vec<u8>)) -> f64 {
    let before = server.cpu_time();
    let outcome = load.run(turn, Pace::Closed, next);
    (server.cpu_time() - before).as_secs_f64() * 1e6 / outcome.requests as f64
}
