//! Whether client and server have counted the same requests.
//!
//! Replies are compared by route and status: what the client received against how much the server's counter went up
//! between the reading before the first request and the one after the last. A request without a whole reply (timed
//! out, connection lost, dropped by an interruption) may have been counted by the server or not; so many more the
//! server may have, and nothing less.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::metrics::Reading;
use crate::load::response::{Op, ResponseRecord};
use crate::results::text::count;

/// What came of comparing the counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reconciliation {
    /// Whether they agree.
    pub verdict: Agreement,
    /// Replies that the client received.
    pub client: u64,
    /// Requests on the same routes that the server counted meanwhile.
    pub server: u64,
    /// Requests without a whole reply, which the server may have counted.
    pub unanswered: u64,
    /// Requests on other routes that the server counted meanwhile, readings of its metrics left out.
    pub elsewhere: u64,
    /// Counts by route and status.
    pub counts: Vec<Counted>,
}

/// Whether counts agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "reconciled", rename_all = "snake_case")]
pub enum Agreement {
    /// Every count is the same.
    Exact,
    /// The server has some more, and not more than had no reply.
    WithinUnanswered {
        /// How many.
        more: u64,
    },
    /// They do not agree.
    DiffersBy {
        /// Replies that the server did not count.
        missing: u64,
        /// Requests that it counted beyond replies and what was unanswered.
        surplus: u64,
    },
    /// They cannot be compared.
    Unknown {
        /// Why.
        why: String,
    },
}

/// Requests of one route and status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counted {
    /// The first segment of the route.
    pub route: String,
    /// The reply's status.
    pub status: String,
    /// As the client received them.
    pub client: u64,
    /// As the server counted them.
    pub server: u64,
}

/// What the client counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Replies {
    /// By kind and status; none without a whole reply. A few, so that looking through them is quick.
    counts: Vec<(Op, Option<u16>, u64)>,
}

/// Routes of which readings themselves ask.
const OWN: &str = "metrics";

impl Replies {
    pub(super) fn add(&mut self, response: &ResponseRecord) {
        let of = |(op, status, _): &&mut (Op, Option<u16>, u64)| {
            *op == response.op && *status == response.status
        };
        match self.counts.iter_mut().find(of) {
            Some((_, _, n)) => *n += 1,
            None => self.counts.push((response.op, response.status, 1)),
        }
    }
}

/// The first segment of a route, which tells the routes of the contract apart however a template names its
/// parameters.
fn first_segment(route: &str) -> &str {
    route
        .trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default()
}

/// The first segment of the route that requests of a kind go to; a file's requests name their own.
fn route(op: Op) -> Option<&'static str> {
    match op {
        Op::Fit => Some("fit"),
        Op::Predict | Op::Columns => Some("predict"),
        Op::Ndjson | Op::Update => Some("update"),
        Op::Health => Some("healthcheck"),
        Op::Custom => None,
    }
}

/// Compares what the client received with two readings of the server's counters; `dropped` requests were in flight
/// when the run was interrupted.
pub(super) fn reconcile(
    replies: &Replies,
    before: &Reading,
    after: &Reading,
    dropped: u64,
) -> Reconciliation {
    let mut client: BTreeMap<(&str, String), u64> = BTreeMap::new();
    let mut unanswered: BTreeMap<&str, u64> = BTreeMap::new();
    let mut unknown_route = false;
    for &(op, status, n) in &replies.counts {
        let Some(route) = route(op) else {
            unknown_route = true;
            continue;
        };
        match status {
            Some(status) => *client.entry((route, status.to_string())).or_default() += n,
            None => *unanswered.entry(route).or_default() += n,
        }
    }
    let routes: BTreeSet<&str> = client.keys().map(|(route, _)| *route).collect();
    let routes: BTreeSet<&str> = routes
        .into_iter()
        .chain(unanswered.keys().copied())
        .collect();

    let deltas = deltas(before, after);
    let mut server: BTreeMap<(&str, String), u64> = BTreeMap::new();
    let mut elsewhere = 0;
    for ((route, status), n) in deltas.iter().flatten() {
        let route = first_segment(route);
        if routes.contains(route) {
            *server.entry((route, status.clone())).or_default() += n;
        } else if route != OWN {
            elsewhere += n;
        }
    }

    let keys: BTreeSet<_> = client.keys().chain(server.keys()).cloned().collect();
    let n = |of: &BTreeMap<_, u64>, key: &_| of.get(key).copied().unwrap_or_default();
    let counts: Vec<Counted> = keys
        .iter()
        .map(|key| Counted {
            route: key.0.to_owned(),
            status: key.1.clone(),
            client: n(&client, key),
            server: n(&server, key),
        })
        .collect();
    let why = if unknown_route {
        Some("requests of a file go to paths of their own".to_owned())
    } else if before.started_s != after.started_s {
        Some("the server was started again meanwhile, and counts anew".to_owned())
    } else if deltas.is_none() {
        Some("the server does not count its requests, or its counts went down".to_owned())
    } else {
        None
    };
    Reconciliation {
        verdict: why.map_or_else(
            || agreement(&counts, &unanswered, dropped),
            |why| Agreement::Unknown { why },
        ),
        client: client.values().sum(),
        server: server.values().sum(),
        unanswered: unanswered.values().sum::<u64>() + dropped,
        elsewhere,
        counts,
    }
}

