//! How detectors are given the points of a series.

use std::fmt;

use clap::ValueEnum;

/// What a detector has seen when it scores a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Mode {
    /// The rows before train_len, which it was fitted on, and those before the row
    #[default]
    Prefix,
    /// The whole series
    Whole,
}

impl Mode {
    /// What is measured where nothing is named.
    pub fn default_model(self) -> &'static str {
        match self {
            Self::Prefix => "auto",
            Self::Whole => super::whole::NAME,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prefix => "prefix",
            Self::Whole => "whole",
        })
    }
}
