use super::context::{Context, ScenarioError, latencies};
use super::series::predict;
use super::{Outcome, Scenario};
use crate::stats::Sorted;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "sequential",
    load: "3 predicts one after the other, then 100, on one series and one connection each time",
    rule: "every predict is answered 200",
    needs_binary: false,
    run,
};

fn run(context: &Context<'_>) -> Result<Outcome, ScenarioError> {
    let subject = context.subject()?;
    let mut outcome = Outcome::default();
    for n in [3, 100] {
        // A client of its own has a connection of its own: the first pays for opening it.
        let client = context.client(&subject.base, 1)?;
        let series = format!("{}_{n}", context.id);
        context.fit(&context.client(&subject.base, 1)?, &series, 1_000.0)?;
        let calls = context.wait(async {
            let mut calls = Vec::with_capacity(n);
            for i in 0..n {
                calls.push(predict(&client, &series, 1_000.0 + i as f64 / 100.0).await?);
            }
            Ok::<_, ScenarioError>(calls)
        })??;
        let rest: Sorted = latencies(&calls[1..]);
        outcome.figure(format!("of {n}: first"), calls[0].latency_ms, "ms");
        outcome.figure(format!("of {n}: mean of the rest"), rest.mean(), "ms");
        outcome.figure(format!("of {n}: min of the rest"), rest.min(), "ms");
        outcome.figure(format!("of {n}: max of the rest"), rest.max(), "ms");
        let ok = calls.iter().filter(|call| call.reply.is_ok()).count();
        outcome.check(
            format!("all of {n} are answered 200"),
            format_args!("{ok} of {n}"),
            ok == n,
        );
    }
    Ok(outcome)
}
