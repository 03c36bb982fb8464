//! L2: two instances behind a balancer are restarted in turn, and no request fails.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::haproxy::{Haproxy, Instance, free_addr};
use crate::binary::Tidemark;
use crate::http::{Connection, once};
use crate::{from_env, payload};

const NAMES: [&str; 2] = ["a", "b"];
/// Predicts are sent again by the balancer when an instance goes away; fits are not.
const PREDICTING: usize = 6;
const FITTING: usize = 4;
/// Points of a fit, enough for some to be under way at any moment.
const POINTS: usize = 3_000;
/// Longer than the balancer takes to notice, shorter than the default.
const DRAIN_DELAY: [&str; 2] = ["--drain-delay", "2s"];

/// How an instance goes down.
#[derive(Clone, Copy)]
enum Down {
    InOrder,
    Killed,
}

/// What became of the load.
#[derive(Debug, Default)]
struct Tally {
    n_predicts: usize,
    n_fits: usize,
    failures: Vec<String>,
}

fn start(data_dir: &Path, instance: Instance) -> Tidemark {
    let (addr, health) = (instance.addr.to_string(), instance.health.to_string());
    let flags = ["--addr", &addr, "--health-addr", &health];
    Tidemark::start(data_dir, &[&flags[..], &DRAIN_DELAY].concat())
}

/// Sends requests one after the other until `stop`; whatever is not a 200 is a failure.
fn load(addr: SocketAddr, target: &str, body: &[u8], stop: &AtomicBool) -> (usize, Vec<String>) {
    let (mut n, mut failures) = (0, Vec::new());
    let mut connection = None;
    while !stop.load(Ordering::Relaxed) {
        let mut open = match connection.take().map_or_else(|| Connection::open(addr), Ok) {
            Ok(open) => open,
            Err(error) => {
                failures.push(format!("{target}: {error}"));
                continue;
            }
        };
        n += 1;
        match open.exchange("POST", target, body) {
            Ok(reply) if reply.status == 200 => {
                let is_last = reply.head.contains("connection: close");
                connection = (!is_last).then_some(open);
            }
            Ok(reply) => failures.push(format!("{target}: {} {}", reply.status, reply.text())),
            Err(error) => failures.push(format!("{target}: {error}")),
        }
    }
    (n, failures)
}

/// Predicts and fits through `addr` from before `work` until after it.
fn under_load(addr: SocketAddr, work: impl FnOnce()) -> Tally {
    let stop = &AtomicBool::new(false);
    let history = &payload::fit(2, POINTS);
    let predict = move |_| load(addr, "/predict/shared", payload::POINT, stop);
    let fit = move |i| load(addr, &format!("/fit/own-{i}"), history, stop);
    std::thread::scope(|scope| {
        let predicting: Vec<_> = (0..PREDICTING)
            .map(|i| scope.spawn(move || predict(i)))
            .collect();
        let fitting: Vec<_> = (0..FITTING).map(|i| scope.spawn(move || fit(i))).collect();
        work();
        stop.store(true, Ordering::Relaxed);
        let mut tally = Tally::default();
        for client in predicting {
            let (n, failures) = client.join().expect("a client does not panic");
            tally.n_predicts += n;
            tally.failures.extend(failures);
        }
        for client in fitting {
            let (n, failures) = client.join().expect("a client does not panic");
            tally.n_fits += n;
            tally.failures.extend(failures);
        }
        tally
    })
}

/// Restarts the instances in turn, `n_restarts` together, under load.
fn restart_under_load(n_restarts: u64, down: Down) -> Tally {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let stores: [PathBuf; 2] = NAMES.map(|name| folder.path().join(name));
    let instances = NAMES.map(|_| Instance {
        addr: free_addr(),
        health: free_addr(),
    });
    let mut servers = [0, 1].map(|i| Some(start(&stores[i], instances[i])));
    for instance in instances {
        let history = payload::fit(1, 100);
        let reply = once(instance.addr, "POST", "/fit/shared", &history).expect("a reply");
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let mut proxy = Haproxy::start(folder.path(), instances);
    let tally = under_load(proxy.addr, || {
        for i in 0..n_restarts as usize {
            let which = i % 2;
            let server = servers[which].take().expect("it was started");
            match down {
                Down::InOrder => server.stop(),
                Down::Killed => server.kill_9(),
            }
            servers[which] = Some(start(&stores[which], instances[which]));
            proxy.wait_until_up(NAMES[which]);
        }
    });
    for name in NAMES {
        assert!(proxy.n_requests(name) > 0, "{name} was given no request");
    }
    servers.into_iter().flatten().for_each(Tidemark::stop);
    tally
}

#[test]
fn a_rolling_restart_fails_no_request() {
    let n_restarts = from_env("TIDEMARK_RESTARTS", 4);
    let started = Instant::now();
    let tally = restart_under_load(n_restarts, Down::InOrder);
    println!(
        "{n_restarts} restarts, {} predicts and {} fits, {} failed, {:?}",
        tally.n_predicts,
        tally.n_fits,
        tally.failures.len(),
        started.elapsed()
    );
    assert_eq!(tally.failures, [] as [String; 0]);
    assert!(tally.n_predicts > 0 && tally.n_fits > 0);
}

/// The control: instances that do not drain take the fits that they had with them.
#[test]
fn an_instance_that_is_killed_fails_requests() {
    let tally = restart_under_load(4, Down::Killed);
    let of_fits = |failure: &&String| failure.starts_with("/fit/");
    assert!(
        tally.failures.iter().any(|failure| of_fits(&failure)),
        "{tally:?}"
    );
}
