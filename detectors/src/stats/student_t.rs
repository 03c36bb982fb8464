//! The tail of Student's t on a whole number ν of degrees of freedom, and its inverse.
//!
//! `P(|T| ≥ t) = I_x(ν/2, 1/2)` with `x = ν / (ν + t²) = e^−w`. Three ways to it, each used where it
//! loses no digits, so that the relative error stays near 1e-13 down to 1e-300:
//!
//! - ν ≤ 30 and p above 0.004: the finite trigonometric sums (Abramowitz & Stegun 26.7.3–4);
//! - ν > 30 and w below 0.8: with `T = ν/2 − 1/4` the tail is proportional to
//!   `∫_w^∞ e^−Ts s^−1/2 √((s/2) / sinh(s/2)) ds`; expanding the root in powers of s² leaves `erfc(√(Tw))`
//!   and a short sum, uniformly in t (the case b = 1/2 of DiDonato & Morris, ACM TOMS 708, 1992);
//! - the far tail: the hypergeometric series in x, all of whose terms are positive.
//!
//! The inverse is Newton's method on ln p in r = √w. The density of r is log-concave, so ln p is
//! concave and the iteration converges from anywhere.

use std::f64::consts::{FRAC_1_PI, FRAC_2_PI, LN_2, PI};
use std::num::NonZeroU32;

use super::elementary::{arc_cotangent, exp, ln, ln_1p};
use super::{Tail, normal};

/// Largest ν for the finite sums; beyond it the uniform expansion has full accuracy.
const FINITE_SUM_MAX: u32 = 30;

/// Below it one minus a finite sum would lose more than the last three digits.
const FINITE_SUM_P_MIN: f64 = 0.004;

/// Largest w for the uniform expansion.
const UNIFORM_W_MAX: f64 = 0.8;

/// Coefficients of `√((s/2) / sinh(s/2))` in powers of s².
const ROOT: [f64; 9] = [
    1.0,
    -1.0 / 48.0,
    1.0 / 2_560.0,
    -61.0 / 7_741_440.0,
    1_261.0 / 7_431_782_400.0,
    -79.0 / 20_761_804_800.0,
    8.748_377_596_315_407e-11,
    -2.044_523_359_411_974e-12,
    4.833_351_797_967_704e-14,
];

/// Coefficients of `B(ν/2, 1/2) √(T/π)` in powers of T^−2.
const BETA: [f64; 7] = [
    1.0,
    -1.0 / 64.0,
    21.0 / 8_192.0,
    -671.0 / 524_288.0,
    180_323.0 / 134_217_728.0,
    -20_898_423.0 / 8_589_934_592.0,
    7_426_362_705.0 / 1_099_511_627_776.0,
];

/// Student's t on ν degrees of freedom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StudentT {
    df: NonZeroU32,
    /// `1 / B(ν/2, 1/2)`.
    inverse_beta: f64,
}

impl StudentT {
    /// Zero degrees of freedom are taken as one.
    pub(crate) fn new(df: u32) -> Self {
        let df = NonZeroU32::new(df).unwrap_or(NonZeroU32::MIN);
        Self {
            df,
            inverse_beta: inverse_beta(df.get()),
        }
    }

    pub(crate) fn df(&self) -> u32 {
        self.df.get()
    }

    /// `P(|T| ≥ t)` for t ≥ 0.
    #[inline(always)]
    pub(crate) fn two_sided(&self, t: f64) -> Tail {
        let u = t * (1.0 / f64::from(self.df.get()).sqrt());
        let u2 = u * u;
        self.tail(u, || {
            if u2 < f64::MAX {
                ln_1p(u2)
            } else {
                2.0 * ln(u.min(f64::MAX))
            }
        })
    }

    /// The t ≥ 0 with `P(|T| ≥ t) = p`, for p in `[1e-300, 1]`.
    pub(crate) fn quantile(&self, p: f64) -> f64 {
        if p >= 1.0 {
            return 0.0;
        }
        let ln_target = ln(p);
        let half = 0.5 * f64::from(self.df.get());
        let z = normal_quantile(ln_target);
        // p < e^(−νw/2), so the root is below the second of these; from there the steps only fall.
        let mut r = (z / (2.0 * half - 0.5).sqrt()).min((-ln_target / half).sqrt());
        for _ in 0..ITERATIONS_MAX {
            let w = r * r;
            let tail = self.tail(libm::expm1(w).sqrt(), || w);
            let sine = (-libm::expm1(-w)).sqrt();
            let hazard = 2.0 * r / sine * self.inverse_beta * exp(-half * w - tail.ln_p);
            let step = (tail.ln_p - ln_target) / hazard;
            r = (r + step).max(0.125 * r);
            if step.abs() <= 1e-8 * r {
                break;
            }
        }
        let root_nu = (2.0 * half).sqrt();
        let w = r * r;
        if w < 600.0 {
            root_nu * libm::expm1(w).sqrt()
        } else {
            root_nu * exp(0.5 * w)
        }
    }

