//! What a run is doing while it goes on, for whoever shows it.

use std::time::{Duration, Instant};

use super::counters::{Counters, Now};
use super::recorder;
use super::resources;
use crate::live::state::{LiveState, Phase};
use crate::results::config::{Bound, LoadSpec};
use crate::tally::Tally;
use crate::tally::stats::RunStats;

/// Shows a run.
pub trait Watch: Send {
    /// Whether anybody looks: figures are not worked out for nobody.
    fn looks(&self) -> bool;

    /// The run as it is now, a few times a second.
    fn see(&mut self, state: &LiveState, stats: &RunStats);

    /// The measured part is over, or never began.
    fn over(&mut self);
}

/// Nobody looks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn looks(&self) -> bool {
        false
    }

    fn see(&mut self, _state: &LiveState, _stats: &RunStats) {}

    fn over(&mut self) {}
}

/// A run that is watched.
pub(super) struct Watching<'a> {
    watch: &'a mut dyn Watch,
    counters: &'a [Counters],
    start: Instant,
    /// When nothing more is sent.
    deadline: Option<Duration>,
    planned: Option<u64>,
    /// For the processor time between two looks.
    before: (Instant, Duration),
}

impl<'a> Watching<'a> {
    pub(super) fn new(
        watch: &'a mut dyn Watch,
        counters: &'a [Counters],
        load: &LoadSpec,
        planned: Option<u64>,
    ) -> Self {
        let start = Instant::now();
        Self {
            watch,
            counters,
            start,
            deadline: match load.bound {
                Bound::Duration { ns } => Some(Duration::from_nanos(ns)),
                Bound::Requests { .. } | Bound::RequestsPerClient { .. } => None,
            },
            planned,
            before: (start, resources::cpu_time()),
        }
    }

    /// Shows what is counted so far, with so many batches waiting.
    pub(super) fn tick(&mut self, tally: &Tally, batches_waiting: usize) {
        if !self.watch.looks() {
            return;
        }
        let now = Now::of(self.counters);
        let elapsed = self.start.elapsed();
        let sending_over = self.deadline.is_some_and(|deadline| elapsed >= deadline)
            || self.planned.is_some_and(|planned| now.sent >= planned);
        let phase = match (sending_over, now.in_flight()) {
            (false, _) => Phase::Running,
            (true, 0) => Phase::Writing,
            (true, _) => Phase::Finishing,
        };
        let stats = tally.stats();
        let state = LiveState {
            elapsed,
            phase,
            sent: now.sent,
            in_flight: now.in_flight(),
            backlog: (batches_waiting * recorder::BATCH) as u64,
            connections: now.connections - now.reconnects,
            late_sends: stats.late_sends,
            cpu_share: self.cpu_share(),
            rss_bytes: Some(resources::resident_bytes().0).filter(|bytes| *bytes > 0),
        };
        self.watch.see(&state, &stats);
    }

    fn cpu_share(&mut self) -> Option<f64> {
        let now = (Instant::now(), resources::cpu_time());
        let (then, cpu_then) = std::mem::replace(&mut self.before, now);
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let available = (now.0 - then).as_secs_f64() * cpus as f64;
        (available > 0.0).then(|| (now.1 - cpu_then).as_secs_f64() / available)
    }
}