/// How much each counter went up; none if there is none, or one went down.
fn deltas(before: &Reading, after: &Reading) -> Option<BTreeMap<(String, String), u64>> {
    // Before its first request a server has no counter to show.
    let none = BTreeMap::new();
    let before = before.requests.as_ref().unwrap_or(&none);
    let after = after.requests.as_ref()?;
    if before.keys().any(|key| !after.contains_key(key)) {
        return None;
    }
    let delta = |(key, n): (&(String, String), &u64)| {
        let more = n.checked_sub(before.get(key).copied().unwrap_or_default())?;
        Some((key.clone(), more))
    };
    after.iter().map(delta).collect()
}

fn agreement(counts: &[Counted], unanswered: &BTreeMap<&str, u64>, dropped: u64) -> Agreement {
    let missing: u64 = counts
        .iter()
        .map(|of| of.client.saturating_sub(of.server))
        .sum();
    let mut more: BTreeMap<&str, u64> = BTreeMap::new();
    for of in counts {
        *more.entry(&of.route).or_default() += of.server.saturating_sub(of.client);
    }
    let beyond = |(route, more): (&&str, &u64)| {
        more.saturating_sub(unanswered.get(route).copied().unwrap_or_default())
    };
    let surplus: u64 = more.iter().map(beyond).sum();
    // Which routes dropped requests went to is not known.
    let surplus = surplus.saturating_sub(dropped);
    match (missing, surplus, more.values().sum()) {
        (0, 0, 0) => Agreement::Exact,
        (0, 0, more) => Agreement::WithinUnanswered { more },
        (missing, surplus, _) => Agreement::DiffersBy { missing, surplus },
    }
}

impl Reconciliation {
    /// One about which nothing can be said.
    #[must_use]
    pub fn unknown(why: String) -> Self {
        Self {
            verdict: Agreement::Unknown { why },
            client: 0,
            server: 0,
            unanswered: 0,
            elsewhere: 0,
            counts: Vec::new(),
        }
    }
}

