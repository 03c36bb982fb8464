//! Statistics of responses in constant memory: [`Tally`] takes each record once and keeps sums and
//! histograms, from which [`RunStats`] can be had at any time.

mod bins;
pub mod durations;
mod failures;
pub mod littles_law;
mod order_statistics;
mod sample;
pub mod statistic;
pub mod stats;
#[cfg(test)]
pub(crate) mod tests;
mod timeline;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use self::durations::Durations;
use self::failures::Failures;
pub(crate) use self::order_statistics::needed;
use self::sample::Sample;
use self::stats::{
    FORMAT_VERSION, Latencies, LatencyStats, OpStats, RunStats, SamplePoint, SendWindow,
};
use self::timeline::Windows;
use crate::load::response::{Op, OutcomeClass, ResponseRecord};

/// Sends later than this after they were meant to be count as late.
pub const LATE: Duration = Duration::from_millis(1);

const CLASSES: usize = OutcomeClass::ALL.len();
const OPS: usize = Op::ALL.len();

/// Sums and histograms of the responses so far.
///
/// Its figures depend on the records alone, and not on the order in which they were added, except
/// which messages are told apart when there are more than a thousand different ones.
///
/// Memory is bounded by [`Tally::MOST_BYTES`] however many responses there are. A histogram of three
/// digits takes 250 KiB from its first duration on, which is about 1.5 MB in a run with one kind of
/// request and no failures; to that come 17 KiB for each of at most 240 windows.
#[derive(Debug, Clone)]
pub struct Tally {
    good_within_ns: u64,
    requests: u64,
    outcomes: [u64; CLASSES],
    statuses: BTreeMap<i32, u64>,
    failures: Failures,
    sent: Option<(u64, u64)>,
    wall_ns: u64,
    good: u64,
    points_in: u64,
    points_out: u64,
    bytes_out: u64,
    bytes_in: u64,
    late_sends: u64,
    late_by_client: u64,
    in_flight_ns: u64,
    service: Durations,
    per_point: Durations,
    send_lag: Durations,
    own_lag: Durations,
    server: Durations,
    /// By class; 2xx replies are in `ops`.
    failed: [Durations; CLASSES],
    ops: [OpTally; OPS],
    windows: Windows,
    sample: Sample,
}

#[derive(Debug, Clone, Default)]
struct OpTally {
    requests: u64,
    outcomes: [u64; CLASSES],
    points_out: u64,
    last: Durations,
    first: Durations,
}

impl Tally {
    /// The most a tally has on the heap, with every kind of request and of outcome: 12 MiB.
    pub const MOST_BYTES: usize = 12 << 20;

    /// Nothing yet. 2xx replies later than `good_within` after their intended start are not good.
    #[must_use]
    pub fn new(good_within: Duration) -> Self {
        Self {
            good_within_ns: u64::try_from(good_within.as_nanos()).unwrap_or(u64::MAX),
            requests: 0,
            outcomes: [0; CLASSES],
            statuses: BTreeMap::new(),
            failures: Failures::default(),
            sent: None,
            wall_ns: 0,
            good: 0,
            points_in: 0,
            points_out: 0,
            bytes_out: 0,
            bytes_in: 0,
            late_sends: 0,
            late_by_client: 0,
            in_flight_ns: 0,
            service: Durations::default(),
            per_point: Durations::default(),
            send_lag: Durations::default(),
            own_lag: Durations::default(),
            server: Durations::default(),
            failed: Default::default(),
            ops: Default::default(),
            windows: Windows::new(),
            sample: Sample::new(),
        }
    }

