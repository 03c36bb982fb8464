//! `tidemark-bench run`: whatever it can send is what the service answers, and its counts are the
//! service's.

use std::sync::Arc;
use std::time::Duration;

use bench_client::chaos::Subject;
use bench_client::interrupt;
use bench_client::live::Target;
use bench_client::load::hooks::Hook;
use bench_client::load::response::{Op, OutcomeClass};
use bench_client::load::run::{LoadError, RunSettings, run};
use bench_client::results::config::{Arrivals, Bound, LoadSpec, Pace, Share, WorkloadSpec};
use bench_client::results::load::load;
use bench_client::results::summary::RunData;
use bench_client::server_side::{Agreement, MetricsSource, ServerFigures, ServerSide};
use bench_client::tally::littles_law::LittlesLaw;
use serde_json::Value;
use tempfile::TempDir;

use crate::server::Server;

const SERIES: u32 = 6;
const BATCH: u32 = 20;

fn settings(server: &Server, out: &TempDir, mix: &[(Op, u32)], pace: Pace) -> RunSettings {
    let timeout_ns = Duration::from_secs(60).as_nanos() as u64;
    RunSettings {
        base_url: format!("http://{}", server.addr).parse().unwrap(),
        run_id: "load".to_owned(),
        name: None,
        command: Vec::new(),
        seed: 11,
        workload: WorkloadSpec {
            mix: mix
                .iter()
                .map(|(op, weight)| Share {
                    op: *op,
                    weight: *weight,
                })
                .collect(),
            series: SERIES,
            points_per_fit: 50,
            batch: BATCH,
            distinct: 12,
            payloads: None,
            set_up: true,
            sigma: None,
        },
        load: LoadSpec {
            pace,
            bound: Bound::Requests { n: 110 },
            timeout_ns,
            good_within_ns: timeout_ns,
            threads: 2,
            warm_up: 2,
            low_memory: true,
        },
        out: out.path().join("run"),
        hooks: Vec::new(),
        ledger: None,
        target: Target::nowhere(),
        shows: Vec::new(),
    }
}

/// Off the runtime of the test: a run has runtimes of its own.
async fn measure(settings: RunSettings) -> Result<RunData, LoadError> {
    let measured = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let (_handle, stop) = interrupt::manual();
        run(settings, &runtime, &stop)
    });
    measured.await.expect("no panic")
}

async fn series_trained(server: &Server) -> Value {
    let url = format!("http://{}/healthcheck", server.addr);
    let health: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    health["series_trained"].clone()
}

const MIX: [(Op, u32); 6] = [
    (Op::Fit, 1),
    (Op::Predict, 4),
    (Op::Columns, 2),
    (Op::Ndjson, 1),
    (Op::Update, 2),
    (Op::Health, 1),
];

/// Looks at the server's metrics.
fn server_side(server: &Server, out: &TempDir) -> Box<dyn Hook> {
    let url = format!("http://{}/metrics", server.addr).parse().unwrap();
    let source = MetricsSource::new(url).unwrap();
    let folder = out.path().join("run");
    let subject = Arc::new(Subject::Unknown);
    Box::new(ServerSide::new(subject, Some(source), &folder))
}

#[tokio::test]
async fn client_and_service_count_the_same_requests() {
    let server = Server::start().await;
    let out = tempfile::tempdir().unwrap();
    let mut settings = settings(&server, &out, &MIX, Pace::Closed { clients: 4 });
    settings.load.bound = Bound::Requests { n: 1_100 };
    // One answer of some is no 2xx: it is counted as what it is.
    settings.workload.set_up = false;
    settings.hooks.push(server_side(&server, &out));
    let data = measure(settings).await.unwrap();
    let seen = ServerFigures::of_run(&data.summary.contributed).unwrap();
    let counts = seen.counts.unwrap();
    assert_eq!(counts.verdict, Agreement::Exact, "{counts:?}");
    assert_eq!((counts.client, counts.server), (1_100, 1_100));
    assert_eq!((counts.unanswered, counts.elsewhere), (0, 0));
    assert!(counts.counts.iter().any(|row| row.status == "404"));
    assert!(seen.in_flight.is_some() && !data.timeline.is_empty());
    let used = data.summary.client_use.unwrap();
    assert!(LittlesLaw::of(&data.stats, &used).unwrap().holds());
}

