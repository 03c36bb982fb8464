//! Estimates and tail probabilities, to full accuracy in the far tail and with the same bits on
//! every machine.

pub(crate) mod beta;
pub(crate) mod elementary;
pub(crate) mod empirical;
pub(crate) mod fourier;
pub(crate) mod moments;
pub(crate) mod normal;
pub(crate) mod order;
pub(crate) mod pareto;
pub(crate) mod stretches;
pub(crate) mod student_t;

#[cfg(test)]
mod tail_tests;

use std::f64::consts::LN_2;

use elementary::{exp, ln, within};

/// `ln(f64::MIN_POSITIVE)`.
const LN_P_MIN: f64 = -708.396_418_532_264_1;

/// A tail probability and its logarithm, p in `[f64::MIN_POSITIVE, 1]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tail {
    pub(crate) p: f64,
    pub(crate) ln_p: f64,
}

impl Tail {
    /// The smallest probability told apart from zero.
    pub(crate) const LEAST: Self = Self {
        p: f64::MIN_POSITIVE,
        ln_p: LN_P_MIN,
    };

    /// Clamps both, for a probability whose logarithm is known in another way.
    #[inline(always)]
    pub(crate) fn new(p: f64, ln_p: f64) -> Self {
        Self {
            p: within(p, f64::MIN_POSITIVE, 1.0),
            ln_p: within(ln_p, LN_P_MIN, 0.0),
        }
    }

    #[inline(always)]
    pub(crate) fn of_p(p: f64) -> Self {
        let p = within(p, f64::MIN_POSITIVE, 1.0);
        Self { p, ln_p: ln(p) }
    }

    #[inline(always)]
    pub(crate) fn of_ln_p(ln_p: f64) -> Self {
        let ln_p = within(ln_p, LN_P_MIN, 0.0);
        Self {
            p: within(exp(ln_p), f64::MIN_POSITIVE, 1.0),
            ln_p,
        }
    }

    /// Turns a two-sided probability into that of the side to which `z` is positive.
    ///
    /// Both cases are computed and one is taken: a branch would be guessed wrong every other time.
    #[inline(always)]
    pub(crate) fn toward(self, z: f64) -> Self {
        let same = Self::new(0.5 * self.p, self.ln_p - LN_2);
        let opposite = 1.0 - 0.5 * self.p;
        let ln_opposite = ln(opposite);
        let is_opposite = z < 0.0;
        Self {
            p: if is_opposite { opposite } else { same.p },
            ln_p: if is_opposite { ln_opposite } else { same.ln_p },
        }
    }
}
