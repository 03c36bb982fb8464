//! More than the server can do: what it promises then.

mod dear;
mod fits;
mod idle;
mod memory;
mod retrying;
mod tenants;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::context::{Context, Loaded, ScenarioError, lasting, shape};
use super::health::{P99_MS, PROBES, Probed, judge, probe};
use super::outcome::p99_within;
use super::wire::{Reply, once};
use super::{Outcome, Scenario};
use crate::base_url::BaseUrl;
use crate::clock::millis;
use crate::load::response::OutcomeClass;
use crate::results::config::{Arrivals, Pace, WorkloadSpec};
use crate::stats::Sorted;
use crate::tally::stats::RunStats;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "overload",
    load: "columns of 160 points judged by the model `nearest`: the capacity by as many clients as processors and two, \
           then 0.5, 0.8, 1, 2, 5 and 10 times it, Poisson, 10 s each (short: 3 s), the last for twice as long beside 15,000 (1,000) idle \
           connections; 10 times again for 30 s (short: 3 s) beside 64 clients that retry, and at once 0.8 times; 50 \
           tenants at 0.8 times, then one of them at 100 times its share; 0.5 times without and beside fits; with \
           --duration, 10 times for so long",
    rule: "O1 goodput at 10 × ≥ 90 % of the peak; O2 p99 at 10 × ≤ 2 × that at 0.8 ×; O3 refusals at p99 ≤ 10 ms; \
           O4 every 429 and 503 seen by the probe has Retry-After and problem+json; O5 health probes at 10 × all \
           answered, p99 ≤ 10 ms; O6 ≥ 95 % good from 5 s after the overload; O7 the other tenants ≥ 95 % good, p99 ≤ \
           1.5 × that without the flood; O8 p99 of predicts beside fits ≤ 2 × that without; O9 resident memory does \
           not grow",
    needs_binary: false,
    run,
};

/// A reply after this is no use.
pub(super) const GOOD_WITHIN: Duration = Duration::from_secs(1);

const LEVELS: [f64; 6] = [0.5, 0.8, 1.0, 2.0, 5.0, 10.0];
const CONNECTIONS: u32 = 16;
/// Callers that the server does not know of each other.
const MOST_CONNECTIONS: u32 = 500;
const REFUSAL_P99_MS: f64 = 10.0;
/// Between two probes while the server is overloaded.
const PROBE_EVERY: Duration = Duration::from_millis(100);
/// What the probe asks where the load is made up.
const POINT: &str = r#"{"timestamp":"1705001000","value":10.0}"#;
const SETTLED_AFTER: Duration = Duration::from_secs(5);

pub(super) use dear::requests;

pub(super) fn arriving(per_s: f64) -> Pace {
    Pace::Open {
        arrivals: Arrivals::Poisson { per_s },
        connections: CONNECTIONS,
        max_connections: MOST_CONNECTIONS,
    }
}

/// Good replies a second with clients that always have one request under way: so many that the server is never idle,
/// and so few that it refuses none of them, which would be back at once.
pub(super) fn capacity(
    context: &Context<'_>,
    base: &BaseUrl,
    spec: &WorkloadSpec,
) -> Result<f64, ScenarioError> {
    let time = context.pick(Duration::from_secs(2), Duration::from_secs(10));
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let clients = Pace::Closed {
        clients: u32::try_from(cpus).unwrap_or(u32::MAX).saturating_add(2),
    };
    let load = shape(clients, lasting(time), GOOD_WITHIN);
    let loaded = context.load(base, "capacity", spec.clone(), load)?;
    Ok(loaded.data.stats.goodput_rps.unwrap_or_default())
}

