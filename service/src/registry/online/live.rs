//! An online state in memory and what of it has to be stored.

use detectors::online::{Control, Observed, Online};
use detectors::{CheckedParams, TimeUnit};

use crate::registry::model::model_digest;
use crate::store::{Learnt, StateChange, StateRecord, StoredState};

/// Points after which the next change is a snapshot. A restart learns at most so many again, less
/// than a millisecond; a snapshot of 4 KiB weighs 16 bytes a point then, as much as the point.
const SNAPSHOT_EVERY: u64 = 256;

/// What an online state was started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The version; 0 for nothing.
    pub version: u64,
    /// Hash of the version's bytes, or of those of a state that knows nothing.
    pub digest: [u8; 16],
}

/// The verdict on a point from before it was learnt.
#[derive(Clone, Copy, Debug)]
pub struct Scored {
    /// The verdict, and whether the point was learnt.
    pub observed: Observed,
    /// Points learnt after it.
    pub state_seq: u64,
}

/// An online state and what is needed to store its next change.
#[derive(Clone)]
pub(super) struct Live {
    pub(super) online: Online,
    pub(super) seq: u64,
    pub(super) origin: Origin,
    pub(super) learnt_from: Option<i64>,
    /// What was logged since the last snapshot; `None` before the first one.
    logged: Option<Logged>,
    snapshot_at: u64,
}

/// The pieces of points logged since a snapshot, each by its first point: a bit for each point that
/// may be logged, so that it takes as much memory for many pieces as for none.
#[derive(Clone, Copy, Default)]
struct Logged([u64; (SNAPSHOT_EVERY / 64) as usize]);

impl Logged {
    /// Notes a piece that begins `after` points after the snapshot, if it may be logged.
    fn add(&mut self, after: u64) -> Option<()> {
        let word = self.0.get_mut(usize::try_from(after / 64).ok()?)?;
        *word |= 1 << (after % 64);
        Some(())
    }

    /// First numbers of the pieces after the snapshot that knows `snapshot_at` points.
    fn first_seqs(self, snapshot_at: u64) -> Vec<u64> {
        let begins = |after: &u64| self.0[(after / 64) as usize] >> (after % 64) & 1 == 1;
        let after = (0..SNAPSHOT_EVERY).filter(begins);
        after.map(|after| snapshot_at + 1 + after).collect()
    }
}

impl Live {
    /// A state that is not stored yet.
    pub(super) fn start(online: Online, origin: Origin, learnt_from: Option<i64>) -> Self {
        Self {
            online,
            seq: 0,
            origin,
            learnt_from,
            logged: None,
            snapshot_at: 0,
        }
    }

    /// A state that knows nothing, at the time of its first point.
    pub(super) fn from_nothing(params: &CheckedParams, at: i64) -> Self {
        let online = Online::new(params, at);
        let bytes = online.freeze().encode();
        let digest = model_digest(&bytes).expect("the model was sealed just now");
        Self::start(online, Origin { version: 0, digest }, None)
    }

    /// Learns the logged points again: the state that was, bit for bit.
    pub(super) fn restore(stored: StoredState) -> Result<Self, String> {
        let StoredState { snapshot, log } = stored;
        let online = Online::decode(&snapshot.online).map_err(|error| error.to_string())?;
        let mut live = Self {
            online,
            seq: snapshot.seq,
            origin: Origin {
                version: snapshot.origin_version,
                digest: snapshot.origin_digest,
            },
            learnt_from: snapshot.learnt_from,
            logged: Some(Logged::default()),
            snapshot_at: snapshot.seq,
        };
        for Learnt { first_seq, points } in log {
            for (timestamp, value) in points {
                if !live.observe(timestamp, value).observed.learnt {
                    return Err(format!("point {} cannot be learnt again", live.seq + 1));
                }
            }
            let after = first_seq.checked_sub(live.snapshot_at + 1);
            let logged = live.logged.get_or_insert_default();
            after.and_then(|after| logged.add(after)).ok_or_else(|| {
                format!("points from {first_seq} are not those after the snapshot")
            })?;
        }
        Ok(live)
    }

    /// The state after `points`, their verdicts, and what has to be stored.
    pub(super) fn advance(&self, points: &[(i64, f64)]) -> (Self, Vec<Scored>, StateChange) {
        let mut next = self.clone();
        let observed = points.iter().map(|(t, value)| next.observe(*t, *value));
        let scored: Vec<Scored> = observed.collect();
        let change = next.change_since(self.seq, points, &scored);
        (next, scored, change)
    }

    pub(super) fn alarm_rate(&self) -> f64 {
        self.online.alarm_rate()
    }

    pub(super) fn time_unit(&self) -> TimeUnit {
        self.online.time_unit()
    }

