//! Online states in memory: loaded when asked for, changed under a lock each, dropped when idle.
//!
//! A state exists at most once in memory, or two copies would each give a point the same number.
//! Whoever works on a state holds its slot, and so does the completion of every change under way;
//! a pass drops only slots that nobody holds. What is dropped is in the store, snapshot and points
//! learnt since, and comes back bit for bit. A state of which a write failed is kept, or the store
//! would be asked about it, where nobody knows what has arrived.
//!
//! States take up to a quarter of the memory budget, beside the models.

mod freeze;
mod live;
mod slot;
mod start;
#[cfg(test)]
mod tests;
mod updating;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

use compact_str::CompactString;
use dashmap::DashMap;
use detectors::online::{Control, Online};

pub use freeze::Frozen;
pub use live::{Origin, Scored};
pub use start::{StartJob, StartRequest};
pub use updating::{Applied, Pending, Updating};

use super::cache::falls_within;
use super::reads::StoreReads;
use super::{Monitors, RegistryError};
use crate::store::Store;
use live::Live;
use slot::Slot;

/// What a state takes beside itself: its place in the map, counters, what the allocator rounds up.
const BESIDE_BYTES: usize = 256;
/// After a pass, states hold at most this share of the budget, so that passes are rare.
const KEEP: (usize, usize) = (15, 16);

/// The online states of a store.
pub struct OnlineStates {
    store: Arc<dyn Store>,
    reads: Arc<StoreReads>,
    monitors: Arc<Monitors>,
    slots: DashMap<CompactString, Arc<Slot>, ahash::RandomState>,
    budget: usize,
    bytes: AtomicUsize,
    /// The same bytes in the account that models share.
    beside: Arc<AtomicUsize>,
    passes: AtomicUsize,
    is_evicting: AtomicBool,
}

/// An online state, or how to make it.
pub enum Opened {
    /// It is there.
    Ready(Updating),
    /// It has to be started.
    Start(Box<StartJob>),
}

/// What is known about an online state.
#[derive(Clone, Copy, Debug)]
pub struct OnlineSummary {
    /// What it was started from.
    pub origin: Origin,
    /// Points learnt by updates.
    pub state_seq: u64,
    /// Target.
    pub alarm_rate: f64,
    /// The control of the alarm rate.
    pub control: Control,
}

