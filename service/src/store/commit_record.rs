//! What every batch says of itself, as its last record: by it a restart sees that a batch is missing.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `heads` | 0x00, `commit` | sealed [`CommitRecord`] of the latest batch |
//!
//! In the store there is one, that of the latest batch; the journal has one in each batch. It is not in
//! `meta`, for the reason that the number of series is not.

use detectors::envelope;

const MAGIC: [u8; 4] = *b"TCMT";
const FORMAT: u16 = 1;
/// Where `heads` has it; no series has this id.
pub(super) const COMMIT_KEY: &str = "\0commit";

/// The record of one batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CommitRecord {
    /// Batches are numbered 1, 2, 3, …; those of the sweeping have no number.
    pub(super) number: u64,
    /// The batch's sequence number in the database is not below this, and those of all before it are.
    /// fjall has no checksum over that number, which says what replaces what.
    pub(super) floor: u64,
    /// What was missing up to this number was accepted by the operator.
    pub(super) accepted: u64,
}

impl CommitRecord {
    pub(super) fn seal(self) -> Vec<u8> {
        let words = [self.number, self.floor, self.accepted];
        let payload: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        envelope::seal(MAGIC, FORMAT, 0, &payload)
    }

    pub(super) fn open(bytes: &[u8]) -> Result<Self, String> {
        let sealed = envelope::open(MAGIC, bytes).map_err(|error| error.to_string())?;
        if sealed.format != FORMAT {
            return Err(format!(
                "its format is {}, known is {FORMAT}",
                sealed.format
            ));
        }
        match sealed.payload.as_chunks::<8>() {
            ([number, floor, accepted], []) => Ok(Self {
                number: u64::from_le_bytes(*number),
                floor: u64::from_le_bytes(*floor),
                accepted: u64::from_le_bytes(*accepted),
            }),
            _ => Err("it is not three numbers".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_and_every_truncation_is_noticed() {
        let record = CommitRecord {
            number: 70_000,
            floor: 70_123,
            accepted: 12,
        };
        let sealed = record.seal();
        assert_eq!(CommitRecord::open(&sealed), Ok(record));
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(CommitRecord::open(&damaged).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(
                CommitRecord::open(&sealed[..length]).is_err(),
                "length {length}"
            );
        }
    }
}
