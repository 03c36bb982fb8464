//! The monitor against streams whose law is known: how often it errs, how soon it notices.

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

const RUNS: u64 = 2_000;
const POINTS: usize = 2_000;

/// Two-sided p-value of a normal number under N(0, 1).
fn normal_p(z: f64) -> f64 {
    libm::erfc(z.abs() * std::f64::consts::FRAC_1_SQRT_2)
}

fn normal(rng: &mut StdRng) -> f64 {
    let radius = (-2.0 * libm::log(1.0 - rng.random::<f64>())).sqrt();
    radius * libm::cos(std::f64::consts::TAU * rng.random::<f64>())
}

/// Rounds p up to the ranks 1/50, 2/50, …: valid, discrete and conservative.
fn ranked(p: f64) -> f64 {
    (p * 50.0).ceil().max(1.0) / 50.0
}

/// The worst of each run's verdicts, over runs of `POINTS` p-values drawn by `draw`.
fn worst_verdicts(runs: u64, draw: impl Fn(&mut StdRng) -> f64) -> Vec<Verdict> {
    (0..runs)
        .map(|run| {
            let mut rng = StdRng::seed_from_u64(20_261_122 + run);
            let mut monitor = Monitor::new(1e-3);
            let mut worst = Verdict::Ok;
            for _ in 0..POINTS {
                monitor.observe(draw(&mut rng));
                worst = worst.max(monitor.verdict());
            }
            worst
        })
        .collect()
}

fn share_above(verdicts: &[Verdict], verdict: Verdict) -> f64 {
    let n = verdicts.iter().filter(|v| **v > verdict).count();
    n as f64 / verdicts.len() as f64
}

/// 1 % and three standard errors of a share of [`RUNS`] runs.
const ALLOWED: f64 = 0.01 + 3.0 * 0.002_225;

#[test]
fn valid_p_values_rarely_raise_a_verdict() {
    let uniform = worst_verdicts(RUNS, |rng| 1.0 - rng.random::<f64>());
    let discrete = worst_verdicts(RUNS, |rng| ranked(1.0 - rng.random::<f64>()));
    for verdicts in [uniform, discrete] {
        assert!(share_above(&verdicts, Verdict::Ok) <= ALLOWED);
        assert!(share_above(&verdicts, Verdict::Drifting) <= 0.002);
    }
}

#[test]
fn p_values_too_small_by_what_is_tolerated_rarely_raise_a_verdict() {
    // The worst case of the bound.
    let tolerated = worst_verdicts(RUNS, |rng| (1.0 - rng.random::<f64>()) / 1.25);
    assert!(share_above(&tolerated, Verdict::Ok) <= ALLOWED);
}

/// Negative control of the two tests above: the same on p-values that are too small.
#[test]
fn p_values_that_are_too_small_are_noticed() {
    let beta = worst_verdicts(RUNS, |rng| libm::pow(1.0 - rng.random::<f64>(), 1.0 / 0.7));
    assert!(share_above(&beta, Verdict::Ok) >= 0.99);
    let shifted = worst_verdicts(RUNS / 4, |rng| normal_p(1.0 + normal(rng)));
    assert!(share_above(&shifted, Verdict::Ok) >= 0.99);
    let doubled = worst_verdicts(RUNS / 4, |rng| normal_p(2.0 * normal(rng)));
    assert!(share_above(&doubled, Verdict::Drifting) >= 0.99);
}

#[test]
fn a_long_calm_neither_raises_a_verdict_nor_buries_a_drift() {
    const CALM: usize = 100_000;
    const RUNS_LONG: u64 = 20;
    let (mut false_alarms, mut noticed, mut over) = (0, 0, 0);
    for run in 0..RUNS_LONG {
        let mut rng = StdRng::seed_from_u64(run);
        let mut monitor = Monitor::new(1e-3);
        let mut calm = true;
        for _ in 0..CALM {
            monitor.observe(1.0 - rng.random::<f64>());
            calm &= monitor.verdict() == Verdict::Ok;
        }
        false_alarms += u64::from(!calm);
        for _ in 0..POINTS {
            monitor.observe(normal_p(2.0 * normal(&mut rng)));
        }
        noticed += u64::from(monitor.verdict() == Verdict::Stale);
        for _ in 0..15_000 {
            monitor.observe(1.0 - rng.random::<f64>());
        }
        over += u64::from(monitor.verdict() == Verdict::Ok);
    }
    assert!(false_alarms <= 1, "{false_alarms} false alarms");
    assert_eq!(noticed, RUNS_LONG, "every drift is noticed");
    assert!(
        over + 1 >= RUNS_LONG,
        "{over} verdicts ended after the drift"
    );
}

