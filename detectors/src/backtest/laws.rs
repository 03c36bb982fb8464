//! Laws of the replay, for every model.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Contender, Plan, Refit, Replay, Replayed, Step, Window};
use crate::online::Online;
use crate::{Fitted, MODELS, Params, Score, Series};

const POINTS: usize = 420;
const STEP: i64 = 60;

fn times(n: usize) -> Vec<i64> {
    (0..n as i64).map(|i| STEP * i).collect()
}

fn params(model: &str) -> Params {
    Params {
        model: Some(model.to_owned()),
        alarm_rate: Some(0.01),
        ..Params::default()
    }
}

fn fitted_anew(model: &str) -> Contender {
    Contender::Fit(Box::new(params(model).check().unwrap()))
}

fn version(values: &[f64], n: usize) -> Contender {
    let times = times(n);
    let series = Series::new(&times, &values[..n]).unwrap();
    let model = params("auto").check().unwrap().fit(&series).unwrap();
    Contender::Version {
        model: Box::new(model),
        trained_to: times[n - 1],
    }
}

/// How a replay is made in a test.
#[derive(Clone, Copy)]
struct How {
    leak: usize,
    piece: usize,
}

const AS_IT_IS: How = How {
    leak: 0,
    piece: super::PIECE,
};

/// What comes of a replay; `None` where the model cannot be fitted to the first points.
fn replayed(values: &[f64], contender: Contender, plan: Plan, how: How) -> Option<Replayed> {
    let times = times(values.len());
    let series = Series::new(&times, values).unwrap();
    let mut replay = Replay::new(series, contender, plan);
    (replay.leak, replay.piece) = (how.leak, how.piece);
    let mut passed = 0;
    while let Some(step) = replay.step().ok()? {
        if let Step::Scored(n) = step {
            assert!(n > 0 && n <= how.piece);
            passed += n;
        }
        let (now, all) = replay.passed();
        assert!(now == passed && now <= all);
    }
    let (now, all) = replay.passed();
    assert_eq!(now, all);
    let from = replay.from();
    let replayed = replay.finish();
    assert_eq!(
        (replayed.from, replayed.from + replayed.scores.len()),
        (from, values.len())
    );
    Some(replayed)
}

/// The scores of the points before `at`.
fn before(replayed: &Replayed, at: usize) -> &[Score] {
    &replayed.scores[..at.saturating_sub(replayed.from)]
}

fn noise() -> impl Strategy<Value = Vec<f64>> {
    (vec(-1.0..1.0_f64, POINTS), 6..60_usize).prop_map(|(noise, period)| {
        let wave = |i: usize| 5.0 * ((i % period) as f64 / period as f64 - 0.5).abs();
        let values = noise.iter().enumerate();
        values.map(|(i, noise)| wave(i) + noise).collect()
    })
}

fn plan() -> impl Strategy<Value = Plan> {
    let window = prop_oneof![
        Just(Window::Expanding),
        (200..300_usize).prop_map(Window::Sliding)
    ];
    let refit = prop_oneof![
        1 => Just(Refit::Never),
        2 => (20..120_usize, window).prop_map(|(points, window)| Refit::Every { points, window }),
    ];
    (250..350_usize, refit).prop_map(|(first, refit)| Plan { first, refit })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes later, the score of a point stays what it was.
    #[test]
    fn a_score_rests_on_no_later_point(
        model in prop::sample::select(MODELS),
        who in 0..3_u8,
        values in noise(),
        plan in plan(),
        at in 260..POINTS,
        shift in prop_oneof![Just(1e6), Just(-3.0), Just(0.5)],
        piece in prop_oneof![Just(7_usize), Just(64), Just(super::PIECE)],
    ) {
        let contender = match who {
            0 => version(&values, 200),
            1 => Contender::Online(Box::new(params("tail_views").check().unwrap())),
            _ => fitted_anew(model),
        };
        let how = How { leak: 0, piece };
        let mut changed = values.clone();
        changed[at..].iter_mut().for_each(|value| *value += shift);
        let (one, other) = (
            replayed(&values, contender.clone(), plan, how),
            replayed(&changed, contender, plan, how),
        );
        if let (Some(one), Some(other)) = (one, other) {
            prop_assert_eq!(before(&one, at), before(&other, at));
        }
    }

    /// A fit as it is made by hand scores as the replay does, and a piece is as good as another.
    #[test]
    fn a_replay_is_a_fit_and_its_scores(
        model in prop::sample::select(&["auto", "gaussian", "ewma", "pca", "tail_views"][..]),
        values in noise(),
        first in 250..350_usize,
        piece in 5..80_usize,
    ) {
        let plan = Plan { first, refit: Refit::Never };
        let Some(replayed) = replayed(&values, fitted_anew(model), plan, How { leak: 0, piece }) else {
            return Ok(());
        };
        let times = times(POINTS);
        let series = Series::new(&times[..first], &values[..first]).unwrap();
        let fitted: Fitted = params(model).check().unwrap().fit(&series).unwrap();
        let mut scores = Vec::new();
        fitted.score_columns(&times[first..], &values[first..], |score| scores.push(score));
        let verdicts = |scores: &[Score]| -> Vec<(bool, f64)> {
            scores.iter().map(|score| (score.anomaly, score.p_value)).collect()
        };
        let (by_hand, by_replay) = (verdicts(&scores), verdicts(&replayed.scores));
        if model == "pca" {
            // Its window is kept with seven digits, and comes from the history after the first piece.
            for ((_, p), (_, q)) in by_hand.iter().zip(&by_replay) {
                prop_assert!((p / q).ln().abs() < 1e-2, "{} {}", p, q);
            }
        } else {
            prop_assert_eq!(by_hand, by_replay);
        }
    }
}

