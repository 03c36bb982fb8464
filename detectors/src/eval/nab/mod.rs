//! Score of the Numenta Anomaly Benchmark: `100 · (raw − null) / (perfect − null)` of a corpus.
//!
//! With `σ(x) = 2/(1 + e^{5x}) − 1`, and weights of a [`Profile`] for a true positive, a false
//! positive and a false negative:
//!
//! - a window of w rows earns its earliest row that scores at least the threshold, `A_tp · σ(−k/w)/σ(−1)`
//!   where k counts the rows from that row to the window's end; without one it costs `A_fn`;
//! - any other row that does costs up to `A_fp`: `A_fp · σ(d/(w − 1))`, with d rows since the last window
//!   and w the rows of that window, and the full `A_fp` beyond 3 window widths or before any window;
//! - the first rows of every series, 15 % and at most 750, are probation and neither earn nor cost;
//! - one threshold serves the whole corpus;
//! - null is what no alarm at all gets, `−A_fn` a window, and perfect is `A_tp` a window. Both count
//!   the windows that lie inside probation too, which the raw score does not.
//!
//! Lavin & Ahmad, *Evaluating real-time anomaly detection algorithms – the Numenta Anomaly
//! Benchmark*, ICMLA 2015. NAB itself asks for scores in `[0, 1]`; here any finite score will do. The
//! best threshold is found on what is then scored, as in NAB's published table; to learn it elsewhere,
//! give [`NabCorpus::score_at`] the threshold of another corpus.

mod sweep;

use super::EvalError;
use super::bootstrap::standard_error_of;
use super::events::Run;
use crate::stats::elementary::exp;

/// What alarms are worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Profile {
    /// NAB's name of it.
    pub name: &'static str,
    /// Gain of a window found at its start.
    pub true_positive: f64,
    /// Cost of a false alarm far from any window.
    pub false_positive: f64,
    /// Cost of a window missed.
    pub false_negative: f64,
}

/// Windows and false alarms in balance.
pub const STANDARD: Profile = Profile {
    name: "standard",
    true_positive: 1.0,
    false_positive: 0.11,
    false_negative: 1.0,
};

/// False alarms cost twice as much.
pub const REWARD_LOW_FP: Profile = Profile {
    name: "reward_low_FP",
    true_positive: 1.0,
    false_positive: 0.22,
    false_negative: 1.0,
};

/// Missed windows cost twice as much.
pub const REWARD_LOW_FN: Profile = Profile {
    name: "reward_low_FN",
    true_positive: 1.0,
    false_positive: 0.11,
    false_negative: 2.0,
};

/// The three profiles of the benchmark's table.
pub const PROFILES: [Profile; 3] = [STANDARD, REWARD_LOW_FP, REWARD_LOW_FN];

const PROBATION: f64 = 0.15;
const LONGEST_PROBATION: f64 = 750.0;

/// The rows of windows given as first and last time, both in the series' unit.
///
/// Where a time occurs more than once, the first row with it counts.
///
/// # Errors
///
/// A time that no row has.
pub fn window_rows(timestamps: &[i64], windows: &[(i64, i64)]) -> Result<Vec<Run>, EvalError> {
    let row = |time: i64| timestamps.iter().position(|&timestamp| timestamp == time);
    let rows = |(index, &(first, last)): (usize, &(i64, i64))| {
        row(first)
            .zip(row(last))
            .map(|(first, last)| Run { first, last })
            .ok_or(EvalError::WindowNotInSeries { index })
    };
    windows.iter().enumerate().map(rows).collect()
}

/// One series: its scores, and what an alarm at each row is worth.
#[derive(Debug, Clone)]
pub struct NabSeries {
    scores: Vec<f64>,
    windows: Vec<Run>,
    /// Rows that are not scored.
    probation: usize,
    /// In windows the share of `A_tp`, outside the share of `A_fp` (negative), shape `[n]`.
    worth: Vec<f64>,
    /// Index of the window a row is in, shape `[n]`.
    window: Vec<Option<usize>>,
}

impl NabSeries {
    /// Takes a score for every row and the labelled windows in time order.
    ///
    /// # Errors
    ///
    /// A score that is not finite, or windows that overlap or reach beyond the rows.
    pub fn new(scores: &[f64], windows: &[Run]) -> Result<Self, EvalError> {
        if let Some(index) = scores.iter().position(|score| !score.is_finite()) {
            return Err(EvalError::ScoreNotFinite { index });
        }
        let n = scores.len();
        let mut free_from = 0;
        for (index, window) in windows.iter().enumerate() {
            let is_in_order = free_from <= window.first && window.first <= window.last;
            if !is_in_order || window.last >= n {
                return Err(EvalError::WindowOutOfOrder { index });
            }
            free_from = window.last + 1;
        }
        let mut worth = vec![-1.0; n];
        let mut window_of_row = vec![None; n];
        for (index, window) in windows.iter().enumerate() {
            let width = window.len() as f64;
            for row in window.first..=window.last {
                let to_end = (window.last - row + 1) as f64;
                worth[row] = sigmoid(-to_end / width) / sigmoid(-1.0);
                window_of_row[row] = Some(index);
            }
            let until = windows.get(index + 1).map_or(n, |next| next.first);
            if width > 1.0 {
                for (row, worth) in (window.last + 1..until).zip(&mut worth[window.last + 1..]) {
                    *worth = sigmoid((row - window.last) as f64 / (width - 1.0));
                }
            }
        }
        Ok(Self {
            scores: scores.to_vec(),
            windows: windows.to_vec(),
            probation: (PROBATION * n as f64).floor().min(LONGEST_PROBATION) as usize,
            worth,
            window: window_of_row,
        })
    }

