//! Runs of flagged points: labelled events, and alarms merged into alerts.

/// Neighbouring points that are all flagged; both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Index of the first point.
    pub first: usize,
    /// Index of the last point.
    pub last: usize,
}

impl Run {
    /// Number of points, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a run has at least one point")]
    pub fn len(&self) -> usize {
        self.last - self.first + 1
    }
}

/// The maximal runs of flagged points, in order.
pub fn runs(flags: &[bool]) -> Vec<Run> {
    let mut found: Vec<Run> = Vec::new();
    for (point, _) in flags.iter().enumerate().filter(|(_, flag)| **flag) {
        match found.last_mut() {
            Some(run) if run.last + 1 == point => run.last = point,
            _ => found.push(Run {
                first: point,
                last: point,
            }),
        }
    }
    found
}

/// How many flagged points a stretch holds, answered in constant time.
pub(super) struct Counts(Vec<usize>);

impl Counts {
    pub(super) fn of(flags: impl ExactSizeIterator<Item = bool>) -> Self {
        let mut before = Vec::with_capacity(flags.len() + 1);
        let mut count = 0;
        before.push(count);
        for flag in flags {
            count += usize::from(flag);
            before.push(count);
        }
        Self(before)
    }

    /// Whether any point from `first` to `last` is flagged; points beyond the end are not.
    pub(super) fn any(&self, first: usize, last: usize) -> bool {
        let end = (last + 1).min(self.0.len() - 1);
        self.0[end] > self.0[first.min(end)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(flags: &[bool]) -> Vec<(usize, usize)> {
        let both = |run: &Run| (run.first, run.last);
        runs(flags).iter().map(both).collect()
    }

    #[test]
    fn runs_are_maximal_and_touch_both_ends() {
        assert_eq!(pairs(&[]), []);
        assert_eq!(pairs(&[false, false]), []);
        assert_eq!(pairs(&[true]), [(0, 0)]);
        assert_eq!(
            pairs(&[true, true, false, true, false, true]),
            [(0, 1), (3, 3), (5, 5)]
        );
    }

    #[test]
    fn counts_see_both_ends_and_nothing_beyond() {
        let counts = Counts::of([false, true, false].into_iter());
        assert!(counts.any(1, 1) && counts.any(0, 9));
        assert!(!counts.any(0, 0) && !counts.any(2, 9) && !counts.any(7, 9));
    }
}