pub(super) fn figures(outcome: &mut Outcome, level: &str, stats: &RunStats) {
    outcome.figure(
        format!("{level} offered"),
        stats.send_window.offered_rps,
        "/s",
    );
    outcome.figure(format!("{level} good"), stats.goodput_rps, "/s");
    outcome.figure(
        format!("{level} refused"),
        stats.count(OutcomeClass::Shed) as f64,
        "",
    );
    let lost = stats.requests - stats.count(OutcomeClass::Ok) - stats.count(OutcomeClass::Shed);
    outcome.figure(format!("{level} failed otherwise"), lost as f64, "");
    let p99 = p99_ms(stats);
    outcome.figure(format!("{level} p99"), p99, "ms");
}

fn p99_ms(stats: &RunStats) -> Option<f64> {
    let p99 = stats.ok.last.at(0.99).filter(|p99| p99.enough)?;
    Some(p99.value_ns as f64 / 1e6)
}

/// What probes saw while the server was overloaded.
#[derive(Default)]
struct Probes {
    health: Vec<Probed>,
    refusals: Vec<Reply>,
}

fn run(context: &Context<'_>) -> Result<Outcome, ScenarioError> {
    let subject = context.subject()?;
    let base = &subject.base;
    let mut outcome = Outcome::default();
    let spec = requests(context, base, &mut outcome)?;
    let capacity = capacity(context, base, &spec)?;
    outcome.figure("capacity", capacity, "/s");
    if capacity <= 0.0 {
        outcome.not_measurable(
            SCENARIO.rule,
            "nothing was answered while the capacity was measured",
        );
        return Ok(outcome);
    }
    let time = context.pick(Duration::from_secs(3), Duration::from_secs(10));
    let mut levels = Vec::new();
    let mut probes = Probes::default();
    for times in LEVELS {
        let name = format!("{times}x");
        // Twice as long with probes: so many that their p99 can be told.
        let time = if times < 10.0 { time } else { 2 * time };
        let load = shape(arriving(times * capacity), lasting(time), GOOD_WITHIN);
        let level = if times < 10.0 {
            context.load(base, &name, spec.clone(), load)?
        } else {
            let idle = idle::open(context, base, &mut outcome)?;
            let (level, seen) = probed(context, base, &spec, || {
                context.load(base, &name, spec.clone(), load)
            })?;
            probes = seen;
            idle::close(context, idle, &mut outcome)?;
            level
        };
        let label = format!("{times} ×");
        figures(&mut outcome, &label, &level.data.stats);
        let unsent = level.data.summary.unsent.map(|n| n as f64);
        outcome.figure(
            format!("{label} never sent, all connections busy"),
            unsent,
            "",
        );
        levels.push((time, level));
    }
    o1_goodput(&mut outcome, &levels);
    o2_latency(&mut outcome, &levels);
    o3_o4_refusals(&mut outcome, &levels, &probes);
    judge(&mut outcome, " (O5)", &probes.health);
    let sample = Sorted::new(probes.health.iter().map(|probed| probed.ms).collect());
    p99_within(
        &mut outcome,
        "O5 p99 of health probes ≤ 10 ms",
        &sample,
        P99_MS,
    );
    // A client that is late by itself reads refusals and probes late, too.
    if let Some(why) = levels.last().and_then(|(_, level)| invalid(level)) {
        outcome.excuse_timed(&why);
    }
    let spec = (capacity, &spec);
    o6_no_metastable_state(context, base, spec, &mut outcome)?;
    tenants::fairness(context, base, spec, &mut outcome)?;
    fits::starvation(context, base, spec, &mut outcome)?;
    if let Some(time) = context.settings.duration {
        memory::bounded(context, &subject, spec, time, &mut outcome)?;
    }
    Ok(outcome)
}

