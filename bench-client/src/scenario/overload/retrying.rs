//! Clients that try again what was refused: the load that keeps an overload going after its cause is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use reqwest::StatusCode;
use tokio::task::JoinSet;

use crate::base_url::BaseUrl;
use crate::client::{Client, Outcome as Reply};
use crate::results::config::WorkloadSpec;
use crate::scenario::Outcome;
use crate::scenario::context::{Context, ScenarioError};

/// Clients that come back when they are told to.
const PATIENT: usize = 48;
/// Clients that come back as soon as another network would let them.
const IMPATIENT: usize = 16;
const AT_ONCE: Duration = Duration::from_millis(2);
const PAUSE_WITHOUT_RETRY_AFTER: Duration = Duration::from_millis(100);

/// Such clients, and counts of what they did.
#[derive(Default)]
pub(super) struct Retrying {
    is_over: AtomicBool,
    is_given_up: AtomicBool,
    sent: AtomicU64,
    retried: AtomicU64,
    served: AtomicU64,
    refused: AtomicU64,
}

/// The requests that they send in turn: a series and a body each.
type Bodies = Vec<(String, serde_json::Value)>;

/// Does `work` while clients send requests of `spec`, one each at a time, and try again what is refused. Once
/// [`Retrying::end`] is called they begin nothing new, and go on trying what they have begun until `work` is done.
pub(super) fn beside<T>(
    context: &Context<'_>,
    base: &BaseUrl,
    spec: &WorkloadSpec,
    outcome: &mut Outcome,
    work: impl FnOnce(&Retrying) -> Result<T, ScenarioError>,
) -> Result<T, ScenarioError> {
    let bodies = Arc::new(bodies(spec)?);
    let client = context.client(base, PATIENT + IMPATIENT)?;
    let retrying = Arc::new(Retrying::default());
    let mut clients = JoinSet::new();
    for n in 0..PATIENT + IMPATIENT {
        let (retrying, client, bodies) =
            (Arc::clone(&retrying), client.clone(), Arc::clone(&bodies));
        let play = async move { retrying.play(&client, &bodies, n).await };
        clients.spawn_on(play, context.runtime.handle());
    }
    let done = work(&retrying);
    retrying.end();
    retrying.is_given_up.store(true, Relaxed);
    context.wait(clients.join_all())?;
    for (name, count) in [
        ("sent", &retrying.sent),
        ("tried again", &retrying.retried),
        ("served in the end", &retrying.served),
        ("still refused at the end", &retrying.refused),
    ] {
        let count = count.load(Relaxed) as f64;
        outcome.figure(format!("retrying clients: {name}"), count, "");
    }
    done
}

impl Retrying {
    /// Nothing new is begun.
    pub(super) fn end(&self) {
        self.is_over.store(true, Relaxed);
    }

    async fn play(&self, client: &Client, bodies: &Bodies, n: usize) {
        for (series, body) in bodies.iter().cycle().skip(n) {
            if self.is_over.load(Relaxed) {
                return;
            }
            self.sent.fetch_add(1, Relaxed);
            loop {
                let Ok(request) = client.post_json(&["predict", series], None, body) else {
                    return;
                };
                let reply = client.send(request).await;
                let Some(pause) = refused(&reply) else {
                    self.served.fetch_add(u64::from(reply.is_ok()), Relaxed);
                    break;
                };
                if self.is_given_up.load(Relaxed) {
                    self.refused.fetch_add(1, Relaxed);
                    return;
                }
                self.retried.fetch_add(1, Relaxed);
                let pause = if n < IMPATIENT { AT_ONCE } else { pause };
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// When to try again what was refused.
fn refused(reply: &Reply) -> Option<Duration> {
    let Reply::Reply {
        status,
        retry_after,
        ..
    } = reply
    else {
        return None;
    };
    let is_refused = [
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::TOO_MANY_REQUESTS,
    ]
    .contains(status);
    is_refused.then(|| retry_after.unwrap_or(PAUSE_WITHOUT_RETRY_AFTER))
}

/// The requests of the file, by series; none where the load is made up.
pub(super) fn bodies(spec: &WorkloadSpec) -> Result<Bodies, ScenarioError> {
    let Some(file) = &spec.payloads else {
        return Ok(Vec::new());
    };
    let text = std::fs::read_to_string(&file.path)?;
    let read = text.lines().map(|line| {
        let mut body: serde_json::Value = serde_json::from_str(line)?;
        let series = body["series_id"].as_str().unwrap_or_default().to_owned();
        if let Some(fields) = body.as_object_mut() {
            fields.remove("series_id");
        }
        Ok((series, body))
    });
    read.collect()
}