    /// Windows with at least one row after probation.
    fn live_windows(&self) -> usize {
        let is_live = |window: &&Run| window.last >= self.probation;
        self.windows.iter().filter(is_live).count()
    }

    fn contribution(&self, profile: &Profile, threshold: f64) -> NabContribution {
        let mut earned = vec![-profile.false_negative; self.windows.len()];
        let mut hit = vec![false; self.windows.len()];
        let mut counted = NabContribution {
            windows: self.windows.len(),
            ..NabContribution::default()
        };
        let mut alarmed = false;
        for row in self.probation..self.scores.len() {
            let alarm = self.scores[row] >= threshold;
            match self.window[row] {
                Some(window) if alarm => {
                    hit[window] = true;
                    let gain = self.worth[row] * profile.true_positive;
                    earned[window] = earned[window].max(gain);
                }
                Some(_) => {}
                None => counted.rows_outside += 1,
            }
            let is_false = alarm && self.window[row].is_none();
            if is_false {
                counted.raw += self.worth[row] * profile.false_positive;
                counted.false_rows += 1;
                counted.false_alerts += usize::from(!alarmed);
            }
            alarmed = is_false;
        }
        counted.windows_found = hit.iter().filter(|hit| **hit).count();
        for (window, earned) in self.windows.iter().zip(earned) {
            if window.last >= self.probation {
                counted.raw += earned;
            }
        }
        counted
    }
}

/// What one series or a corpus got at a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct NabContribution {
    /// Raw score, before normalisation.
    pub raw: f64,
    /// Labelled windows.
    pub windows: usize,
    /// Windows with an alarm after probation.
    pub windows_found: usize,
    /// Rows outside windows, after probation.
    pub rows_outside: usize,
    /// Those that alarm.
    pub false_rows: usize,
    /// Alarms at neighbouring rows outside windows count once.
    pub false_alerts: usize,
}

/// The best score of a corpus, and where it is reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NabBest {
    /// 100 is perfect, 0 is never an alarm.
    pub score: f64,
    /// The lowest score that alarms; `None` where no alarm at all is best.
    pub threshold: Option<f64>,
}

/// Series that share a threshold.
#[derive(Debug, Clone, Default)]
pub struct NabCorpus {
    series: Vec<NabSeries>,
}

impl NabCorpus {
    /// A corpus of these series.
    pub fn new(series: Vec<NabSeries>) -> Self {
        Self { series }
    }

    /// The score at the threshold that is best for this corpus, the highest such threshold; `None`
    /// without a window.
    pub fn best(&self, profile: &Profile) -> Option<NabBest> {
        let (raw, threshold) = sweep::best(&self.series, profile);
        let score = self.normalised(profile, raw)?;
        Some(NabBest { score, threshold })
    }

    /// The score where rows that score at least `threshold` alarm; `None` without a window.
    pub fn score_at(&self, profile: &Profile, threshold: f64) -> Option<f64> {
        let raw = self.series_at(profile, threshold).map(|one| one.raw).sum();
        self.normalised(profile, raw)
    }

    /// The score with a threshold that no series had a say in by which it is judged: every second series is
    /// judged at the best threshold of the others. `None` where a half has no window.
    pub fn transferred(&self, profile: &Profile) -> Option<f64> {
        let half = |parity: usize| {
            let series = self.series.iter().skip(parity).step_by(2);
            Self::new(series.cloned().collect())
        };
        let (even, odd) = (half(0), half(1));
        let raw_at = |judged: &Self, others: &Self| {
            let threshold = others.best(profile)?.threshold.unwrap_or(f64::INFINITY);
            Some(
                judged
                    .series_at(profile, threshold)
                    .map(|one| one.raw)
                    .sum::<f64>(),
            )
        };
        self.normalised(profile, raw_at(&even, &odd)? + raw_at(&odd, &even)?)
    }

    /// What each series contributes, in the order given.
    pub fn series_at(
        &self,
        profile: &Profile,
        threshold: f64,
    ) -> impl Iterator<Item = NabContribution> {
        let one = move |series: &NabSeries| series.contribution(profile, threshold);
        self.series.iter().map(one)
    }

    /// Bootstrap standard error over the series of the score at `threshold`; `None` for fewer than two
    /// series or without a window.
    ///
    /// The threshold stays: one that is learned from every resample would spread a little less.
    pub fn standard_error_at(&self, profile: &Profile, threshold: f64) -> Option<f64> {
        let all: Vec<NabContribution> = self.series_at(profile, threshold).collect();
        let mut last = self.score_at(profile, threshold)?;
        standard_error_of(all.len(), |drawn| {
            let raw = drawn.iter().map(|&one| all[one].raw).sum();
            let windows = drawn.iter().map(|&one| all[one].windows).sum();
            // Where only series without windows are drawn there is no score: the draw counts again.
            last = normalised(profile, raw, windows).unwrap_or(last);
            last
        })
    }

    fn normalised(&self, profile: &Profile, raw: f64) -> Option<f64> {
        let windows = self.series.iter().map(|series| series.windows.len()).sum();
        normalised(profile, raw, windows)
    }
}

fn normalised(profile: &Profile, raw: f64, windows: usize) -> Option<f64> {
    let null = -profile.false_negative * windows as f64;
    let perfect = profile.true_positive * windows as f64;
    (windows > 0).then(|| 100.0 * (raw - null) / (perfect - null))
}

/// `2/(1 + e^{5x}) − 1`, and −1 beyond 3.
fn sigmoid(x: f64) -> f64 {
    if x > 3.0 {
        -1.0
    } else {
        2.0 / (1.0 + exp(5.0 * x)) - 1.0
    }
}

#[cfg(test)]
mod tests;