/// The negative control: somebody else asks for the same routes meanwhile.
#[tokio::test]
async fn requests_of_somebody_else_are_not_taken_for_the_clients() {
    struct SomebodyElse(String);
    impl Hook for SomebodyElse {
        fn name(&self) -> &str {
            "somebody else"
        }
        fn over(&self, _dropped: u64) {
            let url = format!("{}/healthcheck", self.0);
            let asked = tokio::runtime::Handle::current().block_on(reqwest::get(url));
            asked.unwrap();
        }
    }
    let server = Server::start().await;
    let out = tempfile::tempdir().unwrap();
    let mut settings = settings(&server, &out, &MIX, Pace::Closed { clients: 4 });
    settings.hooks.push(server_side(&server, &out));
    let base = format!("http://{}", server.addr);
    settings.hooks.push(Box::new(SomebodyElse(base)));
    let data = measure(settings).await.unwrap();
    let seen = ServerFigures::of_run(&data.summary.contributed).unwrap();
    let (missing, surplus) = (0, 1);
    let differs = Agreement::DiffersBy { missing, surplus };
    assert_eq!(seen.counts.unwrap().verdict, differs);
}

#[tokio::test]
async fn every_kind_of_request_is_answered_and_counted() {
    let server = Server::start().await;
    let open = Pace::Open {
        arrivals: Arrivals::Poisson { per_s: 400.0 },
        connections: 2,
        max_connections: 50,
    };
    for pace in [Pace::Closed { clients: 3 }, open] {
        let out = tempfile::tempdir().unwrap();
        let data = measure(settings(&server, &out, &MIX, pace)).await.unwrap();
        let stats = &data.stats;
        assert_eq!(stats.requests, 110);
        assert_eq!(stats.count(OutcomeClass::Ok), 110, "{:?}", stats.errors);
        for (op, weight) in MIX {
            assert_eq!(stats.by_op[&op].requests, u64::from(weight) * 10, "{op:?}");
        }
        // Single points, then columns and lines; a fit scores nothing.
        let scored = 10 * (4 + 2) + 10 * u64::from(BATCH) * (2 + 1);
        assert_eq!(stats.points_out, scored);
        assert_eq!(data.summary.before.set_up, u64::from(SERIES));
        assert_eq!(data.summary.before.failed, 0);
        assert_eq!(series_trained(&server).await, SERIES);
        assert!(stats.ok.server.count > 0, "the service says what it took");

        let loaded = load(&out.path().join("run")).unwrap();
        assert_eq!(loaded.stats, data.stats, "to the nanosecond");
        assert_eq!(loaded.summary, data.summary);
    }
}

/// The negative control: without the fits before it, the same run meets series that nobody knows.
#[tokio::test]
async fn what_the_service_refuses_is_no_success() {
    let server = Server::start().await;
    let out = tempfile::tempdir().unwrap();
    let mut settings = settings(
        &server,
        &out,
        &[(Op::Predict, 1)],
        Pace::Closed { clients: 2 },
    );
    settings.workload.set_up = false;
    let data = measure(settings).await.unwrap();
    assert_eq!(data.stats.count(OutcomeClass::Refused), 110);
    assert_eq!(data.stats.ok.last.count, 0);
    let errors = &data.stats.errors;
    assert_eq!(errors.iter().map(|kind| kind.count).sum::<u64>(), 110);
    for kind in errors {
        let refusal = "HTTP 404: unknown_series: ";
        assert!(kind.message.starts_with(refusal), "{}", kind.message);
    }
}
