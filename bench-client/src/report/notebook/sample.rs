//! A small run for the report's unit tests: four calls a phase, of which the first fit failed.

use std::time::Duration;

use jiff::Timestamp;

use crate::host::{ClientBuild, Host};
use crate::notebook::{Config, NotebookRun, NotebookSummary};
use crate::record::CallRecord;
use crate::runner::Burst;
use crate::summary::{Circumstances, PhaseSummary};

fn call(call_index: usize, status: u16) -> CallRecord {
    let delta_ms = 10.0 + call_index as f64;
    let failed = status != 200;
    CallRecord {
        call_index,
        series_id: format!("s{call_index}"),
        status_code: Some(status),
        ok: !failed,
        delta_ms,
        start_epoch_ms: 0.0,
        end_epoch_ms: delta_ms,
        error: failed.then(|| "HTTP 500 Internal Server Error".to_owned()),
        body_preview: failed.then(|| "oops".to_owned()),
        since_intended_ms: delta_ms + 5.0,
    }
}

fn phase(first_status: u16) -> (Vec<CallRecord>, PhaseSummary) {
    let records: Vec<_> = [first_status, 200, 200, 200]
        .into_iter()
        .enumerate()
        .map(|(i, status)| call(i, status))
        .collect();
    let burst = Burst {
        records: records.clone(),
        wall: Duration::from_millis(20),
    };
    let around = Circumstances {
        planned_calls: 4,
        workers: 2,
        ..Circumstances::default()
    };
    (records, PhaseSummary::of(&burst, around))
}

pub(super) fn run() -> NotebookRun {
    let (fit, fit_summary) = phase(500);
    let (predict, predict_summary) = phase(200);
    let summary = NotebookSummary {
        format_version: 1,
        kind: "notebook".to_owned(),
        run_id: "20261122_123500".to_owned(),
        started_at: Timestamp::UNIX_EPOCH,
        finished_at: Timestamp::UNIX_EPOCH,
        interrupted: false,
        config: Config {
            base_url: "http://127.0.0.1:8000".to_owned(),
            seed: 1,
            calls: 4,
            workers: 2,
            fit_timeout_s: 60.0,
            predict_timeout_s: 30.0,
            warm_up_calls: 4,
            cool_down_s: 60.0,
            pool_max_idle_per_host: 2,
            warm_connections: false,
        },
        client: ClientBuild::current(),
        host: Host::detect(),
        fit: Some(fit_summary),
        predict: Some(predict_summary),
        predict_not_measured: None,
    };
    NotebookRun {
        summary,
        fit,
        predict,
    }
}
