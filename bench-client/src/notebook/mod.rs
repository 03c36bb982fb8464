//! The load-test notebook, reproduced: a burst of fits, a cool-down, a burst of predictions.
//!
//! Names, payloads, order and figures are the notebook's. What differs: a failed warm-up call is
//! reported rather than swallowed, latency is also counted from the intended start, the random
//! values come from a saved seed, and the report says on what machine and with what settings it
//! was made.

mod outcome;
mod phase;
mod recorded;
mod settings;

use jiff::Timestamp;

pub use self::outcome::{Config, NotebookRun, NotebookSummary};
pub use self::recorded::{RECORDED_FIT, RECORDED_PREDICT, Recorded};
pub use self::settings::{Connections, Settings};
use crate::client::ClientError;
use crate::console;
use crate::countdown;
use crate::host::{ClientBuild, Host};
use crate::interrupt::Stop;
use crate::summary::LatencySummary;

/// Why a run could not be made at all. What fails inside a run is part of its results instead.
#[derive(Debug, thiserror::Error)]
pub enum NotebookError {
    /// The HTTP client could not be set up.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A request body could not be built.
    #[error("cannot write a request body as JSON: {0}")]
    Body(#[from] serde_json::Error),
}

/// Makes the whole run and returns what was measured, also when `stop` cut it short.
///
/// # Errors
/// When no request can be built. A server that does not answer is a result, so that a caller who
/// wants to be told at once calls [`reach`](crate::reach::reach) first.
pub async fn run(settings: &Settings, stop: &Stop) -> Result<NotebookRun, NotebookError> {
    let started_at = Timestamp::now();
    console::out(format_args!(
        "run {} against {} (seed {})",
        settings.run_id, settings.base_url, settings.seed
    ));

    let fit = phase::fit(settings, stop).await?;
    report_phase("fit", &fit);
    if !stop.is_set() {
        countdown::cool_down(settings.cool_down, stop).await;
    }
    let predict = if stop.is_set() {
        phase::Measured::not_measured("the run was interrupted before it")
    } else {
        phase::predict(settings, stop).await?
    };
    report_phase("predict", &predict);

    let summary = NotebookSummary {
        format_version: outcome::FORMAT_VERSION,
        kind: "notebook".to_owned(),
        run_id: settings.run_id.clone(),
        started_at,
        finished_at: Timestamp::now(),
        interrupted: stop.is_set(),
        config: Config::of(settings),
        client: ClientBuild::current(),
        host: Host::detect(),
        fit: fit.summary,
        predict: predict.summary,
        predict_not_measured: predict.not_measured,
    };
    Ok(NotebookRun {
        summary,
        fit: fit.records,
        predict: predict.records,
    })
}

fn report_phase(name: &str, measured: &phase::Measured) {
    if let Some(reason) = &measured.not_measured {
        console::note(format_args!("{name} phase not measured: {reason}"));
    }
    let Some(summary) = &measured.summary else {
        return;
    };
    console::out(summary.finished_line());
    console::out(format_args!(
        "  {name}: {}/{} ok; latency ms {}; from burst start {}",
        summary.success_count,
        summary.planned_calls,
        in_one_line(&summary.latency),
        in_one_line(&summary.since_intended),
    ));
}

fn in_one_line(latency: &LatencySummary) -> String {
    let ms = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{v:.2}"));
    format!(
        "min {} p50 {} p95 {} max {} mean {}",
        ms(latency.min_ms),
        ms(latency.p50_ms),
        ms(latency.p95_ms),
        ms(latency.max_ms),
        ms(latency.mean_ms)
    )
}
