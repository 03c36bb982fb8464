//! The knee of a sweep: the level beyond which more load buys more waiting rather than more work.
//!
//! The level with the greatest *power*, throughput by mean latency (L. Kleinrock, "Power and
//! deterministic rules of thumb for probabilistic problems in computer communications", ICC 1979).
//! In a closed loop of N clients latency is N / X by Little's law, so that power is X² / N: it grows
//! with N while throughput X does, falls as 1 / N once X stands still, and is greatest where the
//! two straight lines that bound X meet. Methods that look for the greatest curvature (Kneedle,
//! Satopää et al. 2011) want a smooth curve over evenly spaced loads; of the few uneven levels of a
//! sweep they depend on the scale of the axis, which power does not.
//!
//! Here throughput is goodput, and power is multiplied by the share of good replies: a server that
//! turns the excess away quickly has the same goodput at the same latency for any load beyond its
//! capacity, and those levels are not as good.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Power must be this much smaller on either side, or it may be chance that it is greatest there.
const CLEARLY_LESS: f64 = 0.9;
/// Fewer levels cannot show a rise and a fall.
const LEAST_LEVELS: usize = 3;

/// What a level contributes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Clients, or requests a second asked for.
    pub load: f64,
    /// Good replies a second.
    pub goodput_rps: f64,
    /// The share of requests that had a good reply.
    pub good_share: f64,
    /// Mean latency of replies; none without any.
    pub mean_latency_s: Option<f64>,
}

/// Why there is no knee among the levels.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error,
)]
#[serde(rename_all = "snake_case")]
pub enum NoKnee {
    /// There are fewer than three levels with enough requests.
    #[error("fewer than three levels with enough requests")]
    TooFewLevels,
    /// All levels are much alike in power.
    #[error("no level stands out")]
    NotClear,
    /// The last level is not clearly past it.
    #[error("not reached: throughput still grows with the load; add higher levels")]
    NotReached,
    /// The first level is at it, or past it.
    #[error("already at the lowest level: add lower levels")]
    BelowFirst,
}

impl Point {
    /// Good replies a second by the seconds one takes, by their share of requests.
    #[must_use]
    pub fn power(&self) -> f64 {
        match self.mean_latency_s {
            Some(latency) if latency > 0.0 => self.goodput_rps * self.good_share / latency,
            _ => 0.0,
        }
    }
}

/// The index of the knee among `points`, which may be in any order.
///
/// # Errors
/// When none of the levels is it.
pub fn find(points: &[Point]) -> Result<usize, NoKnee> {
    if points.len() < LEAST_LEVELS {
        return Err(NoKnee::TooFewLevels);
    }
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&a, &b| points[a].load.total_cmp(&points[b].load));
    let power: Vec<f64> = order.iter().map(|&at| points[at].power()).collect();
    // The lowest of equals.
    let best = (0..power.len()).fold(
        0,
        |best, at| if power[at] > power[best] { at } else { best },
    );
    let clearly = CLEARLY_LESS * power[best];
    let clearly_less = |side: &[f64]| side.iter().any(|&power| power < clearly);
    let rises = clearly_less(&power[..best]);
    let falls = clearly_less(&power[best + 1..]);
    match (rises, falls) {
        (true, true) => Ok(order[best]),
        (true, false) => Err(NoKnee::NotReached),
        (false, true) => Err(NoKnee::BelowFirst),
        (false, false) => Err(NoKnee::NotClear),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SERVICE_S: f64 = 0.004;

    /// A server of `servers` that work in parallel, `SERVICE_S` a request, with all clients waiting
    /// for replies: the bounds that every closed system obeys, without the rounding between them.
    fn closed(servers: f64, clients: f64, noise: f64) -> Point {
        let rps = clients.min(servers) / SERVICE_S * noise;
        Point {
            load: clients,
            goodput_rps: rps,
            good_share: 1.0,
            mean_latency_s: Some(clients / rps),
        }
    }

    fn sweep(servers: f64, clients: &[f64]) -> Vec<Point> {
        let point = |n: &f64| closed(servers, *n, 1.0);
        clients.iter().map(point).collect()
    }

    #[test]
    fn the_level_next_to_saturation() {
        let levels = [1.0, 5.0, 10.0, 20.0, 50.0];
        assert_eq!(find(&sweep(10.0, &levels)), Ok(2));
        assert_eq!(
            find(&sweep(8.0, &levels)),
            Ok(2),
            "8 is nearer to 10 than to 5"
        );
        assert_eq!(find(&sweep(5.0, &levels)), Ok(1));
        let mut shuffled = sweep(10.0, &levels);
        shuffled.reverse();
        shuffled.swap(0, 2);
        assert_eq!(find(&shuffled), Ok(0), "levels in any order");
    }

    #[test]
    fn where_there_is_none_it_says_why() {
        let levels = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(find(&sweep(64.0, &levels)), Err(NoKnee::NotReached));
        assert_eq!(
            find(&sweep(8.0, &levels)),
            Err(NoKnee::NotReached),
            "at the last"
        );
        assert_eq!(find(&sweep(1.0, &levels)), Err(NoKnee::BelowFirst));
        assert_eq!(find(&sweep(2.0, &levels[..2])), Err(NoKnee::TooFewLevels));
        assert_eq!(find(&[]), Err(NoKnee::TooFewLevels));
        let dead = Point {
            load: 1.0,
            goodput_rps: 0.0,
            good_share: 0.0,
            mean_latency_s: None,
        };
        assert_eq!(find(&[dead; 4]), Err(NoKnee::NotClear));
    }

    #[test]
    fn a_rise_within_the_noise_is_no_knee() {
        let mut flat = sweep(1.0, &[1.0, 2.0, 3.0, 4.0]);
        for (point, rps) in flat.iter_mut().zip([100.0, 142.0, 174.0, 200.0]) {
            point.goodput_rps = rps;
            point.mean_latency_s = Some(point.load / rps);
        }
        // Power 10000, 10082, 10092, 10000.
        assert_eq!(find(&flat), Err(NoKnee::NotClear));
    }

    #[test]
    fn refusing_quickly_is_not_capacity() {
        // An open loop against a server that sheds everything above 400/s.
        let level = |load: f64| Point {
            load,
            goodput_rps: load.min(400.0),
            good_share: (400.0 / load).min(1.0),
            mean_latency_s: Some(0.005),
        };
        let levels = [100.0, 200.0, 400.0, 800.0, 1_600.0].map(level);
        assert_eq!(find(&levels), Ok(2));
    }

    #[test]
    fn an_open_loop_into_a_queue() {
        // M/M/1 with 1000/s: latency 1 / (capacity − rate), the knee at half of the capacity.
        let level = |load: f64| Point {
            load,
            goodput_rps: load,
            good_share: 1.0,
            mean_latency_s: Some(1.0 / (1_000.0 - load)),
        };
        let levels = [100.0, 250.0, 500.0, 750.0, 900.0, 990.0].map(level);
        assert_eq!(find(&levels), Ok(2));
    }

    proptest! {
        #[test]
        fn noise_of_five_percent_moves_it_by_no_more_than_a_level(
            servers in 2.0_f64..31.0,
            noise in proptest::collection::vec(0.95_f64..1.05, 8),
        ) {
            let clients = |at: usize| 2_f64.powi(at as i32);
            let points: Vec<Point> = noise
                .iter()
                .enumerate()
                .map(|(at, noise)| closed(servers, clients(at), *noise))
                .collect();
            let knee = clients(find(&points).unwrap());
            prop_assert!(knee > servers / 2.0 && knee < servers * 2.0, "{knee} for {servers}");
        }
    }
}
