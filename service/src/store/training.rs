//! Training points as bytes: columns compressed by pco, or raw when there are few.
//!
//! pco (Loncaric, Jeppesen and Zinberg, "Pcodec: better compression for numerical sequences",
//! 2025) finds the step of a regular series and the decimal grid of its values by itself. Below
//! a few dozen points its header costs more than it saves.

use detectors::envelope;

const MAGIC: [u8; 4] = *b"TTRN";
const FORMAT: u16 = 1;
const TAG_RAW: u16 = 0;
const TAG_PCO: u16 = 1;
const RAW_BELOW: usize = 64;

/// A series' history: timestamps in Unix seconds, strictly increasing, and as many values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainingPoints {
    /// Unix seconds.
    pub timestamps: Vec<i64>,
    /// In the unit of the series.
    pub values: Vec<f64>,
}

impl TrainingPoints {
    /// Seals the points.
    #[must_use]
    pub fn seal(&self) -> Vec<u8> {
        let n = self.timestamps.len();
        if n < RAW_BELOW {
            let mut payload = Vec::with_capacity(n * 16);
            payload.extend(self.timestamps.iter().flat_map(|t| t.to_le_bytes()));
            payload.extend(self.values.iter().flat_map(|v| v.to_le_bytes()));
            return envelope::seal(MAGIC, FORMAT, TAG_RAW, &payload);
        }
        let config = pco::ChunkConfig::default();
        let timestamps = pco::standalone::simple_compress(&self.timestamps, &config)
            .expect("the default config is valid");
        let values = pco::standalone::simple_compress(&self.values, &config)
            .expect("the default config is valid");
        let mut payload = Vec::with_capacity(8 + timestamps.len() + values.len());
        payload.extend_from_slice(&(timestamps.len() as u64).to_le_bytes());
        payload.extend_from_slice(&timestamps);
        payload.extend_from_slice(&values);
        envelope::seal(MAGIC, FORMAT, TAG_PCO, &payload)
    }

    /// Opens sealed points.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the bytes.
    pub fn open(bytes: &[u8]) -> Result<Self, String> {
        let sealed = envelope::open(MAGIC, bytes).map_err(|error| error.to_string())?;
        if sealed.format != FORMAT {
            return Err(format!(
                "its format is {}, known is {FORMAT}",
                sealed.format
            ));
        }
        let points = match sealed.tag {
            TAG_RAW => Self::open_raw(sealed.payload),
            TAG_PCO => Self::open_pco(sealed.payload),
            tag => Err(format!("its coding {tag} is not known")),
        }?;
        if points.timestamps.len() != points.values.len() {
            return Err(format!(
                "it has {} timestamps and {} values",
                points.timestamps.len(),
                points.values.len()
            ));
        }
        Ok(points)
    }

    fn open_raw(payload: &[u8]) -> Result<Self, String> {
        let (words, rest) = payload.as_chunks::<8>();
        if !rest.is_empty() || words.len() % 2 != 0 {
            return Err(format!("{} bytes are no whole points", payload.len()));
        }
        let (timestamps, values) = words.split_at(words.len() / 2);
        Ok(Self {
            timestamps: timestamps.iter().map(|w| i64::from_le_bytes(*w)).collect(),
            values: values.iter().map(|w| f64::from_le_bytes(*w)).collect(),
        })
    }

    fn open_pco(payload: &[u8]) -> Result<Self, String> {
        let (length, rest) = payload
            .split_first_chunk::<8>()
            .ok_or("the length is cut off")?;
        let length =
            usize::try_from(u64::from_le_bytes(*length)).map_err(|error| error.to_string())?;
        let (timestamps, values) = rest
            .split_at_checked(length)
            .ok_or("the timestamps are cut off")?;
        Ok(Self {
            timestamps: pco::standalone::simple_decompress(timestamps)
                .map_err(|error| error.to_string())?,
            values: pco::standalone::simple_decompress(values)
                .map_err(|error| error.to_string())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn points_come_back_bit_for_bit(
            points in prop::collection::vec((any::<i64>(), any::<u64>().prop_map(f64::from_bits)), 0..300)
        ) {
            let (timestamps, values): (Vec<_>, Vec<_>) = points.into_iter().unzip();
            let back = TrainingPoints::open(&TrainingPoints { timestamps: timestamps.clone(), values: values.clone() }.seal()).unwrap();
            prop_assert_eq!(back.timestamps, timestamps);
            let bits = |v: &[f64]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&back.values), bits(&values));
        }
    }

    #[test]
    fn a_regular_series_becomes_much_smaller() {
        let timestamps: Vec<i64> = (0..10_000).map(|i| 1_700_000_000 + 60 * i).collect();
        let values: Vec<f64> = (0..10_000)
            .map(|i| f64::from(i % 97) / 100.0 + 20.0)
            .collect();
        let sealed = TrainingPoints { timestamps, values }.seal();
        assert!(sealed.len() < 10_000 * 16 / 8, "{} bytes", sealed.len());
    }
}
