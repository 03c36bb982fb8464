//! What a run is doing while it goes on, for its display.

use std::time::{Duration, Instant};

use super::counters::{Counters, Now};
use super::recorder;
use super::resources;
use crate::live::{Display, LiveState, Phase};
use crate::results::config::{Bound, LoadSpec};
use crate::tally::Tally;

/// A run and its display.
pub(super) struct Watching<'a> {
    display: &'a mut Display,
    counters: &'a [Counters],
    start: Instant,
    /// When nothing more is sent.
    deadline: Option<Duration>,
    planned: Option<u64>,
    /// For the processor time between two looks.
    before: (Instant, Duration),
}

impl<'a> Watching<'a> {
    pub(super) fn new(display: &'a mut Display, counters: &'a [Counters], load: &LoadSpec) -> Self {
        let start = Instant::now();
        Self {
            display,
            counters,
            start,
            deadline: match load.bound {
                Bound::Duration { ns } => Some(Duration::from_nanos(ns)),
                Bound::Requests { .. } | Bound::RequestsPerClient { .. } => None,
            },
            planned: load.planned(),
            before: (start, resources::cpu_time()),
        }
    }

    /// Shows what is counted so far, with so many batches waiting.
    pub(super) fn tick(&mut self, tally: &Tally, batches_waiting: usize) {
        if !self.display.is_shown() {
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
        self.display.tick(&state, &stats);
    }

    fn cpu_share(&mut self) -> Option<f64> {
        let now = (Instant::now(), resources::cpu_time());
        let (then, cpu_then) = std::mem::replace(&mut self.before, now);
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let available = (now.0 - then).as_secs_f64() * cpus as f64;
        (available > 0.0).then(|| (now.1 - cpu_then).as_secs_f64() / available)
    }
}
