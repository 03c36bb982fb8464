//! The distribution of a normal point's deviation, from deviations that were held out of the fit:
//! ranks in the body, generalised Pareto tails beyond it.
//!
//! In the body P(Z ≥ z) is read off quantiles, linear in between; beyond the outermost quantiles it is
//! that of [`Pareto`]. A two-sided p-value is twice that of the side on which the point lies, and 1 at most.
//!
//! What was seen n times in a row was not seen n times: how far a tail is to be trusted goes by the
//! number of *independent* points beyond its threshold. That is the smaller of two counts: the events by
//! the distances between exceedances ([`events`]), and the tail's share of the independent points of the
//! whole ([`independent_points`]), because bad days come in runs that no distance between points shows.
//!
//! Further from the history than it is long, a level that is taken to stay is not known better than the
//! history's own stretches agree. There P is never below that of such a level alone, on either side
//! alike: a level that has only fallen so far may rise ([`level_reach`]). And the tails are heavier
//! ([`Pareto`]).
//!
//! Values on a grid (counts, rounded meters) are spread over their cell before the quantiles are
//! taken, and a point is then judged by the nearer edge of its own cell: P(Z ≥ z) counts the ties,
//! and the tail is fitted to something that has a density.

use super::Tail;
use super::elementary::{ln, within};
use super::pareto::{Pareto, Reach};
use super::stretches::{independent_points, level_quantile, level_reach};

/// Deviations from which ranks say more than an assumed distribution.
pub(crate) const SAMPLE_MIN: usize = 64;

/// Largest deviation told apart: the quantiles are kept in `f32`.
const LARGEST: f64 = 1e30;

/// Quantiles kept of the body.
pub(crate) const KNOTS: usize = 4 * STRIDE + 1;

/// Steps between quantiles in a quarter of the body.
const STRIDE: usize = 6;

/// Largest and smallest share of the sample in each tail: the further out a tail begins, the nearer it
/// is to its limit. …
const TAIL_SHARE: (f64, f64) = (0.05, 0.01);

/// … In between it begins where so many independent points lie beyond …
const TAIL_INDEPENDENT: f64 = 50.0;

/// … but at least so many points, because two moments are estimated from them.
const TAIL_POINTS_MIN: usize = 12;

/// A distribution of deviations, 140 bytes.
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
    /// The a of P(|level far from the history| ≥ z) = (a/z)³; 0 where there is no level.
    pub(crate) level: f32,
}

impl Empirical {
    /// Fits to finite deviations in order of time, at least [`SAMPLE_MIN`] of them; `None` where there
    /// are fewer or all are equal. It holds at any distance from the history.
    pub(crate) fn fit(in_time: &[f64]) -> Option<Self> {
        let mut empirical = Self::near_and_far(in_time)?;
        for tail in [&mut empirical.below, &mut empirical.above] {
            tail.far_shape = tail.shape;
        }
        Some(empirical)
    }

    /// The same of deviations that were held out in stretches: in them shows how far a level strays,
    /// and far from the history it is doubtful that it stays.
    pub(crate) fn fit_held_out(in_time: &[f64]) -> Option<Self> {
        Some(Self {
            level: level_reach(in_time).min(LARGEST) as f32,
            ..Self::near_and_far(in_time)?
        })
    }

