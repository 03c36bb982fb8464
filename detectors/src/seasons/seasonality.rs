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
        let mut offset = 0.0;
        for season in &self.seasons {
            offset += season.at(local);
        }
        AtPhase {
            offset,
            shape: self.shape.as_ref().map_or(1.0, |shape| shape.at(local)),
        }
    }

    /// Periods in ticks, shortest first.
    pub(crate) fn periods(&self) -> Vec<i64> {
        self.seasons.iter().map(|season| season.period).collect()
    }

    /// Bytes it takes, itself included.
    pub(crate) fn bytes(&self) -> usize {
        let knots: usize = self.profiles().map(|profile| profile.knots.len()).sum();
        size_of::<Self>()
            + self.seasons.len() * size_of::<Profile>()
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
