//! What a model knows of its seasons: their sum, and how the scale follows the phase.

use super::clock::Clock;
use super::profile::Profile;

/// Knots of all profiles of a model together: with their clock they stay within 4 KiB.
pub(crate) const KNOTS_MAX: usize = 704;

/// Seasons and the clock they follow.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seasonality {
    pub(crate) clock: Clock,
    /// Additive, in units of the model's scale; the first is the shortest.
    pub(crate) seasons: Vec<Profile>,
    /// Factor of the scale by phase, > 0; `None` where one scale serves all.
    pub(crate) shape: Option<Profile>,
}

/// The seasons at one time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AtPhase {
    /// Sum of the seasons, in units of the model's scale.
    pub(crate) offset: f64,
    /// Factor of the scale.
    pub(crate) shape: f64,
}

impl Seasonality {
    #[inline(always)]
    pub(crate) fn at(&self, tick: i64) -> AtPhase {
        let local = self.clock.local(tick);
        let Some((first, longer)) = self.seasons.split_first() else {
            let shape = self.shape.as_ref().map_or(1.0, |shape| shape.at(local));
            return AtPhase { offset: 0.0, shape };
        };
        let phase = first.phase(local);
        let mut offset = first.at_phase(phase);
        for season in longer {
            offset += season.at(local);
        }
        // A fit lets the scale follow the first season: its phase is at hand.
        let shape = self.shape.as_ref().map_or(1.0, |shape| {
            if shape.goes_with(first) {
                shape.at_phase(phase)
            } else {
                shape.at(local)
            }
        });
        AtPhase { offset, shape }
    }

    /// Periods in ticks, shortest first.
    pub(crate) fn periods(&self) -> Vec<i64> {
        self.seasons.iter().map(|season| season.period).collect()
    }

    /// Bytes it takes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        let knots: usize = self.profiles().map(|profile| profile.knots.len()).sum();
        self.seasons.len() * size_of::<Profile>()
            + knots * size_of::<f32>()
            + self.clock.changes.len() * size_of::<(i64, i64)>()
    }

    /// Whether the numbers are ones a fit can give.
    pub(crate) fn is_sound(&self) -> bool {
        let n_knots: usize = self.profiles().map(|profile| profile.knots.len()).sum();
        n_knots <= KNOTS_MAX
            && self.clock.is_sound()
            && self.profiles().all(|profile| profile.is_sound(KNOTS_MAX))
            && self
                .shape
                .iter()
                .all(|shape| shape.knots.iter().all(|k| *k > 0.0))
    }

    fn profiles(&self) -> impl Iterator<Item = &Profile> {
        self.seasons.iter().chain(&self.shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seasonality(shape: Profile) -> Seasonality {
        Seasonality {
            clock: Clock::default(),
            seasons: vec![
                Profile::new(40, 7, [0.0, 1.0, 2.0, 3.0].into()),
                Profile::new(100, 7, [0.0, 10.0].into()),
            ],
            shape: Some(shape),
        }
    }

    #[test]
    fn is_the_sum_of_its_seasons_and_a_shape_of_its_own() {
        let knots = [1.0, 2.0, 1.0, 4.0];
        let with_first = seasonality(Profile::new(40, 7, knots.into()));
        let alone = seasonality(Profile::new(44, 9, knots.into()));
        for tick in [i64::MIN, -5, 0, 7, 22, 1_000, i64::MAX] {
            for seasonality in [&with_first, &alone] {
                let at = seasonality.at(tick);
                let sum: f64 = seasonality.seasons.iter().map(|s| s.at(tick)).sum();
                let shape = seasonality.shape.as_ref().map(|shape| shape.at(tick));
                assert_eq!((at.offset, Some(at.shape)), (sum, shape), "{tick}");
            }
        }
        assert_ne!(with_first.at(22).shape, alone.at(22).shape);
        let shape = with_first.at(22).shape;
        let empty = Seasonality {
            seasons: Vec::new(),
            ..with_first
        };
        assert_eq!((empty.at(22).offset, empty.at(22).shape), (0.0, shape));
    }
}
