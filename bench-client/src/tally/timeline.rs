//! The run in windows of equal length, in constant memory.
//!
//! Windows begin at 100 ms. When a record falls beyond the last of 240, pairs of them are merged
//! and each is twice as long from then on. A window is a sum, so that what it holds in the end
//! depends on the records alone, and not on their order.

use hdrhistogram::Histogram;

use super::durations::values_at;
use super::stats::{Timeline, Window};
use crate::load::response::{OutcomeClass, ResponseRecord};

/// Windows at most.
pub(super) const MOST_WINDOWS: usize = 240;

/// Length of a window in a short run.
const SHORTEST_NS: u64 = 100_000_000;

/// Longest latency that a window's histogram tells apart.
const LONGEST_NS: u64 = 600_000_000_000;

/// Significant digits within a window: a plot has no more, and three would take eight times the
/// memory.
const DIGITS: u8 = 2;

/// Windows that grow with the run.
#[derive(Debug, Clone)]
pub(super) struct Windows {
    length_ns: u64,
    windows: Vec<Sums>,
}

#[derive(Debug, Clone, Default)]
struct Sums {
    sent: u64,
    outcomes: [u64; OutcomeClass::ALL.len()],
    points_out: u64,
    ok: Option<Latencies>,
}

/// Of 2xx replies; with 32 bits a bucket, because a window has no more replies than that.
#[derive(Debug, Clone)]
struct Latencies {
    min: u64,
    max: u64,
    histogram: Histogram<u32>,
}

impl Windows {
    pub(super) fn new() -> Self {
        Self {
            length_ns: SHORTEST_NS,
            windows: Vec::new(),
        }
    }

    /// Adds a request to the window in which it was sent and to that in which its outcome was known.
    pub(super) fn add(&mut self, record: &ResponseRecord, latency_ns: u64) {
        self.at(record.sent_ns).sent += 1;
        let ended = self.at(record.last_ns);
        ended.outcomes[record.class as usize] += 1;
        ended.points_out += u64::from(record.points_out);
        if record.class == OutcomeClass::Ok {
            match &mut ended.ok {
                Some(latencies) => latencies.record(latency_ns),
                none => none.insert(Latencies::new()).record(latency_ns),
            }
        }
    }

    fn at(&mut self, ns: u64) -> &mut Sums {
        while ns / self.length_ns >= MOST_WINDOWS as u64 {
            self.merge_pairs();
        }
        let window = (ns / self.length_ns) as usize;
        if window >= self.windows.len() {
            self.windows.resize_with(window + 1, Sums::default);
        }
        &mut self.windows[window]
    }

    fn merge_pairs(&mut self) {
        let mut old = std::mem::take(&mut self.windows).into_iter();
        while let Some(mut first) = old.next() {
            if let Some(second) = old.next() {
                first.merge(second);
            }
            self.windows.push(first);
        }
        self.length_ns *= 2;
    }

    pub(super) fn stats(&self) -> Timeline {
        Timeline {
            window_ns: self.length_ns,
            windows: self.windows.iter().map(Sums::stats).collect(),
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let histograms = self.windows.iter().filter_map(|window| window.ok.as_ref());
        let buckets: usize = histograms.map(|ok| ok.histogram.distinct_values()).sum();
        self.windows.len() * size_of::<Sums>() + buckets * size_of::<u32>()
    }
}

impl Sums {
    fn merge(&mut self, other: Self) {
        self.sent += other.sent;
        self.points_out += other.points_out;
        for (mine, theirs) in self.outcomes.iter_mut().zip(other.outcomes) {
            *mine += theirs;
        }
        self.ok = match (self.ok.take(), other.ok) {
            (Some(mut mine), Some(theirs)) => {
                mine.merge(&theirs);
                Some(mine)
            }
            (mine, theirs) => mine.or(theirs),
        };
    }

    fn stats(&self) -> Window {
        let classes = OutcomeClass::ALL.into_iter().zip(self.outcomes);
        let mut window = Window {
            sent: self.sent,
            outcomes: classes.filter(|&(_, count)| count > 0).collect(),
            points_out: self.points_out,
            ..Window::default()
        };
        if let Some(ok) = &self.ok {
            let n = ok.histogram.len();
            let rank = |percent: u64| (u128::from(n) * u128::from(percent)).div_ceil(100) as u64;
            let ranks = [25, 50, 75, 95, 99].map(rank);
            let values = values_at(&ok.histogram, &ranks, (ok.min, ok.max), |_, _| {});
            let mut values = values.into_iter();
            window.min_ns = Some(ok.min);
            window.p25_ns = values.next();
            window.p50_ns = values.next();
            window.p75_ns = values.next();
            window.p95_ns = values.next();
            window.p99_ns = values.next();
            window.max_ns = Some(ok.max);
        }
        window
    }
}

impl Latencies {
    fn new() -> Self {
        Self {
            min: u64::MAX,
            max: 0,
            histogram: Histogram::new_with_bounds(1, LONGEST_NS, DIGITS)
                .expect("bounds and digits are valid"),
        }
    }

    fn record(&mut self, ns: u64) {
        self.histogram.saturating_record(ns);
        self.min = self.min.min(ns);
        self.max = self.max.max(ns);
    }

    fn merge(&mut self, other: &Self) {
        self.histogram
            .add(&other.histogram)
            .expect("both have the same bounds");
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}
