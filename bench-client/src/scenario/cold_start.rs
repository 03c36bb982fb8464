use super::context::{Context, ScenarioError};
use super::series::{Answer, predict};
use super::{Outcome, Scenario};
use crate::clock::millis;
use crate::stats::Sorted;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "cold-start",
    load: "starts the server over an empty folder, fits one series, predicts once; again and again (short: once)",
    rule: "the server becomes ready, and the first predict after every start is answered 200 by its model",
    needs_binary: true,
    run,
};

fn run(context: &Context<'_>) -> Result<Outcome, ScenarioError> {
    context.binary()?;
    let starts = context.pick(1, 5);
    let (mut live, mut ready, mut first_fit, mut first) = (vec![], vec![], vec![], vec![]);
    let mut answered = 0;
    for _ in 0..starts {
        let folder = tempfile::tempdir()?;
        let server = context.start(&folder)?;
        live.push(millis(server.started.live));
        ready.push(millis(server.started.ready));
        let client = context.client(&server.base, 1)?;
        let series = format!("{}_first", context.id);
        first_fit.push(context.fit(&client, &series, 1_000.0)?.latency_ms);
        let call = context.wait(predict(&client, &series, 1_000.0))??;
        first.push(call.latency_ms);
        let answer = Answer::of(&call.reply);
        answered += usize::from(answer.is_some_and(|it| it.is_of(1_000.0, 1_000.0)));
    }
    let mut outcome = Outcome::default();
    outcome.count("starts", starts);
    outcome.latencies("start to live", &Sorted::new(live));
    outcome.latencies("start to ready", &Sorted::new(ready));
    outcome.latencies("first fit", &Sorted::new(first_fit));
    outcome.latencies("first predict", &Sorted::new(first));
    outcome.check(
        "the server becomes ready",
        format_args!("{starts} of {starts}"),
        true,
    );
    outcome.check(
        "the first predict is answered 200 by its model",
        format_args!("{answered} of {starts}"),
        answered == starts,
    );
    Ok(outcome)
}
