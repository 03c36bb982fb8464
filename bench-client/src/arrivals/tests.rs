//! The laws of every process.

use proptest::prelude::*;

use super::*;
use crate::results::config::Stage;

fn moments(arrivals: &Arrivals, n: usize) -> Vec<u64> {
    schedule(arrivals, 3, None).take(n).collect()
}

fn stages(corners: &[(f64, f64)]) -> Arrivals {
    let stage = |&(at_s, per_s): &(f64, f64)| Stage {
        at_ns: (at_s * NS_PER_S) as u64,
        per_s,
    };
    Arrivals::Stages {
        stages: corners.iter().map(stage).collect(),
    }
}

/// The integral of the rate from 0 to `t`, by the trapezoids between the corners.
fn integral(corners: &[(f64, f64)], t: f64) -> f64 {
    let mut sum = 0.0;
    for pair in corners.windows(2) {
        let ((t0, r0), (t1, r1)) = (pair[0], pair[1]);
        let part = ((t - t0) / (t1 - t0)).clamp(0.0, 1.0);
        sum += (r0 + (r0 + (r1 - r0) * part)) / 2.0 * part * (t1 - t0);
    }
    let (end, last) = corners[corners.len() - 1];
    sum + (t - end).max(0.0) * last
}

#[test]
fn constant_arrivals_are_equally_far_apart() {
    let at = moments(&Arrivals::Constant { per_s: 500.0 }, 4);
    assert_eq!(at, [0, 2_000_000, 4_000_000, 6_000_000]);
    // Not a sum of rounded distances: the millionth is where it belongs.
    let mut thirds = schedule(&Arrivals::Constant { per_s: 3.0 }, 0, None);
    assert_eq!(thirds.nth(3_000_000), Some(1_000_000_000_000_000));
}

#[test]
fn a_burst_comes_at_once() {
    let burst = Arrivals::Burst {
        per_s: 100.0,
        size: 3,
    };
    let ms: Vec<_> = moments(&burst, 7).iter().map(|ns| ns / 1_000_000).collect();
    assert_eq!(ms, [0, 0, 0, 30, 30, 30, 60]);
}

#[test]
fn a_ramp_sends_where_its_integral_says() {
    // 10·t² / 2 = k.
    let ramp = stages(&[(0.0, 0.0), (10.0, 100.0)]);
    for (k, at) in (1..).zip(moments(&ramp, 500)) {
        let exact = (f64::from(k) / 5.0).sqrt();
        assert!((at as f64 / NS_PER_S - exact).abs() < 2e-9, "{k} at {at}");
    }
    // 500 by its end, then 100/s.
    let at = moments(&ramp, 600);
    assert_eq!((at[499], at[599]), (10_000_000_000, 11_000_000_000));
}

#[test]
fn a_jump_and_an_end_are_possible() {
    let steps = stages(&[
        (0.0, 10.0),
        (1.0, 10.0),
        (1.0, 0.0),
        (2.0, 0.0),
        (2.0, 5.0),
        (3.0, 5.0),
        (3.0, 0.0),
    ]);
    let at = moments(&steps, 100);
    assert_eq!(at.len(), 15, "a rate of 0 sends nothing more");
    assert_eq!(at[9], 1_000_000_000);
    assert_eq!(at[10], 2_200_000_000);
    let fall = stages(&[(0.0, 20.0), (1.0, 0.0)]);
    assert_eq!(moments(&fall, 100).len(), 10);
}

#[test]
fn courses_that_are_none_are_refused() {
    let check = |corners: &[(f64, f64)]| match stages(corners) {
        Arrivals::Stages { stages } => check_stages(&stages),
        _ => unreachable!("stages are stages"),
    };
    assert_eq!(check(&[(0.0, 0.0), (1.0, 5.0)]), Ok(()));
    assert_eq!(check(&[]), Err(StagesError::Empty));
    assert_eq!(check(&[(1.0, 5.0)]), Err(StagesError::LateStart));
    assert_eq!(
        check(&[(0.0, 1.0), (2.0, 5.0), (1.0, 5.0)]),
        Err(StagesError::Unordered(3))
    );
    assert_eq!(check(&[(0.0, -1.0)]), Err(StagesError::Rate(1)));
    assert_eq!(
        check(&[(0.0, 1.0), (1.0, f64::NAN)]),
        Err(StagesError::Rate(2))
    );
    assert_eq!(check(&[(0.0, 0.0), (1.0, 0.0)]), Err(StagesError::AllZero));
}