#[test]
fn a_verdict_ends_only_when_the_evidence_is_gone() {
    let mut rng = StdRng::seed_from_u64(7);
    let mut monitor = Monitor::new(1e-2);
    let (mut before, mut changes) = (Verdict::Ok, 0);
    for n in 0..60_000 {
        let drifts = n % 20_000 > 15_000;
        let scale = if drifts { 2.0 } else { 1.0 };
        monitor.observe(normal_p(scale * normal(&mut rng)));
        let (now, drift) = (monitor.verdict(), monitor.report_without_intervals());
        if now != before {
            changes += 1;
            match now {
                Verdict::Ok => assert!(drift.log10_evidence < 0.0),
                Verdict::Drifting => assert_eq!(before, Verdict::Ok),
                Verdict::Stale => assert!(drift.log10_evidence >= 4.0),
            }
        }
        assert_eq!(
            now > Verdict::Ok,
            drift.false_alarm_probability_bound <= 0.01
        );
        before = now;
    }
    assert!(
        (5..=9).contains(&changes),
        "three drifts, {changes} changes"
    );
}

#[test]
fn a_few_anomalies_do_not_make_a_model_stale() {
    let mut rng = StdRng::seed_from_u64(3);
    let mut monitor = Monitor::new(1e-3);
    let mut worst = Verdict::Ok;
    for n in 0..50_000 {
        let isolated = n % 5_000 == 4_999;
        let p = if isolated {
            f64::MIN_POSITIVE
        } else {
            1.0 - rng.random::<f64>()
        };
        monitor.observe(p);
        worst = worst.max(monitor.verdict());
    }
    assert_eq!(worst, Verdict::Ok, "ten anomalies far from each other");
    for _ in 0..20 {
        monitor.observe(1e-9);
    }
    assert_eq!(
        monitor.verdict(),
        Verdict::Drifting,
        "an incident of twenty points"
    );
    for _ in 0..15_000 {
        monitor.observe(1.0 - rng.random::<f64>());
    }
    assert_eq!(monitor.verdict(), Verdict::Ok, "it is over");
}

#[test]
fn verdicts_alone_are_evidence_too() {
    let mut rng = StdRng::seed_from_u64(5);
    let [mut calm, mut off] = [Monitor::new(1e-2), Monitor::new(1e-2)];
    for _ in 0..200 {
        let mut count = |rate| (0..50).filter(|_| rng.random::<f64>() < rate).count() as u64;
        calm.observe_alarms(50, count(0.01));
        off.observe_alarms(50, count(0.05));
        assert_eq!(calm.verdict(), Verdict::Ok);
    }
    assert_eq!(off.verdict(), Verdict::Stale);
    let report = off.report();
    assert_eq!((report.alarms.n, report.n_p_values), (10_000, 0));
    assert_eq!(
        (report.rates[0].observed, report.rates[0].ratio),
        (None, None)
    );
    assert!(report.alarms.ratio > Some(4.0) && report.alarms.interval.lower > 0.04);
}

#[test]
fn alarms_that_hardly_come_are_told_apart() {
    let fed = |n, n_alarms| {
        let mut monitor = Monitor::new(1e-3);
        monitor.observe_alarms(n, n_alarms);
        monitor.report().under_alarming
    };
    assert!(!fed(0, 0).detected && !fed(5_000, 0).detected);
    assert!(fed(20_000, 0).detected && fed(200_000, 20).detected);
    let calibrated = fed(1_000_000, 1_000);
    assert!(!calibrated.detected && calibrated.false_alarm_probability_bound == 1.0);
    let silent = fed(u64::MAX, 0);
    assert!(silent.detected && silent.false_alarm_probability_bound > 0.0);
}