/// Does `work` while health is asked ten times a second, and a predict sent whose headers are read.
fn probed<T>(
    context: &Context<'_>,
    base: &BaseUrl,
    spec: &WorkloadSpec,
    work: impl FnOnce() -> Result<T, ScenarioError>,
) -> Result<(T, Probes), ScenarioError> {
    let over = AtomicBool::new(false);
    let bodies = retrying::bodies(spec)?;
    let first = bodies.into_iter().next();
    let (series, body) = match first {
        Some((series, body)) => (series, body.to_string()),
        None => ("nobody".to_owned(), POINT.to_owned()),
    };
    std::thread::scope(|scope| {
        let probing = scope.spawn(|| context.wait(probe_until(base, (&series, &body), &over)));
        let done = work();
        over.store(true, Relaxed);
        let probes = probing
            .join()
            .unwrap_or_else(|it| std::panic::resume_unwind(it));
        Ok((done?, probes?))
    })
}

async fn probe_until(base: &BaseUrl, (series, body): (&str, &str), over: &AtomicBool) -> Probes {
    let mut probes = Probes::default();
    let mut health = tokio::task::JoinSet::new();
    let mut predicts = tokio::task::JoinSet::new();
    while !over.load(Relaxed) {
        for which in PROBES {
            health.spawn(probe(base.clone(), which));
        }
        let (base, series, body) = (base.clone(), series.to_owned(), body.to_owned());
        predicts.spawn(async move {
            let path = ["predict", &series];
            once(&base, "POST", &path, body.as_bytes(), GOOD_WITHIN).await
        });
        tokio::time::sleep(PROBE_EVERY).await;
    }
    probes.health = health.join_all().await;
    let replies = predicts.join_all().await.into_iter().flatten();
    let refusals = replies.filter(|reply| matches!(reply.status, 429 | 503));
    probes.refusals = refusals.collect();
    probes
}

/// Why a level says nothing about the server, if so.
fn invalid(level: &Loaded) -> Option<String> {
    let validity = level.data.summary.validity.as_ref();
    let invalid = validity.filter(|it| !it.valid)?;
    Some(format!(
        "the client could not keep up: {}",
        invalid.reasons.join("; ")
    ))
}

fn o1_goodput(outcome: &mut Outcome, levels: &[(Duration, Loaded)]) {
    let rule = "O1 goodput at 10 × ≥ 90 % of the peak";
    // By the time in which load was offered, not by that in which its last replies came.
    let good =
        |(time, level): &(Duration, Loaded)| level.data.stats.good as f64 / time.as_secs_f64();
    let peak = levels.iter().map(good).fold(0.0, f64::max);
    let Some(last) = levels.last() else { return };
    let at_most = good(last);
    let reading = format!("{at_most:.1} of {peak:.1} good a second");
    match invalid(&last.1) {
        Some(why) => outcome.not_measurable(rule, format_args!("{reading}, but {why}")),
        None => outcome.timed(rule, reading, peak > 0.0 && at_most >= 0.9 * peak),
    }
}

fn o2_latency(outcome: &mut Outcome, levels: &[(Duration, Loaded)]) {
    let rule = "O2 p99 of what is served at 10 × ≤ 2 × that at 0.8 ×";
    let (Some((_, calm)), Some((_, last))) = (levels.get(1), levels.last()) else {
        return;
    };
    if let Some(why) = [calm, last].into_iter().find_map(invalid) {
        outcome.not_measurable(rule, why);
        return;
    }
    match (p99_ms(&calm.data.stats), p99_ms(&last.data.stats)) {
        (Some(calm), Some(last)) => outcome.timed(
            rule,
            format_args!("{last:.1} ms, {:.1} × {calm:.1} ms", last / calm),
            last <= 2.0 * calm,
        ),
        (None, _) => outcome.not_measurable(rule, "too few replies at 0.8 × for a p99"),
        (_, None) => outcome.not_measurable(rule, "too few replies at 10 × for a p99"),
    }
}

