//! Agents that each watch a series of their own: nobody gets the answer of somebody else's model.

use tokio::task::JoinSet;

use super::context::{Context, ScenarioError};
use super::series::{Answer, STEP, fit, predict};
use super::{Outcome, Scenario};
use crate::client::Client;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "agents",
    load: "10 agents with a series each send 50 rapid predicts; then 5 agents fit a series of their own while the \
           others predict, 10 predicts each",
    rule: "every answer is 200 and from the agent's own model: normal at its own level, an anomaly at another's, \
           and with its own expected value where the server tells one",
    needs_binary: false,
    run,
};

/// What the answers of an agent were.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    sent: usize,
    not_answered: usize,
    of_another: usize,
    told_expected: usize,
}

fn run(context: &Context<'_>) -> Result<Outcome, ScenarioError> {
    let subject = context.subject()?;
    let client = context.client(&subject.base, 10)?;
    let mut outcome = Outcome::default();
    let mut all = |what: &str, agents: usize, predicts: usize, fits: bool| {
        if !fits {
            for agent in 0..agents {
                context.fit(&client, &name(context, what, agent), level(agent))?;
            }
        }
        let tally = context.wait(async {
            let mut tasks = JoinSet::new();
            for agent in 0..agents {
                let (client, series) = (client.clone(), name(context, what, agent));
                tasks.spawn(one(client, series, agent, predicts, fits));
            }
            let mut sum = Tally::default();
            for tally in tasks.join_all().await {
                let tally = tally?;
                sum.sent += tally.sent;
                sum.not_answered += tally.not_answered;
                sum.of_another += tally.of_another;
                sum.told_expected += tally.told_expected;
            }
            Ok::<_, ScenarioError>(sum)
        })??;
        outcome.count(format!("{what}: predicts"), tally.sent);
        outcome.count(
            format!("{what}: with an expected value"),
            tally.told_expected,
        );
        outcome.check(
            format!("{what}: every predict is answered 200"),
            format_args!("{} of {}", tally.sent - tally.not_answered, tally.sent),
            tally.not_answered == 0,
        );
        outcome.check(
            format!("{what}: every answer is from the agent's own model"),
            format_args!("{} cannot be", tally.of_another),
            tally.of_another == 0,
        );
        Ok::<_, ScenarioError>(())
    };
    all("rapid", 10, 50, false)?;
    all("isolation", 5, 10, true)?;
    Ok(outcome)
}

fn name(context: &Context<'_>, what: &str, agent: usize) -> String {
    format!("{}_{what}_{agent}", context.id)
}

fn level(agent: usize) -> f64 {
    STEP * (agent + 1) as f64
}

async fn one(
    client: Client,
    series: String,
    agent: usize,
    predicts: usize,
    fits: bool,
) -> Result<Tally, ScenarioError> {
    let mut tally = Tally::default();
    if fits && !fit(&client, &series, level(agent)).await?.reply.is_ok() {
        // Its predicts would only say the same.
        tally.sent = predicts;
        tally.not_answered = predicts;
        return Ok(tally);
    }
    for i in 0..predicts {
        // In turn where it is normal itself, and where a neighbour is.
        let value = level(agent + i % 2);
        let call = predict(&client, &series, value).await?;
        tally.sent += 1;
        match Answer::of(&call.reply) {
            None => tally.not_answered += 1,
            Some(answer) => {
                tally.told_expected += usize::from(answer.expected.is_some());
                tally.of_another += usize::from(!answer.is_of(level(agent), value));
            }
        }
    }
    Ok(tally)
}
