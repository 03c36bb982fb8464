//! What has to hold of a server one of whose writes fails (D4): the rules, and the load they judge.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::trace::name;
use crate::binary::Tidemark;
use crate::http::{Connection, Reply, once};
use crate::payload::{self, POINT};

const WRITERS: u64 = 4;
/// Refusals after which a writer has seen enough.
const REFUSALS: usize = 3;
/// The promise, and as much again for a machine that is shared.
const UNREADY_WITHIN: Duration = Duration::from_secs(2);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Violation {
    /// No write was refused, although one had failed.
    NothingFailed,
    /// A write was acknowledged that was sent after the failure had been told.
    AcknowledgedAfterFailure(String),
    /// A refusal is none of 503 `store_unavailable` with a `Retry-After`.
    NotExplicit(String),
    /// Ready stayed 200.
    StayedReady,
    /// Live was not 200.
    NotLive,
    /// A predict of a version that was acknowledged before was answered otherwise or not at all.
    WrongPredict(String),
    /// A version is served that was not acknowledged.
    UnacknowledgedServed(String),
    /// What was acknowledged is not there after a restart.
    Lost(String),
    /// A series does not go on where it was.
    WrongNext(String),
}

/// A fit or an update, the only one of its series.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) series: String,
    pub(super) is_fit: bool,
    sent: Instant,
    told: Instant,
    reply: Reply,
}

impl Write {
    pub(super) fn is_acknowledged(&self) -> bool {
        self.reply.status == 200
    }

    fn hash(&self) -> serde_json::Value {
        self.reply.json()["model_hash"].clone()
    }
}

/// Sends a fit or an update of a series of its own.
fn write(connection: &mut Connection, idx: u64) -> Write {
    let (series, is_fit) = (name(idx), idx.is_multiple_of(2));
    let sent = Instant::now();
    let reply = if is_fit {
        let n = if idx.is_multiple_of(10) { 300 } else { 4 };
        connection.exchange("POST", &format!("/fit/{series}"), &payload::fit(idx, n))
    } else {
        let id = format!("X-Request-ID: {series}\r\n");
        let target = format!("/update/{series}");
        let sent = connection.send_with(&id, "POST", &target, POINT);
        sent.and_then(|()| connection.receive())
    };
    Write {
        series,
        is_fit,
        sent,
        told: Instant::now(),
        reply: reply.expect("a server whose disk fails still answers"),
    }
}

/// Writers until each has met some refusals or `most` writes were sent; series are numbered from `first`.
pub(super) fn write_until_refused(addr: SocketAddr, first: u64, most: u64) -> Vec<Write> {
    let next = AtomicU64::new(first);
    let write_alone = || {
        let mut connection = Connection::open(addr).expect("it listens");
        let mut writes = Vec::new();
        let mut refused = 0;
        while refused < REFUSALS {
            let idx = next.fetch_add(1, Ordering::Relaxed);
            if idx >= first + most {
                break;
            }
            let write = write(&mut connection, idx);
            refused += usize::from(!write.is_acknowledged());
            writes.push(write);
        }
        writes
    };
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(write_alone)).collect();
        let done = writers.into_iter().map(|writer| writer.join());
        done.flat_map(|writes| writes.expect("a writer does not panic"))
            .collect()
    })
}

/// What does not hold of the replies alone.
pub(super) fn judge(writes: &[Write]) -> Vec<Violation> {
    let refused = || writes.iter().filter(|write| !write.is_acknowledged());
    let Some(failed_at) = refused().map(|write| write.told).min() else {
        return vec![Violation::NothingFailed];
    };
    let late = writes
        .iter()
        .filter(|write| write.is_acknowledged() && write.sent > failed_at)
        .map(|write| Violation::AcknowledgedAfterFailure(write.series.clone()));
    let is_explicit = |reply: &Reply| {
        reply.status == 503
            && reply.json()["code"] == "store_unavailable"
            && reply.head.contains("retry-after: ")
    };
    let unclear = refused()
        .filter(|write| !is_explicit(&write.reply))
        .map(|write| Violation::NotExplicit(write.reply.text().to_owned()));
    late.chain(unclear).collect()
}

