//! Scenarios of the load client against the whole service. Rules about time are left to whoever plays them on a
//! machine of their own; all others have to hold here.

use std::path::PathBuf;

use bench_client::base_url::BaseUrl;
use bench_client::interrupt;
use bench_client::scenario::{self, Report, Scenario, Settings, Target, Verdict};

use crate::server::Server;

/// Plays the short form, off the runtime of the test: a scenario blocks.
async fn play(server: &Server, name: &str) -> Report {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let base = format!("http://{}", server.addr);
    let base = base.parse().expect("an address");
    play_at(base, name, folder.path().join("out")).await
}

/// As [`play`] at an address, with results in `out`.
pub(crate) async fn play_at(base: BaseUrl, name: &str, out: PathBuf) -> Report {
    let scenario = Scenario::named(name).expect("there is one of this name");
    let settings = Settings {
        target: Target::Url { base, pid: None },
        short: true,
        duration: None,
        series: None,
        shared_machine: false,
        seed: 5,
        out,
    };
    let played = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let (_handle, stop) = interrupt::manual();
        scenario::run(scenario, &settings, &runtime, &stop)
    });
    played.await.expect("no panic").expect("it is played")
}

#[tokio::test]
async fn scenarios_without_a_rule_about_time_pass() {
    let server = Server::start().await;
    for name in ["sequential", "burst-150", "agents", "hot-swap"] {
        let report = play(&server, name).await;
        assert_eq!(report.verdict, Verdict::Pass, "{report}");
    }
}

/// The service tells expected values, so that answers are held against them and not only against the
/// base contract.
#[tokio::test]
async fn agents_hold_every_answer_against_its_own_model() {
    let server = Server::start().await;
    let report = play(&server, "agents").await;
    let told = report.outcome.figures.iter();
    let told = told.filter(|figure| figure.name.ends_with("with an expected value"));
    let told: Vec<_> = told.map(|figure| figure.value).collect();
    assert_eq!(told, [Some(500.0), Some(50.0)]);
}

#[tokio::test]
async fn probes_are_all_answered() {
    let server = Server::start().await;
    let report = play(&server, "health").await;
    let timed = |rule: &str| rule.starts_with("p99");
    let checks = report.outcome.checks.iter();
    for check in checks.filter(|check| !timed(&check.rule)) {
        assert_eq!(check.verdict, Verdict::Pass, "{report}");
    }
    assert_eq!(report.outcome.checks.len(), 3);
}
