use std::time::Duration;

use super::context::{Context, ScenarioError, lasting, shape, workload};
use super::{Outcome, Scenario};
use crate::load::response::{Op, OutcomeClass};
use crate::results::config::{Arrivals, Pace};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "paced",
    load: "10 predicts a minute over 5 series for 3 minutes (short: 120 a minute for 10 s)",
    rule: "the number of predicts answered 2xx is within 20 % of what was asked for",
    needs_binary: false,
    run,
};

const SERIES: u32 = 5;

fn run(context: &Context<'_>) -> Result<Outcome, ScenarioError> {
    let subject = context.subject()?;
    let (per_s, time) = context.pick(
        (2.0, Duration::from_secs(10)),
        (10.0 / 60.0, Duration::from_secs(180)),
    );
    let pace = Pace::Open {
        arrivals: Arrivals::Constant { per_s },
        connections: 1,
        max_connections: SERIES,
    };
    let load = shape(pace, lasting(time), Duration::from_secs(6));
    let loaded = context.load(
        &subject.base,
        "paced",
        workload(Op::Predict, SERIES, 200, 1),
        load,
    )?;
    let expected = per_s * time.as_secs_f64();
    let ok = loaded.data.stats.count(OutcomeClass::Ok) as f64;
    let mut outcome = Outcome::default();
    outcome.figure("asked for", expected, "");
    outcome.figure("answered 2xx", ok, "");
    outcome.figure("late sends", loaded.data.stats.late_sends as f64, "");
    outcome.check(
        "answered 2xx, within 20 % of what was asked for",
        format_args!("{ok} of {expected}"),
        (ok - expected).abs() <= 0.2 * expected,
    );
    Ok(outcome)
}
