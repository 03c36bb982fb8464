//! One phase: build all requests, warm up, send the burst.

use tokio::task::JoinSet;

use super::NotebookError;
use super::settings::{Connections, Settings};
use crate::client::{Client, Outcome};
use crate::console;
use crate::interrupt::Stop;
use crate::payload::{self, FitBody};
use crate::record::CallRecord;
use crate::runner::{self, Job};
use crate::summary::{Circumstances, PhaseSummary, WarmConnections, WarmUp};

/// `?version=0` asks for the latest version.
const LATEST: Option<&str> = Some("version=0");

/// What a phase gave.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub(super) records: Vec<CallRecord>,
    pub(super) summary: Option<PhaseSummary>,
    pub(super) not_measured: Option<String>,
}

impl Measured {
    pub(super) fn not_measured(reason: impl Into<String>) -> Self {
        Self {
            not_measured: Some(reason.into()),
            ..Self::default()
        }
    }
}

/// Fits `calls` series, one call each.
pub(super) async fn fit(settings: &Settings, stop: &Stop) -> Result<Measured, NotebookError> {
    let client = Client::new(&settings.base_url, settings.workers, settings.fit_timeout)?;
    let job = |call_index: usize, series_id: String, body: &FitBody| {
        let request = client.post_json(&["fit", &series_id], None, body)?;
        Ok::<_, NotebookError>(Job {
            call_index,
            series_id,
            request,
        })
    };
    let seed = settings.seed;
    let warm_up = (0..settings.warm_up_calls()).map(|i| {
        let body = payload::fit(seed, payload::WARM_UP_OFFSET + i as u64);
        job(i, settings.fit_warm_up_series(i), &body)
    });
    let measured =
        (0..settings.calls).map(|i| job(i, settings.fit_series(i), &payload::fit(seed, i as u64)));
    let requests = Requests {
        warm_up: warm_up.collect::<Result<_, _>>()?,
        measured: measured.collect::<Result<_, _>>()?,
    };
    Ok(measure("fit", &client, requests, settings, stop).await)
}

/// Fits one series, then asks about it `calls` times.
pub(super) async fn predict(settings: &Settings, stop: &Stop) -> Result<Measured, NotebookError> {
    let timeout = settings.predict_timeout;
    let client = Client::new(&settings.base_url, settings.workers, timeout)?;
    let series = settings.predict_series();
    let job = |call_index: usize, body: &payload::PredictBody| {
        Ok::<_, NotebookError>(Job {
            call_index,
            series_id: series.clone(),
            request: client.post_json(&["predict", &series], LATEST, body)?,
        })
    };
    let warm_up =
        (0..settings.warm_up_calls()).map(|i| job(i, &payload::predict_warm_up(i as u64)));
    let measured = (0..settings.calls).map(|i| job(i, &payload::predict(settings.seed, i as u64)));
    let requests = Requests {
        warm_up: warm_up.collect::<Result<_, _>>()?,
        measured: measured.collect::<Result<_, _>>()?,
    };
    let mut training = client.post_json(&["fit", &series], None, &payload::predict_training())?;
    *training.timeout_mut() = Some(settings.fit_timeout);
    let Some(outcome) = stop.guard(client.send(training)).await else {
        return Ok(Measured::not_measured("the run was interrupted before it"));
    };
    if let Some(failure) = outcome.failure() {
        let body = outcome.body_preview().unwrap_or_default();
        let reason = format!("fitting {series} failed: {failure} {body}");
        return Ok(Measured::not_measured(reason.trim_end()));
    }
    Ok(measure("predict", &client, requests, settings, stop).await)
}

/// A phase's requests, all built before anything is timed.
struct Requests {
    warm_up: Vec<Job>,
    measured: Vec<Job>,
}

async fn measure(
    name: &str,
    client: &Client,
    requests: Requests,
    settings: &Settings,
    stop: &Stop,
) -> Measured {
    let planned_calls = requests.measured.len();
    let warm_up = warm_up(name, client, requests.warm_up, stop).await;
    let warm_connections = match settings.connections {
        Connections::AsWarmUpLeavesThem => None,
        Connections::OpenedBefore => {
            let round = open_connections(client, settings.workers);
            stop.guard(round).await
        }
    };
    let burst = runner::burst(client, requests.measured, settings.workers, stop).await;
    let around = Circumstances {
        planned_calls,
        workers: settings.workers,
        warm_up,
        warm_connections,
    };
    Measured {
        summary: Some(PhaseSummary::of(&burst, around)),
        records: burst.records,
        not_measured: None,
    }
}

/// Sequential and untimed. A failure is said and counted: it often explains the burst.
async fn warm_up(name: &str, client: &Client, jobs: Vec<Job>, stop: &Stop) -> WarmUp {
    let planned = jobs.len();
    let mut done = WarmUp::default();
    for job in jobs {
        let Some(outcome) = stop.guard(client.send(job.request)).await else {
            break;
        };
        done.calls += 1;
        if let Some(failure) = outcome.failure() {
            let nth = job.call_index + 1;
            console::note(format_args!(
                "{name} warm-up call {nth} of {planned} failed: {failure}"
            ));
            done.failures.push(failure);
        }
    }
    done
}

/// Health checks sent at once need a connection each, which then stays in the pool.
async fn open_connections(client: &Client, workers: usize) -> WarmConnections {
    let mut checks = JoinSet::new();
    for _ in 0..workers {
        let client = client.clone();
        checks.spawn(async move { client.send(client.get(&["healthcheck"])).await });
    }
    let outcomes = checks.join_all().await;
    let answered = |outcome: &&Outcome| matches!(outcome, Outcome::Reply { .. });
    WarmConnections {
        requested: workers,
        answered: outcomes.iter().filter(answered).count(),
    }
}
