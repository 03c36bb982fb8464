//! What the verdicts promise, on servers whose truth is known: comparisons of A with itself, and with
//! a B that is 10 % slower; `TIDEMARK_TRIALS` says how many of each, 200 without it.
//!
//! A reply takes 10 ms times a factor of the run, which another run has not (another process on the
//! machine, another layout of memory), times a factor that wanders within the run, and one in fifty
//! takes longer by an exponential time. So the noise is correlated within runs, differs between them,
//! and has a heavy tail.

use rayon::prelude::*;

use super::*;
use crate::tally::needed;

const REPLIES: usize = 500;
const CLIENTS: f64 = 16.0;

/// How much servers vary, as relative standard deviations.
#[derive(Clone, Copy)]
struct Noise {
    between: f64,
    within: f64,
    /// Correlation of neighbours.
    phi: f64,
}

/// The replies of one run in nanoseconds, in their order.
fn run(slower: f64, noise: Noise, random: &mut Random) -> Vec<u64> {
    let of_run = (noise.between * random.normal()).exp();
    let mut wandering = random.normal();
    (0..REPLIES)
        .map(|_| {
            let fresh = (1.0 - noise.phi * noise.phi).sqrt() * random.normal();
            wandering = noise.phi * wandering + fresh;
            let tail = if random.unit() < 0.02 {
                -0.3 * random.unit().ln()
            } else {
                0.0
            };
            let factor = of_run * ((noise.within * wandering).exp() + tail);
            (10e6 * slower * factor) as u64
        })
        .collect()
}

/// What `compare` makes of runs, with its default figures.
fn sides_of(a: &[Vec<u64>], b: &[Vec<u64>], random: &mut Random) -> Vec<Sides> {
    let mut quantile = |q: f64, name: &str| {
        let mut units = |runs: &[Vec<u64>]| {
            let unit = |run: &Vec<u64>| Unit::quantile(run, q, None, random).unwrap();
            Ok(runs.iter().map(unit).collect())
        };
        Sides {
            name: name.to_owned(),
            unit: "ms",
            direction: Direction::LowerIsBetter,
            a: units(a),
            b: units(b),
            needed: needed(q) as f64,
        }
    };
    let mut all: Vec<_> = [(0.5, "p50"), (0.95, "p95"), (0.99, "p99")]
        .map(|(q, name)| quantile(q, name))
        .into();
    // In a closed loop, replies a second are the clients by the mean time of one.
    let mut rates = |runs: &[Vec<u64>]| {
        let unit = |run: &Vec<u64>| {
            let wall = run.iter().sum::<u64>() as f64 / CLIENTS;
            let mut parts = vec![0.0; REPLIES.isqrt()];
            let mut at = 0.0;
            for reply in run {
                at += *reply as f64 / CLIENTS;
                let part = (at / wall * parts.len() as f64) as usize;
                let last = parts.len() - 1;
                parts[part.min(last)] += 1.0;
            }
            Unit::rate(REPLIES as f64 / wall * 1e9, &parts, REPLIES as u64, random)
        };
        Ok(runs.iter().map(unit).collect())
    };
    all.push(Sides {
        name: "completed_rps".to_owned(),
        unit: "/s",
        direction: Direction::HigherIsBetter,
        a: rates(a),
        b: rates(b),
        needed: 0.0,
    });
    all
}

/// Shares of comparisons that say something.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    /// Worse, or better, of any figure.
    worse: f64,
    better: f64,
    /// That of any figure an interval is above, or below, no difference.
    above: f64,
    below: f64,
    /// Equivalent of the median.
    equivalent: f64,
}

fn said(slower: f64, noise: Noise, design: Design) -> Said {
    let trials = std::env::var("TIDEMARK_TRIALS");
    let trials = trials.ok().and_then(|n| n.parse().ok()).unwrap_or(200_u64);
    let trial = |seed: u64| {
        let mut random = Random::new(seed.wrapping_mul(0x5851_f42d_4c95_7f2d));
        let mut runs =
            |slower| -> Vec<_> { (0..6).map(|_| run(slower, noise, &mut random)).collect() };
        let (a, b) = (runs(1.0), runs(slower));
        let judge = Judge {
            min_effect: 0.05,
            design,
            seed,
        };
        let findings = judge.judge(sides_of(&a, &b, &mut random));
        let any = |is: &dyn Fn(&Finding) -> bool| f64::from(u8::from(findings.iter().any(is)));
        Said {
            worse: any(&|found| found.verdict == Verdict::Worse),
            better: any(&|found| found.verdict == Verdict::Better),
            above: any(&|found| found.low > Some(0.0)),
            below: any(&|found| found.high.is_some_and(|high| high < 0.0)),
            equivalent: f64::from(u8::from(findings[0].verdict == Verdict::Equivalent)),
        }
    };
    let add = |a: Said, b: Said| Said {
        worse: a.worse + b.worse,
        better: a.better + b.better,
        above: a.above + b.above,
        below: a.below + b.below,
        equivalent: a.equivalent + b.equivalent,
    };
    let counts = (0..trials).into_par_iter().map(trial);
    let counts = counts.reduce(Said::default, add);
    let share = |count: f64| count / trials as f64;
    let said = Said {
        worse: share(counts.worse),
        better: share(counts.better),
        above: share(counts.above),
        below: share(counts.below),
        equivalent: share(counts.equivalent),
    };
    println!("{slower} {design:?} {trials} trials: {said:?}");
    said
}

/// As on a quiet machine of one's own: runs differ by 1 %.
const QUIET: Noise = Noise {
    between: 0.01,
    within: 0.05,
    phi: 0.8,
};

/// As on a shared one: runs differ by 8 %, more than the minimum effect.
const SHARED: Noise = Noise {
    between: 0.08,
    within: 0.15,
    phi: 0.9,
};

/// That does not rest on the minimum effect: few intervals miss that there is no difference.
#[test]
fn the_same_server_is_called_worse_in_at_most_one_of_twenty_comparisons() {
    for design in [Design::Paired, Design::Apart] {
        let said = said(1.0, SHARED, design);
        assert!(said.worse <= 0.05 && said.better <= 0.05, "{said:?}");
        assert!(said.above <= 0.05 && said.below <= 0.05, "{said:?}");
    }
}

#[test]
fn a_server_that_is_a_tenth_slower_is_found_in_nine_of_ten_comparisons() {
    let said = said(1.1, QUIET, Design::Paired);
    assert!(said.worse >= 0.9, "{said:?}");
    assert_eq!((said.better, said.equivalent), (0.0, 0.0));
}

#[test]
fn the_same_server_is_called_equivalent_on_a_quiet_machine() {
    let said = said(1.0, QUIET, Design::Paired);
    assert!(said.equivalent >= 0.8, "{said:?}");
    assert!(said.worse <= 0.05, "{said:?}");
}
