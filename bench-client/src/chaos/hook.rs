//! A schedule that joins a run.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::player::{Outcome, Player, Told};
use super::recovery::Goodput;
use super::{Act, ChaosFigures, Done, Recovery, Subject};
use crate::console;
use crate::load::hooks::Hook;
use crate::load::response::{OutcomeClass, ResponseRecord};
use crate::results::config::RunConfig;
use crate::tally::stats::RunStats;

/// What the figures are filed under.
pub const NAME: &str = "chaos";

/// A schedule, played while a run goes on.
pub struct Chaos {
    acts: Vec<Act>,
    subject: Arc<Subject>,
    out: String,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    told: Option<Told>,
    player: Option<Player>,
    goodput: Goodput,
    good_within_ns: u64,
}

impl Chaos {
    /// Plays `acts` on `subject`; `out` is the folder of the run.
    #[must_use]
    pub fn new(mut acts: Vec<Act>, subject: Arc<Subject>, out: &Path) -> Self {
        acts.sort_by_key(|act| act.at);
        Self {
            acts,
            subject,
            out: out.display().to_string(),
            inner: Mutex::default(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn figures(&self, outcomes: &[Outcome], goodput: &Goodput, end: Duration) -> ChaosFigures {
        // What is never done disturbs nothing, and ends no stretch.
        let did = |i: usize| outcomes.get(i).and_then(|outcome| outcome.did);
        let calm = (0..self.acts.len()).find_map(did).unwrap_or_default();
        let acts = self.acts.iter().enumerate().map(|(i, act)| {
            let next = (i + 1..self.acts.len()).find_map(did).unwrap_or(end);
            let result = outcomes.get(i).and_then(|outcome| outcome.result.clone());
            Done {
                action: act.action.to_string(),
                planned_s: act.at.as_secs_f64(),
                did_s: did(i).map(|did| did.as_secs_f64()),
                result: result.unwrap_or_else(|| "not done: the run was over before".to_owned()),
                recovery: did(i).map_or(Recovery::Unknown, |did| {
                    goodput.recovery(calm, did, next, end)
                }),
            }
        });
        ChaosFigures {
            acts: acts.collect(),
        }
    }
}

impl Hook for Chaos {
    fn name(&self) -> &str {
        NAME
    }

    fn before_run(&self, config: &RunConfig) {
        let told = Told {
            base_url: config.base_url.clone(),
            out: self.out.clone(),
        };
        let mut inner = self.inner();
        inner.good_within_ns = config.load.good_within_ns;
        inner.told = Some(told);
    }

    fn started(&self, start: Instant) {
        let mut inner = self.inner();
        let Some(told) = inner.told.take() else {
            return;
        };
        let subject = Arc::clone(&self.subject);
        match Player::start(self.acts.clone(), subject, told, start) {
            Ok(player) => inner.player = Some(player),
            Err(error) => console::note(format_args!("nothing of the schedule is done: {error}")),
        }
    }

    fn after_response(&self, response: &ResponseRecord) {
        let mut inner = self.inner();
        let took = response.last_ns.saturating_sub(response.intended_ns);
        if response.class == OutcomeClass::Ok && took <= inner.good_within_ns {
            inner.goodput.good(response.last_ns);
        }
    }

    fn after_run(&self, _config: &RunConfig, stats: &RunStats) -> Option<serde_json::Value> {
        let mut inner = self.inner();
        let player = inner.player.take();
        let outcomes = player.map(Player::end).unwrap_or_default();
        let end = Duration::from_nanos(stats.wall_ns);
        let figures = self.figures(&outcomes, &inner.goodput, end);
        serde_json::to_value(figures).ok()
    }
}
