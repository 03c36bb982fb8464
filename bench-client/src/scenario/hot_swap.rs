//! A series that is fitted again and again, and whose alias is pointed elsewhere, while it is asked.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Method;

use super::context::{Call, Context, ScenarioError, call};
use super::series::{Answer, STEP, fit, predict, predict_by};
use super::{Outcome, Scenario};
use crate::client::Client;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "hot-swap",
    load: "8 clients predict on one series for 30 s (short: 3 s), half of them by an alias, while it is fitted again \
           20 times a second, each time at another level, and the alias is pointed to the new version or back to an \
           older one",
    rule: "no request fails; every answer is of one version as a whole, never of two; none is of a version older \
           than the last one acknowledged before it was asked, or not yet sent; the same of where the alias points",
    needs_binary: false,
    run,
};

const CLIENTS: usize = 8;
const ALIAS: &str = "live";
const BETWEEN_FITS: Duration = Duration::from_millis(50);

/// Versions sent and acknowledged so far: they are numbered from 1, by this client alone.
#[derive(Debug, Default)]
struct Versions {
    sent: AtomicU64,
    acknowledged: AtomicU64,
}

/// Where the alias was pointed, in the order of the changes: all by this client.
#[derive(Debug, Default)]
struct Alias {
    targets: Mutex<Vec<u64>>,
    /// How many of these were acknowledged.
    acknowledged: AtomicUsize,
}

impl Alias {
    fn push(&self, version: u64) {
        self.targets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(version);
    }

    /// Whether an answer may be of `version` that was asked for after `acknowledged` changes.
    fn may_be(&self, version: u64, acknowledged: usize) -> bool {
        let targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        targets[acknowledged.saturating_sub(1)..].contains(&version)
    }
}

/// What changes while it is asked.
struct Changes<'a> {
    client: &'a Client,
    series: &'a str,
    versions: Versions,
    /// Where the server has aliases.
    alias: Option<Alias>,
    until: Instant,
}

#[derive(Debug, Clone, Copy, Default)]
struct Refits {
    fits: usize,
    failed: usize,
    pointed: usize,
    failed_to_point: usize,
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
    let alias = context.wait(first_alias(&client, &series))??;
    let changes = Changes {
        client: &client,
        series: &series,
        versions: Versions {
            sent: 1.into(),
            acknowledged: 1.into(),
        },
        alias,
        until,
    };
    let (refits, tally) = context.wait(async {
        let asking = (0..CLIENTS).map(|i| changes.ask(i % 2 == 1));
        let asking = join_all(asking.collect());
        let (refitted, asked) = tokio::join!(changes.refit(), asking);
        let (refits, mut sum) = (refitted?, Tally::default());
        for tally in asked {
            let tally = tally?;
            sum.sent += tally.sent;
            sum.failed += tally.failed;
            sum.without_version += tally.without_version;
            sum.without_expected += tally.without_expected;
            sum.mixed += tally.mixed;
            sum.stale += tally.stale;
        }
        Ok::<_, ScenarioError>((refits, sum))
    })??;
    let mut outcome = Outcome::default();
    outcome.count("fits", refits.fits);
    outcome.count("changes of the alias", refits.pointed);
    outcome.count("predicts", tally.sent);
    let failed = [refits.failed, refits.failed_to_point, tally.failed];
    outcome.check(
        "no request fails",
        format_args!(
            "{} of {} fits, {} of {} changes of the alias, {} of {} predicts",
            failed[0], refits.fits, failed[1], refits.pointed, failed[2], tally.sent
        ),
        failed == [0; 3],
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
    if changes.alias.is_none() {
        outcome.note("the server has no aliases: what changes is the latest version");
    }
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

/// Points the alias to the first version, where the server knows aliases.
async fn first_alias(client: &Client, series: &str) -> Result<Option<Alias>, ScenarioError> {
    let call = point(client, series, 1).await?;
    match call.reply.status_code() {
        Some(200 | 201) => {
            let alias = Alias::default();
            alias.push(1);
            alias.acknowledged.store(1, SeqCst);
            Ok(Some(alias))
        }
        _ => Ok(None),
    }
}

async fn point(client: &Client, series: &str, version: u64) -> Result<Call, ScenarioError> {
    let body = serde_json::json!({ "version": version.to_string() });
    let mut request = client.post_json(&["series", series, "aliases", ALIAS], None, &body)?;
    *request.method_mut() = Method::PUT;
    Ok(call(client, request).await)
}

impl Changes<'_> {
    /// Fits until the time is over. After a failure the numbers of versions are not known any more.
    async fn refit(&self) -> Result<Refits, ScenarioError> {
        let mut refits = Refits::default();
        while Instant::now() < self.until {
            let version = self.versions.sent.fetch_add(1, SeqCst) + 1;
            let call = fit(self.client, self.series, level(version)).await?;
            refits.fits += 1;
            if !call.reply.is_ok() {
                refits.failed = 1;
                return Ok(refits);
            }
            self.versions.acknowledged.store(version, SeqCst);
            if let Some(alias) = &self.alias {
                // Every third time back to an older one, as after a bad one.
                let target = if version.is_multiple_of(3) {
                    version / 2
                } else {
                    version
                };
                alias.push(target);
                refits.pointed += 1;
                let call = point(self.client, self.series, target).await?;
                if !call.reply.is_ok() {
                    refits.failed_to_point = 1;
                    return Ok(refits);
                }
                alias.acknowledged.fetch_add(1, SeqCst);
            }
            tokio::time::sleep(BETWEEN_FITS).await;
        }
        Ok(refits)
    }

    async fn ask(&self, by_alias: bool) -> Result<Tally, ScenarioError> {
        let mut tally = Tally::default();
        let alias = self.alias.as_ref().filter(|_| by_alias);
        while Instant::now() < self.until {
            let oldest = self.versions.acknowledged.load(SeqCst);
            let pointed = alias.map(|alias| alias.acknowledged.load(SeqCst));
            let value = level(oldest);
            let call = match alias {
                Some(_) => {
                    predict_by(self.client, self.series, &format!("alias={ALIAS}"), value).await?
                }
                None => predict(self.client, self.series, value).await?,
            };
            tally.sent += 1;
            let newest = self.versions.sent.load(SeqCst);
            let Some(answer) = Answer::of(&call.reply) else {
                tally.failed += 1;
                continue;
            };
            tally.without_expected += usize::from(answer.expected.is_none());
            let Some(version) = answer.version else {
                tally.without_version += 1;
                continue;
            };
            let may_be = match (alias, pointed) {
                (Some(alias), Some(pointed)) => alias.may_be(version, pointed),
                _ => (oldest..=newest).contains(&version),
            };
            tally.stale += usize::from(!may_be);
            tally.mixed += usize::from(!answer.is_of(level(version), value));
        }
        Ok(tally)
    }
}
