//! Whether the highest score of a series with one event lies within 100 points of the event.
//!
//! Wu & Keogh, *Current time series anomaly detection benchmarks are flawed and are creating the
//! illusion of progress*, IEEE TKDE 2021: one event a series and one answer a series, so that the
//! share of right answers is an accuracy without a threshold.

use super::LabelledScores;
use super::events::{Run, runs};

/// Points by which the answer may miss the event on either side.
pub const SLACK: usize = 100;

/// Whether the first of the highest scores lies at the event; `None` unless there is exactly one.
pub fn finds_the_event(scored: LabelledScores<'_>) -> Option<bool> {
    let [Run { first, last }] = *runs(scored.labels()) else {
        return None;
    };
    let scores = scored.scores();
    let highest = (1..scores.len()).fold(0, |best, point| {
        if scores[point] > scores[best] {
            point
        } else {
            best
        }
    });
    Some((first.saturating_sub(SLACK)..=last + SLACK).contains(&highest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event at 300..=304 and the highest score at `peak`.
    fn answer(peak: usize) -> Option<bool> {
        let labels: Vec<bool> = (0..1000).map(|i| (300..305).contains(&i)).collect();
        let scores: Vec<f64> = (0..1000).map(|i| f64::from(i == peak)).collect();
        finds_the_event(LabelledScores::new(&labels, &scores).unwrap())
    }

    #[test]
    fn a_hundred_points_off_is_right_and_one_more_is_wrong() {
        assert_eq!((answer(200), answer(199)), (Some(true), Some(false)));
        assert_eq!((answer(404), answer(405)), (Some(true), Some(false)));
    }

    #[test]
    fn the_first_of_equal_peaks_is_the_answer() {
        let labels: Vec<bool> = (0..1000).map(|i| i == 900).collect();
        let scored = LabelledScores::new(&labels, &[1.0; 1000]).unwrap();
        assert_eq!(finds_the_event(scored), Some(false));
    }

    #[test]
    fn no_event_or_two_are_no_question() {
        for labels in [[false, false, false], [true, false, true]] {
            let scored = LabelledScores::new(&labels, &[1.0, 2.0, 3.0]).unwrap();
            assert_eq!(finds_the_event(scored), None);
        }
        assert_eq!(
            finds_the_event(LabelledScores::new(&[], &[]).unwrap()),
            None
        );
    }
}
