//! The metrics against the reference scorers, to 1e-6, and laws they obey on any scores.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use detectors::eval::average_precision::average_precision;
use detectors::eval::event_f1::{EventMatch, best_event_f1};
use detectors::eval::events::{Run, runs};
use detectors::eval::false_alarms::{FalseAlarms, TOO_FEW_POINTS, normal_points};
use detectors::eval::nab::{NabCorpus, NabSeries, PROFILES, Profile};
use detectors::eval::period::period_acf;
use detectors::eval::ucr::finds_the_event;
use detectors::eval::vus_pr::vus_pr;
use detectors::eval::{EvalError, LabelledScores};
use proptest::prelude::*;
use serde::Deserialize;

const TOLERANCE: f64 = 1e-6;

#[derive(Deserialize)]
struct Golden {
    step_s: f64,
    widths: Vec<u16>,
    cases: Vec<Case>,
    nab: Vec<NabCase>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    train_len: usize,
    n: usize,
    events: Vec<(usize, usize)>,
    windows: Option<Vec<(usize, usize)>>,
    values: Vec<f64>,
    scores: Vec<f64>,
    p_values: Option<Vec<f64>>,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    window: u16,
    vus_pr: Option<f64>,
    auc_pr: Option<f64>,
    event_f1: Option<f64>,
    ucr: Option<f64>,
    ratios: Option<[f64; 3]>,
    alerts_a_day: Option<f64>,
    vus_pr_by_width: Vec<Option<f64>>,
}

#[derive(Deserialize)]
struct NabCase {
    scores: String,
    profile: String,
    threshold: f64,
    score: f64,
    at: Vec<(f64, f64)>,
    learned: f64,
    held_out: f64,
    windows_found: usize,
    windows: usize,
    false_rows: usize,
    rows_outside: usize,
    false_alerts: usize,
    series: Vec<NabSeriesCase>,
}

#[derive(Deserialize)]
struct NabSeriesCase {
    raw: f64,
    windows: usize,
    false_rows: usize,
}

static GOLDEN: LazyLock<Golden> =
    LazyLock::new(|| serde_json::from_str(include_str!("eval/golden.json")).unwrap());

impl Case {
    fn labels(&self) -> Vec<bool> {
        let mut labels = vec![false; self.n];
        for &(first, last) in &self.events {
            labels[first..=last].fill(true);
        }
        labels
    }

    fn nab_series(&self, score: impl Fn(f64) -> f64) -> Option<NabSeries> {
        let run = |&(first, last): &(usize, usize)| Run { first, last };
        let windows: Vec<Run> = self.windows.as_ref()?.iter().map(run).collect();
        let scores: Vec<f64> = self.scores.iter().copied().map(score).collect();
        Some(NabSeries::new(&scores, &windows).unwrap())
    }
}

type GotAndExpected = (Vec<Option<f64>>, Vec<Option<f64>>);

/// Every case in which a metric is not the one expected, so that a failure shows all of them.
fn differences<'a>(
    metric: impl Fn(&'a Case, LabelledScores<'_>) -> Vec<Option<f64>>,
    expected: impl Fn(&'a Case) -> Vec<Option<f64>>,
) -> BTreeMap<&'a str, GotAndExpected> {
    let is_near = |pair: (&Option<f64>, &Option<f64>)| match pair {
        (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE,
        (a, b) => a == b,
    };
    let mut wrong = BTreeMap::new();
    for case in &GOLDEN.cases {
        let labels = case.labels();
        let scored = LabelledScores::new(&labels, &case.scores).unwrap();
        let (got, expected) = (metric(case, scored), expected(case));
        if got.len() != expected.len() || !got.iter().zip(&expected).all(is_near) {
            wrong.insert(case.name.as_str(), (got, expected));
        }
    }
    wrong
}