impl fmt::Display for Reconciliation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (client, unanswered) = (count(self.client), count(self.unanswered));
        match &self.verdict {
            Agreement::Exact => {
                write!(f, "exact, {client} replies by route and status")?;
                if self.unanswered > 0 {
                    write!(f, "; none of {unanswered} unanswered requests was counted")?;
                }
            }
            Agreement::WithinUnanswered { more } => write!(
                f,
                "{client} replies by route and status, and the server counted {} of {unanswered} unanswered requests",
                count(*more)
            )?,
            Agreement::DiffersBy { missing, surplus } => {
                let by = count(missing + surplus);
                write!(
                    f,
                    "DIFFERS by {by} in {client} replies: the server did not count {} of them, and counted {} \
                    that the client did not send",
                    count(*missing),
                    count(*surplus)
                )?;
            }
            Agreement::Unknown { why } => write!(f, "unknown, because {why}")?,
        }
        if self.elsewhere > 0 {
            write!(
                f,
                "; {} requests of others on other routes",
                count(self.elsewhere)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(counts: &[(&str, &str, u64)]) -> Reading {
        let line = |(route, status, n): &(&str, &str, u64)| {
            format!(
                "tidemark_http_requests_total{{method=\"POST\",route=\"{route}\",status=\"{status}\"}} {n}\n"
            )
        };
        let lines: String = counts.iter().map(line).collect();
        Reading::parse(&format!("process_start_time_seconds 1\n{lines}"))
    }

    fn replies(counts: &[(Op, Option<u16>, u64)]) -> Replies {
        Replies {
            counts: counts.to_vec(),
        }
    }

    const PREDICT: &str = "/predict/{series_id}";

    fn verdict(
        client: &[(Op, Option<u16>, u64)],
        after: &[(&str, &str, u64)],
        dropped: u64,
    ) -> Agreement {
        let before = page(&[(PREDICT, "200", 5), ("/metrics", "200", 1)]);
        reconcile(&replies(client), &before, &page(after), dropped).verdict
    }

    #[test]
    fn the_same_counts_are_exact() {
        let client = [
            (Op::Predict, Some(200), 900),
            (Op::Columns, Some(200), 100),
            (Op::Fit, Some(503), 2),
        ];
        let after = [
            (PREDICT, "200", 1_005),
            ("/fit/{series_id}", "503", 2),
            ("/metrics", "200", 9),
            ("/plot", "200", 4),
        ];
        let of = reconcile(
            &replies(&client),
            &page(&[(PREDICT, "200", 5), ("/metrics", "200", 1)]),
            &page(&after),
            0,
        );
        assert_eq!(of.verdict, Agreement::Exact);
        assert_eq!((of.client, of.server, of.elsewhere), (1_002, 1_002, 4));
    }

    #[test]
    fn one_of_ten_thousand_is_noticed_either_way() {
        let client = [(Op::Predict, Some(200), 10_000)];
        let differs = |missing, surplus| Agreement::DiffersBy { missing, surplus };
        let after = |n| [(PREDICT, "200", n), ("/metrics", "200", 2)];
        assert_eq!(verdict(&client, &after(10_004), 0), differs(1, 0));
        assert_eq!(verdict(&client, &after(10_006), 0), differs(0, 1));
        // Counted under another status is missing there and too much here.
        let moved = [
            (PREDICT, "200", 10_004),
            (PREDICT, "500", 1),
            ("/metrics", "200", 2),
        ];
        assert_eq!(verdict(&client, &moved, 0), differs(1, 1));
    }

    #[test]
    fn unanswered_requests_are_bounds() {
        let client = [
            (Op::Predict, Some(200), 100),
            (Op::Predict, None, 3),
            (Op::Fit, None, 9),
        ];
        let after = |n| [(PREDICT, "200", n), ("/metrics", "200", 2)];
        assert_eq!(verdict(&client, &after(105), 0), Agreement::Exact);
        assert_eq!(
            verdict(&client, &after(108), 0),
            Agreement::WithinUnanswered { more: 3 }
        );
        // Those of another route explain nothing.
        assert_eq!(
            verdict(&client, &after(109), 0),
            Agreement::DiffersBy {
                missing: 0,
                surplus: 1
            }
        );
        assert_eq!(
            verdict(&client, &after(109), 1),
            Agreement::WithinUnanswered { more: 4 }
        );
        assert_eq!(
            verdict(&client, &after(104), 9),
            Agreement::DiffersBy {
                missing: 1,
                surplus: 0
            }
        );
    }

    #[test]
    fn what_cannot_be_compared_is_unknown() {
        let client = [(Op::Predict, Some(200), 100)];
        let unknown = |of| matches!(of, Agreement::Unknown { .. });
        assert!(unknown(verdict(
            &[(Op::Custom, Some(200), 1)],
            &[(PREDICT, "200", 6)],
            0
        )));
        assert!(
            unknown(verdict(
                &client,
                &[(PREDICT, "200", 4), ("/metrics", "200", 2)],
                0
            )),
            "went down"
        );
        assert!(unknown(verdict(&client, &[], 0)), "no counters");
        let again = Reading::parse(
            "process_start_time_seconds 2\ntidemark_http_requests_total{route=\"/predict/{x}\",status=\"200\"} 105\n",
        );
        let before = page(&[(PREDICT, "200", 5)]);
        assert!(unknown(
            reconcile(&replies(&client), &before, &again, 0).verdict
        ));
    }

    #[test]
    fn a_server_that_was_never_asked_has_no_counters_yet() {
        let of = reconcile(
            &replies(&[(Op::Update, Some(200), 7)]),
            &Reading::default(),
            &{
                let mut after = page(&[("/update/{id}", "200", 7)]);
                after.started_s = None;
                after
            },
            0,
        );
        assert_eq!(of.verdict, Agreement::Exact);
    }
}
