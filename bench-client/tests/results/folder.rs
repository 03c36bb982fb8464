//! Folders with runs whose figures can be told by hand.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bench_client::host::{ClientBuild, Host};
use bench_client::load::response::{Op, OutcomeClass, ResponseRecord};
use bench_client::results::config::{Bound, LoadSpec, Pace, RunConfig, Share, WorkloadSpec};
use bench_client::results::folder::FolderWriter;
use bench_client::results::histogram_log;
use bench_client::results::summary::{Before, ClientUse, Headline, RunSummary, Validity};
use bench_client::tally::Tally;
use bench_client::tally::stats::RunStats;
use serde_json::json;

const GOOD_WITHIN: Duration = Duration::from_millis(100);

pub(crate) fn config(requests: u64) -> RunConfig {
    let share = |op, weight| Share { op, weight };
    RunConfig {
        format_version: 1,
        run_id: "20261125_120000".to_owned(),
        name: Some("nightly".to_owned()),
        started_at: "2026-11-25T12:00:00Z".parse().unwrap(),
        command: vec!["tidemark-bench".to_owned(), "run".to_owned()],
        base_url: "http://127.0.0.1:8000".to_owned(),
        seed: 7,
        workload: WorkloadSpec {
            mix: vec![share(Op::Predict, 4), share(Op::Ndjson, 1)],
            series: 16,
            points_per_fit: 100,
            batch: 10,
            distinct: 100,
            payloads: None,
            set_up: true,
            sigma: None,
        },
        load: LoadSpec {
            pace: Pace::Closed { clients: 4 },
            bound: Bound::Requests { n: requests },
            timeout_ns: 30_000_000_000,
            good_within_ns: GOOD_WITHIN.as_nanos() as u64,
            threads: 1,
            warm_up: 0,
            low_memory: false,
        },
        client: ClientBuild::current(),
        host: Host::detect(),
        merged_from: Vec::new(),
    }
}

/// A hundred requests a second. Every fifth is a stream, and every tenth from the 5th on is shed;
/// request i takes i mod 1000 µs more than 1 ms, and a stream 10 ms more.
pub(crate) fn records(requests: u64) -> Vec<ResponseRecord> {
    (0..requests).map(record).collect()
}

fn record(index: u64) -> ResponseRecord {
    let stream = index.is_multiple_of(5);
    let shed = index % 10 == 5;
    let sent_ns = index * 10_000_000;
    let took_ns = 1_000_000 + index % 1_000 * 1_000;
    let points = if stream { 10 } else { 1 };
    ResponseRecord {
        index,
        op: if stream { Op::Ndjson } else { Op::Predict },
        client: (index % 4) as u32,
        intended_ns: sent_ns,
        sent_ns,
        waited_ns: None,
        first_ns: Some(sent_ns + took_ns),
        last_ns: sent_ns + took_ns + if stream && !shed { 10_000_000 } else { 0 },
        class: if shed {
            OutcomeClass::Shed
        } else {
            OutcomeClass::Ok
        },
        status: Some(if shed { 429 } else { 200 }),
        points_in: points,
        points_out: if shed { 0 } else { points },
        bytes_out: 200,
        bytes_in: 300,
        server_ns: (!shed).then_some(took_ns / 2),
        error: shed.then(|| "too many requests".into()),
    }
}

pub(crate) fn tally(records: &[ResponseRecord]) -> Tally {
    let mut tally = Tally::new(GOOD_WITHIN);
    records.iter().for_each(|record| tally.add(record));
    tally
}

pub(crate) fn summary(config: &RunConfig, stats: &RunStats) -> RunSummary {
    RunSummary {
        format_version: 1,
        kind: "run".to_owned(),
        run_id: config.run_id.clone(),
        finished_at: Some("2026-11-25T12:01:00Z".parse().unwrap()),
        interrupted: false,
        rebuilt: false,
        planned: Some(stats.requests),
        unsent: Some(0),
        dropped: None,
        before: Before::default(),
        client_use: Some(ClientUse {
            cpu_s: 1.5,
            cpu_share: Some(0.25),
            max_rss_bytes: 20_000_000,
            connections: 4,
            reconnects: 0,
            senders_share: Some(0.125),
            waited_for_disk_ns: 0,
            in_flight_ns: None,
        }),
        validity: Some(Validity::of(vec!["out of breath".into()])),
        answers: None,
        headline: Headline::of(stats),
        contributed: [("cost".to_owned(), json!({"per_million_points": 0.1}))].into(),
    }
}

/// A whole folder with a run of so many requests.
pub(crate) fn write(parent: &Path, name: &str, requests: u64) -> PathBuf {
    let dir = parent.join(name);
    let mut config = config(requests);
    config.run_id = format!("20261125_120000_{name}");
    let mut writer = FolderWriter::create(&dir, &config).unwrap();
    let records = records(requests);
    writer.append(&records).unwrap();
    let tally = tally(&records);
    let stats = tally.stats();
    let log = histogram_log::render(&tally, config.started_at);
    writer
        .finish(&summary(&config, &stats), &stats, &log)
        .unwrap();
    dir
}
