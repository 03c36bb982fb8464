//! What the committer does between commits, a bit at a time.

use std::time::Duration;

use super::answers::{LOOK_EVERY, Sweeper, now_ms};
use super::committer::{Shared, Tables, refuse_from_now_on};
use super::graves::Graves;
use super::{StoreError, reading, retention};

/// What is done between commits, a bit at a time.
pub(super) struct Chores {
    pub(super) sweeper: Sweeper,
    pub(super) graves: Graves,
    pub(super) pass: retention::Pass,
}

impl Chores {
    /// Those of an open store.
    pub(super) fn of(tables: &Tables) -> Result<Self, StoreError> {
        Ok(Self {
            sweeper: Sweeper::of(&tables.answers)?,
            graves: Graves::of(tables)?,
            pass: retention::Pass::over(tables),
        })
    }

    /// Whether nothing is left to be removed.
    pub(super) fn are_done(&self) -> bool {
        !self.graves.is_due() && !self.pass.is_due()
    }
}

/// How long the committer may wait for a batch before something is to be swept.
pub(super) fn rests(tables: &Tables, shared: &Shared, chores: &Chores, now_ms: u64) -> Duration {
    // What is due then stays due: nothing is swept any more, or not until there is room.
    if shared.refusal.get().is_some() {
        return LOOK_EVERY;
    }
    if !chores.are_done() {
        return Duration::ZERO;
    }
    if shared.room.is_full() {
        return LOOK_EVERY;
    }
    chores.sweeper.rests(&tables.answers, now_ms)
}

/// One step of each chore: nobody waits for it but the next batch, which waits as long as it does.
pub(super) fn sweep(tables: &Tables, shared: &Shared, chores: &mut Chores) {
    if shared.refusal.get().is_some() {
        return;
    }
    // A disk that hangs here holds up the next batch as one that hangs in a commit.
    let _under_way = shared.commit.begin();
    let swept = reading::caught(|| {
        // They make room, so they do not wait for it.
        chores.graves.step(tables, &mut chores.sweeper)?;
        let removed = chores.pass.step(tables, shared)?;
        removed.iter().for_each(|deleted| shared.tell(deleted));
        if shared.room.is_full() {
            return Ok(());
        }
        chores.sweeper.step(&tables.db, &tables.answers, now_ms())
    });
    if let Err(reason) = swept.unwrap_or_else(Err) {
        refuse_from_now_on(shared, &reason);
    }
}