    fn near_and_far(in_time: &[f64]) -> Option<Self> {
        let n = in_time.len();
        let mut sample: Vec<f64> = in_time.iter().map(|z| z.clamp(-LARGEST, LARGEST)).collect();
        sample.sort_unstable_by(f64::total_cmp);
        let (first, last) = (*sample.first()?, *sample.last()?);
        if n < SAMPLE_MIN || first == last {
            return None;
        }
        let independent = independent_in(in_time, &sample);
        let cell = cell_width(&sample);
        spread_ties(&mut sample, cell);
        let (first, last) = (sample[0], sample[n - 1]);
        let share = (TAIL_INDEPENDENT / independent).clamp(TAIL_SHARE.1, TAIL_SHARE.0);
        let in_tail = ((share * n as f64) as usize).clamp(TAIL_POINTS_MIN, n / 4);
        // The next point has any of n + 1 ranks, and in_tail + 1 of them lie beyond the threshold.
        let mass = (in_tail as f64 + 1.0) / (n as f64 + 1.0);
        let scale_min = (last - first) * 1e-3;
        let half_cell = 0.5 * cell;
        let low = sample[in_tail];
        let high = sample[n - 1 - in_tail];
        let beyond_low: Vec<f64> = sample[..in_tail].iter().map(|z| low - z).collect();
        let beyond_high: Vec<f64> = sample[n - in_tail..].iter().map(|z| z - high).collect();
        let tail = |exceedances: &[f64], events: f64| {
            Pareto::fit(mass, exceedances, events.min(mass * independent), scale_min)
        };
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
            below: tail(&beyond_low, events(in_time, |z| z < low - half_cell)),
            above: tail(&beyond_high, events(in_time, |z| z > high + half_cell)),
            half_cell: half_cell as f32,
            level: 0.0,
        })
    }

    /// P(Z ≥ z).
    #[inline(always)]
    pub(crate) fn at_or_above(&self, z: f64, reach: Reach) -> Tail {
        self.one_sided(z, 1.0, reach)
    }

    /// P(Z ≤ z).
    #[inline(always)]
    pub(crate) fn at_or_below(&self, z: f64, reach: Reach) -> Tail {
        self.one_sided(z, -1.0, reach)
    }

    /// Twice the probability of the side on which `z` lies, at most 1.
    #[inline(always)]
    pub(crate) fn two_sided(&self, z: f64, reach: Reach) -> Tail {
        // The side is told from the expected value and not from the median of the sample, which lies
        // a little off: so p never rises with the distance from what was expected.
        let side = self.toward(z, 1.0_f64.copysign(z), reach);
        let tail = Tail::new(2.0 * side.p, side.ln_p + std::f64::consts::LN_2);
        self.or_level(tail, z.abs(), 1.0, reach)
    }

    /// P(sign·Z ≥ sign·z).
    #[inline(always)]
    fn one_sided(&self, z: f64, sign: f64, reach: Reach) -> Tail {
        let tail = self.toward(z, sign, reach);
        self.or_level(tail, (sign * z).max(0.0), 0.5, reach)
    }

    /// The tail, or that of the level alone at a distance ≥ 0 where that is larger; the level has
    /// `share` of its probability on the sides that count.
    #[inline(always)]
    fn or_level(&self, tail: Tail, distance: f64, share: f64, reach: Reach) -> Tail {
        let level = self.level_at(reach);
        // As a product: a division for every point would be all of what this costs.
        let cube = distance * distance * distance;
        if share * level * level * level <= tail.p * cube || level == 0.0 {
            return tail;
        }
        let ratio = level / distance.max(level);
        Tail::of_p(tail.p.max(share * ratio * ratio * ratio))
    }

    /// Probability of lying at `z` or further up (`sign` 1) or further down (−1).
    ///
    /// The sign is a factor and no condition: a branch would be guessed wrong every other time.
    #[inline(always)]
    fn toward(&self, z: f64, sign: f64, reach: Reach) -> Tail {
        let edge = z - sign * f64::from(self.half_cell);
        if edge > f64::from(self.knots[KNOTS - 1]) || edge < f64::from(self.knots[0]) {
            return self.beyond(edge, sign, reach);
        }
        Tail::of_p(0.5 - sign * (self.body(edge) - 0.5))
    }

    /// The same outside the outermost knots.
    #[inline(never)]
    fn beyond(&self, edge: f64, sign: f64, reach: Reach) -> Tail {
        let (low, high) = self.thresholds();
        let is_high = edge > high;
        let tail = if is_high {
            self.above.tail(edge - high, reach)
        } else {
            self.below.tail(low - edge, reach)
        };
        if is_high == (sign > 0.0) {
            tail
        } else {
            complement(tail)
        }
    }

    /// The largest z that `p` of the points reach at least.
    pub(crate) fn upper_quantile(&self, p: f64, reach: Reach) -> f64 {
        let z = if p < f64::from(self.above.mass) {
            self.thresholds().1 + self.above.quantile(p, reach)
        } else {
            self.body_quantile(1.0 - p)
        };
        let level = level_quantile(self.level_at(reach), 2.0 * p);
        (z + f64::from(self.half_cell)).max(level)
    }

    /// The smallest z that `p` of the points do not exceed.
    pub(crate) fn lower_quantile(&self, p: f64, reach: Reach) -> f64 {
        let z = if p < f64::from(self.below.mass) {
            self.thresholds().0 - self.below.quantile(p, reach)
        } else {
            self.body_quantile(p)
        };
        let level = level_quantile(self.level_at(reach), 2.0 * p);
        (z - f64::from(self.half_cell)).min(-level)
    }

    /// How far a level reaches there; 0 where the history tells where the level is.
    #[inline(always)]
    fn level_at(&self, reach: Reach) -> f64 {
        match reach {
            Reach::Near => 0.0,
            Reach::Far => f64::from(self.level),
        }
    }

    /// Where the tails begin.
    #[inline(always)]
    fn thresholds(&self) -> (f64, f64) {
        (f64::from(self.knots[0]), f64::from(self.knots[KNOTS - 1]))
    }

    /// Whether the numbers are ones a fit can give.
    pub(crate) fn is_sound(&self) -> bool {
        let is_distance = |x: f32| x.is_finite() && x >= 0.0;
        self.knots.iter().all(|knot| knot.is_finite())
            && self.knots.is_sorted()
            && self.above.is_sound()
            && self.below.is_sound()
            && self.below.mass + self.above.mass < 1.0
            && is_distance(self.half_cell)
            && is_distance(self.level)
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

/// Number of independent points; where nearly all are equal the others stand for what there is.
fn independent_in(in_time: &[f64], sorted: &[f64]) -> f64 {
    let n = sorted.len();
    let twentieth = n / 20;
    let (low, high) = (sorted[twentieth], sorted[n - 1 - twentieth]);
    if low < high {
        independent_points(in_time, low, high)
    } else {
        independent_points(in_time, sorted[0], sorted[n - 1])
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums of twelve numbers of a linear congruential generator, about normal.
    fn noise(n: usize) -> Vec<f64> {
        let mut state = 1_u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1_u32 << 31) - 0.5
        };
        (0..n)
            .map(|_| (0..12).map(|_| uniform()).sum::<f64>())
            .collect()
    }

    fn held_out(values: &[f64]) -> Empirical {
        Empirical::fit_held_out(values).unwrap()
    }

    #[test]
    fn noise_is_known_as_well_far_away_as_near() {
        let noise = held_out(&noise(20_000));
        for (p, z) in [(0.005, 2.576), (5e-4, 3.291)] {
            let near = noise.upper_quantile(p, Reach::Near);
            let far = noise.upper_quantile(p, Reach::Far);
            assert!((near / z - 1.0).abs() < 0.1, "{p}: {near}");
            assert!((1.0..1.2).contains(&(far / near)), "{p}: {far} {near}");
        }
    }

    /// The same deviations in another order, in which a thousand in a row are alike.
    #[test]
    fn what_hangs_together_is_known_less_well() {
        let noise = noise(20_020);
        let (levels, noise) = noise.split_at(20);
        let runs: Vec<f64> = (0..20_000)
            .map(|i| levels[i / 1_000] + 0.5 * noise[i])
            .collect();
        // A stride without a common factor with their number takes each once.
        let mixed: Vec<f64> = (0..20_000).map(|i| runs[i * 7_919 % 20_000]).collect();
        let (runs, mixed) = (held_out(&runs), held_out(&mixed));
        for (of_runs, of_mixed) in [(runs.above, mixed.above), (runs.below, mixed.below)] {
            assert!(of_runs.shape > of_mixed.shape && of_runs.far_shape > of_mixed.far_shape);
        }
        for reach in [Reach::Near, Reach::Far] {
            let tail = |empirical: &Empirical| empirical.two_sided(9.0, reach).p;
            assert!(tail(&runs) > 10.0 * tail(&mixed), "{reach:?}");
        }
    }

    #[test]
    fn a_level_that_has_only_fallen_may_rise_far_away() {
        let noise = noise(4_000);
        let values: Vec<f64> = (0..4_000)
            .map(|i| 0.1 * noise[i] - if i < 1_000 { 8.0 } else { 0.0 })
            .collect();
        let (empirical, z) = (held_out(&values), 6.0);
        assert!(empirical.two_sided(z, Reach::Near).p < 1e-3);
        assert!(empirical.two_sided(z, Reach::Far).p > 0.01);
        assert!(empirical.at_or_above(z, Reach::Far).p > 0.005);
        assert!(empirical.at_or_below(z, Reach::Far).p >= 0.5);
        assert_eq!(Empirical::fit(&values).unwrap().level, 0.0);
    }

    #[test]
    fn quantiles_undo_tails_near_and_far() {
        let noise = noise(4_000);
        let values: Vec<f64> = (0..4_000).map(|i| noise[i] + noise[i / 500]).collect();
        let empirical = held_out(&values);
        for reach in [Reach::Near, Reach::Far] {
            for p in [0.1, 0.01, 1e-3, 1e-6] {
                let above = empirical.upper_quantile(p, reach);
                let below = empirical.lower_quantile(p, reach);
                let found = [
                    empirical.at_or_above(above, reach).p,
                    empirical.at_or_below(below, reach).p,
                ];
                assert!(
                    found.iter().all(|found| (found / p - 1.0).abs() < 1e-4),
                    "{reach:?} {p}: {found:?}"
                );
            }
        }
    }
}
