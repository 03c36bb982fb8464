//! SIGTERM under load.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::context::{Context, ScenarioError};
use super::series::history;
use super::wire::{Connection, once, target};
use super::{Outcome, Scenario};
use crate::clock::millis;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "drain",
    load: "500 fits of 5,000 points in flight (short: 100 of 2,000), each on a connection that the server has \
           answered before; then SIGTERM",
    rule: "100 % of the accepted requests are answered 2xx; /health/ready says 503 while connections are still \
           accepted; the server ends by itself with 0",
    needs_binary: true,
    run,
};

const WITHIN: Duration = Duration::from_secs(120);

fn run(context: &Context<'_>) -> Result<Outcome, ScenarioError> {
    context.binary()?;
    let (in_flight, points) = context.pick((100, 2_000), (500, 5_000));
    let folder = tempfile::tempdir()?;
    let server = context.start(&folder)?;
    let body = serde_json::to_vec(&history(1_000.0, points))?;
    let base = server.base.clone();

    let connections = context.wait(async {
        let mut connections = Vec::with_capacity(in_flight);
        for _ in 0..in_flight {
            let mut connection = Connection::open(&base).await?;
            connection
                .send("GET", &target(&base, &["health", "live"]), b"")
                .await?;
            connection.receive().await?;
            connections.push(connection);
        }
        for (i, connection) in connections.iter_mut().enumerate() {
            let series = format!("{}_{i}", context.id);
            connection
                .send("POST", &target(&base, &["fit", &series]), &body)
                .await?;
        }
        Ok::<_, ScenarioError>(connections)
    })??;
    server.terminate()?;
    let signalled = Instant::now();

    let base = &server.base;
    let (answered, lost, withdrawn) = context.wait(async {
        let readiness = withdrawal(base, signalled);
        let replies = async {
            let (mut answered, mut lost) = (0, Vec::new());
            for mut connection in connections {
                match timeout(WITHIN, connection.receive()).await {
                    Ok(Ok(reply)) if (200..300).contains(&reply.status) => answered += 1,
                    Ok(Ok(reply)) => lost.push(format!("HTTP {}", reply.status)),
                    Ok(Err(error)) => lost.push(error.to_string()),
                    Err(_elapsed) => lost.push("no reply in time".to_owned()),
                }
            }
            (answered, lost)
        };
        let (withdrawn, (answered, lost)) = tokio::join!(readiness, replies);
        (answered, lost, withdrawn)
    })?;
    let all_answered = signalled.elapsed();
    let ended = context.wait(server.wait())??;

    let mut outcome = Outcome::default();
    outcome.count("accepted requests in flight", in_flight);
    outcome.figure("signal to the last answer", millis(all_answered), "ms");
    outcome.figure(
        "signal to the end of the process",
        millis(signalled.elapsed()),
        "ms",
    );
    let why = lost.first().map(|why| format!("; the first other: {why}"));
    outcome.check(
        "100 % of the accepted requests are answered 2xx",
        format_args!("{answered} of {in_flight}{}", why.unwrap_or_default()),
        answered == in_flight,
    );
    let rule = "/health/ready says 503 while connections are accepted";
    match withdrawn {
        Withdrawn::Said(after) => {
            outcome.figure("signal to the first 503 of ready", millis(after), "ms");
            outcome.check(rule, "503 was seen", true);
        }
        Withdrawn::Never => outcome.check(rule, "connections were refused first", false),
    }
    outcome.check(
        "the server ends by itself with 0",
        ended.map_or_else(
            || "it had to be killed".to_owned(),
            |status| status.to_string(),
        ),
        ended.is_some_and(|status| status.success()),
    );
    Ok(outcome)
}

enum Withdrawn {
    /// The first 503, so long after the signal.
    Said(Duration),
    /// Connections were refused before any.
    Never,
}

async fn withdrawal(base: &crate::base_url::BaseUrl, signalled: Instant) -> Withdrawn {
    while signalled.elapsed() < WITHIN {
        let reply = once(base, "GET", &["health", "ready"], b"", WITHIN).await;
        match reply.map(|reply| reply.status) {
            Ok(503) => return Withdrawn::Said(signalled.elapsed()),
            Ok(_) => tokio::time::sleep(Duration::from_millis(2)).await,
            Err(_) => return Withdrawn::Never,
        }
    }
    Withdrawn::Never
}
