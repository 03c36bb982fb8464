use super::*;

const WINDOW: Run = Run {
    first: 100,
    last: 109,
};

fn corpus(alarms: &[usize]) -> NabCorpus {
    let mut scores = vec![0.0; 200];
    for &row in alarms {
        scores[row] = 1.0;
    }
    NabCorpus::new(vec![NabSeries::new(&scores, &[WINDOW]).unwrap()])
}

fn standard(alarms: &[usize]) -> f64 {
    corpus(alarms).score_at(&STANDARD, 0.5).unwrap()
}

#[test]
fn null_is_zero_and_perfect_is_a_hundred() {
    for profile in &PROFILES {
        assert_eq!(corpus(&[]).score_at(profile, 0.5), Some(0.0));
        assert_eq!(corpus(&[100]).score_at(profile, 0.5), Some(100.0));
    }
    assert_eq!(NabCorpus::new(Vec::new()).best(&STANDARD), None);
}

#[test]
fn earlier_is_better_and_more_rows_earn_nothing() {
    assert!(standard(&[101]) > standard(&[105]));
    assert!(standard(&[105]) > standard(&[109]));
    assert_eq!(standard(&[103, 104, 109]), standard(&[103]));
    // The last row is a tenth of the width from the end: σ(−0.1)/σ(−1), then (x + 1)/2.
    let sigma = |x: f64| 2.0 / (1.0 + (5.0 * x).exp()) - 1.0;
    let expected = 50.0 * (sigma(-0.1) / sigma(-1.0) + 1.0);
    assert!((standard(&[109]) - expected).abs() < 1e-9);
}

#[test]
fn a_false_alarm_costs_less_just_after_a_window() {
    let cost = |row| standard(&[100]) - standard(&[100, row]);
    assert!(cost(110) < cost(112) && cost(112) < cost(140));
    let full = 100.0 * 0.11 / 2.0;
    assert!((cost(140) - full).abs() < 1e-12, "beyond 3 widths");
    assert!((cost(50) - full).abs() < 1e-12, "before any window");
}

#[test]
fn probation_neither_earns_nor_costs() {
    // 15 % of 200 rows.
    assert_eq!(standard(&[0, 29, 100]), 100.0);
    assert!(standard(&[30, 100]) < 100.0);
    let long = NabSeries::new(&vec![0.0; 5000], &[]).unwrap();
    assert_eq!(long.probation, 750);
    let longer = NabSeries::new(&vec![0.0; 50_000], &[]).unwrap();
    assert_eq!(longer.probation, 750);
}

#[test]
fn a_window_inside_probation_is_counted_by_the_normaliser_alone() {
    let early = Run { first: 3, last: 9 };
    let mut scores = vec![0.0; 200];
    scores[100] = 1.0;
    scores[3] = 1.0;
    let series = NabSeries::new(&scores, &[early, WINDOW]).unwrap();
    let corpus = NabCorpus::new(vec![series]);
    // raw 1 of two windows: (1 + 2) / 4.
    assert_eq!(corpus.score_at(&STANDARD, 0.5), Some(75.0));
    assert_eq!(corpus.best(&STANDARD).unwrap().score, 75.0);
}

#[test]
fn the_best_threshold_beats_every_other() {
    let scores: Vec<f64> = (0..2000)
        .map(|i| f64::from((i * 7919) % 1009 / 3) + if i == 1003 { 120.0 } else { 0.0 })
        .collect();
    let windows = [
        Run {
            first: 1000,
            last: 1040,
        },
        Run {
            first: 1500,
            last: 1500,
        },
    ];
    let corpus = NabCorpus::new(vec![NabSeries::new(&scores, &windows).unwrap(); 2]);
    for profile in &PROFILES {
        let best = corpus.best(profile).unwrap();
        let mut highest = (0.0, None);
        for threshold in (0..500).rev() {
            let score = corpus.score_at(profile, f64::from(threshold)).unwrap();
            if score > highest.0 + 1e-9 {
                highest = (score, Some(f64::from(threshold)));
            }
        }
        assert!((best.score - highest.0).abs() < 1e-9);
        assert_eq!(best.threshold, highest.1, "{}", profile.name);
    }
}

