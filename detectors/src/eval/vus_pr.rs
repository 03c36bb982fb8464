//! `VUS-PR = 1/(W+1) · Σ_{w=0..W} AP_w`: average precision with events widened by a buffer, over all
//! buffer widths w up to the window W.
//!
//! For one w, every point within h = ⌊w/2⌋ of an event at distance d gets the label √(1 − d/w), the
//! labels of several events added and cut at 1; points of events keep 1. At each of 250 thresholds,
//! the scores at equally spaced ranks, with `Y` the labels summed over flagged points:
//!
//! - precision = Y / #flagged;
//! - recall = min(1, Y / ((P + N)/2)) · X, where P counts the points of events, N is P and the labels
//!   of the flagged points outside events, and X is the share of widened events, those that touch
//!   counting as one, with a flagged point;
//! - AP_w = Σ (recall_k − recall_{k−1}) · precision_k.
//!
//! Paparrizos et al., *Volume under the surface: a new accuracy evaluation measure for time-series
//! anomaly detection*, PVLDB 15, 2022, in the variant TSB-AD publishes (Liu & Paparrizos, NeurIPS
//! 2024). The window is the period of the series there: [`period_acf`](super::period::period_acf).
//!
//! How it is fast: what a threshold flags is a prefix of the ranks, so that each point is put once
//! into the bucket of the first threshold that flags it, and a pass over the buckets gives all 250
//! precisions. Two labels of events in reach add up to at least 2·√½ > 1, so that the distances of
//! the two nearest events say everything about a point. From one h to the next, each widened event
//! gains one point at either end. The cost is `O(n log n + W·m)` with m points in reach of events.
//!
//! One thing the definition leaves to the implementation is kept as the reference scorers have it:
//! before the first event of a series, only that event widens.

use super::events::{Run, runs};
use super::{LabelledScores, by_falling_score};

const THRESHOLDS: usize = 250;

/// Volume under the precision-recall surface for buffers up to `window` points, in `[0, 1]` save
/// rounding; `None` without an anomalous point.
///
/// The cost grows with the window, which is why it is a `u16`.
pub fn vus_pr(scored: LabelledScores<'_>, window: u16) -> Option<f64> {
    let events = runs(scored.labels());
    if events.is_empty() {
        return None;
    }
    let window = usize::from(window);
    let ladder = Ladder::new(scored.scores());
    let flanks = flanks(&events, &ladder.steps, window / 2);
    let mut inside = [0.0; THRESHOLDS];
    for event in &events {
        for &step in &ladder.steps[event.first..=event.last] {
            inside[usize::from(step)] += 1.0;
        }
    }
    let positives: f64 = inside.iter().sum();
    let mut widened = Widened::new(&events, &ladder.steps);
    let mut volume = 0.0;
    for width in 0..=window {
        widened.grow_to(width / 2);
        let label = labels_by_distance(width);
        let mut outside = [0.0; THRESHOLDS];
        for flank in &flanks {
            let Some(&label) = label.get(flank.nearest) else {
                break;
            };
            let is_shared = flank.second < label_count(width);
            outside[usize::from(flank.step)] += if is_shared { 1.0 } else { label };
        }
        volume += average_precision(&Buckets {
            flagged: &ladder.flagged,
            inside: &inside,
            outside: &outside,
            found: &widened.found,
            positives,
            events: widened.count,
        });
    }
    Some(volume / (window + 1) as f64)
}

/// The thresholds, and which of them first flags each point.
struct Ladder {
    /// Index of the first threshold that flags the point, shape `[n]`.
    steps: Vec<u8>,
    /// Points that each threshold flags.
    flagged: Vec<f64>,
}

impl Ladder {
    fn new(scores: &[f64]) -> Self {
        let order = by_falling_score(scores);
        let last = order.len() - 1;
        // The rank is cut to an integer as the reference does: step first, then multiplied.
        let spacing = last as f64 / (THRESHOLDS - 1) as f64;
        let rank = |k: usize| match k {
            _ if k == THRESHOLDS - 1 => last,
            _ => (k as f64 * spacing) as usize,
        };
        let mut steps = vec![0_u8; scores.len()];
        let mut flagged = Vec::with_capacity(THRESHOLDS);
        let mut next = 0;
        for k in 0..THRESHOLDS {
            let threshold = scores[order[rank(k).min(last)]];
            while next < order.len() && scores[order[next]] >= threshold {
                steps[order[next]] = k as u8;
                next += 1;
            }
            flagged.push(next as f64);
        }
        Self { steps, flagged }
    }
}

