//! Requests that are dear to serve and cheap to send.
//!
//! A refusal costs the server the reading of a head and the writing of a reply. Where serving costs no more than some
//! of these, no server holds its goodput: with r the CPU time of a refusal and s that of a service, goodput at 10 × is
//! (1 − 10 r/s) / (1 − r/s) of the capacity, and 90 % of it takes s ≥ 90 r. So overload asks for what costs
//! milliseconds: some hundred points of a model that compares them with everything it has seen.

use std::fmt::Write;

use serde_json::json;

use crate::base_url::BaseUrl;
use crate::client::Outcome as Reply;
use crate::load::response::Op;
use crate::results::config::WorkloadSpec;
use crate::scenario::Outcome;
use crate::scenario::context::{Context, ScenarioError, workload};
use crate::workload::payload_file::Payloads;

const SERIES: usize = 2;
/// Points of a history, and of its period: more of either are as dear.
const HISTORY: usize = 20_000;
const PERIOD: usize = 250;
/// Points of a request.
const POINTS: usize = 160;
const DISTINCT: usize = 20;
const STEP_S: usize = 60;
const START_S: usize = 1_700_000_000;
const FILE: &str = "dear.jsonl";

/// What is sent in an overload, to series that are fitted here: the model `nearest`, or columns of 500 points where the
/// server has no such model.
pub(in crate::scenario) fn requests(
    context: &Context<'_>,
    base: &BaseUrl,
    outcome: &mut Outcome,
) -> Result<WorkloadSpec, ScenarioError> {
    let client = context.client(base, 1)?;
    for n in 0..SERIES {
        let name = series(context, n);
        let request = client.post_json(&["fit", &name], None, &fit(n))?;
        let reply = context.wait(client.send(request))?;
        if !reply.is_ok() {
            let Reply::Reply { status, .. } = reply else {
                let what = format!("the fit of {name}");
                let why = reply.failure().unwrap_or_default();
                return Err(ScenarioError::Preparation { what, why });
            };
            outcome.note(format!(
                "the server refuses the model `nearest` ({status}): columns of 500 points are sent, which may be too \
                 cheap to serve"
            ));
            return Ok(workload(Op::Columns, 10, 200, 500));
        }
    }
    let path = context.dir.join(FILE);
    std::fs::write(&path, lines(context))?;
    let payloads = Payloads::read(&path.to_string_lossy(), &[Op::Columns])
        .map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(WorkloadSpec {
        mix: payloads.mix(),
        payloads: Some(payloads.file().clone()),
        set_up: false,
        ..workload(Op::Columns, SERIES as u32, HISTORY as u32, POINTS as u32)
    })
}

/// A fit that is dear, too.
pub(super) fn fit(n: usize) -> serde_json::Value {
    let values: Vec<f64> = (0..HISTORY).map(|i| value(n, i)).collect();
    let timestamps: Vec<usize> = (0..HISTORY).map(time).collect();
    json!({"timestamps": timestamps, "values": values, "model": "nearest"})
}

fn lines(context: &Context<'_>) -> String {
    let mut lines = String::new();
    for payload in 0..DISTINCT {
        let n = payload % SERIES;
        let from = HISTORY + POINTS * (payload / SERIES);
        let points = from..from + POINTS;
        let timestamps: Vec<usize> = points.clone().map(time).collect();
        let values: Vec<f64> = points.map(|i| value(n, i)).collect();
        let name = series(context, n);
        let line = json!({"series_id": name, "timestamps": timestamps, "values": values});
        // Writing to a string does not fail.
        let _ = writeln!(lines, "{line}");
    }
    lines
}

fn series(context: &Context<'_>, n: usize) -> String {
    format!("{}_dear_{n}", context.id)
}

fn time(i: usize) -> usize {
    START_S + STEP_S * i
}

/// A rhythm with noise, the same each time: a server has nothing to gain from its values.
fn value(n: usize, i: usize) -> f64 {
    let phase = (i % PERIOD) as f64 / PERIOD as f64 * std::f64::consts::TAU;
    let noise = ((i * 7_919 + n * 104_729 + 13) % 1_009) as f64 / 1_009.0;
    let value = 50.0 + 10.0 * phase.sin() + 4.0 * (3.0 * phase).cos() + 2.0 * noise;
    (value * 1_000.0).round() / 1_000.0
}
