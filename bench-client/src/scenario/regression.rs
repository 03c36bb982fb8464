//! The slope of a straight line through points, with how sure it is.

/// A slope with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Slope {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// Student's t at 0.975 for 1 to 30 degrees of freedom.
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// The same for more, where it is at most this.
const T_MORE: f64 = 2.042;

/// Ordinary least squares of y on x; none for fewer than three points or a single x. The interval
/// supposes deviations that are independent of each other, so that points should be means over
/// stretches longer than what they depend on.
pub(super) fn slope(points: &[(f64, f64)]) -> Option<Slope> {
    let n = points.len() as f64;
    let freedom = points.len().checked_sub(2).filter(|freedom| *freedom > 0)?;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / n;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / n;
    let sxx: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    if sxx <= 0.0 {
        return None;
    }
    let sxy: f64 = points
        .iter()
        .map(|(x, y)| (x - mean_x) * (y - mean_y))
        .sum();
    let value = sxy / sxx;
    let residual = |(x, y): &(f64, f64)| (y - mean_y - value * (x - mean_x)).powi(2);
    let variance = points.iter().map(residual).sum::<f64>() / freedom as f64;
    let t = T.get(freedom - 1).copied().unwrap_or(T_MORE);
    let half = t * (variance / sxx).sqrt();
    Some(Slope {
        value,
        low: value - half,
        high: value + half,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_exactly() {
        let points: Vec<_> = (0..10)
            .map(|i| (f64::from(i), 3.0 + 2.0 * f64::from(i)))
            .collect();
        let slope = slope(&points).unwrap();
        assert!((slope.value - 2.0).abs() < 1e-12);
        assert!((slope.low - 2.0).abs() < 1e-6 && (slope.high - 2.0).abs() < 1e-6);
    }

    /// By hand: x = 1, 2, 3 and y = 1, 3, 2 have slope 1/2 and residual variance 3/2 on one degree of
    /// freedom.
    #[test]
    fn the_interval_is_that_of_the_textbook() {
        let slope = slope(&[(1.0, 1.0), (2.0, 3.0), (3.0, 2.0)]).unwrap();
        assert!((slope.value - 0.5).abs() < 1e-12);
        let half = 12.706 * (1.5_f64 / 2.0).sqrt();
        assert!((slope.high - slope.low - 2.0 * half).abs() < 1e-9);
    }

    #[test]
    fn too_few_points_have_no_slope() {
        assert_eq!(slope(&[(0.0, 1.0), (1.0, 2.0)]), None);
        assert_eq!(slope(&[(1.0, 1.0); 5]), None);
    }
}
