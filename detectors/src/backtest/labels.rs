//! Labels: stretches of time as flags of points, and back.

use crate::eval::events::runs;
use crate::params::Excluded;

/// Whether each point lies in one of the stretches, both ends included; they may lie in any order and overlap.
#[must_use]
pub fn flags_of(timestamps: &[i64], stretches: &[Excluded]) -> Vec<bool> {
    let mut flags = vec![false; timestamps.len()];
    for stretch in stretches {
        let from = timestamps.partition_point(|tick| *tick < stretch.from);
        let to = timestamps.partition_point(|tick| *tick <= stretch.to);
        if from < to {
            flags[from..to].fill(true);
        }
    }
    flags
}

/// The stretches of flagged points, by their first and last timestamps.
#[must_use]
pub fn runs_of(timestamps: &[i64], flags: &[bool]) -> Vec<Excluded> {
    let n = timestamps.len().min(flags.len());
    let stretch = |run: &crate::eval::events::Run| Excluded {
        from: timestamps[run.first],
        to: timestamps[run.last],
    };
    runs(&flags[..n]).iter().map(stretch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_and_flags_say_the_same() {
        let ticks = [0, 10, 20, 30, 40];
        let stretch = |from, to| Excluded { from, to };
        let flags = flags_of(
            &ticks,
            &[
                stretch(30, 30),
                stretch(5, 20),
                stretch(41, 99),
                stretch(9, 2),
            ],
        );
        assert_eq!(flags, [false, true, true, true, false]);
        assert_eq!(runs_of(&ticks, &flags), [stretch(10, 30)]);
        assert_eq!(runs_of(&ticks, &[true]), [stretch(0, 0)]);
    }
}
