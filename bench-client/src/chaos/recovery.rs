//! How long goodput takes to come back.
//!
//! ```text
//! before  = good replies a second, from the start of the run to the first act
//! enough  = 95 % of before, less two standard deviations of so many random arrivals in a window
//! fell    = the start of the first window after the act with less than enough
//! back    = the start of the first window after that with enough again
//! time to recover = back − act
//! ```
//!
//! Windows have a second and slide in steps of a tenth; a good reply counts when it was there. A fall is that of the last
//! act before it. An act after which no window has less than enough disturbed nothing. The standard deviation is that of a
//! Poisson count, √n: without it a rate of 100 a second would seem to fall and recover all the time.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Goodput is that of so long a time.
pub const WINDOW: Duration = Duration::from_secs(1);
/// Windows begin so long after each other.
pub const STEP: Duration = Duration::from_millis(100);

const STEPS: usize = 10;
const ENOUGH: f64 = 0.95;
const DEVIATIONS: f64 = 2.0;

/// What an act did to the goodput.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Recovery {
    /// It did not fall.
    Undisturbed,
    /// It fell and came back.
    Recovered {
        /// Seconds from the act until it was back.
        after_s: f64,
    },
    /// It fell and had not come back when the next act or the end of the run came.
    NotRecovered,
    /// Too little was good before the act, or too short a time is left after it, to tell.
    Unknown,
}

/// Good replies by the time at which they were there.
#[derive(Debug, Default)]
pub(super) struct Goodput {
    /// A count a step.
    counts: Vec<u32>,
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undisturbed => f.write_str("goodput did not fall"),
            Self::Recovered { after_s } => write!(f, "back to 95 % after {after_s:.1} s"),
            Self::NotRecovered => f.write_str("not back to 95 %"),
            Self::Unknown => f.write_str("too little before or after it to tell"),
        }
    }
}

impl Recovery {
    /// Whether the server was back within `time`, or never away.
    #[must_use]
    pub fn is_within(self, time: Duration) -> bool {
        match self {
            Self::Undisturbed => true,
            Self::Recovered { after_s } => after_s <= time.as_secs_f64(),
            Self::NotRecovered | Self::Unknown => false,
        }
    }
}

impl Goodput {
    /// Counts a good reply that was there `ns` after the start.
    pub(super) fn good(&mut self, ns: u64) {
        let at = (u128::from(ns) / STEP.as_nanos()) as usize;
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += 1;
    }