fn o3_o4_refusals(outcome: &mut Outcome, levels: &[(Duration, Loaded)], probes: &Probes) {
    let refused = levels.iter().flat_map(|(_, level)| &level.records);
    let refused = refused.filter(|record| record.class == OutcomeClass::Shed);
    // Sent to answered: the wait for a free connection is not the refusal's.
    let ms = refused.map(|record| (record.last_ns - record.sent_ns) as f64 / 1e6);
    let sample = Sorted::new(ms.collect());
    let rule = "O3 p99 of refusals ≤ 10 ms";
    if sample.values().is_empty() {
        let why = "the server refused nothing: it has no admission, or is not overloaded";
        outcome.not_measurable(rule, why);
    } else {
        p99_within(outcome, rule, &sample, REFUSAL_P99_MS);
    }
    let rule = "O4 every refusal has Retry-After and problem+json";
    let seen = probes.refusals.len();
    if seen == 0 {
        outcome.not_measurable(rule, "the probe that reads headers was refused nothing");
        return;
    }
    let whole = |reply: &&Reply| reply.retry_after && reply.problem;
    let good = probes.refusals.iter().filter(whole).count();
    outcome.check(
        rule,
        format_args!("{good} of {seen} that the probe saw"),
        good == seen,
    );
}

fn o6_no_metastable_state(
    context: &Context<'_>,
    base: &BaseUrl,
    (capacity, spec): (f64, &WorkloadSpec),
    outcome: &mut Outcome,
) -> Result<(), ScenarioError> {
    let rule = "O6 ≥ 95 % good from 5 s after the overload";
    let time = context.pick(Duration::from_secs(3), Duration::from_secs(30));
    let calm = SETTLED_AFTER + context.pick(Duration::from_secs(2), Duration::from_secs(10));
    let after = retrying::beside(context, base, spec, outcome, |retrying| {
        let load = shape(arriving(10.0 * capacity), lasting(time), GOOD_WITHIN);
        context.load(base, "o6-10x", spec.clone(), load)?;
        retrying.end();
        let mut load = shape(arriving(0.8 * capacity), lasting(calm), GOOD_WITHIN);
        load.warm_up = 0;
        context.load(base, "o6-0.8x", spec.clone(), load)
    })?;
    let settled = SETTLED_AFTER.as_nanos() as u64;
    let late = after
        .records
        .iter()
        .filter(|record| record.intended_ns >= settled);
    let within = GOOD_WITHIN.as_nanos() as u64;
    let (mut sent, mut good) = (0, 0);
    for record in late {
        sent += 1;
        let in_time = record.last_ns - record.intended_ns <= within;
        good += u64::from(record.class == OutcomeClass::Ok && in_time);
    }
    outcome.figure("0.8 × after the overload: sent after 5 s", sent as f64, "");
    let slowest = after.data.stats.ok.last.max_ns;
    let slowest = slowest.map(|ns| millis(Duration::from_nanos(ns)));
    outcome.figure("0.8 × after the overload: slowest reply", slowest, "ms");
    if sent == 0 {
        outcome.not_measurable(rule, "nothing was sent then");
    } else {
        let share = good as f64 / sent as f64;
        outcome.timed(rule, format_args!("{:.1} %", 100.0 * share), share >= 0.95);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Verdict;

    #[test]
    fn a_refusal_has_to_say_when_to_come_again_and_be_a_problem() {
        let verdict = |refusals: &[(bool, bool)]| {
            let reply = |&(retry_after, problem): &(bool, bool)| Reply {
                status: 503,
                retry_after,
                problem,
            };
            let probes = Probes {
                health: Vec::new(),
                refusals: refusals.iter().map(reply).collect(),
            };
            let mut outcome = Outcome::default();
            o3_o4_refusals(&mut outcome, &[], &probes);
            let o4 = outcome
                .checks
                .iter()
                .find(|check| check.rule.starts_with("O4"));
            o4.map(|check| check.verdict)
        };
        assert_eq!(verdict(&[(true, true); 3]), Some(Verdict::Pass));
        assert_eq!(verdict(&[(true, true), (false, true)]), Some(Verdict::Fail));
        assert_eq!(verdict(&[(true, true), (true, false)]), Some(Verdict::Fail));
        assert_eq!(verdict(&[]), Some(Verdict::NotMeasurable));
    }
}