    pub(super) fn control(&self) -> Control {
        self.online.control()
    }

    fn observe(&mut self, timestamp: i64, value: f64) -> Scored {
        let observed = self.online.observe(timestamp, value);
        if observed.learnt {
            self.seq += 1;
            self.learnt_from.get_or_insert(timestamp);
        }
        Scored {
            observed,
            state_seq: self.seq,
        }
    }

    fn change_since(
        &mut self,
        before: u64,
        points: &[(i64, f64)],
        scored: &[Scored],
    ) -> StateChange {
        let is_due = self.seq - self.snapshot_at >= SNAPSHOT_EVERY;
        match &mut self.logged {
            Some(logged) if !is_due => {
                if self.seq == before {
                    return StateChange::Nothing;
                }
                let first_seq = before + 1;
                logged
                    .add(before - self.snapshot_at)
                    .expect("a snapshot is due before the log is full");
                let learnt = points.iter().zip(scored);
                let learnt = learnt.filter(|(_, scored)| scored.observed.learnt);
                let points = learnt.map(|(point, _)| *point).collect();
                let record = Learnt { first_seq, points }.seal();
                StateChange::Points { first_seq, record }
            }
            logged => {
                let replaces = logged.replace(Logged::default()).unwrap_or_default();
                let replaces = replaces.first_seqs(self.snapshot_at);
                self.snapshot_at = self.seq;
                let record = StateRecord {
                    seq: self.seq,
                    origin_version: self.origin.version,
                    origin_digest: self.origin.digest,
                    learnt_from: self.learnt_from,
                    online: self.online.encode(),
                };
                StateChange::Snapshot {
                    record: record.seal(),
                    replaces,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use detectors::Params;
    use proptest::prelude::*;

    use super::*;

    /// What a store has of a state.
    #[derive(Clone)]
    struct Disk {
        snapshot: StateRecord,
        log: Vec<Learnt>,
    }

    impl Disk {
        fn write(disk: &mut Option<Self>, change: &StateChange) {
            match change {
                StateChange::Nothing => {}
                StateChange::Points { first_seq, record } => {
                    let learnt = Learnt::open(record).unwrap();
                    assert_eq!(learnt.first_seq, *first_seq);
                    disk.as_mut().unwrap().log.push(learnt);
                }
                StateChange::Snapshot { record, replaces } => {
                    let old = disk.take().map_or_else(Vec::new, |disk| disk.log);
                    let logged: Vec<u64> = old.iter().map(|learnt| learnt.first_seq).collect();
                    assert_eq!(*replaces, logged, "all that was logged, and nothing else");
                    *disk = Some(Self {
                        snapshot: StateRecord::open(record).unwrap(),
                        log: Vec::new(),
                    });
                }
            }
        }

        fn read(&self) -> Live {
            let Self { snapshot, log } = self.clone();
            Live::restore(StoredState::assemble(snapshot, log).unwrap()).unwrap()
        }
    }

    fn begun() -> Live {
        let params = Params::default().check().unwrap();
        Live::from_nothing(&params, 0)
    }

    fn is_same(a: &Live, b: &Live) -> bool {
        let known = |live: &Live| {
            (
                live.seq,
                live.origin,
                live.learnt_from,
                live.online.encode(),
            )
        };
        known(a) == known(b)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Pieces of any length, some of them late, on a state that is read back now and then.
        #[test]
        fn what_is_stored_is_the_state_after_every_piece(
            pieces in prop::collection::vec((0..400_usize, any::<bool>(), any::<bool>()), 1..20)
        ) {
            let (mut live, mut disk, mut now) = (begun(), None, 0);
            let mut all = Vec::new();
            for (n, is_late, read_back) in pieces {
                let from = if is_late { now - now.min(5) } else { now };
                let points: Vec<_> = (from..from + n as i64)
                    .map(|t| (t, (t * 7_919 % 101) as f64))
                    .collect();
                let (next, scored, change) = live.advance(&points);
                prop_assert_eq!(scored.len(), n);
                let learnt = points.iter().zip(&scored).filter(|(_, s)| s.observed.learnt);
                all.extend(learnt.map(|(point, _)| *point));
                prop_assert_eq!(next.seq, all.len() as u64);
                now = now.max(from + n as i64);
                Disk::write(&mut disk, &change);
                let stored = disk.as_ref().unwrap();
                let logged: usize = stored.log.iter().map(|learnt| learnt.points.len()).sum();
                prop_assert!((logged as u64) < SNAPSHOT_EVERY);
                let restored = stored.read();
                prop_assert!(is_same(&restored, &next));
                live = if read_back { restored } else { next };
            }
            let (at_once, ..) = begun().advance(&all);
            prop_assert!(is_same(&at_once, &live));
        }
    }
}