#[test]
fn a_monitor_is_small() {
    assert!(size_of::<Monitor>() <= 400, "{}", size_of::<Monitor>());
}

#[test]
fn an_empty_monitor_knows_nothing() {
    let report = Monitor::new(0.01).report();
    assert_eq!((report.alarms.observed, report.alarms.ratio), (None, None));
    let RateInterval { lower, upper } = report.alarms.interval;
    assert_eq!((lower, upper), (0.0, 1.0));
    let drift = report.drift;
    assert_eq!((drift.verdict, drift.log10_evidence), (Verdict::Ok, 0.0));
    assert_eq!(drift.false_alarm_probability_bound, 1.0);
}

impl Monitor {
    /// The drift part of the report alone: the intervals are slow in a test of many points.
    fn report_without_intervals(&self) -> Drift {
        let empty = Self {
            n_scored: 0,
            n_alarms: 0,
            counts: [0; BINS],
            ..self.clone()
        };
        empty.report().drift
    }
}

fn finite(report: &Report) -> bool {
    let rate = |r: &RateReport| {
        let RateInterval { lower, upper } = r.interval;
        let ordered = 0.0 <= lower && lower <= upper && upper <= 1.0;
        ordered && r.observed.is_none_or(f64::is_finite) && r.ratio.is_none_or(f64::is_finite)
    };
    let (drift, under) = (&report.drift, &report.under_alarming);
    let numbers = [
        drift.log10_evidence,
        drift.log10_evidence_max,
        drift.false_alarm_probability_bound,
        under.log10_evidence,
        under.false_alarm_probability_bound,
    ];
    rate(&report.alarms) && report.rates.iter().all(rate) && numbers.iter().all(|x| x.is_finite())
}

/// What a caller may do: a point, or a number of verdicts.
fn step() -> impl Strategy<Value = Result<f64, (u64, u64)>> {
    prop_oneof![
        8 => any::<f64>().prop_map(Ok),
        8 => (0.0..=1.0_f64).prop_map(Ok),
        4 => (-320.0..0.0_f64).prop_map(|exponent| Ok(libm::exp(exponent * 2.3))),
        1 => any::<(u64, u64)>().prop_map(Err),
        2 => (0..1_000_u64, 0..1_000_u64).prop_map(Err),
    ]
}

proptest! {
    #[test]
    fn any_input_leaves_finite_numbers_and_exact_counts(
        alarm_rate in prop_oneof![any::<f64>(), 1e-300..0.5_f64],
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut monitor = Monitor::new(alarm_rate);
        let (mut n, mut n_p_values) = (0_u64, 0);
        for step in steps {
            match step {
                Ok(p) => {
                    monitor.observe(p);
                    (n, n_p_values) = (n.saturating_add(1), n_p_values + 1);
                }
                Err((points, alarms)) => {
                    monitor.observe_alarms(points, alarms);
                    n = n.saturating_add(points);
                }
            }
        }
        let report = monitor.report();
        prop_assert!(finite(&report), "{report:?}");
        prop_assert_eq!((report.alarms.n, report.n_p_values), (n, n_p_values));
        prop_assert!(report.alarms.n_alarms <= n);
    }

    #[test]
    fn counts_do_not_depend_on_the_order(
        alarm_rate in 1e-4..0.5_f64,
        mut p_values in prop::collection::vec(0.0..=1.0_f64, 1..300),
        seed in any::<u64>(),
    ) {
        let counts = |p_values: &[f64]| {
            let mut monitor = Monitor::new(alarm_rate);
            p_values.iter().for_each(|p| monitor.observe(*p));
            let report = monitor.report();
            (report.counts, report.alarms, report.rates)
        };
        let before = counts(&p_values);
        let expected = p_values.iter().filter(|p| **p < alarm_rate).count() as u64;
        prop_assert_eq!(before.1.n_alarms, expected);
        let mut rng = StdRng::seed_from_u64(seed);
        for i in (1..p_values.len()).rev() {
            p_values.swap(i, rng.random_range(0..=i));
        }
        prop_assert_eq!(counts(&p_values), before);
    }
}
