//! An online state on disk: a snapshot now and then, and the points learnt since.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `online` | series | sealed [`StateRecord`] |
//! | `points` | series, 0x00, `state_seq` of its first point (u64, big endian) | sealed [`Learnt`] |
//!
//! A log that a snapshot closes, as a database has it (Gray and Reuter, *Transaction Processing*,
//! 1993, ch. 11); what differs is that the log holds the points and not the bytes they changed,
//! because learning is deterministic: the snapshot and the points after it give the state bit for
//! bit. A snapshot is written in one commit with the removal of the points it has learnt.

use detectors::envelope;
use serde::{Deserialize, Serialize};

use super::sealed;

const STATE_MAGIC: [u8; 4] = *b"TSTA";
const POINTS_MAGIC: [u8; 4] = *b"TPTS";
const STATE_FORMAT: u16 = 1;
const POINTS_FORMAT: u16 = 1;
/// Bytes of a point: time and value.
const POINT_BYTES: usize = 16;

/// A snapshot of an online state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateRecord {
    /// Points learnt by updates; the first one has the number 1.
    pub seq: u64,
    /// The version it was started from; 0 for nothing.
    pub origin_version: u64,
    /// Hash of the model it was started from.
    pub origin_digest: [u8; 16],
    /// First timestamp it knows, of a training point or of an update; `None` before there is one.
    pub learnt_from: Option<i64>,
    /// The state's own sealed bytes.
    pub online: Vec<u8>,
}

impl StateRecord {
    /// Seals the record.
    #[must_use]
    pub fn seal(&self) -> Vec<u8> {
        sealed::seal(STATE_MAGIC, STATE_FORMAT, self)
    }

    /// Opens a sealed record.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the bytes.
    pub fn open(bytes: &[u8]) -> Result<Self, String> {
        let payload = opened(STATE_MAGIC, STATE_FORMAT, bytes)?;
        postcard::from_bytes(payload).map_err(|error| error.to_string())
    }
}

/// Points that were learnt one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learnt {
    /// `state_seq` of the first one.
    pub first_seq: u64,
    /// Time and value.
    pub points: Vec<(i64, f64)>,
}

impl Learnt {
    /// Seals the points.
    #[must_use]
    pub fn seal(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(8 + self.points.len() * POINT_BYTES);
        payload.extend_from_slice(&self.first_seq.to_le_bytes());
        for (timestamp, value) in &self.points {
            payload.extend_from_slice(&timestamp.to_le_bytes());
            payload.extend_from_slice(&value.to_le_bytes());
        }
        envelope::seal(POINTS_MAGIC, POINTS_FORMAT, 0, &payload)
    }

    /// Opens sealed points.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the bytes.
    pub fn open(bytes: &[u8]) -> Result<Self, String> {
        let payload = opened(POINTS_MAGIC, POINTS_FORMAT, bytes)?;
        let (words, rest) = payload.as_chunks::<8>();
        let Some((first_seq, words)) = words.split_first() else {
            return Err("the number of the first point is cut off".to_owned());
        };
        let (points, half) = words.as_chunks::<2>();
        if !rest.is_empty() || !half.is_empty() {
            return Err(format!("{} bytes are no whole points", payload.len()));
        }
        let points = points
            .iter()
            .map(|[t, v]| (i64::from_le_bytes(*t), f64::from_le_bytes(*v)));
        Ok(Self {
            first_seq: u64::from_le_bytes(*first_seq),
            points: points.collect(),
        })
    }
}

/// A state as it is read back: the snapshot and what was learnt after it, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredState {
    /// The latest snapshot.
    pub snapshot: StateRecord,
    /// The points after it, in the records they were logged in: without gap or overlap.
    pub log: Vec<Learnt>,
}

impl StoredState {
    /// Puts the records after `snapshot` together.
    ///
    /// # Errors
    /// A sentence about the first gap.
    pub fn assemble(snapshot: StateRecord, log: Vec<Learnt>) -> Result<Self, String> {
        let mut next = snapshot.seq + 1;
        for learnt in &log {
            if learnt.first_seq != next {
                return Err(format!(
                    "point {next} is missing, the next one is {}",
                    learnt.first_seq
                ));
            }
            next += learnt.points.len() as u64;
        }
        Ok(Self { snapshot, log })
    }
}

fn opened(magic: [u8; 4], format: u16, bytes: &[u8]) -> Result<&[u8], String> {
    let sealed = envelope::open(magic, bytes).map_err(|error| error.to_string())?;
    if sealed.format == format {
        Ok(sealed.payload)
    } else {
        Err(format!(
            "its format is {}, known is {format}",
            sealed.format
        ))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn snapshot(seq: u64) -> StateRecord {
        StateRecord {
            seq,
            origin_version: 3,
            origin_digest: [7; 16],
            learnt_from: Some(1_700_000_000),
            online: vec![1, 2, 3],
        }
    }

    fn learnt(first_seq: u64, n: usize) -> Learnt {
        Learnt {
            first_seq,
            points: vec![(1, 1.0); n],
        }
    }

    proptest! {
        #[test]
        fn points_come_back_bit_for_bit(
            first_seq in any::<u64>(),
            points in prop::collection::vec((any::<i64>(), any::<u64>().prop_map(f64::from_bits)), 0..50)
        ) {
            let back = Learnt::open(&Learnt { first_seq, points: points.clone() }.seal()).unwrap();
            let bits = |points: &[(i64, f64)]| points.iter().map(|(t, v)| (*t, v.to_bits())).collect::<Vec<_>>();
            prop_assert_eq!(back.first_seq, first_seq);
            prop_assert_eq!(bits(&back.points), bits(&points));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_noticed() {
        type Opens = fn(&[u8]) -> bool;
        assert_eq!(StateRecord::open(&snapshot(4).seal()).unwrap(), snapshot(4));
        let opens: [(Vec<u8>, Opens); 2] = [
            (snapshot(4).seal(), |bytes| StateRecord::open(bytes).is_ok()),
            (learnt(1, 2).seal(), |bytes| Learnt::open(bytes).is_ok()),
        ];
        for (sealed, opens) in opens {
            for bit in 0..sealed.len() * 8 {
                let mut damaged = sealed.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert!(!opens(&damaged), "bit {bit}");
            }
            for length in 0..sealed.len() {
                assert!(!opens(&sealed[..length]), "length {length}");
            }
        }
    }

    #[test]
    fn a_gap_in_the_log_is_noticed() {
        let put_together = |log: &[(u64, usize)]| {
            let log = log.iter().map(|(first, n)| learnt(*first, *n)).collect();
            StoredState::assemble(snapshot(4), log).is_ok()
        };
        assert!(put_together(&[]));
        assert!(put_together(&[(5, 1), (6, 3), (9, 1)]));
        assert!(!put_together(&[(6, 1)]));
        assert!(!put_together(&[(5, 2), (6, 1)]));
        assert!(!put_together(&[(5, 1), (7, 1)]));
    }
}