/// The negative control of the law above: a fit that sees one point too many is found out.
#[test]
fn a_leak_changes_earlier_scores() {
    let values: Vec<f64> = (0..POINTS).map(|i| (i * 7919 % 101) as f64).collect();
    let plan = Plan {
        first: 300,
        refit: Refit::Every {
            points: 50,
            window: Window::Expanding,
        },
    };
    let at = 351;
    let mut changed = values.clone();
    changed[at] += 1e6;
    let same = |leak| {
        let how = How { leak, ..AS_IT_IS };
        let of = |values: &[f64]| replayed(values, fitted_anew("gaussian"), plan, how).unwrap();
        let (one, other) = (of(&values), of(&changed));
        before(&one, at) == before(&other, at)
    };
    assert!(same(0));
    assert!(!same(2), "the fit at point 350 sees point 351");
}

#[test]
fn a_version_scores_what_is_later_than_all_it_knows() {
    let values: Vec<f64> = (0..POINTS).map(|i| (i * 7919 % 101) as f64).collect();
    let from = |first, n| {
        let plan = Plan {
            first,
            refit: Refit::Never,
        };
        let replayed = replayed(&values, version(&values, n), plan, AS_IT_IS).unwrap();
        (replayed.from, replayed.n_fits)
    };
    assert_eq!(from(100, 200), (200, 0));
    assert_eq!(from(300, 200), (300, 0));
    assert_eq!(from(300, POINTS), (POINTS, 0), "nothing is left");
}

#[test]
fn online_scores_are_those_of_the_state() {
    let values: Vec<f64> = (0..POINTS).map(|i| (i * 7919 % 101) as f64).collect();
    let plan = Plan {
        first: 300,
        refit: Refit::Every {
            points: 10,
            window: Window::Expanding,
        },
    };
    let contender = Contender::Online(Box::new(params("auto").check().unwrap()));
    let how = How { leak: 0, piece: 64 };
    let replayed = replayed(&values, contender, plan, how).unwrap();
    let mut online = Online::new(&params("auto").check().unwrap(), 0);
    let scores: Vec<Score> = times(POINTS)
        .iter()
        .zip(&values)
        .map(|(t, v)| online.observe(*t, *v).score)
        .collect();
    assert_eq!(replayed.scores, scores[300..]);
    assert_eq!((replayed.n_fits, replayed.model), (0, "tail_views"));
}

#[test]
fn fits_come_when_the_plan_says_and_a_failed_one_keeps_the_model() {
    let mut values: Vec<f64> = (0..POINTS).map(|i| (i * 7919 % 101) as f64).collect();
    let plan = |points, window| Plan {
        first: 300,
        refit: Refit::Every { points, window },
    };
    let gaussian = || fitted_anew("gaussian");
    let every = plan(50, Window::Expanding);
    let replayed_anew = replayed(&values, gaussian(), every, AS_IT_IS).unwrap();
    assert_eq!((replayed_anew.n_fits, every.fits(POINTS)), (3, 3));
    // A stretch of equal values cannot be fitted to.
    values[310..360].fill(7.0);
    let sliding = plan(30, Window::Sliding(20));
    let kept = replayed(&values, gaussian(), sliding, AS_IT_IS).unwrap();
    assert_eq!((kept.n_fits, kept.failed_fits), (2, 2));
    assert_eq!(kept.scores.len(), POINTS - 300);
    values.fill(7.0);
    assert!(replayed(&values, gaussian(), every, AS_IT_IS).is_none());
}
