//! The distribution of a normal point's deviation, from deviations that were held out of the fit:
//! ranks in the body, generalised Pareto tails beyond it.
//!
//! In the body P(Z ≥ z) is read off quantiles, linear in between; beyond the outermost quantiles it is
//! that of [`Pareto`]. A two-sided p-value is twice that of the side on which the point lies, and 1 at most.
//!
//! What was seen n times in a row was not seen n times: the tail is never lighter than that of
//! Student's t on as many degrees of freedom as there were independent events beyond the threshold.
//!
//! Values on a grid (counts, rounded meters) are spread over their cell before the quantiles are
//! taken, and a point is then judged by the nearer edge of its own cell: P(Z ≥ z) counts the ties,
//! and the tail is fitted to something that has a density.

use super::Tail;
use super::elementary::{ln, within};
use super::pareto::Pareto;

/// Deviations from which ranks say more than an assumed distribution.
pub(crate) const SAMPLE_MIN: usize = 64;

/// Largest deviation told apart: the quantiles are kept in `f32`.
const LARGEST: f64 = 1e30;

/// Quantiles kept of the body.
pub(crate) const KNOTS: usize = 4 * STRIDE + 1;

/// Steps between quantiles in a quarter of the body.
const STRIDE: usize = 6;

/// Share of the sample in each tail …
const TAIL_SHARE: f64 = 0.05;

/// … but at least so many, because two moments are estimated from them.
const TAIL_POINTS_MIN: usize = 12;

/// A distribution of deviations, about 150 bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Empirical {
    /// Quantiles at equally spaced probabilities from `below.mass` to `1 − above.mass`.
    pub(crate) knots: [f32; KNOTS],
    /// Tail of −Z.
    pub(crate) below: Pareto,
    /// Tail of Z.
    pub(crate) above: Pareto,
    /// Half the width of the grid the deviations lie on; 0 where they lie on none.
    pub(crate) half_cell: f32,
    /// Size of the sample.
    pub(crate) n: u32,
}

impl Empirical {
    /// Fits to finite deviations in order of time, at least [`SAMPLE_MIN`] of them; `None` where
    /// there are fewer or all are equal.
    pub(crate) fn fit(in_time: &[f64]) -> Option<Self> {
        let n = in_time.len();
        let mut sample: Vec<f64> = in_time.iter().map(|z| z.clamp(-LARGEST, LARGEST)).collect();
        sample.sort_unstable_by(f64::total_cmp);
        let (first, last) = (*sample.first()?, *sample.last()?);
        if n < SAMPLE_MIN || first == last {
            return None;
        }
        let cell = cell_width(&sample);
        spread_ties(&mut sample, cell);
        let (first, last) = (sample[0], sample[n - 1]);
        let in_tail = ((TAIL_SHARE * n as f64) as usize).clamp(TAIL_POINTS_MIN, n / 4);
        // The next point has any of n + 1 ranks, and in_tail + 1 of them lie beyond the threshold.
        let mass = (in_tail as f64 + 1.0) / (n as f64 + 1.0);
        let scale_min = (last - first) * 1e-3;
        let half_cell = 0.5 * cell;
        let low = sample[in_tail];
        let high = sample[n - 1 - in_tail];
        let beyond_low: Vec<f64> = sample[..in_tail].iter().map(|z| low - z).collect();
        let beyond_high: Vec<f64> = sample[n - in_tail..].iter().map(|z| z - high).collect();
        let mut knots = [0.0; KNOTS];
        for (index, knot) in knots.iter_mut().enumerate() {
            let share = index as f64 / (KNOTS - 1) as f64;
            *knot = interpolated(
                &sample,
                in_tail as f64 + share * (n - 1 - 2 * in_tail) as f64,
            ) as f32;
        }
        Some(Self {
            knots,
            below: Pareto::fit(
                -low,
                mass,
                &beyond_low,
                Pareto::limits(scale_min, events(in_time, |z| z < low - half_cell)),
            ),
            above: Pareto::fit(
                high,
                mass,
                &beyond_high,
                Pareto::limits(scale_min, events(in_time, |z| z > high + half_cell)),
            ),
            half_cell: half_cell as f32,
            n: u32::try_from(n).unwrap_or(u32::MAX),
        })
    }

    /// P(Z ≥ z).
    #[inline(always)]
    pub(crate) fn at_or_above(&self, z: f64) -> Tail {
        self.toward(z, 1.0)
    }

    /// P(Z ≤ z).
    #[inline(always)]
    pub(crate) fn at_or_below(&self, z: f64) -> Tail {
        self.toward(z, -1.0)
    }

    /// Twice the probability of the side on which `z` lies, at most 1.
    #[inline(always)]
    pub(crate) fn two_sided(&self, z: f64) -> Tail {
        // The side is told from the expected value and not from the median of the sample, which lies
        // a little off: so p never rises with the distance from what was expected.
        let side = self.toward(z, 1.0_f64.copysign(z));
        Tail::new(2.0 * side.p, side.ln_p + std::f64::consts::LN_2)
    }

    /// Probability of lying at `z` or further up (`sign` 1) or further down (−1).
    ///
    /// The sign is a factor and no condition: a branch would be guessed wrong every other time.
    #[inline(always)]
    fn toward(&self, z: f64, sign: f64) -> Tail {
        let edge = z - sign * f64::from(self.half_cell);
        if edge > f64::from(self.knots[KNOTS - 1]) || edge < f64::from(self.knots[0]) {
            return self.beyond(edge, sign);
        }
        Tail::of_p(0.5 - sign * (self.body(edge) - 0.5))
    }

