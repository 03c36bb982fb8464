//! What any detector has to beat: chance, one line of code, and the textbook.

use std::collections::VecDeque;
use std::f64::consts::FRAC_1_SQRT_2;

use detectors::eval::bootstrap::SplitMix64;

use super::scorer::Scored;

/// Rows of the rolling mean and standard deviation, as NAB's windowed Gaussian has it.
const WINDOW: usize = 6400;

/// Where a standard deviation is 0 any deviation is infinitely many of them.
const MOST_DEVIATIONS: f64 = 1e6;

/// Scores and p-values that know nothing: uniform p-values, always the same for the same file.
pub fn random(file: &str, rows: usize) -> Scored {
    // FNV-1a, so that the numbers do not change when other series join the index.
    let seed = file.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    let mut random = SplitMix64::new(seed);
    let mut scored = Scored::with_capacity(rows);
    for _ in 0..rows {
        let p_value = random.next_p_value();
        scored.push(-libm::log10(p_value), p_value);
    }
    scored
}

/// How far a row lies outside the range of all rows before it, in widths of that range; 0 inside.
///
/// The p-value of a record after k rows is 2/(k + 1), which holds for any distribution as long as the
/// rows are exchangeable.
pub fn outside_range(values: &[f64]) -> Scored {
    let mut scored = Scored::with_capacity(values.len());
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for (rows_before, &value) in values.iter().enumerate() {
        let beyond = (low - value).max(value - high);
        if beyond > 0.0 && rows_before > 0 {
            // Halves, because the range of extreme values is more than `f64` holds.
            let widths = (0.5 * beyond) / (0.5 * high - 0.5 * low);
            let record = 2.0 / (rows_before + 1) as f64;
            scored.push(widths.min(MOST_DEVIATIONS), record.min(1.0));
        } else {
            scored.push(0.0, 1.0);
        }
        (low, high) = (low.min(value), high.max(value));
    }
    scored
}

/// Deviation from the mean of the last 6,400 rows before, in their standard deviations, and its
/// two-sided normal p-value.
pub fn windowed_gaussian(values: &[f64]) -> Scored {
    let mut scored = Scored::with_capacity(values.len());
    let mut rolling = Rolling::default();
    for &value in values {
        match rolling.deviations(value) {
            Some(deviations) => {
                let p_value = libm::erfc(deviations * FRAC_1_SQRT_2);
                scored.push(deviations, p_value.max(f64::MIN_POSITIVE));
            }
            None => scored.push(0.0, 1.0),
        }
        rolling.push(value);
    }
    scored
}

/// Mean and sum of squared deviations of the last [`WINDOW`] values.
#[derive(Default)]
struct Rolling {
    values: VecDeque<f64>,
    mean: f64,
    squares: f64,
    since_exact: usize,
}

impl Rolling {
    fn deviations(&self, value: f64) -> Option<f64> {
        if self.values.len() < 2 {
            return None;
        }
        let distance = (value - self.mean).abs();
        if distance == 0.0 {
            return Some(0.0);
        }
        let variance = self.squares.max(0.0) / self.values.len() as f64;
        let deviations = distance / variance.sqrt();
        Some(if deviations < MOST_DEVIATIONS {
            deviations
        } else {
            MOST_DEVIATIONS
        })
    }

    fn push(&mut self, value: f64) {
        if self.values.len() == WINDOW
            && let Some(oldest) = self.values.pop_front()
        {
            let mean = self.mean + (self.mean - oldest) / self.values.len() as f64;
            self.squares -= (oldest - self.mean) * (oldest - mean);
            self.mean = mean;
        }
        self.values.push_back(value);
        let mean = self.mean + (value - self.mean) / self.values.len() as f64;
        self.squares += (value - self.mean) * (value - mean);
        self.mean = mean;
        self.since_exact += 1;
        if self.since_exact == WINDOW {
            self.start_over();
        }
    }

    /// Taking values out leaves rounding behind, which would outlive a spike for ever.
    fn start_over(&mut self) {
        let n = self.values.len() as f64;
        self.mean = self.values.iter().map(|value| value / n).sum();
        let square = |value: &f64| (value - self.mean) * (value - self.mean);
        self.squares = self.values.iter().map(square).sum();
        self.since_exact = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_scores_are_those_of_the_file_and_alarm_as_often_as_asked() {
        let scored = random("a.csv", 100_000);
        assert_eq!(scored, random("a.csv", 100_000));
        assert_ne!(scored, random("b.csv", 100_000));
        let alarms = scored.p_values.iter().filter(|p| **p <= 0.01).count();
        assert!((900..1100).contains(&alarms), "{alarms}");
    }

    #[test]
    fn a_record_is_measured_by_the_range_before_it() {
        let scored = outside_range(&[5.0, 5.0, 7.0, 6.0, 8.0, 1.0]);
        assert_eq!(scored.anomaly_scores[..2], [0.0, 0.0]);
        assert_eq!(scored.anomaly_scores[2], MOST_DEVIATIONS, "no range yet");
        assert_eq!(scored.anomaly_scores[3..], [0.0, 0.5, 4.0 / 3.0]);
        assert_eq!(scored.p_values[3..], [1.0, 2.0 / 5.0, 2.0 / 6.0]);
    }

    #[test]
    fn the_rolling_moments_are_those_of_the_last_rows() {
        let values: Vec<f64> = (0..20_000)
            .map(|i| f64::from(i * 7919 % 1009) + if i == 3000 { 1e9 } else { 0.0 })
            .collect();
        let scored = windowed_gaussian(&values);
        for row in [500, 9000, 13_000, 19_999] {
            let window = &values[row - WINDOW.min(row)..row];
            let n = window.len() as f64;
            let mean = window.iter().sum::<f64>() / n;
            let variance = window.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
            let expected = (values[row] - mean).abs() / variance.sqrt();
            let got = scored.anomaly_scores[row];
            assert!((got - expected).abs() < 1e-6, "{row}: {got} {expected}");
        }
    }

    #[test]
    fn every_number_is_finite_on_the_widest_values() {
        let values = [f64::MAX, f64::MIN, f64::MAX, 0.0, 0.0, f64::MIN_POSITIVE];
        for scored in [outside_range(&values), windowed_gaussian(&values)] {
            assert!(scored.anomaly_scores.iter().all(|score| score.is_finite()));
            assert!(scored.p_values.iter().all(|p| (0.0..=1.0).contains(p)));
        }
    }
}
