//! A restart after `kill -9` over a store with many series.

use std::time::Duration;

use super::context::{Context, ScenarioError, call, latencies, shape, workload};
use super::series::point;
use super::server::resident_bytes;
use super::{Outcome, Scenario};
use crate::clock::millis;
use crate::load::response::{Op, OutcomeClass};
use crate::results::config::{Bound, Pace};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "resume",
    load: "fits 1,000,000 series (short: 10,000; --series N), kills the server with SIGKILL, starts it over the same \
           folder, predicts once on each of 100 series spread over the store",
    rule: "live ≤ 0.3 s and ready ≤ 1 s after the start; every first predict is answered 200, within 20 ms; every \
           acknowledged series is there; resident memory ≤ 1 GiB",
    needs_binary: true,
    run,
};

const ASKED: u32 = 100;
const LIVE_MS: f64 = 300.0;
const READY_MS: f64 = 1_000.0;
const FIRST_MS: f64 = 20.0;
const RESIDENT: u64 = 1 << 30;

fn run(context: &Context<'_>) -> Result<Outcome, ScenarioError> {
    context.binary()?;
    let series = context.settings.series;
    let series = series.unwrap_or(context.pick(10_000, 1_000_000));
    let folder = tempfile::tempdir()?;
    let server = context.start(&folder)?;
    let mut fits = workload(Op::Fit, series, 24, 1);
    fits.distinct = 20;
    let until = Bound::Requests { n: series.into() };
    let mut load = shape(Pace::Closed { clients: 64 }, until, Duration::from_secs(12));
    load.low_memory = true;
    load.warm_up = 0;
    let filled = context.load_with(&server.base, "fits", fits, load, Vec::new())?;
    let acknowledged = filled.stats.count(OutcomeClass::Ok);
    server.kill_9()?;

    let server = context.start(&folder)?;
    let client = context.client(&server.base, 1)?;
    let (asked, trained) = context.wait(async {
        let mut calls = Vec::new();
        for n in (0..series).step_by((series / ASKED).max(1) as usize) {
            let id = format!("bench_{}_fits_{n}", context.id);
            let request = client.post_json(&["predict", &id], Some("version=0"), &point(50.0))?;
            calls.push(call(&client, request).await);
        }
        let health = client.send(client.get(&["healthcheck"])).await;
        let trained = match health {
            crate::client::Outcome::Reply { body, .. } => {
                let json: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
                json.and_then(|json| json["series_trained"].as_u64())
            }
            crate::client::Outcome::NoReply { .. } => None,
        };
        Ok::<_, ScenarioError>((calls, trained))
    })??;
    let resident = resident_bytes(server.pid());

    let mut outcome = Outcome::default();
    let (live, ready) = (millis(server.started.live), millis(server.started.ready));
    outcome.figure("acknowledged fits", acknowledged as f64, "");
    outcome.figure("fits a second", filled.stats.completed_rps, "/s");
    outcome.figure("start to live", live, "ms");
    outcome.figure("start to ready", ready, "ms");
    let sample = latencies(&asked);
    outcome.latencies("first predict of a series", &sample);
    outcome.figure(
        "resident memory",
        resident.map(|bytes| bytes as f64 / 1_048_576.0),
        "MiB",
    );
    outcome.timed(
        "live ≤ 0.3 s",
        format_args!("{live:.1} ms"),
        live <= LIVE_MS,
    );
    outcome.timed(
        "ready ≤ 1 s",
        format_args!("{ready:.1} ms"),
        ready <= READY_MS,
    );
    let ok = asked.iter().filter(|call| call.reply.is_ok()).count();
    outcome.check(
        "every first predict is answered 200",
        format_args!("{ok} of {}", asked.len()),
        ok == asked.len(),
    );
    let slowest = sample.max().unwrap_or_default();
    outcome.timed(
        "every first predict within 20 ms",
        format_args!("the slowest took {slowest:.2} ms"),
        slowest <= FIRST_MS,
    );
    let there = "every acknowledged series is there";
    match trained {
        // A fit that was not acknowledged may have been stored all the same.
        Some(trained) => outcome.check(
            there,
            format_args!("{trained} of {acknowledged}"),
            trained >= acknowledged,
        ),
        None => outcome.not_measurable(there, "/healthcheck tells no series_trained"),
    }
    fits_in_memory(&mut outcome, resident);
    Ok(outcome)
}

fn fits_in_memory(outcome: &mut Outcome, resident: Option<u64>) {
    let rule = "resident memory ≤ 1 GiB";
    match resident {
        Some(bytes) => outcome.check(
            rule,
            format_args!("{:.1} MiB", bytes as f64 / 1_048_576.0),
            bytes <= RESIDENT,
        ),
        None => outcome.not_measurable(rule, "/proc does not tell it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Verdict;

    #[test]
    fn a_byte_more_than_a_gibibyte_is_too_much() {
        let verdict = |resident| {
            let mut outcome = Outcome::default();
            fits_in_memory(&mut outcome, resident);
            outcome.verdict()
        };
        assert_eq!(verdict(Some(1 << 30)), Verdict::Pass);
        assert_eq!(verdict(Some((1 << 30) + 1)), Verdict::Fail);
        assert_eq!(verdict(None), Verdict::NotMeasurable);
    }
}
