//! A server that is killed under load: how long its callers are without it, as the load client tells.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bench_client::chaos::{Act, Chaos, ChaosFigures, Recovery, Subject};
use bench_client::interrupt;
use bench_client::live::Target;
use bench_client::load::response::Op;
use bench_client::load::run::{RunSettings, run};
use bench_client::results::config::{Arrivals, Bound, LoadSpec, Pace, Share, WorkloadSpec};
use bench_client::scenario::ServerCommand;

const RESTART_S: f64 = 4.0;
const KILL_S: f64 = 2.5;
const LASTING: Duration = Duration::from_secs(20);

/// 100 predicts a second at a server to which `acts` happen.
fn loaded(acts: &[(f64, &str)]) -> ChaosFigures {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let out = folder.path().join("out");
    let port = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let addr = port.local_addr().expect("it has an address");
    drop(port);
    let command = ServerCommand {
        program: env!("CARGO_BIN_EXE_tidemark").into(),
        args: vec!["--drain-delay".to_owned(), "0s".to_owned()],
    };
    let subject = runtime.block_on(Subject::start(command, addr, &out));
    let subject = Arc::new(subject.expect("the server starts"));
    let act = |(s, action): &(f64, &str)| Act {
        at: Duration::from_secs_f64(*s),
        action: action.parse().expect("an action"),
    };
    let chaos = Chaos::new(acts.iter().map(act).collect(), subject, &out);
    let timeout_ns = 2_000_000_000;
    let settings = RunSettings {
        base_url: format!("http://{addr}").parse().expect("an address"),
        run_id: "chaos".to_owned(),
        name: None,
        command: Vec::new(),
        seed: 7,
        workload: WorkloadSpec {
            mix: vec![Share {
                op: Op::Predict,
                weight: 1,
            }],
            series: 5,
            points_per_fit: 50,
            batch: 1,
            distinct: 50,
            payloads: None,
            set_up: true,
            sigma: None,
        },
        load: LoadSpec {
            pace: Pace::Open {
                arrivals: Arrivals::Constant { per_s: 100.0 },
                connections: 4,
                max_connections: 100,
            },
            bound: Bound::Duration {
                ns: LASTING.as_nanos() as u64,
            },
            timeout_ns,
            good_within_ns: timeout_ns,
            threads: 1,
            warm_up: 0,
            low_memory: false,
        },
        out,
        hooks: vec![Box::new(chaos)],
        target: Target::stderr(),
        shows: Vec::new(),
        ledger: None,
    };
    let (_handle, stop) = interrupt::manual();
    let data = run(settings, &runtime, &stop).expect("it is measured");
    ChaosFigures::of(&data.summary.contributed).expect("they are contributed")
}

#[test]
fn callers_are_without_a_killed_server_until_it_is_started_again() {
    let figures = loaded(&[(KILL_S, "kill -9 {pid}"), (RESTART_S, "restart")]);
    let recovered = |i: usize| match figures.acts[i].recovery {
        Recovery::Recovered { after_s } => after_s,
        // It was there again before the next window began.
        Recovery::Undisturbed if i == 1 => 0.0,
        other => panic!("{other:?}: {figures:?}"),
    };
    let down_s = RESTART_S - KILL_S;
    // At this rate chance may take a quarter of a window, and a window is enough by then.
    assert!(recovered(0) >= down_s - 0.35, "{figures:?}");
    assert!(
        (recovered(0) - recovered(1) - down_s).abs() < 0.5,
        "{figures:?}"
    );
    assert!(figures.acts.iter().all(|act| act.did_s.is_some()));
}

#[test]
fn a_killed_server_that_nobody_starts_does_not_recover() {
    let figures = loaded(&[(KILL_S, "sigkill")]);
    assert_eq!(
        figures.acts[0].recovery,
        Recovery::NotRecovered,
        "{figures:?}"
    );
}