/// A point outside events, within reach of one.
struct Flank {
    /// Distance to the nearest event.
    nearest: usize,
    /// Distance to the nearest but one; `usize::MAX` without one in reach.
    second: usize,
    step: u8,
}

/// The points within `reach` of an event, nearest first.
fn flanks(events: &[Run], steps: &[u8], reach: usize) -> Vec<Flank> {
    let mut flanks = Vec::new();
    let mut add = |point: usize, distances: &mut [usize]| {
        distances.sort_unstable();
        if distances[0] <= reach {
            flanks.push(Flank {
                nearest: distances[0],
                second: distances[1],
                step: steps[point],
            });
        }
    };
    let start = events[0].first;
    for point in start.saturating_sub(reach)..start {
        add(point, &mut [start - point, usize::MAX]);
    }
    for (i, event) in events.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| events[i].last);
        let after = events.get(i + 1).map(|next| next.first);
        let beyond = events.get(i + 2).map(|next| next.first);
        let gap_end = after.unwrap_or(steps.len());
        let from_left = event.last + 1..gap_end.min(event.last.saturating_add(reach) + 1);
        let right_start = match after {
            Some(after) => after.saturating_sub(reach).max(from_left.end),
            None => gap_end,
        };
        for point in from_left.chain(right_start..gap_end) {
            let left = |last: usize| point - last;
            let right = |first: usize| first - point;
            add(
                point,
                &mut [
                    left(event.last),
                    before.map_or(usize::MAX, left),
                    after.map_or(usize::MAX, right),
                    beyond.map_or(usize::MAX, right),
                ],
            );
        }
    }
    flanks.sort_by_key(|flank| flank.nearest);
    flanks
}

/// Distances 0..=h have a label.
fn label_count(width: usize) -> usize {
    width / 2 + 1
}

/// √(1 − d/w) for d in 0..=h.
fn labels_by_distance(width: usize) -> Vec<f64> {
    let root = |distance: usize| (1.0 - distance as f64 / width.max(1) as f64).sqrt();
    (0..label_count(width)).map(root).collect()
}

/// Events widened by h points, those that touch merged, and the first threshold that finds each.
struct Widened<'a> {
    events: &'a [Run],
    steps: &'a [u8],
    /// First threshold that flags a point of each event, itself widened.
    first: Vec<u8>,
    reach: usize,
    /// Widened events after merging.
    count: usize,
    /// How many of them each threshold is the first to find.
    found: [f64; THRESHOLDS],
}

impl<'a> Widened<'a> {
    fn new(events: &'a [Run], steps: &'a [u8]) -> Self {
        let first = events.iter().map(|event| {
            let inside = &steps[event.first..=event.last];
            inside.iter().copied().min().unwrap_or(u8::MAX)
        });
        let mut widened = Self {
            events,
            steps,
            first: first.collect(),
            reach: 0,
            count: 0,
            found: [0.0; THRESHOLDS],
        };
        widened.merge();
        widened
    }

    fn grow_to(&mut self, reach: usize) {
        if reach == self.reach {
            return;
        }
        while self.reach < reach {
            self.reach += 1;
            for (first, event) in self.first.iter_mut().zip(self.events) {
                let left = event.first.checked_sub(self.reach);
                let right = event.last + self.reach;
                for point in left.into_iter().chain([right]) {
                    if let Some(&step) = self.steps.get(point) {
                        *first = (*first).min(step);
                    }
                }
            }
        }
        self.merge();
    }

    fn merge(&mut self) {
        self.count = 0;
        self.found = [0.0; THRESHOLDS];
        let mut earliest = u8::MAX;
        for (i, event) in self.events.iter().enumerate() {
            earliest = earliest.min(self.first[i]);
            let next = self.events.get(i + 1);
            // Neighbours with no point between them are still two.
            let is_apart =
                next.is_none_or(|next| event.last + self.reach + self.reach < next.first);
            if is_apart {
                self.found[usize::from(earliest)] += 1.0;
                self.count += 1;
                earliest = u8::MAX;
            }
        }
    }
}

