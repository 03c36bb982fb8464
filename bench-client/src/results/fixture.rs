//! A configuration and a summary for tests.

use super::config::{Bound, FORMAT_VERSION, LoadSpec, Pace, RunConfig, Share, WorkloadSpec};
use super::summary::{self, Before, Headline, RunSummary};
use crate::host::{ClientBuild, Host};
use crate::load::response::Op;
use crate::tally::stats::RunStats;

/// A closed loop of four clients.
pub(crate) fn config(bound: Bound) -> RunConfig {
    RunConfig {
        format_version: FORMAT_VERSION,
        run_id: "20261125_120000".to_owned(),
        name: None,
        started_at: "2026-11-25T12:00:00.123456789Z".parse().unwrap(),
        command: vec!["tidemark-bench".to_owned(), "run".to_owned()],
        base_url: "http://127.0.0.1:8000".to_owned(),
        seed: u64::MAX,
        workload: WorkloadSpec {
            mix: vec![Share {
                op: Op::Predict,
                weight: 1,
            }],
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
            bound,
            timeout_ns: 30_000_000_000,
            good_within_ns: 100_000_000,
            threads: 1,
            warm_up: 5,
            low_memory: false,
        },
        client: ClientBuild::current(),
        host: Host::detect(),
        merged_from: Vec::new(),
    }
}

/// Of a run that went well, with figures of a hook.
pub(crate) fn summary(config: &RunConfig, stats: &RunStats) -> RunSummary {
    let cost = serde_json::json!({"per_million_points": 0.1 + 0.2});
    RunSummary {
        format_version: summary::FORMAT_VERSION,
        kind: "run".to_owned(),
        run_id: config.run_id.clone(),
        finished_at: Some("2026-11-25T12:00:10Z".parse().unwrap()),
        interrupted: false,
        rebuilt: false,
        planned: Some(stats.requests),
        unsent: None,
        dropped: None,
        before: Before::default(),
        client_use: None,
        validity: None,
        answers: None,
        headline: Headline::of(stats),
        contributed: [("cost".to_owned(), cost)].into(),
    }
}
