//! Training points as bytes: columns compressed by pco, or raw when there are few.
//!
//! pco (Loncaric, Jeppesen and Zinberg, "Pcodec: better compression for numerical sequences",
//! 2025) finds the step of a regular series and the decimal grid of its values by itself. Below
//! a few dozen points its header costs more than it saves.

use detectors::envelope;
use pco::standalone::{DecompressorItem, FileDecompressor};

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

    /// Checks sealed points that somebody else made, without holding them: how many there are, and their first
    /// and last timestamp.
    ///
    /// # Errors
    /// A sentence that says what is wrong: with the bytes, or with the points as a history.
    pub fn check(bytes: &[u8], most: usize) -> Result<Checked, String> {
        let sealed = envelope::open(MAGIC, bytes).map_err(|error| error.to_string())?;
        let mut checked = Checked::default();
        let mut times = |column: &[i64]| {
            for &time in column {
                if time < 0 || checked.range.is_some_and(|(_, last)| time <= last) {
                    return Err(format!(
                        "the timestamp {time} is negative or not above the one before"
                    ));
                }
                checked.range = Some((checked.range.map_or(time, |(first, _)| first), time));
                checked.n += 1;
            }
            within(checked.n, most)
        };
        let mut n_values = 0;
        let mut values = |column: &[f64]| {
            n_values += column.len();
            if column.iter().any(|value| !value.is_finite()) {
                return Err("a value is not finite".to_owned());
            }
            within(n_values, most)
        };
        match (sealed.format, sealed.tag) {
            (FORMAT, TAG_RAW) => {
                let points = Self::open_raw(sealed.payload)?;
                times(&points.timestamps)?;
                values(&points.values)?;
            }
            (FORMAT, TAG_PCO) => {
                let (timestamps, column) = halves(sealed.payload)?;
                walk(timestamps, &mut times)?;
                walk(column, &mut values)?;
            }
            (FORMAT, tag) => return Err(format!("its coding {tag} is not known")),
            (format, _) => return Err(format!("its format is {format}, known is {FORMAT}")),
        }
        if checked.n != n_values {
            return Err(format!(
                "it has {} timestamps and {n_values} values",
                checked.n
            ));
        }
        Ok(checked)
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
        let (timestamps, values) = halves(payload)?;
        Ok(Self {
            timestamps: pco::standalone::simple_decompress(timestamps)
                .map_err(|error| error.to_string())?,
            values: pco::standalone::simple_decompress(values)
                .map_err(|error| error.to_string())?,
        })
    }
}

/// Points that were checked and not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many there are.
    pub n: usize,
    /// First and last timestamp; none where there is no point.
    pub range: Option<(i64, i64)>,
}

fn within(n: usize, most: usize) -> Result<(), String> {
    if n > most {
        return Err(format!("it has more than {most} points"));
    }
    Ok(())
}

/// The compressed columns.
fn halves(payload: &[u8]) -> Result<(&[u8], &[u8]), String> {
    let (length, rest) = payload
        .split_first_chunk::<8>()
        .ok_or("the length is cut off")?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|error| error.to_string())?;
    rest.split_at_checked(length)
        .ok_or_else(|| "the timestamps are cut off".to_owned())
}

/// Numbers that are in memory at a time while a column is walked.
const BATCH: usize = pco::FULL_BATCH_N * 16;

/// Hands a compressed column to `each` piece by piece: a few bytes may hold millions of numbers.
fn walk<T: pco::data_types::Number + Default>(
    column: &[u8],
    each: &mut impl FnMut(&[T]) -> Result<(), String>,
) -> Result<(), String> {
    let failed = |error: pco::errors::PcoError| error.to_string();
    let (file, mut rest) = FileDecompressor::new(column).map_err(failed)?;
    let mut batch = vec![T::default(); BATCH];
    loop {
        let mut chunk = match file.chunk_decompressor::<T, _>(rest).map_err(failed)? {
            DecompressorItem::Chunk(chunk) => chunk,
            DecompressorItem::EndOfData(_) => return Ok(()),
        };
        loop {
            let progress = chunk.read(&mut batch).map_err(failed)?;
            each(batch.get(..progress.n_processed).unwrap_or_default())?;
            if progress.finished {
                break;
            }
            if progress.n_processed == 0 {
                return Err("a column stands still".to_owned());
            }
        }
        rest = chunk.into_src();
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
    fn points_of_somebody_else_are_checked_without_being_held() {
        let points = |n: i64| TrainingPoints {
            timestamps: (0..n).map(|i| 5 + 60 * i).collect(),
            values: (0..n).map(|i| (i % 7) as f64).collect(),
        };
        for n in [0, 1, 63, 64, 5_000, 20_000] {
            let range = (n > 0).then(|| (5, 5 + 60 * (n - 1)));
            let checked = Checked {
                n: n as usize,
                range,
            };
            let sealed = points(n).seal();
            assert_eq!(TrainingPoints::check(&sealed, n as usize), Ok(checked));
            if n > 0 {
                let refused = TrainingPoints::check(&sealed, n as usize - 1).unwrap_err();
                assert!(refused.contains("more than"), "{refused}");
            }
        }
        for n in [10, 300] {
            let mut late = points(n);
            late.timestamps[7] = late.timestamps[6];
            let mut odd = points(n);
            odd.values[7] = f64::NAN;
            let mut negative = points(n);
            negative.timestamps[0] = -1;
            for (wrong, said) in [
                (late, "not above"),
                (odd, "not finite"),
                (negative, "negative"),
            ] {
                let refused = TrainingPoints::check(&wrong.seal(), 1_000).unwrap_err();
                assert!(refused.contains(said), "{refused}");
            }
        }
        // 16 million equal numbers take a few hundred bytes.
        let zeros = vec![0.0; 1 << 24];
        let times: Vec<i64> = (0..1 << 24).collect();
        let sealed = TrainingPoints {
            timestamps: times,
            values: zeros,
        }
        .seal();
        assert!(sealed.len() < 100_000, "{}", sealed.len());
        assert!(TrainingPoints::check(&sealed, 1 << 20).is_err());
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
