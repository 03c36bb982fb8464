//! Seasons of a series.

mod autocorrelation;
mod detect;
mod fourier;
mod grid;
mod profile;
mod spectrum;

pub(crate) use detect::detect;