    /// Adds a response.
    pub fn add(&mut self, record: &ResponseRecord) {
        let latency_ns = record.last_ns.saturating_sub(record.intended_ns);
        let lag_ns = record.sent_ns.saturating_sub(record.intended_ns);
        let class = record.class as usize;

        self.requests += 1;
        self.outcomes[class] += 1;
        *self
            .statuses
            .entry(record.status.map_or(-1, i32::from))
            .or_default() += 1;
        let (first, last) = self.sent.unwrap_or((record.sent_ns, record.sent_ns));
        self.sent = Some((first.min(record.sent_ns), last.max(record.sent_ns)));
        self.wall_ns = self.wall_ns.max(record.last_ns);
        self.points_in += u64::from(record.points_in);
        self.points_out += u64::from(record.points_out);
        self.bytes_out += u64::from(record.bytes_out);
        self.bytes_in += u64::from(record.bytes_in);
        self.late_sends += u64::from(u128::from(lag_ns) > LATE.as_nanos());
        self.send_lag.record(lag_ns);
        let own_ns = lag_ns.saturating_sub(record.waited_ns.unwrap_or_default());
        self.late_by_client += u64::from(u128::from(own_ns) > LATE.as_nanos());
        self.own_lag.record(own_ns);

        let in_flight_ns = record.last_ns.saturating_sub(record.sent_ns);
        self.in_flight_ns = self.in_flight_ns.saturating_add(in_flight_ns);

        let op = &mut self.ops[record.op as usize];
        op.requests += 1;
        op.outcomes[class] += 1;
        op.points_out += u64::from(record.points_out);

        if record.class == OutcomeClass::Ok {
            self.good += u64::from(latency_ns <= self.good_within_ns);
            op.last.record(latency_ns);
            self.service
                .record(record.last_ns.saturating_sub(record.sent_ns));
            if let Some(first_ns) = record.first_ns {
                op.first.record(first_ns.saturating_sub(record.intended_ns));
                if record.op == Op::Ndjson && record.points_out > 1 {
                    let between = record.last_ns.saturating_sub(first_ns);
                    self.per_point
                        .record(between / u64::from(record.points_out - 1));
                }
            }
            if let Some(server_ns) = record.server_ns {
                self.server.record(server_ns);
            }
        } else {
            self.failed[class].record(latency_ns);
        }
        if record.class != OutcomeClass::Ok || record.error.is_some() {
            self.failures.add(record);
        }
        self.windows.add(record, latency_ns);
        self.sample.add(SamplePoint {
            index: record.index,
            at_ns: record.last_ns,
            latency_ns,
            class: record.class,
        });
    }

    /// Says that the run lasted at least so long from its start, whatever its last outcome: rates by
    /// the wall clock of a run that sent for a second are by a second.
    pub fn lasted(&mut self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.wall_ns = self.wall_ns.max(ns);
    }

    /// Responses so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// From the run's start to the last outcome so far, or to when it [lasted](Self::lasted).
    #[must_use]
    pub fn wall_ns(&self) -> u64 {
        self.wall_ns
    }

    /// All figures of the responses so far.
    #[must_use]
    pub fn stats(&self) -> RunStats {
        let last = self.over_ops(|op| &op.last).stats();
        let (errors, other_errors) = self.failures.stats();
        let wall_s = self.wall_ns as f64 / 1e9;
        let per_s = |count: u64| (self.wall_ns > 0).then(|| count as f64 / wall_s);
        let by_op = Op::ALL.into_iter().zip(&self.ops);
        RunStats {
            format_version: FORMAT_VERSION,
            requests: self.requests,
            outcomes: by_class(&self.outcomes),
            statuses: self.statuses.clone(),
            errors,
            other_errors,
            send_window: self.send_window(&last),
            wall_ns: self.wall_ns,
            completed_rps: per_s(self.requests),
            goodput_rps: per_s(self.good),
            good: self.good,
            points_in: self.points_in,
            points_out: self.points_out,
            points_in_per_s: per_s(self.points_in),
            points_out_per_s: per_s(self.points_out),
            bytes_out: self.bytes_out,
            bytes_in: self.bytes_in,
            late_sends: self.late_sends,
            late_by_client: self.late_by_client,
            in_flight_ns: self.in_flight_ns,
            by_outcome: self.by_outcome(&last),
            by_op: by_op
                .filter(|(_, tally)| tally.requests > 0)
                .map(|(op, tally)| (op, tally.stats()))
                .collect(),
            ok: Latencies {
                last,
                first: self.over_ops(|op| &op.first).stats(),
                service: self.service.stats(),
                per_point: self.per_point.stats(),
                send_lag: self.send_lag.stats(),
                own_lag: self.own_lag.stats(),
                server: self.server.stats(),
            },
            timeline: self.windows.stats(),
            sample: self.sample.points(),
        }
    }

