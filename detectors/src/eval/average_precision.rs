//! `AP = Σ_k (R_k − R_{k−1}) · P_k` over the distinct scores from the highest down, with precision
//! `P_k` and recall `R_k` of the points that score at least the k-th: the area under the
//! precision-recall curve by steps.
//!
//! Davis & Goadrich, *The relationship between precision-recall and ROC curves*, ICML 2006: between
//! two thresholds precision does not run straight, so that trapezoids would flatter. Points of equal
//! score are taken together, because no threshold tells them apart; otherwise a constant score would
//! be worth what the order of the rows is worth.

use super::{LabelledScores, by_falling_score};

/// Point-wise average precision in `[0, 1]`; `None` without an anomalous point.
///
/// A score that knows nothing gets the share of anomalous points.
pub fn average_precision(scored: LabelledScores<'_>) -> Option<f64> {
    let positives = scored.labels().iter().filter(|label| **label).count();
    if positives == 0 {
        return None;
    }
    let scores = scored.scores();
    let order = by_falling_score(scores);
    let mut area = 0.0;
    let (mut hits, mut flagged) = (0_usize, 0_usize);
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let more = tied.iter().filter(|&&point| scored.labels()[point]).count();
        hits += more;
        flagged += tied.len();
        area += more as f64 / positives as f64 * (hits as f64 / flagged as f64);
    }
    Some(area)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ap(labels: &[bool], scores: &[f64]) -> Option<f64> {
        average_precision(LabelledScores::new(labels, scores).unwrap())
    }

    #[test]
    fn by_hand() {
        let labels = [true, false, true, false];
        // Ranks of the two positives are 1 and 3: ½ · 1/1 + ½ · 2/3.
        let value = ap(&labels, &[4.0, 3.0, 2.0, 1.0]).unwrap();
        assert!((value - 5.0 / 6.0).abs() < 1e-15);
        assert_eq!(ap(&[false; 4], &[4.0, 3.0, 2.0, 1.0]), None);
        assert_eq!(ap(&[], &[]), None);
    }

    #[test]
    fn a_constant_score_gets_the_base_rate_wherever_the_labels_are() {
        assert_eq!(ap(&[true, false, false, false], &[7.0; 4]), Some(0.25));
        assert_eq!(ap(&[false, false, false, true], &[7.0; 4]), Some(0.25));
        assert_eq!(ap(&[false, true], &[0.0, -0.0]), Some(0.5));
    }
}
