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
    /// First numbers of the points logged since the last snapshot; `None` before the first one.
    logged: Option<Vec<u64>>,
    snapshot_at: u64,
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
            logged: Some(Vec::with_capacity(log.len())),
            snapshot_at: snapshot.seq,
        };
        for Learnt { first_seq, points } in log {
            for (timestamp, value) in points {
                if !live.observe(timestamp, value).observed.learnt {
                    return Err(format!("point {} cannot be learnt again", live.seq + 1));
                }
            }
            live.logged.get_or_insert_default().push(first_seq);
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
                logged.push(first_seq);
                let learnt = points.iter().zip(scored);
                let learnt = learnt.filter(|(_, scored)| scored.observed.learnt);
                let points = learnt.map(|(point, _)| *point).collect();
                let record = Learnt { first_seq, points }.seal();
                StateChange::Points { first_seq, record }
            }
            logged => {
                let replaces = logged.replace(Vec::new()).unwrap_or_default();
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
