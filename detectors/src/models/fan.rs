//! How the band widens with the time since training.
//!
//! fan(h) = 1 + c₁·h + c₂·h² + c₃·h³ is the variance of a forecast h ahead in units of that of one
//! step. For simple exponential smoothing with gain α it is 1 + α²·(h − 1), for Holt's method
//! 1 + Σ_{j<h} α²·(1 + j·β)² (Hyndman, Koehler, Ord & Snyder 2008, table 6.1), which is a cubic in
//! h; a model that returns to its level has none. Here h is in ticks and continuous.

/// Coefficients ≥ 0 of the powers of a time in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Fan {
    pub(crate) linear: f64,
    pub(crate) quadratic: f64,
    pub(crate) cubic: f64,
}

impl Fan {
    /// A band that stays as wide as it is.
    pub(crate) const NONE: Self = Self {
        linear: 0.0,
        quadratic: 0.0,
        cubic: 0.0,
    };

    /// Of exponential smoothing with gains `alpha` for the level and `beta` for the slope, one step
    /// being so many ticks; `level_noise` is added to the variance at every step.
    pub(crate) fn of_smoothing(alpha: f64, beta: f64, step: f64) -> Self {
        let a2 = alpha * alpha;
        Self {
            linear: a2 / step,
            quadratic: a2 * beta / (step * step),
            cubic: a2 * beta * beta / (3.0 * step * step * step),
        }
    }

    /// √fan, the factor of the scale `elapsed` ≥ 0 ticks after training.
    #[inline(always)]
    pub(crate) fn width(&self, elapsed: f64) -> f64 {
        let Self {
            linear,
            quadratic,
            cubic,
        } = *self;
        let variance = 1.0 + elapsed * (linear + elapsed * (quadratic + elapsed * cubic));
        if variance == 1.0 { 1.0 } else { root(variance) }
    }

    /// Whether the numbers are ones a fit can give.
    pub(crate) fn is_sound(&self) -> bool {
        [self.linear, self.quadratic, self.cubic]
            .iter()
            .all(|c| c.is_finite() && *c >= 0.0)
    }
}

/// Out of line, or the compiler takes a root of the variance of models that have no fan.
#[inline(never)]
fn root(variance: f64) -> f64 {
    variance.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cubic stays close to the sum it stands for.
    #[test]
    fn the_cubic_is_the_sum() {
        let (alpha, beta) = (0.3, 0.1);
        let fan = Fan::of_smoothing(alpha, beta, 60.0);
        for h in [10_u32, 100, 1_000] {
            let sum: f64 = (1..h)
                .map(|j| (alpha * (1.0 + f64::from(j) * beta)).powi(2))
                .sum();
            let width = fan.width(60.0 * f64::from(h - 1));
            assert!(
                (width * width / (1.0 + sum) - 1.0).abs() < 0.25,
                "{h}: {} {}",
                width * width,
                1.0 + sum
            );
        }
    }

    #[test]
    fn none_stays_as_wide_as_it_is() {
        assert_eq!(Fan::NONE.width(1e18), 1.0);
        assert_eq!(Fan::of_smoothing(0.5, 0.0, 1.0).width(0.0), 1.0);
        assert!(
            !Fan {
                linear: -1.0,
                ..Fan::NONE
            }
            .is_sound()
        );
    }
}