    /// What the act at `at` did. The run was left alone until `calm`, and did something else at `next` or ended then; it
    /// ended at `end`.
    pub(super) fn recovery(
        &self,
        calm: Duration,
        at: Duration,
        next: Duration,
        end: Duration,
    ) -> Recovery {
        let step = |time: Duration| (time.as_nanos() / STEP.as_nanos()) as usize;
        // The step in which an act falls is neither before nor after it.
        let (calm, first) = (step(calm), step(at) + 1);
        let (next, end) = (step(next), step(end));
        let count = |from: usize, to: usize| -> f64 {
            (from..to)
                .map(|i| f64::from(self.counts.get(i).copied().unwrap_or(0)))
                .sum()
        };
        let before = count(0, calm) / calm as f64 * STEPS as f64;
        if calm < STEPS || before < 1.0 || end < first + STEPS {
            return Recovery::Unknown;
        }
        let enough = (ENOUGH * before - DEVIATIONS * before.sqrt()).max(1.0);
        let is_enough = |from: &usize| count(*from, from + STEPS) >= enough;
        let mut windows = first..=end - STEPS;
        // A window that reaches into the next act falls by that one, unless they are closer than a window.
        let latest = first.max(next.saturating_sub(STEPS));
        if !windows
            .by_ref()
            .take_while(|from| *from <= latest)
            .any(|from| !is_enough(&from))
        {
            return Recovery::Undisturbed;
        }
        match windows.find(is_enough) {
            Some(from) => Recovery::Recovered {
                after_s: (STEP * u32::try_from(from).unwrap_or(u32::MAX))
                    .saturating_sub(at)
                    .as_secs_f64(),
            },
            None => Recovery::NotRecovered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replies at `per_s`, but for the times in `outages`, in seconds.
    fn goodput(per_s: u64, lasting_s: f64, outages: &[(f64, f64)]) -> Goodput {
        let mut goodput = Goodput::default();
        for i in 0..(lasting_s * per_s as f64) as u64 {
            let at_s = i as f64 / per_s as f64;
            if !outages
                .iter()
                .any(|(from, to)| (*from..*to).contains(&at_s))
            {
                goodput.good((at_s * 1e9) as u64);
            }
        }
        goodput
    }

    fn seconds(s: f64) -> Duration {
        Duration::from_secs_f64(s)
    }

    fn recovery(goodput: &Goodput, at: f64, until: f64) -> Recovery {
        goodput.recovery(seconds(at), seconds(at), seconds(until), seconds(until))
    }

    #[test]
    fn a_fall_is_that_of_the_last_act_before_it() {
        let goodput = goodput(1_000, 20.0, &[(10.0, 12.4)]);
        let of =
            |at, next| goodput.recovery(seconds(4.0), seconds(at), seconds(next), seconds(20.0));
        assert_eq!(of(4.0, 10.0), Recovery::Undisturbed);
        for (at, next, expected) in [(10.0, 12.0, 2.4), (12.0, 20.0, 0.4)] {
            let Recovery::Recovered { after_s } = of(at, next) else {
                panic!("{at}: {:?}", of(at, next));
            };
            assert!((after_s - expected).abs() <= 0.2, "{at}: {after_s}");
        }
        assert_eq!(of(15.0, 20.0), Recovery::Undisturbed);
    }

    #[test]
    fn an_outage_is_as_long_as_it_was() {
        for per_s in [50, 1_000, 20_000] {
            let measured = recovery(&goodput(per_s, 20.0, &[(5.0, 7.3)]), 5.0, 20.0);
            let Recovery::Recovered { after_s } = measured else {
                panic!("{per_s}: {measured:?}");
            };
            // A window that has two steps without replies may still have enough at a low rate.
            assert!((1.9..=2.4).contains(&after_s), "{per_s}: {after_s}");
        }
    }

    #[test]
    fn what_never_comes_back_and_what_never_went_are_told_apart() {
        let dead = goodput(500, 20.0, &[(5.0, 20.0)]);
        assert_eq!(recovery(&dead, 5.0, 20.0), Recovery::NotRecovered);
        let alive = goodput(500, 20.0, &[]);
        assert_eq!(recovery(&alive, 5.0, 20.0), Recovery::Undisturbed);
        let slower = {
            let mut goodput = goodput(500, 5.0, &[]);
            (0..15 * 400).for_each(|i| goodput.good(5_000_000_000 + i * 2_500_000));
            goodput
        };
        assert_eq!(recovery(&slower, 5.0, 20.0), Recovery::NotRecovered);
    }

    #[test]
    fn too_little_to_tell_is_said() {
        let goodput = goodput(500, 20.0, &[(5.0, 6.0)]);
        assert_eq!(
            recovery(&goodput, 0.5, 20.0),
            Recovery::Unknown,
            "nothing before it"
        );
        assert_eq!(
            recovery(&goodput, 19.5, 20.0),
            Recovery::Unknown,
            "nothing after it"
        );
    }

    #[test]
    fn random_arrivals_do_not_seem_to_fall() {
        use rand::{Rng, SeedableRng};
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let disturbed = (0..100).filter(|_| {
            let mut goodput = Goodput::default();
            let mut at = 0.0;
            while at < 20.0 {
                at -= random.random::<f64>().ln() / 400.0;
                goodput.good((at * 1e9) as u64);
            }
            recovery(&goodput, 10.0, 13.0) != Recovery::Undisturbed
        });
        let disturbed = disturbed.count();
        assert!(disturbed <= 15, "{disturbed} of 100");
    }
}