/// Kolmogorov–Smirnov distance of 20,000 waits to the exponential distribution. Its 99.9 % point is
/// 1.95 / √n = 0.0138; the seed is fixed, so that this never flickers.
#[test]
fn poisson_waits_are_exponential_and_independent() {
    let n = 20_000;
    let at = moments(&Arrivals::Poisson { per_s: 1_000.0 }, n);
    let starts = std::iter::once(&0).chain(&at);
    let mut waits: Vec<f64> = at
        .iter()
        .zip(starts)
        .map(|(at, before)| (at - before) as f64 / 1e6)
        .collect();
    let pairs = waits.windows(2).map(|w| (w[0] - 1.0) * (w[1] - 1.0));
    let correlation = pairs.sum::<f64>() / n as f64;
    assert!(correlation.abs() < 0.025, "{correlation}");
    waits.sort_by(f64::total_cmp);
    let distance = (0..n)
        .map(|k| {
            let theory = 1.0 - (-waits[k]).exp();
            let below = k as f64 / n as f64;
            (theory - below)
                .abs()
                .max((below + 1.0 / n as f64 - theory).abs())
        })
        .fold(0.0, f64::max);
    assert!(distance < 0.0138, "{distance}");
}

/// Computed by an independent implementation. A change here changes what every seed in every saved
/// run means.
#[test]
fn same_seed_gives_the_same_moments_for_ever() {
    let at = moments(&Arrivals::Poisson { per_s: 1_000.0 }, 4);
    assert_eq!(at, [1_454_902, 1_521_350, 1_913_078, 2_825_458]);
}

#[test]
fn another_seed_is_another_row() {
    let poisson = Arrivals::Poisson { per_s: 10.0 };
    let of = |seed| schedule(&poisson, seed, None).take(5).collect::<Vec<_>>();
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn a_trace_is_replayed_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t");
    std::fs::write(&path, "0\n0.25\n1\n").unwrap();
    let trace = Trace::read(path.to_str().unwrap()).unwrap();
    let at: Vec<_> = schedule(&trace.arrivals(), 0, Some(&trace)).collect();
    assert_eq!(at, [0, 250_000_000, 1_000_000_000]);
}

fn any_arrivals() -> impl Strategy<Value = Arrivals> {
    let rate = 0.1_f64..100_000.0;
    prop_oneof![
        rate.clone().prop_map(|per_s| Arrivals::Constant { per_s }),
        rate.clone().prop_map(|per_s| Arrivals::Poisson { per_s }),
        (rate, 1_u32..50).prop_map(|(per_s, size)| Arrivals::Burst { per_s, size }),
        corners().prop_map(|corners| stages(&corners)),
    ]
}

/// Corners with a rate above 0 at the end, whole milliseconds apart.
fn corners() -> impl Strategy<Value = Vec<(f64, f64)>> {
    let line = (1_u32..5_000, prop_oneof![Just(0.0), 0.0..2_000.0_f64]);
    (prop::collection::vec(line, 1..6), 1.0..500.0_f64).prop_map(|(lines, last)| {
        let mut ms = 0;
        let mut corners: Vec<(f64, f64)> = lines
            .iter()
            .map(|(length, rate)| {
                let at = f64::from(ms) / 1e3;
                ms += length;
                (at, *rate)
            })
            .collect();
        corners.push((f64::from(ms) / 1e3, last));
        corners
    })
}

proptest! {
    #[test]
    fn moments_never_go_back(arrivals in any_arrivals()) {
        let at = moments(&arrivals, 2_000);
        prop_assert_eq!(at.len(), 2_000);
        prop_assert!(at.is_sorted());
    }

    /// What the threads of a run take is together the whole row.
    #[test]
    fn threads_share_the_row(arrivals in any_arrivals(), threads in 1_usize..5) {
        let whole = moments(&arrivals, 400);
        for thread in 0..threads {
            let share = schedule(&arrivals, 3, None).skip(thread).step_by(threads);
            let of_whole = whole.iter().copied().skip(thread).step_by(threads);
            prop_assert!(of_whole.zip(share).all(|(wanted, got)| wanted == got));
        }
    }

    /// Over 5,000 arrivals; five standard errors for Poisson's, a burst for the others.
    #[test]
    fn the_mean_rate_is_what_was_asked_for(per_s in 0.1_f64..100_000.0, size in 1_u32..20) {
        let n = 5_000.0;
        for (arrivals, tolerance) in [
            (Arrivals::Constant { per_s }, 1.0 / n),
            (Arrivals::Burst { per_s, size }, f64::from(size) / n),
            (Arrivals::Poisson { per_s }, 5.0 / 5_000_f64.sqrt()),
        ] {
            let last = moments(&arrivals, 5_001)[5_000] as f64 / NS_PER_S;
            let rate = n / last;
            prop_assert!((rate / per_s - 1.0).abs() <= tolerance + 1e-6, "{arrivals:?}: {rate}");
        }
    }

    #[test]
    fn the_integral_at_an_arrival_is_its_number(corners in corners()) {
        for (k, at) in (1..).zip(moments(&stages(&corners), 3_000)) {
            let reached = integral(&corners, at as f64 / NS_PER_S);
            // A nanosecond of rounding at 2,000/s is 2e-6 arrivals.
            prop_assert!((reached - f64::from(k)).abs() < 1e-5, "{k}: {reached}");
        }
    }
}