#[test]
fn the_period_is_the_reference_s() {
    let wrong = differences(
        |case, _| vec![Some(f64::from(period_acf(&case.values)))],
        |case| vec![Some(f64::from(case.expected.window))],
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn vus_pr_is_the_reference_s_at_the_period_and_at_every_width() {
    let wrong = differences(
        |case, scored| {
            let at_period = vus_pr(scored, period_acf(&case.values));
            let at_widths = GOLDEN.widths.iter().map(|&width| vus_pr(scored, width));
            [at_period].into_iter().chain(at_widths).collect()
        },
        |case| [&[case.expected.vus_pr], &case.expected.vus_pr_by_width[..]].concat(),
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Negative control: a window that is off by one does not pass for the right one.
#[test]
fn vus_pr_with_a_window_off_by_one_is_another_number() {
    let wrong = differences(
        |case, scored| vec![vus_pr(scored, case.expected.window + 1)],
        |case| vec![case.expected.vus_pr],
    );
    // Where the event is found perfectly, or there is none, no window matters.
    let undefined = |case: &&Case| matches!(case.expected.vus_pr, None | Some(1.0));
    let expected = GOLDEN.cases.len() - GOLDEN.cases.iter().filter(undefined).count();
    assert_eq!(wrong.len(), expected, "{:?}", wrong.keys());
}

#[test]
fn average_precision_is_the_reference_s() {
    let wrong = differences(
        |case, scored| vec![average_precision(scored.from(case.train_len))],
        |case| vec![case.expected.auc_pr],
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn event_f1_is_the_reference_s() {
    let wrong = differences(
        |case, scored| {
            let best = best_event_f1(scored.from(case.train_len));
            vec![best.map(|best| best.f1)]
        },
        |case| vec![case.expected.event_f1],
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// F1 of points after an event with one alarm anywhere in it counts as found at all its points: what
/// is deliberately not offered.
fn point_adjusted_f1(labels: &[bool], alarms: &[bool]) -> f64 {
    let mut adjusted = alarms.to_vec();
    for event in runs(labels) {
        let stretch = event.first..=event.last;
        if alarms[stretch.clone()].contains(&true) {
            adjusted[stretch].fill(true);
        }
    }
    let both = |pair: &(&bool, &bool)| *pair.0 && *pair.1;
    let hits = labels.iter().zip(&adjusted).filter(both).count();
    let flagged = adjusted.iter().filter(|alarm| **alarm).count();
    let labelled = labels.iter().filter(|label| **label).count();
    2.0 * hits as f64 / (flagged + labelled) as f64
}

/// Negative control: one alarm at the end of a long event, among others that are false.
#[test]
fn event_f1_is_not_point_adjusted() {
    let labels: Vec<bool> = (0..1000).map(|i| (500..700).contains(&i)).collect();
    let alarms: Vec<bool> = (0..1000)
        .map(|i| i == 699 || (i < 400 && i % 20 == 0))
        .collect();
    let matched = EventMatch::new(&labels, &alarms).unwrap();
    assert_eq!((matched.found(), matched.false_alerts), (1, 20));
    let f1 = matched.f1().unwrap();
    assert!((f1 - 2.0 / 22.0).abs() < 1e-12);
    assert!(point_adjusted_f1(&labels, &alarms) > 0.95);
}

#[test]
fn ucr_is_the_reference_s() {
    let wrong = differences(
        |case, scored| {
            let found = finds_the_event(scored.from(case.train_len));
            vec![found.map(|found| f64::from(u8::from(found)))]
        },
        |case| vec![case.expected.ucr],
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn false_alarms_are_the_reference_s() {
    let mut checked = 0;
    for case in &GOLDEN.cases {
        let (Some(p_values), Some(ratios)) = (&case.p_values, &case.expected.ratios) else {
            continue;
        };
        let normal = normal_points(&case.labels(), case.train_len);
        for (alarm_rate, expected) in [1e-2, 1e-3, 1e-4].into_iter().zip(ratios) {
            let counted = FalseAlarms::count(&normal, p_values, alarm_rate).unwrap();
            assert!(counted.points > TOO_FEW_POINTS as u64);
            let ratio = counted.ratio(alarm_rate).unwrap();
            assert!((ratio - expected).abs() < TOLERANCE, "{}", case.name);
            let (low, high) = counted.interval().unwrap();
            assert!((low..=high).contains(&(ratio * alarm_rate)));
        }
        let counted = FalseAlarms::count(&normal, p_values, 1e-3).unwrap();
        let alerts = counted.alerts_a_day(GOLDEN.step_s).unwrap();
        let expected = case.expected.alerts_a_day.unwrap();
        assert!((alerts - expected).abs() < TOLERANCE, "{}", case.name);
        checked += 1;
    }
    assert_eq!(checked, 2);
}

fn profile(name: &str) -> &'static Profile {
    PROFILES
        .iter()
        .find(|profile| profile.name == name)
        .unwrap()
}

#[test]
fn nab_is_the_reference_s() {
    for case in &GOLDEN.nab {
        let score = match case.scores.as_str() {
            "whole numbers" => f64::floor,
            _ => |score| score,
        };
        let series: Vec<NabSeries> = GOLDEN
            .cases
            .iter()
            .filter_map(|one| one.nab_series(score))
            .collect();
        let profile = profile(&case.profile);
        let (half, rest) = series.split_at(1);
        let (half, rest) = (NabCorpus::new(half.to_vec()), NabCorpus::new(rest.to_vec()));
        let corpus = NabCorpus::new(series);
        let near = |a: f64, b: f64| assert!((a - b).abs() < TOLERANCE, "{a} {b}");

        let best = corpus.best(profile).unwrap();
        near(best.score, case.score);
        assert_eq!(best.threshold, Some(case.threshold));
        near(
            corpus.score_at(profile, case.threshold).unwrap(),
            case.score,
        );
        for &(threshold, expected) in &case.at {
            near(corpus.score_at(profile, threshold).unwrap(), expected);
        }
        let learned = half.best(profile).unwrap().threshold.unwrap();
        assert_eq!(learned, case.learned);
        near(rest.score_at(profile, learned).unwrap(), case.held_out);

        let got: Vec<_> = corpus.series_at(profile, case.threshold).collect();
        assert_eq!(got.len(), case.series.len());
        for (got, expected) in got.iter().zip(&case.series) {
            near(got.raw, expected.raw);
            assert_eq!(
                (got.windows, got.false_rows),
                (expected.windows, expected.false_rows)
            );
        }
        let sum = |count: fn(&_) -> usize| -> usize { got.iter().map(count).sum() };
        assert_eq!(sum(|one| one.windows_found), case.windows_found);
        assert_eq!(sum(|one| one.windows), case.windows);
        assert_eq!(sum(|one| one.false_rows), case.false_rows);
        assert_eq!(sum(|one| one.rows_outside), case.rows_outside);
        assert_eq!(sum(|one| one.false_alerts), case.false_alerts);
    }
}

/// Labels with at least one event, and as many scores of which many are tied.
fn labelled() -> impl Strategy<Value = (Vec<bool>, Vec<f64>)> {
    (2_usize..400).prop_flat_map(|n| {
        let labels = prop::collection::vec(prop::bool::weighted(0.1), n);
        let scores = prop::collection::vec((-20_i32..20).prop_map(|s| f64::from(s) / 4.0), n);
        (labels, scores, 0..n).prop_map(|(mut labels, scores, event)| {
            labels[event] = true;
            (labels, scores)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_labels_themselves_are_a_perfect_score((labels, _) in labelled(), window in 0_u16..50) {
        let scores: Vec<f64> = labels.iter().map(|&label| f64::from(u8::from(label))).collect();
        let scored = LabelledScores::new(&labels, &scores).unwrap();
        prop_assert_eq!(average_precision(scored), Some(1.0));
        let matched = EventMatch::new(&labels, &labels).unwrap();
        prop_assert_eq!(matched.f1(), Some(1.0));
        prop_assert!((vus_pr(scored, window).unwrap() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn only_the_order_of_scores_matters((labels, scores) in labelled(), window in 0_u16..50) {
        let moved: Vec<f64> = scores.iter().map(|score| (score * 0.7).exp() - 3.0).collect();
        let (a, b) = (
            LabelledScores::new(&labels, &scores).unwrap(),
            LabelledScores::new(&labels, &moved).unwrap(),
        );
        prop_assert_eq!(average_precision(a), average_precision(b));
        prop_assert_eq!(vus_pr(a, window), vus_pr(b, window));
        prop_assert_eq!(finds_the_event(a), finds_the_event(b));
        let folded: Vec<f64> = scores.iter().map(|score| score.abs()).collect();
        let folded = LabelledScores::new(&labels, &folded).unwrap();
        prop_assert!((0.0..=1.0 + 1e-9).contains(&average_precision(folded).unwrap()));
    }

    #[test]
    fn every_metric_is_a_finite_share((labels, scores) in labelled(), window in 0_u16..200) {
        let scored = LabelledScores::new(&labels, &scores).unwrap();
        let share = 0.0..=1.0 + 1e-9;
        prop_assert!(share.contains(&average_precision(scored).unwrap()));
        prop_assert!(share.contains(&vus_pr(scored, window).unwrap()));
        prop_assert!(share.contains(&best_event_f1(scored).unwrap().f1));
    }

    #[test]
    fn a_nan_is_named_wherever_it_is((labels, mut scores) in labelled(), at in any::<prop::sample::Index>()) {
        let index = at.index(scores.len());
        scores[index] = f64::NAN;
        let error = LabelledScores::new(&labels, &scores).err();
        prop_assert_eq!(error, Some(EvalError::ScoreNotFinite { index }));
        prop_assert!(NabSeries::new(&scores, &[]).is_err());
    }
}
