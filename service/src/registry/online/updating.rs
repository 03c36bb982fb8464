//! Points on their way into an online state: scored and learnt under its lock, durable after.

use std::sync::Arc;

use compact_str::CompactString;
use detectors::{Status, TimeUnit};
use tokio::sync::oneshot;

use super::OnlineStates;
use super::live::{Live, Origin, Scored};
use super::slot::Slot;
use super::start::Prepared;
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
    pub(super) prepared: Option<Prepared>,
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

    /// Waits for the turn of [`Updating::apply`]; without it, those that update one series might take
    /// all threads, one to work and the others to wait.
    pub fn turn(&self) -> impl Future<Output = impl Send + use<>> + use<> {
        self.slot.turn()
    }

    /// Scores and learns `points`, all of them or, with an error, none. May wait for others that work
    /// on the state, each for a piece of points: not on a thread that serves connections, and on one
    /// of the compute pool in its [turn](Updating::turn).
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
        let made = self.start(live.as_ref(), points)?;
        let current = made.as_ref().or(live.as_ref());
        let none = || RegistryError::NoOnlineState(self.series.to_string());
        let (next, scored, change) = current.ok_or_else(none)?.advance(points);
        let put = StatePut {
            series: self.series.clone(),
            life: self.slot.life(),
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
        if self.slot.is_deleted() {
            // The monitor that was just fed may be one that the deletion has dropped.
            let monitors = &self.states.monitors;
            monitors.forget(&self.series, |version| version == ONLINE);
        }
        self.slot.install(live, next);
        self.prepared = None;
        Ok(Applied {
            scored,
            origin,
            pending: Pending(outcome),
        })
    }

    /// The state to start with, where there is none.
    fn start(
        &self,
        live: Option<&Live>,
        points: &[(i64, f64)],
    ) -> Result<Option<Live>, RegistryError> {
        let (Some(prepared), Some((at, _))) = (&self.prepared, points.first()) else {
            return Ok(None);
        };
        let Some(live) = live else {
            return Ok(Some(prepared.made(*at)));
        };
        // Somebody else was first; that is as good where it was the same start, or none was wished for.
        if prepared.is_start_of(live) {
            return Ok(None);
        }
        let other_unit = live.time_unit() != self.time_unit;
        match self.first_given.or(other_unit.then_some("time_unit")) {
            None => Ok(None),
            Some(parameter) => Err(RegistryError::OnlineStateExists {
                series: self.series.to_string(),
                parameter,
            }),
        }
    }

    /// Notes the scores of the points that were learnt and could alarm: those of late points are in no
    /// order of time, and nothing alarms before the state has warmed up.
    fn watch(&self, live: &Live, scored: &[Scored]) {
        let watch = Watch {
            monitors: &self.states.monitors,
            series: &self.series,
            version: ONLINE,
            alarm_rate: live.alarm_rate(),
        };
        let observed = scored.iter().map(|scored| scored.observed);
        let p_values = observed
            .filter(|observed| observed.learnt && observed.score.status != Status::WarmingUp)
            .map(|observed| observed.score.p_value);
        if let [_] = scored {
            p_values.for_each(|p_value| watch.point(p_value));
        } else {
            let mut column = watch.column();
            p_values.for_each(|p_value| column.point(p_value));
        }
    }
}

impl Drop for Updating {
    /// A state that was not started after all takes no memory.
    fn drop(&mut self) {
        if self.slot.time_unit().is_none() {
            let slot = std::mem::take(&mut self.slot);
            self.states.leave(&self.series, slot);
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
