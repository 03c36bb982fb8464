//! The best threshold of a corpus in one pass over its rows, highest score first.
//!
//! An alarm more changes the raw score by what its row is worth outside windows, and by what it is
//! worth beyond the best row so far inside one. So the raw score at every threshold is a running sum.

use super::{NabSeries, Profile};

/// The highest raw score and the highest threshold that reaches it, `None` for no alarm at all.
pub(super) fn best(series: &[NabSeries], profile: &Profile) -> (f64, Option<f64>) {
    let missed = -profile.false_negative;
    let mut rows: Vec<(f64, usize, usize)> = Vec::new();
    for (index, one) in series.iter().enumerate() {
        let live = (one.probation..one.scores.len()).map(|row| (one.scores[row], index, row));
        rows.extend(live);
    }
    // Stable, so that sums are formed in the same order everywhere; a tie is one threshold.
    rows.sort_by(|a, b| b.0.partial_cmp(&a.0).unwrap_or(std::cmp::Ordering::Equal));

    let mut earned: Vec<Vec<f64>> = series
        .iter()
        .map(|one| vec![missed; one.windows.len()])
        .collect();
    let live_windows: usize = series.iter().map(NabSeries::live_windows).sum();
    let nothing = missed * live_windows as f64;
    let (mut best_raw, mut threshold) = (nothing, None);
    let mut gained = 0.0;
    for tied in rows.chunk_by(|a, b| a.0 == b.0) {
        for &(_, index, row) in tied {
            let worth = series[index].worth[row];
            match series[index].window[row] {
                Some(window) => {
                    let earned = &mut earned[index][window];
                    let better = earned.max(worth * profile.true_positive);
                    gained += better - *earned;
                    *earned = better;
                }
                None => gained += worth * profile.false_positive,
            }
        }
        if nothing + gained > best_raw {
            best_raw = nothing + gained;
            threshold = Some(tied[0].0);
        }
    }
    (best_raw, threshold)
}
