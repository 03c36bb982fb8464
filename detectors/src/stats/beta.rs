//! Quantiles of the beta distribution near either end, for whole a, b ≥ 1 of any size.
//!
//! With N = a + b − 1 and odds o = x/(1 − x), the tail of Beta(a, b) on the side s = ±1 of x is
//!
//! `P = a · C(N, a) x^a (1 − x)^(N − a) · ∫_0 e^{s a v + (b − 1) ln(1 − o (e^{s v} − 1))} dv`
//!
//! which is the integral of the density in v = s ln(t/x). The binomial factor is computed after Loader,
//! *Fast and accurate computation of binomial probabilities* (2000), without the cancellation of three
//! large log-gammas. What differs from the usual continued fraction (DiDonato & Morris, ACM TOMS 708,
//! 1992): the integrand is log-concave and has no scale but its own, so a Gauss–Legendre rule of fixed
//! size reaches full accuracy for ten points and for 10¹² alike, where the fraction takes √a terms.
//!
//! ln P is concave in ln x, and its slope is the reciprocal of the integral: Newton's method in ln x
//! costs nothing more and converges from one side.

use std::f64::consts::TAU;

use libm::{exp, expm1, lgamma, log, log1p};

/// The side of x on which the tail lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// From 0 to x.
    Low,
    /// From x to 1.
    High,
}

/// Where the integrand has fallen to e^this, what is left is below the last digit.
const LN_NEGLIGIBLE: f64 = -38.0;
/// Ends of the panels as shares of the range: narrow where most of the integral is.
const PANELS: [f64; 5] = [0.0, 0.1, 0.3, 0.6, 1.0];
/// Positive nodes and weights of the 16-point Gauss–Legendre rule on [−1, 1].
const GAUSS_LEGENDRE: [(f64, f64); 8] = [
    (0.095_012_509_837_637_44, 0.189_450_610_455_068_64),
    (0.281_603_550_779_258_9, 0.182_603_415_044_923_64),
    (0.458_016_777_657_227_37, 0.169_156_519_395_002_65),
    (0.617_876_244_402_643_8, 0.149_595_988_816_576_7),
    (0.755_404_408_355_003, 0.124_628_971_255_533_9),
    (0.865_631_202_387_831_8, 0.095_158_511_682_492_6),
    (0.944_575_023_073_232_6, 0.062_253_523_938_647_456),
    (0.989_400_934_991_649_9, 0.027_152_459_411_754_176),
];

/// The x beyond which, on the side of `end`, Beta(a, b) has probability `p`, for p in (0, 1/2).
/// Relative error about 1e-12 as long as x is below 1/2: nearer to 1 the digits of 1 − x are lost.
pub(crate) fn quantile(end: End, a: f64, b: f64, p: f64) -> f64 {
    // In u = ln x, from two standard deviations off. At most one step overshoots, those after it do
    // not.
    let mean = a / (a + b);
    let spread = ((1.0 - mean) / a).sqrt();
    let mut u = match end {
        End::Low => log(mean) - 2.0 * spread,
        End::High => (log(mean) + 2.0 * spread).min(0.5 * log(mean)),
    };
    for _ in 0..64 {
        let (ln_tail, integral) = tail(end, a, b, u);
        let step = (ln_tail - log(p)) * integral;
        let next = match end {
            End::Low => u - step,
            End::High => u + step,
        };
        // x stays below 1.
        let next = if next < 0.0 { next } else { 0.5 * u };
        let moved = (next - u).abs();
        u = next;
        // The error left is the square of the step, in units of the spread.
        if moved <= 1e-7 * spread {
            break;
        }
    }
    exp(u)
}

/// ln P and the integral at u = ln x, for u < 0. The rule resolves a tail that has not much more than
/// half of the whole, beyond which no iteration goes.
fn tail(end: End, a: f64, b: f64, u: f64) -> (f64, f64) {
    let (x, rest) = (exp(u), -expm1(u));
    let odds = x / rest;
    let ln_integrand = |v: f64| {
        let w = if end == End::Low { -v } else { v };
        let fall = if b > 1.0 {
            // t < 1 holds but for rounding.
            (b - 1.0) * log1p((-odds * expm1(w)).max(-1.0 + f64::EPSILON))
        } else {
            0.0
        };
        a * w + fall
    };
    let end_of_range = if end == End::Low { f64::MAX } else { -u };
    let reach = negligible_from(ln_integrand, 1.0 / a.sqrt()).min(end_of_range);
    let mut integral = 0.0;
    for ends in PANELS.windows(2) {
        let middle = 0.5 * reach * (ends[0] + ends[1]);
        let half = 0.5 * reach * (ends[1] - ends[0]);
        let mut panel = 0.0;
        for (node, weight) in GAUSS_LEGENDRE {
            let (left, right) = (middle - node * half, middle + node * half);
            panel += weight * (exp(ln_integrand(left)) + exp(ln_integrand(right)));
        }
        integral += half * panel;
    }
    (
        log(a * integral) + ln_binomial(a, b - 1.0, x, rest),
        integral,
    )
}