impl OnlineStates {
    /// No states in memory yet; they will take up to a quarter of `budget` bytes and count in
    /// `beside`.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        reads: Arc<StoreReads>,
        monitors: Arc<Monitors>,
        budget: usize,
        beside: Arc<AtomicUsize>,
    ) -> Self {
        Self {
            store,
            reads,
            monitors,
            slots: DashMap::with_hasher(ahash::RandomState::new()),
            budget: budget / 4,
            bytes: AtomicUsize::new(0),
            beside,
            passes: AtomicUsize::new(0),
            is_evicting: AtomicBool::new(false),
        }
    }

    /// The state of `series`, from memory without waiting, or from the store; or how to start it.
    ///
    /// # Errors
    /// When there is a state and the request would have started another, when the version to start
    /// from is not known or has parameters of its own, or when the store cannot be read.
    pub async fn open(
        self: &Arc<Self>,
        series: &str,
        request: StartRequest,
    ) -> Result<Opened, RegistryError> {
        if request.first_given.is_none()
            && let Some(updating) = self.resident(series)
        {
            return Ok(Opened::Ready(updating));
        }
        let (states, name) = (Arc::clone(self), CompactString::from(series));
        let opened = self.reads.run(move || states.read(name, request)).await;
        self.evict_if_due();
        opened
    }

    /// What is known about the state of `series`.
    ///
    /// # Errors
    /// When it has none, or the store cannot be read.
    pub async fn summary(self: &Arc<Self>, series: &str) -> Result<OnlineSummary, RegistryError> {
        self.look(series, |live, _| OnlineSummary {
            origin: live.origin,
            state_seq: live.seq,
            alarm_rate: live.alarm_rate(),
            control: live.control(),
        })
        .await
    }

    /// States in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no state is in memory.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Looks at a state on a blocking thread.
    async fn look<T: Send + 'static>(
        self: &Arc<Self>,
        series: &str,
        at: impl FnOnce(&Live, u64) -> T + Send + 'static,
    ) -> Result<T, RegistryError> {
        let (states, name) = (Arc::clone(self), CompactString::from(series));
        let read = move || {
            let slot = states.slot(&name);
            let found = states.load(&name, &slot).and_then(|()| {
                if slot.is_deleted() {
                    return Ok(None);
                }
                slot.check()?;
                Ok(slot.lock().as_ref().map(|live| at(live, slot.life())))
            });
            states.leave(&name, slot);
            found?.ok_or_else(|| RegistryError::NoOnlineState(name.into()))
        };
        let looked = self.reads.run(read).await;
        self.evict_if_due();
        looked
    }

    fn resident(self: &Arc<Self>, series: &str) -> Option<Updating> {
        let slot = Arc::clone(self.slots.get(series)?.value());
        let time_unit = slot.time_unit()?;
        slot.mark_used();
        Some(Updating {
            states: Arc::clone(self),
            series: series.into(),
            slot,
            first_given: None,
            time_unit,
            prepared: None,
        })
    }

    /// Reads the state or what to start it from. Blocks.
    fn read(
        self: &Arc<Self>,
        series: CompactString,
        request: StartRequest,
    ) -> Result<Opened, RegistryError> {
        let slot = self.slot(&series);
        let read = self
            .load(&series, &slot)
            .and_then(|()| match self.resident(&series) {
                Some(updating) => self
                    .check_start(&series, &slot, &request)
                    .map(|()| Opened::Ready(updating)),
                None => self.start(&series, Arc::clone(&slot), request),
            });
        self.leave(&series, slot);
        read
    }

    /// Reads the state into its slot, if it is stored and not there. Blocks.
    fn load(&self, series: &str, slot: &Slot) -> Result<(), RegistryError> {
        let mut live = slot.lock();
        if live.is_none() {
            // Before the state and before a version to start from: what of them was read and is deleted
            // later is not of the life that is then.
            slot.set_life(self.store.head(series)?.life);
            if let Some(stored) = start::restore(&*self.store, series)? {
                slot.install(&mut live, stored);
            }
        }
        Ok(())
    }

    /// The slot of `series`, made if it is not there.
    fn slot(&self, series: &CompactString) -> Arc<Slot> {
        let slot = self.slots.entry(series.clone()).or_insert_with(|| {
            self.count(size_of_entry(series));
            Arc::default()
        });
        slot.mark_used();
        Arc::clone(slot.value())
    }

    /// Gives a slot back; an empty one goes, or series that do not exist would fill the memory.
    fn leave(&self, series: &str, slot: Arc<Slot>) {
        let is_empty = slot.time_unit().is_none();
        drop(slot);
        if is_empty {
            let held = |_: &CompactString, slot: &Arc<Slot>| {
                is_droppable(slot) && slot.time_unit().is_none()
            };
            if self.slots.remove_if(series, held).is_some() {
                self.discount(size_of_entry(series));
            }
        }
    }

    /// Drops the state of a series that was just deleted. Who works on it yet is refused.
    pub(super) fn forget(&self, series: &str) {
        if let Some((series, slot)) = self.slots.remove(series) {
            self.discount(size_of_entry(&series));
            slot.delete();
        }
    }

    /// Starts a pass beside what is going on, if states take more than the budget and none is under way.
    fn evict_if_due(self: &Arc<Self>) {
        if self.bytes.load(Ordering::Relaxed) > self.budget
            && let Some(pass) = Pass::begin(self)
        {
            tokio::task::spawn_blocking(move || pass.0.evict());
        }
    }

    /// Drops states that nobody holds until the budget holds: those not used since the last pass
    /// first, a like share of every shard.
    fn evict(&self) {
        let target = self.budget / KEEP.1 * KEEP.0;
        for spare_used in [true, false] {
            let bytes = self.bytes.load(Ordering::Relaxed);
            if bytes <= target {
                return;
            }
            let salt = self.passes.fetch_add(1, Ordering::Relaxed) as u64;
            let share = 2.0 * (bytes - target) as f64 / bytes as f64;
            self.slots.retain(|series, slot| {
                let keep = !is_droppable(slot)
                    || (spare_used && slot.take_used())
                    || !falls_within(series, salt, share)
                    || self.bytes.load(Ordering::Relaxed) <= target;
                if !keep {
                    self.discount(size_of_entry(series));
                }
                keep
            });
        }
    }

    fn count(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.beside.fetch_add(bytes, Ordering::Relaxed);
    }

    fn discount(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.beside.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The one pass that is under way; another may begin when it ends, also by a panic.
struct Pass(Arc<OnlineStates>);

impl Pass {
    fn begin(states: &Arc<OnlineStates>) -> Option<Self> {
        let is_first = !states.is_evicting.swap(true, Ordering::AcqRel);
        is_first.then(|| Self(Arc::clone(states)))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.is_evicting.store(false, Ordering::Release);
    }
}

/// Whether only the map has the slot, and the store all that is in it. With the shard locked for
/// writing, as here, nobody can get it.
fn is_droppable(slot: &Arc<Slot>) -> bool {
    let is_unheld = Arc::strong_count(slot) == 1;
    // What the last holder saw committed, a later read of the store sees; how a write ended, too.
    fence(Ordering::Acquire);
    is_unheld && slot.check().is_ok()
}

fn size_of_entry(series: &str) -> usize {
    let key_heap = if series.len() > size_of::<CompactString>() {
        series.len()
    } else {
        0
    };
    size_of::<Slot>() + Online::HEAP_BYTES_MAX + BESIDE_BYTES + key_heap
}