    /// The tail at `t = u √ν`, where `w = ln(1 + u²)`.
    #[inline(always)]
    fn tail(&self, u: f64, w: impl FnOnce() -> f64) -> Tail {
        let df = self.df.get();
        if df <= FINITE_SUM_MAX {
            let p = finite_sum(df, u);
            if p > FINITE_SUM_P_MIN {
                return Tail::of_p(p);
            }
            return self.far(w());
        }
        let w = w();
        if w < UNIFORM_W_MAX {
            self.uniform(w)
        } else {
            self.far(w)
        }
    }

    #[inline(always)]
    fn uniform(&self, w: f64) -> Tail {
        // Where nearly all points lie, half of the terms have the same digits.
        let sum = if w < 0.1 {
            self.uniform_sum::<4>(w)
        } else {
            self.uniform_sum::<8>(w)
        };
        let big_t = self.big_t();
        let root_w = w.sqrt();
        let rest = self.inverse_beta * root_w * sum;
        let z = (2.0 * big_t).sqrt() * root_w;
        if z >= normal::Z_END {
            return Tail::LEAST;
        }
        // Both parts without their common factor e^−y, whose logarithm is at hand.
        let scaled = normal::erfcx(z) + rest;
        let y = big_t * w;
        Tail::new(exp(-y) * scaled, ln(scaled) - y)
    }

    /// The part of the expansion that is not a multiple of `erfc`, in units of `√y e^−y`.
    #[inline(always)]
    fn uniform_sum<const TERMS: usize>(&self, w: f64) -> f64 {
        let big_t = self.big_t();
        let inverse_t2 = 1.0 / (big_t * big_t);
        let y = big_t * w;
        // r is that part of Γ(2k + 1/2, y) / T^2k, by Γ(α + 1, y) = α Γ(α, y) + y^α e^−y twice.
        let (mut r, mut power, mut sum, mut alpha) = (0.0, 1.0, 0.0, 0.5);
        for coefficient in &ROOT[1..=TERMS] {
            r = (alpha * (alpha + 1.0) * r + power * (alpha + 1.0 + y)) * inverse_t2;
            power *= w * w;
            alpha += 2.0;
            sum += coefficient * r;
        }
        sum
    }

    fn big_t(&self) -> f64 {
        0.5 * f64::from(self.df.get()) - 0.25
    }

    #[cold]
    fn far(&self, w: f64) -> Tail {
        let half = 0.5 * f64::from(self.df.get());
        let x = if w < 700.0 { exp(-w) } else { 0.0 };
        let (mut term, mut sum, mut k) = (1.0, 1.0, 0.0);
        while term > 1e-17 * sum {
            term *= x * (half + 0.5 + k) / (half + 1.0 + k);
            sum += term;
            k += 1.0;
        }
        let factor = (1.0 - x).sqrt() * sum * self.inverse_beta / half;
        Tail::of_ln_p(ln(factor) - half * w)
    }
}

/// A bound on Newton's steps, of which a handful are enough wherever the quantile is tested.
const ITERATIONS_MAX: u32 = 50;

/// Central coefficients `(2j − 1)!! / (2j)!!` of the even and `(2j)!! / (2j + 1)!!` of the odd sums.
const EVEN: [f64; 15] = ratios(1.0);
const ODD: [f64; 15] = ratios(2.0);

const fn ratios(first: f64) -> [f64; 15] {
    let mut coefficients = [1.0; 15];
    let mut j = 1;
    while j < 15 {
        let numerator = first + 2.0 * (j as f64 - 1.0);
        coefficients[j] = coefficients[j - 1] * numerator / (numerator + 1.0);
        j += 1;
    }
    coefficients
}

#[inline(always)]
fn finite_sum(df: u32, u: f64) -> f64 {
    let x = 1.0 / (1.0 + u * u);
    let horner = |coefficients: &[f64]| coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c);
    let terms = (df / 2) as usize;
    if df.is_multiple_of(2) {
        1.0 - u * x.sqrt() * horner(&EVEN[..terms.min(15)])
    } else {
        FRAC_2_PI * (arc_cotangent(u) - u * x * horner(&ODD[..terms.min(15)]))
    }
}

fn inverse_beta(df: u32) -> f64 {
    if df > FINITE_SUM_MAX {
        let big_t = 0.5 * f64::from(df) - 0.25;
        let inverse_t2 = 1.0 / (big_t * big_t);
        return (big_t / PI).sqrt() / BETA.iter().rev().fold(0.0, |sum, c| sum * inverse_t2 + c);
    }
    // 1/B(1/2, 1/2) = 1/π, 1/B(1, 1/2) = 1/2, and B loses the factor ν / (ν + 1) every two steps.
    let (mut value, mut nu) = if df.is_multiple_of(2) {
        (0.5, 2)
    } else {
        (FRAC_1_PI, 1)
    };
    while nu < df {
        value *= f64::from(nu + 1) / f64::from(nu);
        nu += 2;
    }
    value
}

/// The z with `P(|Z| ≥ z) = p` to 4.5e-4 (Hastings; Abramowitz & Stegun 26.2.23): a start.
fn normal_quantile(ln_p: f64) -> f64 {
    let s = (2.0 * (LN_2 - ln_p)).sqrt();
    let numerator = 2.515_517 + s * (0.802_853 + s * 0.010_328);
    let denominator = 1.0 + s * (1.432_788 + s * (0.189_269 + s * 0.001_308));
    (s - numerator / denominator).max(1e-3)
}