/// Where a log-concave function that is 0 at 0 has fallen below [`LN_NEGLIGIBLE`], within a quarter.
fn negligible_from(ln_f: impl Fn(f64) -> f64, scale: f64) -> f64 {
    let is_over = |v: f64| ln_f(v) <= LN_NEGLIGIBLE;
    let mut high = scale;
    let mut changes = 0;
    while !is_over(high) && changes < 64 {
        high *= 2.0;
        changes += 1;
    }
    while is_over(0.5 * high) && changes < 128 {
        high *= 0.5;
        changes += 1;
    }
    if is_over(0.75 * high) {
        0.75 * high
    } else {
        high
    }
}

/// `ln C(k + m, k) p^k q^m` for k ≥ 1, m ≥ 0 and p + q = 1.
fn ln_binomial(k: f64, m: f64, p: f64, q: f64) -> f64 {
    let n = k + m;
    if m == 0.0 {
        return k * log(p);
    }
    let corrections = stirling_error(n) - stirling_error(k) - stirling_error(m);
    corrections - deviance(k, n * p) - deviance(m, n * q) - 0.5 * log(TAU * k * (m / n))
}

/// `ln n!` less Stirling's `(n + 1/2) ln n − n + ln(2π)/2`, for n ≥ 1.
fn stirling_error(n: f64) -> f64 {
    if n <= 16.0 {
        return lgamma(n + 1.0) - ((n + 0.5) * log(n) - n + 0.5 * log(TAU));
    }
    let s = 1.0 / (n * n);
    (1.0 / 12.0 - s * (1.0 / 360.0 - s * (1.0 / 1260.0 - s * (1.0 / 1680.0 - s / 1188.0)))) / n
}

/// `k ln(k/m) + m − k` without the cancellation near k = m.
fn deviance(k: f64, m: f64) -> f64 {
    let difference = k - m;
    if difference.abs() > 0.1 * (k + m) {
        return k * log(k / m) - difference;
    }
    let ratio = difference / (k + m);
    let square = ratio * ratio;
    // 2 k artanh(ratio) − difference, the first term taken together.
    let (mut sum, mut power) = (difference * ratio, 2.0 * k * ratio);
    for i in 1..64 {
        power *= square;
        let next = sum + power / f64::from(2 * i + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::{End, quantile, tail};

    #[test]
    fn one_parameter_of_one_has_a_closed_form() {
        for n in [1.0, 2.0, 7.0, 1e3, 1e9] {
            for p in [0.025, 0.3, 1e-9] {
                // The least of n uniform numbers, from both ends.
                let least = -libm::expm1(libm::log1p(-p) / n);
                let low = quantile(End::Low, 1.0, n, p);
                assert!((low / least - 1.0).abs() < 1e-11, "{n} {p}: {low} {least}");
                let least = -libm::expm1(libm::log(p) / n);
                if least > 0.99 {
                    continue;
                }
                let high = quantile(End::High, 1.0, n, p);
                assert!(
                    (high / least - 1.0).abs() < 1e-11,
                    "{n} {p}: {high} {least}"
                );
            }
        }
    }

    #[test]
    fn the_tails_add_up_to_one() {
        let sizes = [
            (1.0, 1.0),
            (2.0, 9.0),
            (40.0, 70.0),
            (3e3, 5e6),
            (1e6, 1e9),
            (1.0, 1e12),
        ];
        for (a, b) in sizes {
            let mean = a / (a + b);
            for deviations in [-1.0, -0.3, 0.0, 0.5, 1.0] {
                let u = libm::log(mean) + deviations * ((1.0 - mean) / a).sqrt();
                if u >= 0.0 {
                    continue;
                }
                let [low, high] = [End::Low, End::High].map(|end| libm::exp(tail(end, a, b, u).0));
                let sum = low + high;
                assert!((sum - 1.0).abs() < 1e-11, "{a} {b} {deviations}: {sum}");
            }
        }
    }
}
