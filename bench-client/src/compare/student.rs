//! Quantiles of the normal and of Student's t distribution, found by bisection of their tails: a few
//! of them are needed a comparison, and their tails are what is exact.

use libm::{erfc, exp, lgamma, log};

/// z with P(Z > z) = `tail` for a standard normal Z, 0 < `tail` ≤ ½.
pub(super) fn normal(tail: f64) -> f64 {
    bisect(tail, |z| 0.5 * erfc(z / std::f64::consts::SQRT_2))
}

/// t with P(T > t) = `tail` for Student's t with `df` > 0 degrees of freedom, which need not be
/// whole, 0 < `tail` ≤ ½.
pub(super) fn student(tail: f64, df: f64) -> f64 {
    bisect(tail, |t| 0.5 * beta(df / (df + t * t), 0.5 * df, 0.5))
}

/// Where the falling `survival`, ½ at 0, is `tail`.
fn bisect(tail: f64, survival: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while survival(high) > tail && high < 1e12 {
        (low, high) = (high, 2.0 * high);
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if survival(middle) > tail {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// The regularised incomplete beta function Iₓ(a, b), by its continued fraction (Abramowitz and
/// Stegun, *Handbook of Mathematical Functions*, 26.5.8), evaluated as Lentz does.
fn beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    // The fraction converges quickly up to the mean; beyond it, Iₓ(a, b) = 1 − I₁₋ₓ(b, a).
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta(1.0 - x, b, a);
    }
    let ln_front = lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1.0 - x);
    let away_from_zero = |y: f64| if y.abs() < 1e-300 { 1e-300 } else { y };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..10_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + term * d);
            c = away_from_zero(1.0 + term / c);
            change = c * d;
            fraction *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    exp(ln_front) * fraction / a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, wanted: f64) {
        assert!(
            (value - wanted).abs() < 2e-6 * wanted.abs().max(1.0),
            "{value} {wanted}"
        );
    }

    #[test]
    fn quantiles_are_those_of_published_tables() {
        near(normal(0.5), 0.0);
        near(normal(0.025), 1.959_964);
        near(normal(0.005), 2.575_829);
        near(normal(0.0005), 3.290_527);
        for (tail, df, wanted) in [
            (0.025, 1.0, 12.706_205),
            (0.025, 2.0, 4.302_653),
            (0.025, 5.0, 2.570_582),
            (0.025, 30.0, 2.042_272),
            (0.005, 1.0, 63.656_741),
            (0.005, 9.0, 3.249_836),
            (0.05, 4.0, 2.131_847),
            (0.0005, 3.0, 12.923_979),
            (0.25, 1.0, 1.0),
        ] {
            near(student(tail, df), wanted);
        }
    }

    #[test]
    fn many_degrees_of_freedom_are_the_normal_distribution() {
        for tail in [0.4, 0.1, 0.01, 1e-4] {
            let (t, z) = (student(tail, 1e7), normal(tail));
            assert!(t >= z && t - z < 1e-5, "{tail}: {t} {z}");
        }
        assert!(student(0.01, 3.5) < student(0.01, 3.0));
        assert!(student(0.01, 3.5) > student(0.01, 4.0));
    }
}
