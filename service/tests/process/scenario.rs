//! Scenarios of the load client that start, stop and kill the server. Rules about time are left to whoever
//! plays them on a machine of their own; all others have to hold here.

use bench_client::interrupt;
use bench_client::scenario::{
    self, Check, Report, Scenario, ServerCommand, Settings, Target, Verdict,
};

fn play(name: &str, args: &[&str]) -> Report {
    let scenario = Scenario::named(name).expect("there is one of this name");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let settings = Settings {
        target: Target::Binary(ServerCommand {
            program: env!("CARGO_BIN_EXE_tidemark").into(),
            args: args.iter().map(ToString::to_string).collect(),
        }),
        short: true,
        duration: None,
        series: Some(1_000),
        shared_machine: false,
        seed: 5,
        out: folder.path().join("out"),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let (_handle, stop) = interrupt::manual();
    scenario::run(scenario, &settings, &runtime, &stop).expect("it is played")
}

fn check<'a>(report: &'a Report, rule: &str) -> &'a Check {
    let mut checks = report.outcome.checks.iter();
    let found = checks.find(|check| check.rule.contains(rule));
    found.unwrap_or_else(|| panic!("{rule}: {report}"))
}

#[test]
fn cold_start_passes() {
    let report = play("cold-start", &["--drain-delay", "0s"]);
    assert_eq!(report.verdict, Verdict::Pass, "{report}");
}

#[test]
fn drain_passes() {
    let report = play("drain", &["--drain-delay", "3s", "--drain-timeout", "120s"]);
    assert_eq!(report.verdict, Verdict::Pass, "{report}");
}

#[test]
fn resume_finds_every_acknowledged_series() {
    let report = play("resume", &["--drain-delay", "0s"]);
    for rule in [
        "every first predict is answered",
        "every acknowledged",
        "resident memory",
    ] {
        assert_eq!(check(&report, rule).verdict, Verdict::Pass, "{report}");
    }
}
