//! Points on their way into an online state: scored and learnt under its lock, durable after.

use std::sync::Arc;

use compact_str::CompactString;
use detectors::TimeUnit;
use tokio::sync::oneshot;

use super::OnlineStates;
use super::live::{Live, Origin, Scored};
use super::slot::Slot;
use crate::registry::{ONLINE, RegistryError, Watch};
use crate::store::{PutError, StatePut};

/// Access to one online state, or to one that its first points will start. While it is there, the
/// state stays in memory.
pub struct Updating {
    pub(super) states: Arc<OnlineStates>,
    pub(super) series: CompactString,
    pub(super) slot: Arc<Slot>,
    pub(super) first_given: Option<&'static str>,
    pub(super) time_unit: TimeUnit,
    /// The state to start with, until it was.
    pub(super) prepared: Option<Box<Live>>,
}

/// Points that are scored and learnt, and not durable before [`Pending::durable`] says so.
pub struct Applied {
    /// A verdict a point.
    pub scored: Vec<Scored>,
    /// What the state was started from.
    pub origin: Origin,
    /// Whether they are stored.
    pub pending: Pending,
}

/// A change on its way to the disk.
pub struct Pending(oneshot::Receiver<Result<(), PutError>>);

impl Updating {
    /// What one tick of a timestamp is.
    #[must_use]
    pub fn time_unit(&self) -> TimeUnit {
        self.time_unit
    }

    /// Scores and learns `points`, all of them or, with an error, none. May wait for others that work
    /// on the state, each for a piece of points: not on a thread that serves connections.
    ///
    /// # Errors
    /// When the store takes no writes, or somebody else started the state that this one was to start.
    pub fn apply(&mut self, points: &[(i64, f64)]) -> Result<Applied, RegistryError> {
        let slot = Arc::clone(&self.slot);
        self.apply_to(&mut slot.lock(), points)
    }

    /// As [`Updating::apply`], unless somebody works on the state.
    pub fn try_apply(&mut self, points: &[(i64, f64)]) -> Option<Result<Applied, RegistryError>> {
        let slot = Arc::clone(&self.slot);
        let mut live = slot.try_lock()?;
        Some(self.apply_to(&mut live, points))
    }

    fn apply_to(
        &mut self,
        live: &mut Option<Live>,
        points: &[(i64, f64)],
    ) -> Result<Applied, RegistryError> {
        self.slot.check()?;
        let (next, scored, change) = self.current(live.as_ref())?.advance(points);
        let put = StatePut {
            series: self.series.clone(),
            change,
        };
        let (sender, mut outcome) = oneshot::channel();
        // The completion holds the slot: a state with a change under way is not dropped, or it would
        // be read from the store without that change.
        let slot = Arc::clone(&self.slot);
        let done = move |outcome: Result<(), PutError>| {
            slot.note(&outcome);
            drop(slot);
            let _ = sender.send(outcome);
        };
        // Under the lock: the order of changes in the queue is the order of their numbers.
        self.states.store.submit_state(put, Box::new(done));
        let outcome = match outcome.try_recv() {
            // Refused at once, and the state is as it was.
            Ok(Err(error)) => return Err(error.into()),
            Ok(Ok(())) => already(Ok(())),
            Err(_) => outcome,
        };
        let origin = next.origin;
        self.watch(&next, &scored);
        self.slot.install(live, next);
        self.prepared = None;
        Ok(Applied {
            scored,
            origin,
            pending: Pending(outcome),
        })
    }

    /// The state there is, or the one to start with.
    fn current<'a>(&'a self, live: Option<&'a Live>) -> Result<&'a Live, RegistryError> {
        match (live, &self.prepared) {
            (Some(live), None) => Ok(live),
            // Somebody else was first; without a wish for another start that is as good.
            (Some(live), Some(_)) => {
                let same_unit = live.time_unit() == self.time_unit;
                if let Some(parameter) = self.first_given.or((!same_unit).then_some("time_unit")) {
                    let series = self.series.to_string();
                    return Err(RegistryError::OnlineStateExists { series, parameter });
                }
                Ok(live)
            }
            (None, Some(prepared)) => Ok(prepared),
            (None, None) => Err(RegistryError::NoOnlineState(self.series.to_string())),
        }
    }

    /// Notes the scores of the points that were learnt: those of others are of no order in time.
    fn watch(&self, live: &Live, scored: &[Scored]) {
        let watch = Watch {
            monitors: &self.states.monitors,
            series: &self.series,
            version: ONLINE,
            alarm_rate: live.alarm_rate(),
        };
        match scored {
            [one] if one.learnt => watch.point(one.score.p_value),
            many => {
                let mut column = watch.column();
                let learnt = many.iter().filter(|scored| scored.learnt);
                learnt.for_each(|scored| column.point(scored.score.p_value));
            }
        }
    }
}

impl Pending {
    /// Waits until the points are durable, and all that was learnt before them.
    ///
    /// # Errors
    /// When they are not, or may not be.
    pub async fn durable(self) -> Result<(), RegistryError> {
        let outcome = self.0.await;
        Ok(outcome.unwrap_or_else(|_| Err(PutError::Unknown("the committer is gone".into())))?)
    }
}

fn already(outcome: Result<(), PutError>) -> oneshot::Receiver<Result<(), PutError>> {
    let (sender, receiver) = oneshot::channel();
    let _ = sender.send(outcome);
    receiver
}