/// Sums by the first threshold that flags: what each threshold adds to the ones above it.
struct Buckets<'a> {
    flagged: &'a [f64],
    inside: &'a [f64; THRESHOLDS],
    outside: &'a [f64; THRESHOLDS],
    found: &'a [f64; THRESHOLDS],
    positives: f64,
    events: usize,
}

fn average_precision(buckets: &Buckets<'_>) -> f64 {
    let (mut inside, mut outside, mut found) = (0.0, 0.0, 0.0);
    let (mut area, mut recall_before) = (0.0, 0.0);
    for k in 0..THRESHOLDS {
        inside += buckets.inside[k];
        outside += buckets.outside[k];
        found += buckets.found[k];
        let labels = inside + outside;
        let positives = (buckets.positives + (buckets.positives + outside)) / 2.0;
        let recall = (labels / positives).min(1.0) * (found / buckets.events as f64);
        area += (recall - recall_before) * (labels / buckets.flagged[k]);
        recall_before = recall;
    }
    area
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vus(labels: &[bool], scores: &[f64], window: u16) -> Option<f64> {
        vus_pr(LabelledScores::new(labels, scores).unwrap(), window)
    }

    #[test]
    fn one_point_of_four_by_hand() {
        let labels = [false, true, false, false];
        let scores = [0.0, 1.0, 0.0, 0.0];
        // w = 0 and 1: nothing is widened, the point is found first: AP 1.
        assert!((vus(&labels, &scores, 1).unwrap() - 1.0).abs() < 1e-15);
        // w = 2: both neighbours get √½. First the point: recall 1/1 = 1 already.
        assert!((vus(&labels, &scores, 2).unwrap() - 1.0).abs() < 1e-15);
        // The neighbour first: precision √½, recall √½ / ((1 + 1 + √½)/2) and the event is found.
        let scores = [1.0, 0.0, 0.0, 0.0];
        let root = 0.5_f64.sqrt();
        let recall = root / ((2.0 + root) / 2.0);
        let rest = (1.0 - recall) * (1.0 + 2.0 * root) / 4.0;
        let expected = (0.25 + 0.25 + recall * root + rest) / 3.0;
        assert!((vus(&labels, &scores, 2).unwrap() - expected).abs() < 1e-12);
    }

    #[test]
    fn events_merge_where_their_buffers_touch() {
        let events = [Run { first: 2, last: 2 }, Run { first: 7, last: 8 }];
        let steps = [9, 9, 5, 9, 3, 9, 9, 7, 7, 1];
        let mut widened = Widened::new(&events, &steps);
        assert_eq!((widened.count, widened.found[5]), (2, 1.0));
        widened.grow_to(2);
        // 2 + 2 < 7 − 2: still apart; the second reaches the point of step 1.
        assert_eq!(
            (widened.count, widened.found[3], widened.found[1]),
            (2, 1.0, 1.0)
        );
        widened.grow_to(3);
        assert_eq!((widened.count, widened.found[1]), (1, 1.0));
    }

    #[test]
    fn every_point_in_reach_is_listed_once_with_its_two_distances() {
        let events = [Run { first: 3, last: 4 }, Run { first: 8, last: 8 }];
        let list = |reach| -> Vec<(usize, usize)> {
            flanks(&events, &[0; 12], reach)
                .iter()
                .map(|flank| (flank.nearest, flank.second))
                .collect()
        };
        let far = usize::MAX;
        assert_eq!(list(0), []);
        assert_eq!(list(1), [(1, far), (1, 3), (1, 3), (1, 5)]);
        assert_eq!(list(9).len(), 3 + 3 + 3);
        assert_eq!(list(9)[4], (2, far));
        assert!(list(9).contains(&(2, 2)));
    }

    #[test]
    fn short_series_and_wide_windows_are_fine() {
        assert_eq!(vus(&[], &[], 100), None);
        assert_eq!(vus(&[false; 3], &[1.0; 3], 100), None);
        assert_eq!(vus(&[true], &[1.0], 0), Some(1.0));
        for window in [0, 1, 7, 1000] {
            let value = vus(&[false, true, true, false], &[1.0, 3.0, 1.0, 2.0], window).unwrap();
            assert!((0.0..=1.0).contains(&value), "{window} {value}");
        }
    }
}
