//! Probes, as an orchestrator sends them: each on a connection of its own.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::context::{Context, ScenarioError};
use super::outcome::p99_within;
use super::wire::once;
use super::{Outcome, Scenario};
use crate::base_url::BaseUrl;
use crate::clock::millis;
use crate::stats::Sorted;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "health",
    load: "live, ready and startup once each; then each 100 at once on new connections, 10 times (short: 2), on an \
           idle server",
    rule: "100 % are answered 200, none limited, p99 ≤ 10 ms from opening the connection to the last byte",
    needs_binary: false,
    run,
};

/// What is asked, below `/health`.
pub(super) const PROBES: [&str; 3] = ["live", "ready", "startup"];
const AT_ONCE: usize = 100;
pub(super) const P99_MS: f64 = 10.0;
const WITHIN: Duration = Duration::from_secs(10);

/// What became of a probe: its status, none without a reply, and how long it took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probed {
    pub(super) status: Option<u16>,
    pub(super) ms: f64,
}

/// Asks a probe over a connection of its own.
pub(super) async fn probe(base: BaseUrl, which: &'static str) -> Probed {
    let begun = Instant::now();
    let reply = once(&base, "GET", &["health", which], b"", WITHIN).await;
    Probed {
        status: reply.ok().map(|reply| reply.status),
        ms: millis(begun.elapsed()),
    }
}

fn run(context: &Context<'_>) -> Result<Outcome, ScenarioError> {
    let subject = context.subject()?;
    let mut outcome = Outcome::default();
    let mut all = Vec::new();
    for which in PROBES {
        let once = context.wait(probe(subject.base.clone(), which))?;
        outcome.figure(format!("{which}, once"), once.ms, "ms");
        all.push(once);
    }
    let mut together = Vec::new();
    for _ in 0..context.pick(2, 10) {
        for which in PROBES {
            let mut tasks = JoinSet::new();
            for _ in 0..AT_ONCE {
                tasks.spawn(probe(subject.base.clone(), which));
            }
            together.extend(context.wait(tasks.join_all())?);
        }
    }
    all.extend(&together);
    let sample = Sorted::new(together.iter().map(|probed| probed.ms).collect());
    outcome.latencies("100 at once", &sample);
    judge(&mut outcome, "", &all);
    p99_within(&mut outcome, "p99 of 100 at once ≤ 10 ms", &sample, P99_MS);
    outcome.note("probes while the server is overloaded are part of `overload`");
    Ok(outcome)
}

/// Whether all were answered, and none was limited.
pub(super) fn judge(outcome: &mut Outcome, when: &str, probed: &[Probed]) {
    let with =
        |wanted: fn(Option<u16>) -> bool| probed.iter().filter(|it| wanted(it.status)).count();
    let (n, ok) = (probed.len(), with(|status| status == Some(200)));
    let limited = with(|status| status == Some(429));
    outcome.check(
        format!("100 % of the probes are answered 200{when}"),
        format_args!("{ok} of {n}"),
        ok == n,
    );
    outcome.check(
        format!("none is limited{when}"),
        format_args!("{limited} of {n} had 429"),
        limited == 0,
    );
}
