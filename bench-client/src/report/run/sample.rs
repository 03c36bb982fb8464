//! A run for the reports' unit tests: six thousand requests of three kinds over 30 s, with a stall
//! of 2 s in the middle, requests turned away after it, and a few failures.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use crate::host::{ClientBuild, Host};
use crate::load::response::{Op, OutcomeClass, ResponseRecord};
use crate::results::config::{Arrivals, Bound, LoadSpec, Pace, RunConfig, Share, WorkloadSpec};
use crate::results::summary::{Before, ClientUse, Headline, RunData, RunSummary};
use crate::tally::Tally;

const SECOND: u64 = 1_000_000_000;

/// The run.
pub(in crate::report) fn run() -> RunData {
    of(6_000)
}

/// Its first `n` requests.
pub(in crate::report) fn of(n: u64) -> RunData {
    data((0..n).map(made))
}

/// `n` requests of which none is answered.
pub(in crate::report) fn only_failures(n: u64) -> RunData {
    data((0..n).map(|i| ended(made(i), OutcomeClass::Transport)))
}

fn made(index: u64) -> ResponseRecord {
    let intended_ns = index * SECOND / 200;
    let (op, base_ms) = match index % 10 {
        0 => (Op::Fit, 6.0),
        1 | 2 => (Op::Ndjson, 2.4),
        _ => (Op::Predict, 0.9),
    };
    // A fixed sequence that looks like noise: fractional parts of a golden-ratio walk.
    let noise = (index as f64 * 0.618_033_988_75).fract();
    let usual = (base_ms * (-(1.0 - noise).ln() * 0.5).exp() * 1e6) as u64;
    let lag = if index % 400 == 399 {
        2_000_000
    } else {
        8_000 + index * 7_919 % 30_000
    };
    let stalled = match intended_ns {
        at if (13 * SECOND..15 * SECOND).contains(&at) => 15 * SECOND - at,
        _ => 0,
    };
    let latency = lag + usual + stalled;
    let points = if op == Op::Ndjson { 20 } else { 1 };
    let after_stall = (15 * SECOND..16 * SECOND).contains(&intended_ns);
    let class = match index {
        _ if after_stall && index.is_multiple_of(3) => OutcomeClass::Shed,
        _ if index % 997 == 996 => OutcomeClass::Failed,
        _ if index % 1_499 == 1_498 => OutcomeClass::Transport,
        2_700 => OutcomeClass::TimedOut,
        _ => OutcomeClass::Ok,
    };
    let record = ResponseRecord {
        index,
        op,
        client: (index % 64) as u32,
        intended_ns,
        sent_ns: intended_ns + lag,
        waited_ns: None,
        first_ns: Some(intended_ns + lag + (latency - lag) * 4 / 5),
        last_ns: intended_ns + latency,
        class: OutcomeClass::Ok,
        status: Some(200),
        points_in: points,
        points_out: points,
        bytes_out: 312,
        bytes_in: 188,
        server_ns: Some(usual / 2),
        error: None,
    };
    ended(record, class)
}

/// The same with another end.
fn ended(record: ResponseRecord, class: OutcomeClass) -> ResponseRecord {
    let (status, error, took) = match class {
        OutcomeClass::Ok | OutcomeClass::Refused => return record,
        OutcomeClass::Shed => (
            Some(429),
            r#"HTTP 429: {"code":"overloaded","detail":"queue is full | try later"}"#,
            350_000 + record.index * 7_919 % 200_000,
        ),
        OutcomeClass::Failed => (Some(500), "HTTP 500: <h1>Internal `error`</h1>", 900_000),
        OutcomeClass::TimedOut => (None, "no reply within 5 s", 5 * SECOND),
        OutcomeClass::Transport => (None, "connection reset by peer", 1_500_000),
    };
    ResponseRecord {
        class,
        status,
        error: Some(error.into()),
        first_ns: None,
        last_ns: record.sent_ns + took,
        points_out: 0,
        server_ns: None,
        ..record
    }
}

fn data(responses: impl Iterator<Item = ResponseRecord>) -> RunData {
    let config = config();
    let mut tally = Tally::new(Duration::from_nanos(config.load.good_within_ns));
    responses.for_each(|record| tally.add(&record));
    let stats = tally.stats();
    let summary = RunSummary {
        format_version: 1,
        kind: "run".to_owned(),
        run_id: "20261125_101500".to_owned(),
        finished_at: "2026-11-25T10:15:31Z".parse().ok(),
        interrupted: false,
        rebuilt: false,
        planned: None,
        unsent: Some(0),
        dropped: None,
        before: Before {
            set_up: 50,
            warm_up: 10,
            ..Before::default()
        },
        client_use: Some(ClientUse {
            cpu_s: 2.31,
            cpu_share: Some(0.038),
            max_rss_bytes: 21_400_000,
            connections: 67,
            reconnects: 3,
            senders_share: Some(0.2),
            waited_for_disk_ns: 0,
            in_flight_ns: None,
        }),
        validity: None,
        answers: None,
        headline: Headline::of(&stats),
        contributed: BTreeMap::from([(
            "cost".to_owned(),
            json!({"per_million_points": 0.41, "currency": "EUR", "parts": {"fit": 0.11, "predict": 0.30}}),
        )]),
    };
    RunData {
        config,
        summary,
        stats,
        timeline: Vec::new(),
    }
}

fn config() -> RunConfig {
    let share = |op, weight| Share { op, weight };
    RunConfig {
        format_version: 1,
        run_id: "20261125_101500".to_owned(),
        name: Some("stall at half capacity".to_owned()),
        started_at: "2026-11-25T10:15:00Z"
            .parse()
            .unwrap_or(Timestamp::UNIX_EPOCH),
        command: [
            "tidemark-bench",
            "run",
            "--rate",
            "200/s",
            "--duration",
            "30s",
            "--name",
            "stall at half capacity",
        ]
        .map(str::to_owned)
        .to_vec(),
        base_url: "http://127.0.0.1:8000".to_owned(),
        seed: 2_718_281_828,
        workload: WorkloadSpec {
            mix: vec![
                share(Op::Predict, 7),
                share(Op::Ndjson, 2),
                share(Op::Fit, 1),
            ],
            series: 50,
            points_per_fit: 256,
            batch: 20,
            distinct: 4_096,
            payloads: None,
            set_up: true,
            sigma: None,
        },
        load: LoadSpec {
            pace: Pace::Open {
                arrivals: Arrivals::Constant { per_s: 200.0 },
                connections: 64,
                max_connections: 1_024,
            },
            bound: Bound::Duration { ns: 30 * SECOND },
            timeout_ns: 5 * SECOND,
            good_within_ns: SECOND,
            threads: 2,
            warm_up: 10,
            low_memory: false,
        },
        client: ClientBuild {
            profile: "release".to_owned(),
            ..ClientBuild::current()
        },
        merged_from: Default::default(),
        host: Host {
            os: "Linux 6.1.0".to_owned(),
            arch: "x86_64".to_owned(),
            cpus: 2,
        },
    }
}
