//! O8: what fits cost those who predict.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::task::JoinSet;

use super::{GOOD_WITHIN, arriving, dear, figures};
use crate::base_url::BaseUrl;
use crate::load::response::{OutcomeClass, ResponseRecord};
use crate::results::config::WorkloadSpec;
use crate::scenario::Outcome;
use crate::scenario::context::{Context, Loaded, ScenarioError, lasting, shape};
use crate::scenario::outcome::p99_within;
use crate::stats::Sorted;

/// Clients that fit, each always: more than a server has threads.
const CLIENTS: usize = 8;
/// Of the capacity, what is predicted.
const LOAD: f64 = 0.5;
const SLOWER: f64 = 2.0;
/// Between two tries of what was refused.
const PAUSE: Duration = Duration::from_millis(100);

/// Predicts without fits, and beside as many fits as the server takes.
pub(super) fn starvation(
    context: &Context<'_>,
    base: &BaseUrl,
    (capacity, spec): (f64, &WorkloadSpec),
    outcome: &mut Outcome,
) -> Result<(), ScenarioError> {
    let time = context.pick(Duration::from_secs(4), Duration::from_secs(20));
    let mut predict = |name: &str| {
        let load = shape(arriving(LOAD * capacity), lasting(time), GOOD_WITHIN);
        let Loaded { records, data } = context.load(base, name, spec.clone(), load)?;
        figures(outcome, name, &data.stats);
        Ok::<_, ScenarioError>(served_ms(&records))
    };
    let alone = predict("o8-alone")?;
    let client = context.client(base, CLIENTS)?;
    let (is_over, fitted) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let mut clients = JoinSet::new();
    for n in 0..CLIENTS {
        let (client, is_over, fitted) = (client.clone(), Arc::clone(&is_over), Arc::clone(&fitted));
        let (name, body) = (format!("{}_o8_{n}", context.id), dear::fit(n));
        let fit = async move {
            while !is_over.load(Relaxed) {
                let Ok(request) = client.post_json(&["fit", &name], None, &body) else {
                    return;
                };
                if client.send(request).await.is_ok() {
                    fitted.fetch_add(1, Relaxed);
                } else {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        clients.spawn_on(fit, context.runtime.handle());
    }
    let beside = predict("o8-fits");
    is_over.store(true, Relaxed);
    context.wait(clients.join_all())?;
    let beside = beside?;
    let fitted = fitted.load(Relaxed);
    outcome.figure("fits beside the predicts (O8)", fitted as f64, "");
    let rule = "O8 p99 of predicts beside fits ≤ 2 × that without";
    match alone.quantile(0.99) {
        Some(p99) if fitted > 0 => {
            outcome.figure("p99 of predicts without fits", p99, "ms");
            p99_within(outcome, rule, &beside, SLOWER * p99);
        }
        Some(_) => outcome.not_measurable(rule, "no fit was answered with success"),
        None => outcome.not_measurable(rule, "no predict was answered without fits"),
    }
    Ok(())
}

fn served_ms(records: &[ResponseRecord]) -> Sorted {
    let ok = records.iter().filter(|it| it.class == OutcomeClass::Ok);
    Sorted::new(
        ok.map(|it| (it.last_ns - it.intended_ns) as f64 / 1e6)
            .collect(),
    )
}
