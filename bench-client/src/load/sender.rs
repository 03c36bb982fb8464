//! What both loops share: one request over one connection, and its record.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::counters::Counters;
use super::hooks::Hook;
use super::recorder::Recorder;
use super::response::{Op, OutcomeClass, ResponseRecord};
use super::wire::{Connection, Exchange, First};
use crate::interrupt::StopHandle;
use crate::ledger::Ledger;
use crate::workload::Prepared;

/// Request number i of a run.
pub(super) type Source = dyn Fn(u64) -> Prepared + Send + Sync;

/// When a request was meant to be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intended {
    pub(super) at: Instant,
    /// How long it waited while all connections were busy.
    pub(super) waited: Duration,
}

/// What a loop needs to know of a request that is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finished {
    pub(super) class: OutcomeClass,
    /// When the outcome was known.
    pub(super) last: Instant,
}

/// A ledger that has to know of a request before it is sent.
#[derive(Debug, Clone)]
pub(super) struct Announcing {
    pub(super) ledger: Arc<Ledger>,
    /// Ends the run when the ledger cannot be written.
    pub(super) broken: Arc<StopHandle>,
}

/// One thread's side of a run.
pub(super) struct Sender {
    pub(super) source: Arc<Source>,
    pub(super) hooks: Arc<[Box<dyn Hook>]>,
    pub(super) recorder: Rc<Recorder>,
    pub(super) counters: Arc<[Counters]>,
    pub(super) thread: usize,
    /// Whether bodies are kept to be checked.
    pub(super) checked: bool,
    pub(super) ledger: Option<Announcing>,
    /// The run's start.
    pub(super) start: Instant,
}

impl Sender {
    /// Sends request `index` over `connection`, which is number `client` of the run. Without
    /// `intended` it was meant to be sent as soon as it is.
    pub(super) async fn send(
        &self,
        connection: &mut Connection,
        client: u32,
        index: u64,
        intended: Option<Intended>,
    ) -> Finished {
        let mut request = (self.source)(index);
        for hook in &*self.hooks {
            hook.before_request(index, &mut request);
        }
        if let Some(announcing) = &self.ledger
            && announcing.ledger.announce(index).is_err()
        {
            // Never sent. Why is told by whoever writes to the ledger next.
            announcing.broken.stop();
            return std::future::pending().await;
        }
        let first = match request.op {
            Op::Ndjson => First::Line,
            Op::Fit | Op::Predict | Op::Columns | Op::Update | Op::Health | Op::Custom => {
                First::Byte
            }
        };
        let counters = &self.counters[self.thread];
        let before = connection.opened();
        counters.sent(self.elapsed_ns());
        let mut exchange = connection.exchange(&request.bytes, first).await;
        // A clock of its own, and not the record's, so that one can be held against the other.
        counters.finished(self.elapsed_ns());
        let after = connection.opened();
        if after.0 != before.0 {
            // The first connection of a place is no reconnection.
            counters.connected(after.0 - before.0, u64::from(before.0 > 0));
        }
        let (class, last) = (exchange.class, exchange.last);
        let body = self.checked.then(|| exchange.body.take());
        let record = self.record(client, index, intended, &request, exchange);
        self.recorder.record(record, body);
        Finished { class, last }
    }

    fn elapsed_ns(&self) -> u64 {
        nanos(self.start.elapsed())
    }

    fn record(
        &self,
        client: u32,
        index: u64,
        intended: Option<Intended>,
        request: &Prepared,
        exchange: Exchange,
    ) -> ResponseRecord {
        let ns = |at: Instant| nanos(at.saturating_duration_since(self.start));
        ResponseRecord {
            index,
            op: request.op,
            client,
            intended_ns: ns(intended.map_or(exchange.sent, |intended| intended.at)),
            sent_ns: ns(exchange.sent),
            waited_ns: intended
                .map(|intended| nanos(intended.waited))
                .filter(|waited| *waited > 0),
            first_ns: exchange.first.map(ns),
            last_ns: ns(exchange.last),
            class: exchange.class,
            status: exchange.status,
            points_in: request.points,
            points_out: points_out(request, &exchange),
            bytes_out: u32::try_from(request.bytes.len()).unwrap_or(u32::MAX),
            bytes_in: u32::try_from(exchange.bytes_in).unwrap_or(u32::MAX),
            server_ns: exchange.server_ns,
            error: exchange.error,
        }
    }
}

/// Points that a reply scored: in a stream those that came, else all or none.
fn points_out(request: &Prepared, exchange: &Exchange) -> u32 {
    match request.op {
        _ if exchange.class != OutcomeClass::Ok => 0,
        Op::Ndjson => exchange.lines,
        Op::Predict | Op::Columns | Op::Update => request.points,
        Op::Fit | Op::Health | Op::Custom => 0,
    }
}

/// A duration in whole nanoseconds; 584 years fit.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
