//! Many at once: what is not served is refused at once, and in a way that a caller can act on.

use std::time::{Duration, Instant};

use super::context::{Call, Context, ScenarioError, at_once, latencies};
use super::outcome::p99_within;
use super::series::point;
use super::{Outcome, Scenario};
use crate::base_url::BaseUrl;
use crate::client::Outcome as Reply;

pub(super) const BURST_150: Scenario = Scenario {
    name: "burst-150",
    load: "150 predicts at once on one series, 20 times with a pause of a second (short: 3 times)",
    rule: "all are answered, and no status is 5xx but 503",
    needs_binary: false,
    run: burst_150,
};

pub(super) const RAMP: Scenario = Scenario {
    name: "ramp",
    load: "10, 19, …, 100 predicts at once, 11 levels, one every 3 s (short: every second): 605 requests",
    rule: "no 500; all are answered 200, 429 or 503; refusals have Retry-After and a p99 ≤ 10 ms",
    needs_binary: false,
    run: ramp,
};

const REFUSAL_P99_MS: f64 = 10.0;

fn burst_150(context: &Context<'_>) -> Result<Outcome, ScenarioError> {
    let subject = context.subject()?;
    let bursts = context.pick(3, 20);
    let levels = vec![150; bursts];
    let calls = play(context, &subject.base, &levels, Duration::from_secs(1))?;
    let mut outcome = Outcome::default();
    figures(&mut outcome, &calls);
    let (n, silent) = (calls.len(), statuses(&calls, |s| s.is_none()));
    outcome.check(
        "all are answered",
        format_args!("{} of {n}", n - silent),
        silent == 0,
    );
    let failed = statuses(&calls, |s| s.is_some_and(|s| s >= 500 && s != 503));
    outcome.check(
        "no status is 5xx but 503",
        format_args!("{failed} of {n}"),
        failed == 0,
    );
    Ok(outcome)
}

fn ramp(context: &Context<'_>) -> Result<Outcome, ScenarioError> {
    let subject = context.subject()?;
    let levels: Vec<usize> = (0..11).map(|level| 10 + 9 * level).collect();
    let every = context.pick(Duration::from_secs(1), Duration::from_secs(3));
    let calls = play(context, &subject.base, &levels, every)?;
    let mut outcome = Outcome::default();
    figures(&mut outcome, &calls);
    let n = calls.len();
    let failed = statuses(&calls, |s| s == Some(500));
    outcome.check("no 500", format_args!("{failed} of {n}"), failed == 0);
    let served = |s| matches!(s, Some(200 | 429 | 503));
    let other = n - statuses(&calls, served);
    outcome.check(
        "all are answered 200, 429 or 503",
        format_args!("{} of {n}", n - other),
        other == 0,
    );
    let refused: Vec<&Call> = calls.iter().filter(|call| is_refusal(call)).collect();
    let none = refused.is_empty();
    let hint = refused.iter().filter(|call| says_when(call)).count();
    outcome.check(
        "every refusal has Retry-After",
        format_args!("{hint} of {} refusals", refused.len()),
        hint == refused.len(),
    );
    if none {
        outcome
            .note("no request was refused, so that rules about refusals had nothing to break them");
    } else {
        let sample = latencies(refused);
        p99_within(
            &mut outcome,
            "p99 of refusals ≤ 10 ms",
            &sample,
            REFUSAL_P99_MS,
        );
    }
    Ok(outcome)
}

/// So many predicts at once a level, a level every so long.
fn play(
    context: &Context<'_>,
    base: &BaseUrl,
    levels: &[usize],
    every: Duration,
) -> Result<Vec<Call>, ScenarioError> {
    let most = levels.iter().copied().max().unwrap_or_default();
    let client = context.client(base, most)?;
    let series = format!("{}_series", context.id);
    context.fit(&client, &series, 1_000.0)?;
    let path = ["predict", series.as_str()];
    let mut calls = Vec::new();
    let begun = Instant::now();
    for (n, level) in (0..).zip(levels) {
        context.pause((every * n).saturating_sub(begun.elapsed()))?;
        let request = |i| client.post_json(&path, Some("version=0"), &point(1_000.0 + i as f64));
        let requests = (0..*level).map(request).collect::<Result<_, _>>()?;
        calls.extend(context.wait(at_once(&client, requests))?);
    }
    Ok(calls)
}

fn figures(outcome: &mut Outcome, calls: &[Call]) {
    outcome.count("requests", calls.len());
    outcome.count("answered 200", statuses(calls, |s| s == Some(200)));
    outcome.count(
        "refused (429, 503)",
        calls.iter().filter(|c| is_refusal(c)).count(),
    );
    outcome.count("without a reply", statuses(calls, |s| s.is_none()));
    let ok = calls.iter().filter(|call| call.reply.is_ok());
    outcome.latencies("latency of 200", &latencies(ok));
}

fn statuses(calls: &[Call], wanted: impl Fn(Option<u16>) -> bool) -> usize {
    let status = |call: &&Call| wanted(call.reply.status_code());
    calls.iter().filter(status).count()
}

fn is_refusal(call: &Call) -> bool {
    matches!(call.reply.status_code(), Some(429 | 503))
}

fn says_when(call: &Call) -> bool {
    matches!(&call.reply, Reply::Reply { retry_after, .. } if retry_after.is_some())
}
