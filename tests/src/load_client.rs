//! The load client's own checks, on a real server: every answer right by another implementation,
//! and every acknowledged write there after a restart.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bench_client::audit::audit;
use bench_client::interrupt;
use bench_client::live::Target;
use bench_client::load::response::Op;
use bench_client::load::run::{RunSettings, run};
use bench_client::results::config::{Bound, LoadSpec, Pace, Share, WorkloadSpec};
use bench_client::results::summary::RunData;

use crate::server::Server;

const LONG_NS: u64 = 60_000_000_000;

/// Closed loop of eight clients over few series, so that fits and predictions of one meet.
fn settings(addr: SocketAddr, mix: &[(Op, u32)], out: PathBuf, ledger: PathBuf) -> RunSettings {
    RunSettings {
        base_url: format!("http://{addr}").parse().expect("a base URL"),
        run_id: "checked".into(),
        name: None,
        command: Vec::new(),
        seed: 7,
        workload: WorkloadSpec {
            mix: mix
                .iter()
                .map(|&(op, weight)| Share { op, weight })
                .collect(),
            series: 5,
            points_per_fit: 50,
            batch: 20,
            distinct: 500,
            payloads: None,
            set_up: true,
            sigma: Some(3.0),
        },
        load: LoadSpec {
            pace: Pace::Closed { clients: 8 },
            bound: Bound::Requests { n: 1_500 },
            timeout_ns: LONG_NS,
            good_within_ns: LONG_NS,
            threads: 2,
            warm_up: 0,
            low_memory: false,
        },
        out,
        hooks: Vec::new(),
        target: Target::nowhere(),
        shows: Vec::new(),
        ledger: Some(ledger),
    }
}

async fn load(settings: RunSettings) -> RunData {
    let measured = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let (_handle, stop) = interrupt::manual();
        run(settings, &runtime, &stop)
    });
    let measured = measured.await.expect("the run does not panic");
    measured.expect("the run is made")
}

async fn assert_all_there(ledger: &Path, server: &Server, writes: u64) {
    let base = format!("http://{}", server.addr)
        .parse()
        .expect("a base URL");
    let found = audit(ledger, Some(&base)).await.expect("an audit");
    assert!(found.passed(), "{found:?}");
    assert_eq!((found.present, found.unknown), (writes, 0), "{found:?}");
    assert_eq!(found.content_unchecked, 0, "{found:?}");
}

#[tokio::test]
async fn every_answer_is_right_and_every_write_outlives_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (data, ledger) = (folder.path().join("data"), folder.path().join("ledger"));
    let server = Server::at(&data, &[]).await;
    let mix = [
        (Op::Predict, 6),
        (Op::Columns, 2),
        (Op::Fit, 3),
        (Op::Update, 4),
    ];
    let out = folder.path().join("run");
    let measured = load(settings(server.addr, &mix, out, ledger.clone())).await;
    let answers = measured.summary.answers.expect("answers were checked");
    assert_eq!(
        measured.summary.headline.ok, 1_500,
        "{:?}",
        measured.stats.errors
    );
    // All but the updates, whose model is another.
    assert_eq!(
        (answers.checked, answers.unchecked),
        (1_100, 0),
        "{answers:?}"
    );
    assert_eq!(answers.wrong, 0, "{answers:?}");

    let base = format!("http://{}", server.addr)
        .parse()
        .expect("a base URL");
    let now = audit(&ledger, Some(&base)).await.expect("an audit");
    // Five fits before the run and 300 in it; updates that came late were not learnt.
    assert_eq!(now.acknowledged + now.refused, 5 + 300 + 400, "{now:?}");
    assert_all_there(&ledger, &server, now.acknowledged).await;
    server.stop().await;
    let server = Server::at(&data, &[]).await;
    assert_all_there(&ledger, &server, now.acknowledged).await;
    server.stop().await;
    // Over another store, all of it is lost.
    let empty = Server::start().await;
    let base = format!("http://{}", empty.addr)
        .parse()
        .expect("a base URL");
    let lost = audit(&ledger, Some(&base)).await.expect("an audit");
    assert_eq!(
        (lost.lost, lost.passed()),
        (now.acknowledged, false),
        "{lost:?}"
    );
}
