//! A series that is fitted again and again while it is asked.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use super::context::{Context, ScenarioError};
use super::series::{Answer, STEP, fit, predict};
use super::{Outcome, Scenario};
use crate::client::Client;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "hot-swap",
    load: "8 clients predict on one series for 30 s (short: 3 s) while it is fitted again 20 times a second, each \
           time at another level",
    rule: "no request fails; every answer is of one version as a whole, never of two; none is of a version older \
           than the last one acknowledged before it was asked, or not yet sent",
    needs_binary: false,
    run,
};

const CLIENTS: usize = 8;
const BETWEEN_FITS: Duration = Duration::from_millis(50);

/// Versions sent and acknowledged so far: they are numbered from 1, by this client alone.
#[derive(Debug, Default)]
struct Versions {
    sent: AtomicU64,
    acknowledged: AtomicU64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    sent: usize,
    failed: usize,
    without_version: usize,
    without_expected: usize,
    mixed: usize,
    stale: usize,
}

/// Neighbouring versions are far from each other, and all within doubles of equal precision.
fn level(version: u64) -> f64 {
    STEP * (1 + version % 97) as f64
}

fn run(context: &Context<'_>) -> Result<Outcome, ScenarioError> {
    let subject = context.subject()?;
    let client = context.client(&subject.base, CLIENTS + 1)?;
    let series = format!("{}_series", context.id);
    context.fit(&client, &series, level(1))?;
    let until = Instant::now() + context.pick(Duration::from_secs(3), Duration::from_secs(30));
    let versions = Versions {
        sent: 1.into(),
        acknowledged: 1.into(),
    };
    let (refits, failed_refits, tally) = context.wait(async {
        let asking = (0..CLIENTS).map(|_| ask(&client, &series, &versions, until));
        let asking = join_all(asking.collect());
        let (refitted, asked) = tokio::join!(refit(&client, &series, &versions, until), asking);
        let ((refits, failed_refits), mut sum) = (refitted?, Tally::default());
        for tally in asked {
            let tally = tally?;
            sum.sent += tally.sent;
            sum.failed += tally.failed;
            sum.without_version += tally.without_version;
            sum.without_expected += tally.without_expected;
            sum.mixed += tally.mixed;
            sum.stale += tally.stale;
        }
        Ok::<_, ScenarioError>((refits, failed_refits, sum))
    })??;
    let mut outcome = Outcome::default();
    outcome.count("fits", refits);
    outcome.count("predicts", tally.sent);
    outcome.check(
        "no request fails",
        format_args!(
            "{failed_refits} of {refits} fits, {} of {} predicts",
            tally.failed, tally.sent
        ),
        failed_refits == 0 && tally.failed == 0,
    );
    let mixed = "no answer is mixed of two versions";
    if tally.without_expected > 0 {
        let n = tally.without_expected;
        outcome.not_measurable(mixed, format_args!("{n} answers tell no expected_value"));
    } else {
        let reading = format_args!("{} of {}", tally.mixed, tally.sent);
        outcome.check(mixed, reading, tally.mixed == 0);
    }
    let stale = "no answer is of a version that was replaced before, or not yet sent";
    if tally.without_version > 0 {
        let n = tally.without_version;
        outcome.not_measurable(stale, format_args!("{n} answers tell no model_version"));
    } else {
        let reading = format_args!("{} of {}", tally.stale, tally.sent);
        outcome.check(stale, reading, tally.stale == 0);
    }
    outcome.note("aliases are not part of the API yet: what changes is the latest version");
    Ok(outcome)
}

async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    // All are polled together, on one task: the work is the server's.
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(cx)
            {
                *done = Some(output);
            }
        }
        match done.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// Fits until the time is over; how often, and how often in vain. After a failure the numbers of
/// versions are not known any more.
async fn refit(
    client: &Client,
    series: &str,
    versions: &Versions,
    until: Instant,
) -> Result<(usize, usize), ScenarioError> {
    let mut fits = 0;
    while Instant::now() < until {
        let version = versions.sent.fetch_add(1, SeqCst) + 1;
        let call = fit(client, series, level(version)).await?;
        fits += 1;
        if !call.reply.is_ok() {
            return Ok((fits, 1));
        }
        versions.acknowledged.store(version, SeqCst);
        tokio::time::sleep(BETWEEN_FITS).await;
    }
    Ok((fits, 0))
}

async fn ask(
    client: &Client,
    series: &str,
    versions: &Versions,
    until: Instant,
) -> Result<Tally, ScenarioError> {
    let mut tally = Tally::default();
    while Instant::now() < until {
        let oldest = versions.acknowledged.load(SeqCst);
        let value = level(oldest);
        let call = predict(client, series, value).await?;
        tally.sent += 1;
        let newest = versions.sent.load(SeqCst);
        let Some(answer) = Answer::of(&call.reply) else {
            tally.failed += 1;
            continue;
        };
        tally.without_expected += usize::from(answer.expected.is_none());
        let Some(version) = answer.version else {
            tally.without_version += 1;
            continue;
        };
        tally.stale += usize::from(!(oldest..=newest).contains(&version));
        tally.mixed += usize::from(!answer.is_of(level(version), value));
    }
    Ok(tally)
}
