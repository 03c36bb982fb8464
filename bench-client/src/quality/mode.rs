//! How detectors are given the points of a series.

use std::fmt;

use clap::ValueEnum;

/// What a detector has seen when it scores a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Mode {
    /// The rows before the row: a model is fitted on those before train_len, and one that learns goes
    /// on learning
    #[default]
    Online,
    /// The whole series
    Whole,
}

impl Mode {
    /// What is measured where nothing is named.
    pub fn default_model(self) -> &'static str {
        match self {
            Self::Online => super::online::MODEL,
            Self::Whole => super::whole::NAME,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Online => "online",
            Self::Whole => "whole",
        })
    }
}