#[test]
fn the_standard_error_is_that_of_the_series() {
    let one = |alarm: usize| {
        let mut scores = vec![0.0; 200];
        scores[alarm] = 1.0;
        NabSeries::new(&scores, &[WINDOW]).unwrap()
    };
    let same = NabCorpus::new(vec![one(100); 20]);
    assert!(same.standard_error_at(&STANDARD, 0.5).unwrap() < 1e-9);
    // Half perfect, half at −0.11 · 100/2 for one false alarm and no window: deviation 52.75.
    let half = [vec![one(100); 10], vec![one(50); 10]].concat();
    let error = NabCorpus::new(half)
        .standard_error_at(&STANDARD, 0.5)
        .unwrap();
    let expected = 52.75 / 20.0_f64.sqrt();
    assert!((error / expected - 1.0).abs() < 0.05, "{error}");
    assert_eq!(corpus(&[]).standard_error_at(&STANDARD, 0.5), None);
}

#[test]
fn no_alarm_may_be_best() {
    let mut scores = vec![1.0; 200];
    scores[100..110].fill(0.0);
    let corpus = NabCorpus::new(vec![NabSeries::new(&scores, &[WINDOW]).unwrap()]);
    let best = corpus.best(&REWARD_LOW_FP).unwrap();
    assert_eq!((best.score, best.threshold), (0.0, None));
}

#[test]
fn counts_are_of_rows_after_probation() {
    let counted = corpus(&[5, 50, 51, 60, 104, 110])
        .series_at(&STANDARD, 0.5)
        .next()
        .unwrap();
    assert_eq!((counted.windows, counted.windows_found), (1, 1));
    assert_eq!(counted.rows_outside, 200 - 30 - 10);
    assert_eq!((counted.false_rows, counted.false_alerts), (4, 3));
}

#[test]
fn windows_are_found_by_their_times() {
    let timestamps = [10, 20, 20, 15, 30];
    let rows = window_rows(&timestamps, &[(10, 20), (15, 30)]).unwrap();
    assert_eq!(rows, [Run { first: 0, last: 1 }, Run { first: 3, last: 4 }]);
    assert_eq!(
        window_rows(&timestamps, &[(10, 20), (15, 31)]),
        Err(EvalError::WindowNotInSeries { index: 1 })
    );
}

#[test]
fn what_cannot_be_scored_is_an_error() {
    let error = |scores: &[f64], windows: &[Run]| NabSeries::new(scores, windows).err();
    let run = |first, last| Run { first, last };
    assert_eq!(
        error(&[0.0, f64::NAN], &[]),
        Some(EvalError::ScoreNotFinite { index: 1 })
    );
    for windows in [
        [run(0, 2), run(2, 3)],
        [run(0, 1), run(3, 2)],
        [run(0, 1), run(2, 4)],
    ] {
        assert_eq!(
            error(&[0.0; 4], &windows),
            Some(EvalError::WindowOutOfOrder { index: 1 })
        );
    }
}

/// A threshold of the others cannot be better than one's own, and is the same where all are alike.
#[test]
fn a_transferred_threshold_knows_nothing_of_the_series_judged() {
    let scored = |height: f64| {
        let mut scores = vec![0.0; 200];
        scores[100] = height;
        NabSeries::new(&scores, &[WINDOW]).unwrap()
    };
    let alike = NabCorpus::new(vec![scored(1.0), scored(1.0)]);
    assert_eq!(alike.transferred(&STANDARD), Some(100.0));
    // At the threshold of the strong series the weak one is missed; the other way round both are found.
    let unlike = NabCorpus::new(vec![scored(1.0), scored(2.0)]);
    assert_eq!(unlike.best(&STANDARD).unwrap().score, 100.0);
    assert_eq!(unlike.transferred(&STANDARD), Some(50.0));
    assert_eq!(
        NabCorpus::new(vec![scored(1.0)]).transferred(&STANDARD),
        None
    );
}
