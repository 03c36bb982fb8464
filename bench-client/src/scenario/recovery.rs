use std::time::{Duration, Instant};

use super::context::{Context, ScenarioError, lasting, shape};
use super::overload::{self, GOOD_WITHIN, arriving};
use super::series::predict;
use super::{Outcome, Scenario};
use crate::clock::millis;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "recovery",
    load: "3 × the measured capacity for 20 s (short: 3 s), a pause of 10 s (short: 2 s), then 5 predicts one after \
           the other",
    rule: "at least 95 % of the 5 predicts, which is all of them, are answered 200 within 5 s of the pause's end",
    needs_binary: false,
    run,
};

const PREDICTS: usize = 5;
const WITHIN: Duration = Duration::from_secs(5);
const TIMES: f64 = 3.0;

fn run(context: &Context<'_>) -> Result<Outcome, ScenarioError> {
    let subject = context.subject()?;
    let client = context.client(&subject.base, 1)?;
    let series = format!("{}_after", context.id);
    context.fit(&client, &series, 1_000.0)?;
    let mut outcome = Outcome::default();
    let spec = overload::requests(context, &subject.base, &mut outcome)?;
    let capacity = overload::capacity(context, &subject.base, &spec)?;
    outcome.figure("capacity", capacity, "/s");
    if capacity <= 0.0 {
        outcome.not_measurable(
            SCENARIO.rule,
            "nothing was answered while the capacity was measured",
        );
        return Ok(outcome);
    }
    let time = context.pick(Duration::from_secs(3), Duration::from_secs(20));
    let load = shape(arriving(TIMES * capacity), lasting(time), GOOD_WITHIN);
    let loaded = context.load(&subject.base, "overload", spec, load)?;
    overload::figures(&mut outcome, "3 ×", &loaded.data.stats);
    if let Some(validity) = loaded.data.summary.validity.filter(|it| !it.valid) {
        let reasons = validity.reasons.join("; ");
        outcome.note(format!(
            "the overload may have been less than meant: {reasons}"
        ));
    }
    context.pause(context.pick(Duration::from_secs(2), Duration::from_secs(10)))?;
    let begun = Instant::now();
    let good = context.wait(async {
        let mut good = 0;
        for _ in 0..PREDICTS {
            let asked = tokio::time::timeout(WITHIN, predict(&client, &series, 1_000.0)).await;
            let Ok(call) = asked else { break };
            good += usize::from(call?.reply.is_ok() && begun.elapsed() <= WITHIN);
        }
        Ok::<_, ScenarioError>(good)
    })??;
    let took = millis(begun.elapsed());
    outcome.timed(
        "at least 95 % of 5 predicts are answered 200 within 5 s",
        format_args!("{good} of {PREDICTS} in {took:.1} ms"),
        good * 100 >= PREDICTS * 95,
    );
    Ok(outcome)
}
