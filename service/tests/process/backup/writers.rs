//! Writers of fits, aliases and online states, with when each change was sent and told.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::audit::Ack;
use super::super::crash::Workload;
use super::super::http::Connection;
use super::super::payload;

const FITS: u64 = 8;
const ALIASES: usize = 3;
const STATES: usize = 4;
/// Between two tries of a request that was refused.
const BACK_OFF: Duration = Duration::from_millis(5);

/// A change that was acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change<T> {
    pub(super) sent: Duration,
    pub(super) told: Duration,
    /// What holds after it.
    pub(super) after: T,
}

/// The latest version and where the alias points.
pub(super) type Pointed = (u64, u64);

/// What all writers were told. Those of aliases and states have a series each, and its changes here in
/// their order.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) fits: Vec<Ack>,
    pub(super) aliases: Vec<Vec<Change<Pointed>>>,
    /// The p-values of the points.
    pub(super) states: Vec<Vec<Change<f64>>>,
}

impl Written {
    /// When each change was sent and told.
    fn spans(&self) -> impl Iterator<Item = (Duration, Duration)> {
        let fits = self.fits.iter().map(|ack| (ack.sent, ack.told));
        let aliases = self.aliases.iter().flatten().map(|it| (it.sent, it.told));
        let states = self.states.iter().flatten().map(|it| (it.sent, it.told));
        fits.chain(aliases).chain(states)
    }

    pub(super) fn n_acknowledged(&self) -> usize {
        self.spans().count()
    }

    pub(super) fn n_told_between(&self, from: Duration, to: Duration) -> usize {
        let told = self.spans().filter(|(_, told)| (from..to).contains(told));
        told.count()
    }
}

pub(super) struct Writers(Workload);

impl Writers {
    pub(super) fn new() -> Self {
        Self(Workload::new())
    }

    pub(super) fn now(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// The series that were fitted by writers of fits.
    pub(super) fn series(&self) -> BTreeSet<String> {
        self.0.sent.lock().expect("no writer panicked").clone()
    }

    pub(super) fn write_until_it_is_gone(&self, addr: SocketAddr) -> Written {
        std::thread::scope(|scope| {
            let fits: Vec<_> = (0..FITS)
                .map(|writer| scope.spawn(move || self.0.write_alone(addr, 0, writer, u64::MAX)))
                .collect();
            let aliases: Vec<_> = (0..ALIASES)
                .map(|writer| scope.spawn(move || self.point(addr, writer)))
                .collect();
            let states: Vec<_> = (0..STATES)
                .map(|writer| scope.spawn(move || self.update(addr, writer)))
                .collect();
            let joined = "a writer does not panic";
            Written {
                fits: fits
                    .into_iter()
                    .flat_map(|it| it.join().expect(joined))
                    .collect(),
                aliases: aliases
                    .into_iter()
                    .map(|it| it.join().expect(joined))
                    .collect(),
                states: states
                    .into_iter()
                    .map(|it| it.join().expect(joined))
                    .collect(),
            }
        })
    }

    /// Fits with an alias and points it back to the first version, in turn.
    fn point(&self, addr: SocketAddr, writer: usize) -> Vec<Change<Pointed>> {
        let mut changes = Vec::new();
        let Ok(mut connection) = Connection::open(addr) else {
            return changes;
        };
        let series = alias_series(writer);
        for latest in 1_u64.. {
            let mut fit: Value =
                serde_json::from_slice(&payload::fit(latest, 4)).expect("it is JSON");
            fit["set_alias"] = json!("live");
            let fit = ("POST", format!("/fit/{series}"), fit, (latest, latest));
            let first = json!({ "version": "1" });
            let back = ("PUT", alias_target(writer), first, (latest, 1));
            // The alias of the first version points to it already.
            for (method, target, body, after) in
                [fit, back].into_iter().take(latest.min(2) as usize)
            {
                let sent = self.now();
                let Some(_) = exchange(&mut connection, method, &target, &body) else {
                    return changes;
                };
                let told = self.now();
                changes.push(Change { sent, told, after });
            }
        }
        changes
    }

    /// Sends points to an online state, one a request.
    fn update(&self, addr: SocketAddr, writer: usize) -> Vec<Change<f64>> {
        let mut changes = Vec::new();
        let Ok(mut connection) = Connection::open(addr) else {
            return changes;
        };
        for idx in 0.. {
            let sent = self.now();
            let Some(reply) = update(&mut connection, writer, idx) else {
                return changes;
            };
            let told = self.now();
            assert_eq!(reply["state_seq"], idx + 1, "{reply}");
            let after = reply["p_value"].as_f64().expect("a number");
            changes.push(Change { sent, told, after });
        }
        changes
    }
}

pub(super) fn alias_series(writer: usize) -> String {
    format!("alias-{writer}")
}

fn alias_target(writer: usize) -> String {
    format!("/series/{}/aliases/live", alias_series(writer))
}

/// The reply to a point of a writer's state, the same one every time; `None` when the server is gone.
pub(super) fn update(connection: &mut Connection, writer: usize, idx: usize) -> Option<Value> {
    let wave = (idx as f64 / 17.0).sin();
    let noise = ((idx + writer) * 7_919 % 1_009) as f64 / 500.0;
    let timestamp = 1_700_000_000 + 60 * idx;
    let body = json!({"timestamp": timestamp.to_string(), "value": 10.0 + wave + noise});
    exchange(
        connection,
        "POST",
        &format!("/update/state-{writer}"),
        &body,
    )
}

/// The reply to a request that is sent again while the server is too busy; `None` when it is gone.
fn exchange(
    connection: &mut Connection,
    method: &str,
    target: &str,
    body: &Value,
) -> Option<Value> {
    loop {
        let reply = connection
            .exchange(method, target, body.to_string().as_bytes())
            .ok()?;
        if reply.status == 503 && reply.json()["code"] == "overloaded" {
            std::thread::sleep(BACK_OFF);
            continue;
        }
        assert!(matches!(reply.status, 200 | 201), "{}", reply.text());
        return Some(reply.json());
    }
}
