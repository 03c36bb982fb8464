//! Seasons: their periods, their shapes, and the clock they follow.

pub(crate) mod clock;
mod detection;
mod profile;
mod seasonality;
pub(crate) mod timing;
pub(crate) mod trend;

pub(crate) use clock::Clock;
pub(crate) use detection::detect;
pub(crate) use profile::Profile;
pub(crate) use seasonality::Seasonality;

/// Seasons that one model can have.
pub const PERIODS_MAX: usize = 3;