    fn by_outcome(&self, ok: &LatencyStats) -> BTreeMap<OutcomeClass, LatencyStats> {
        let classes = OutcomeClass::ALL.into_iter();
        let occurred = classes.filter(|&class| self.outcomes[class as usize] > 0);
        let stats = |class| match class {
            OutcomeClass::Ok => ok.clone(),
            failed => self.failed[failed as usize].stats(),
        };
        occurred.map(|class| (class, stats(class))).collect()
    }

    fn send_window(&self, last: &LatencyStats) -> SendWindow {
        let window_ns = self.sent.map_or(0, |(first, last)| last - first);
        let window_s = window_ns as f64 / 1e9;
        let n = self.requests as f64;
        let median_ns = last.at(0.5).map_or(0, |median| median.value_ns);
        SendWindow {
            first_sent_ns: self.sent.map(|(first, _)| first),
            last_sent_ns: self.sent.map(|(_, last)| last),
            window_ns,
            offered_rps: (window_ns > 0).then(|| (n - 1.0) / window_s),
            requests_per_minute: (window_ns > 0).then(|| 60.0 * n / window_s),
            says_nothing: window_ns == 0 || window_ns < median_ns,
        }
    }

    /// One distribution of all kinds of request; a copy only where there are several.
    fn over_ops(&self, part: impl Fn(&OpTally) -> &Durations) -> Cow<'_, Durations> {
        let mut parts = self.ops.iter().map(part).filter(|part| part.count() > 0);
        let Some(first) = parts.next() else {
            return Cow::Owned(Durations::default());
        };
        let mut all = Cow::Borrowed(first);
        for part in parts {
            all.to_mut().merge(part);
        }
        all
    }

    /// The histograms that have a duration in them, named as in [`statistic`]: `last`,
    /// `first`, `service`, …, those of failures by class (`shed`), those of a kind of request by its
    /// name (`predict.last`).
    #[must_use]
    pub fn histograms(&self) -> Vec<(String, Histogram<u64>)> {
        let whole = [
            ("last", self.over_ops(|op| &op.last)),
            ("first", self.over_ops(|op| &op.first)),
            ("service", Cow::Borrowed(&self.service)),
            ("per_point", Cow::Borrowed(&self.per_point)),
            ("send_lag", Cow::Borrowed(&self.send_lag)),
            ("server", Cow::Borrowed(&self.server)),
        ];
        let whole = whole.map(|(name, durations)| (name.to_owned(), durations));
        let failed = OutcomeClass::ALL.into_iter().zip(&self.failed);
        let failed = failed.map(|(class, durations)| (class.name().to_owned(), durations));
        let ops = Op::ALL.into_iter().zip(&self.ops).flat_map(|(op, tally)| {
            [
                (format!("{}.last", op.name()), &tally.last),
                (format!("{}.first", op.name()), &tally.first),
            ]
        });
        let apart = failed.chain(ops);
        let apart = apart.map(|(name, durations)| (name, Cow::Borrowed(durations)));
        let named = whole.into_iter().chain(apart);
        named
            .filter_map(|(name, durations)| Some((name, durations.histogram()?.clone())))
            .collect()
    }

    /// Bytes on the heap, by the sizes of what is held.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let whole = [
            &self.service,
            &self.per_point,
            &self.send_lag,
            &self.own_lag,
            &self.server,
        ];
        let ops = self.ops.iter().flat_map(|op| [&op.last, &op.first]);
        let durations = whole.into_iter().chain(&self.failed).chain(ops);
        let statuses = self.statuses.len() * size_of::<(i32, u64)>() * 2;
        durations.map(Durations::heap_bytes).sum::<usize>()
            + statuses
            + self.failures.heap_bytes()
            + self.windows.heap_bytes()
            + self.sample.heap_bytes()
    }
}

impl OpTally {
    fn stats(&self) -> OpStats {
        OpStats {
            requests: self.requests,
            outcomes: by_class(&self.outcomes),
            points_out: self.points_out,
            last: self.last.stats(),
            first: self.first.stats(),
        }
    }
}

fn by_class(counts: &[u64; CLASSES]) -> BTreeMap<OutcomeClass, u64> {
    OutcomeClass::ALL.into_iter().zip(*counts).collect()
}