/// What does not hold of probes on both ports after a write was refused.
pub(super) fn judge_probes(server: &Tidemark) -> Vec<Violation> {
    let started = Instant::now();
    let mut violations = Vec::new();
    for addr in [server.addr, server.health()] {
        let get = |path| once(addr, "GET", path, b"").expect("it listens");
        loop {
            let ready = get("/health/ready");
            if ready.status == 503 && ready.json()["reason"] == "store_unavailable" {
                break;
            }
            if started.elapsed() > UNREADY_WITHIN {
                violations.push(Violation::StayedReady);
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        if get("/health/live").status != 200 {
            violations.push(Violation::NotLive);
        }
    }
    violations
}

/// What a series answers a predict, but for what differs by request.
pub(super) fn predict(addr: SocketAddr, series: &str) -> Option<serde_json::Value> {
    let target = format!("/predict/{series}");
    let reply = once(addr, "POST", &target, POINT).expect("it listens");
    (reply.status == 200).then(|| reply.json())
}

/// What does not hold of predicts while nothing can be written.
pub(super) fn judge_predicts(addr: SocketAddr, writes: &[Write]) -> Vec<Violation> {
    let fits = writes.iter().filter(|write| write.is_fit);
    let judge = |fit: &Write| match (predict(addr, &fit.series), fit.is_acknowledged()) {
        (Some(_), false) => Some(Violation::UnacknowledgedServed(fit.series.clone())),
        (Some(reply), true) if reply["model_hash"] == fit.hash() => None,
        (_, true) => Some(Violation::WrongPredict(fit.series.clone())),
        (None, false) => None,
    };
    fits.filter_map(judge).collect()
}

/// What does not hold after a restart on a disk that is sound. Writes to every series once more.
pub(super) fn judge_restarted(addr: SocketAddr, writes: &[Write]) -> Vec<Violation> {
    let mut connection = Connection::open(addr).expect("it listens");
    let mut violations = Vec::new();
    for write in writes {
        let series = &write.series;
        let (target, body) = if write.is_fit {
            let found = predict(addr, series);
            if write.is_acknowledged() && found.is_none_or(|it| it["model_hash"] != write.hash()) {
                violations.push(Violation::Lost(series.clone()));
            }
            (format!("/fit/{series}"), payload::fit(7, 4))
        } else {
            let later = br#"{"timestamp":"1769846460","value":12.5}"#;
            (format!("/update/{series}"), later.to_vec())
        };
        let reply = connection
            .exchange("POST", &target, &body)
            .expect("a reply");
        assert_eq!(reply.status, 200, "{series}: {}", reply.text());
        let reply = reply.json();
        let number = |value: &serde_json::Value| match value {
            serde_json::Value::String(digits) => digits.parse().ok(),
            other => other.as_u64(),
        };
        let next: Option<u64> = number(&reply[if write.is_fit { "version" } else { "state_seq" }]);
        // Whether a write of unknown outcome is there, nobody was told.
        let may_be = if write.is_acknowledged() {
            2..=2
        } else {
            1..=2
        };
        if !next.is_some_and(|next| may_be.contains(&next)) {
            violations.push(Violation::WrongNext(format!("{series}: {next:?}")));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, code: &str, head: &str) -> Reply {
        Reply {
            status,
            head: head.into(),
            body: format!(r#"{{"code":"{code}"}}"#).into_bytes(),
        }
    }

    /// A write that was under way during the given milliseconds.
    fn during(start: Instant, from: u64, to: u64, reply: Reply) -> Write {
        Write {
            series: name(from),
            is_fit: true,
            sent: start + Duration::from_millis(from),
            told: start + Duration::from_millis(to),
            reply,
        }
    }

    #[test]
    fn every_wrong_history_is_named() {
        let start = Instant::now();
        let ok = |from, to| during(start, from, to, reply(200, "", ""));
        let refusal = || reply(503, "store_unavailable", "retry-after: 3\r\n");
        let refused = |from, to| during(start, from, to, refusal());
        assert_eq!(
            judge(&[ok(0, 1), ok(2, 9), refused(2, 8), refused(9, 10)]),
            []
        );
        assert_eq!(judge(&[ok(0, 1), ok(2, 3)]), [Violation::NothingFailed]);
        assert_eq!(
            judge(&[ok(0, 1), refused(2, 3), ok(4, 5)]),
            [Violation::AcknowledgedAfterFailure(name(4))]
        );
        for unclear in [
            reply(503, "store_unavailable", ""),
            reply(503, "overloaded", "retry-after: 3\r\n"),
            reply(500, "internal", "retry-after: 3\r\n"),
        ] {
            let told = unclear.text().to_owned();
            let history = [ok(0, 1), during(start, 2, 3, unclear)];
            assert_eq!(judge(&history), [Violation::NotExplicit(told)]);
        }
    }
}
