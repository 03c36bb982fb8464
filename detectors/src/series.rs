//! The input of a fit: a checked, borrowed view of one series.

use ndarray::ArrayView1;

/// Why two columns are not a series. An index is that of the first offending point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SeriesError {
    /// The columns differ in length.
    #[error("{timestamps} timestamps but {values} values")]
    LengthMismatch {
        /// Number of timestamps.
        timestamps: usize,
        /// Number of values.
        values: usize,
    },
    /// A timestamp lies before 1970.
    #[error("timestamp {index} is negative")]
    TimestampNegative {
        /// Index of the point.
        index: usize,
    },
    /// A timestamp is not later than the one before it.
    #[error("timestamp {index} is not later than the one before it")]
    TimestampNotIncreasing {
        /// Index of the later of the two points.
        index: usize,
    },
    /// A value is NaN or infinite.
    #[error("value {index} is not a finite number")]
    ValueNotFinite {
        /// Index of the point.
        index: usize,
    },
}

/// Points in time order: ticks since 1970 ≥ 0 (seconds unless the parameters say otherwise), strictly increasing, and as many finite values.
///
/// Steps may be irregular. An empty series is a series; it is the fit that asks for points.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    timestamps: &'a [i64],
    values: &'a [f64],
}

impl<'a> Series<'a> {
    /// Checks the columns; `O(n)`, nothing is copied.
    ///
    /// # Errors
    ///
    /// The lengths first, then the timestamps, then the values.
    pub fn new(timestamps: &'a [i64], values: &'a [f64]) -> Result<Self, SeriesError> {
        if timestamps.len() != values.len() {
            return Err(SeriesError::LengthMismatch {
                timestamps: timestamps.len(),
                values: values.len(),
            });
        }
        check_timestamps(timestamps)?;
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(SeriesError::ValueNotFinite { index }),
            None => Ok(Self { timestamps, values }),
        }
    }

    /// A series of columns taken from one that was checked.
    pub(crate) fn with_columns<'b>(&self, timestamps: &'b [i64], values: &'b [f64]) -> Series<'b> {
        Series { timestamps, values }
    }

    /// Ticks since 1970, shape `[n]`.
    pub fn timestamps(&self) -> &'a [i64] {
        self.timestamps
    }

    /// Values, shape `[n]`.
    pub fn values(&self) -> &'a [f64] {
        self.values
    }

    /// The values as an array, shape `[n]`, for the models built on linear algebra.
    pub fn view(&self) -> ArrayView1<'a, f64> {
        ArrayView1::from(self.values)
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no point at all.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

fn check_timestamps(timestamps: &[i64]) -> Result<(), SeriesError> {
    // From −1, "later than the one before" covers the sign of the first timestamp as well, and a
    // negative one further on is the first that is also not increasing.
    let mut previous = -1;
    for (index, &timestamp) in timestamps.iter().enumerate() {
        if timestamp <= previous {
            return Err(if timestamp < 0 {
                SeriesError::TimestampNegative { index }
            } else {
                SeriesError::TimestampNotIncreasing { index }
            });
        }
        previous = timestamp;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_irregular_steps_and_an_empty_series() {
        let series = Series::new(&[0, 1, 100], &[1.0, f64::MAX, -0.0]).unwrap();
        assert_eq!(series.len(), 3);
        assert_eq!(series.view().sum(), f64::MAX);
        assert!(Series::new(&[], &[]).unwrap().is_empty());
    }

    #[test]
    fn names_the_first_offending_index() {
        let error = |timestamps: &[i64], values: &[f64]| Series::new(timestamps, values).err();
        assert_eq!(
            error(&[0, 1], &[1.0]),
            Some(SeriesError::LengthMismatch {
                timestamps: 2,
                values: 1
            })
        );
        assert_eq!(
            error(&[-1, 0], &[1.0; 2]),
            Some(SeriesError::TimestampNegative { index: 0 })
        );
        assert_eq!(
            error(&[5, -3, -4], &[1.0; 3]),
            Some(SeriesError::TimestampNegative { index: 1 })
        );
        assert_eq!(
            error(&[0, 2, 2, 1], &[1.0; 4]),
            Some(SeriesError::TimestampNotIncreasing { index: 2 })
        );
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(
                error(&[0, 1, 2], &[1.0, bad, bad]),
                Some(SeriesError::ValueNotFinite { index: 1 })
            );
        }
    }
}