    /// The same outside the outermost knots.
    #[inline(never)]
    fn beyond(&self, edge: f64, sign: f64) -> Tail {
        let is_high = edge > f64::from(self.knots[KNOTS - 1]);
        let tail = if is_high {
            self.above.tail(edge)
        } else {
            self.below.tail(-edge)
        };
        if is_high == (sign > 0.0) {
            tail
        } else {
            complement(tail)
        }
    }

    /// The largest z that `p` of the points reach at least.
    pub(crate) fn upper_quantile(&self, p: f64) -> f64 {
        let z = if p < f64::from(self.above.mass) {
            self.above.quantile(p)
        } else {
            self.body_quantile(1.0 - p)
        };
        z + f64::from(self.half_cell)
    }

    /// The smallest z that `p` of the points do not exceed.
    pub(crate) fn lower_quantile(&self, p: f64) -> f64 {
        let z = if p < f64::from(self.below.mass) {
            -self.below.quantile(p)
        } else {
            self.body_quantile(p)
        };
        z - f64::from(self.half_cell)
    }

    /// Whether the numbers are ones a fit can give.
    pub(crate) fn is_sound(&self) -> bool {
        let joined = |tail: &Pareto, edge: f32| tail.is_sound() && tail.threshold == edge;
        self.knots.iter().all(|knot| knot.is_finite())
            && self.knots.is_sorted()
            && joined(&self.above, self.knots[KNOTS - 1])
            && joined(&self.below, -self.knots[0])
            && self.below.mass + self.above.mass < 1.0
            && self.half_cell.is_finite()
            && self.half_cell >= 0.0
    }

    /// P(Z ≤ z) between the outermost knots.
    #[inline(always)]
    fn body(&self, z: f64) -> f64 {
        let z = z as f32;
        // First the quarter, then the knot in it: fewer comparisons than with all of them, none of
        // which waits for another, and no branch to guess.
        let is_past = |knot: usize| usize::from(self.knots[knot] <= z);
        let quarter = STRIDE * (is_past(STRIDE) + is_past(2 * STRIDE) + is_past(3 * STRIDE));
        let left = quarter + (1..STRIDE).map(|i| is_past(quarter + i)).sum::<usize>();
        let (a, b) = (self.knots[left], self.knots[left + 1]);
        let share = if b > a { (z - a) / (b - a) } else { 1.0 };
        let share = within(f64::from(share), 0.0, 1.0);
        let (from, to) = (f64::from(self.below.mass), 1.0 - f64::from(self.above.mass));
        from + (to - from) * ((f64::from(left as u32) + share) * (1.0 / (KNOTS - 1) as f64))
    }

    fn body_quantile(&self, p: f64) -> f64 {
        let (from, to) = (f64::from(self.below.mass), 1.0 - f64::from(self.above.mass));
        let place = ((p - from) / (to - from) * (KNOTS - 1) as f64).clamp(0.0, (KNOTS - 1) as f64);
        let left = (place as usize).min(KNOTS - 2);
        let (a, b) = (f64::from(self.knots[left]), f64::from(self.knots[left + 1]));
        a + (b - a) * (place - left as f64)
    }
}

/// Number of independent events among the points that `is_beyond` takes: their number times the
/// extremal index, by the distances between them (Ferro & Segers 2003, equation 5).
///
/// Sixty points beyond a threshold in one bad night are one event and not sixty.
fn events(in_time: &[f64], is_beyond: impl Fn(f64) -> bool) -> f64 {
    let (mut count, mut sum, mut squares) = (0.0_f64, 0.0, 0.0);
    let mut previous = None;
    for (index, _) in in_time.iter().enumerate().filter(|(_, z)| is_beyond(**z)) {
        if let Some(previous) = previous {
            let distance = (index - previous) as f64;
            sum += distance - 1.0;
            squares += (distance - 1.0) * (distance - 2.0);
        }
        count += 1.0;
        previous = Some(index);
    }
    if squares <= 0.0 {
        return count.clamp(1.0, 2.0);
    }
    let index = (2.0 * sum * sum / ((count - 1.0) * squares)).min(1.0);
    (count * index).max(1.0)
}

fn complement(tail: Tail) -> Tail {
    let p = 1.0 - tail.p;
    Tail::new(p, ln(p))
}

/// Width of the grid that sorted values lie on; 0 where most of them are distinct.
///
/// A low quantile of the gaps between distinct values, since the smallest is often rounding.
fn cell_width(sorted: &[f64]) -> f64 {
    let mut gaps: Vec<f64> = sorted
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .filter(|gap| *gap > 0.0)
        .collect();
    if gaps.is_empty() || 2 * gaps.len() >= sorted.len() {
        return 0.0;
    }
    let middle = gaps.len() / 4;
    *gaps.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// Spreads equal values evenly over their cell; the order stays.
fn spread_ties(sorted: &mut [f64], cell: f64) {
    if cell <= 0.0 {
        return;
    }
    let mut start = 0;
    while start < sorted.len() {
        let value = sorted[start];
        let ties = sorted[start..].iter().take_while(|v| **v == value).count();
        for (index, v) in sorted[start..start + ties].iter_mut().enumerate() {
            *v = value + cell * ((index as f64 + 0.5) / ties as f64 - 0.5);
        }
        start += ties;
    }
    // Cells wider than the gap between two values overlap.
    sorted.sort_unstable_by(f64::total_cmp);
}

fn interpolated(sorted: &[f64], place: f64) -> f64 {
    let left = (place as usize).min(sorted.len() - 1);
    let right = (left + 1).min(sorted.len() - 1);
    sorted[left] + (sorted[right] - sorted[left]) * (place - left as f64)
}
