//! The oracle against answers of a server that is right, and of servers that are wrong in one way
//! each.

use serde_json::{Value, json};

use super::*;
use crate::results::config::{Share, WorkloadSpec};

const SERIES: u64 = 3;

fn workload() -> Workload {
    let share = |op, weight| Share { op, weight };
    let spec = WorkloadSpec {
        mix: vec![
            share(Op::Predict, 2),
            share(Op::Columns, 1),
            share(Op::Fit, 1),
        ],
        series: SERIES as u32,
        points_per_fit: 30,
        batch: 5,
        distinct: 12,
        payloads: None,
        set_up: true,
        sigma: Some(3.0),
    };
    Workload::build(&spec, &"http://h:1".parse().unwrap(), "id", 7).unwrap()
}

fn record(index: u64, op: Op, sent_ns: u64) -> ResponseRecord {
    ResponseRecord {
        index,
        op,
        client: 0,
        intended_ns: sent_ns,
        sent_ns,
        waited_ns: None,
        first_ns: None,
        last_ns: sent_ns + 5,
        class: OutcomeClass::Ok,
        status: Some(200),
        points_in: 1,
        points_out: 1,
        bytes_out: 1,
        bytes_in: 1,
        server_ns: None,
        error: None,
    }
}

fn fit_answer(version: u64, points: usize) -> Vec<u8> {
    json!({"series_id": "x", "version": version.to_string(), "points_used": points})
        .to_string()
        .into_bytes()
}

/// A server that keeps versions, and the oracle that watches it.
struct Scene {
    workload: Workload,
    oracle: Oracle,
    /// Trainings by version, of each series.
    versions: Vec<Vec<u64>>,
}

impl Scene {
    /// All series are fitted once.
    fn new() -> Self {
        let workload = workload();
        let mut oracle = Oracle::new(3.0, 1_000);
        for n in 0..SERIES {
            oracle.set_up(&workload, n, Some(&fit_answer(1, 30)));
        }
        Self {
            workload,
            oracle,
            versions: vec![vec![0]; SERIES as usize],
        }
    }

    /// The right answer by version `version` of the series that request `index` is about.
    fn right(&self, index: u64, version: u64) -> Option<(Op, Value)> {
        let Asked::Points { series, values } = self.workload.asked(index) else {
            return None;
        };
        let training = self.versions[series as usize][version as usize - 1];
        let (_, trained) = self.workload.training(series, training);
        let n = trained.len() as f64;
        let mean = trained.iter().sum::<f64>() / n;
        let std = (trained.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
        let outside: Vec<bool> = values
            .iter()
            .map(|x| (x - mean).abs() > 3.0 * std)
            .collect();
        let version = version.to_string();
        Some(match self.workload.request(index).op {
            Op::Columns => (
                Op::Columns,
                json!({"anomaly": outside, "model_version": version}),
            ),
            op => (
                op,
                json!({"anomaly": outside[0], "model_version": version, "expected_value": mean}),
            ),
        })
    }

    fn tell(&mut self, index: u64, op: Op, sent_ns: u64, answer: &Value) {
        let body = answer.to_string().into_bytes();
        let record = record(index, op, sent_ns);
        self.oracle.add(&self.workload, &record, Some(&body));
    }

    fn finish(self) -> Answers {
        self.oracle.finish(&self.workload, false)
    }
}

#[test]
fn right_answers_are_right() {
    let mut scene = Scene::new();
    let mut told = 0;
    for index in 0..200 {
        if let Some((op, answer)) = scene.right(index, 1) {
            scene.tell(index, op, 10, &answer);
            told += 1;
        }
    }
    let answers = scene.finish();
    assert_eq!((answers.checked, answers.wrong), (told, 0), "{answers:?}");
    assert_eq!((answers.undecidable, answers.unchecked), (0, 0));
    assert!(answers.points > told, "columns have more than one");
}

#[test]
fn one_wrong_flag_is_found_and_told() {
    for wrong in [0, 1, 2, 101, 102] {
        let mut scene = Scene::new();
        for index in 0..200 {
            if let Some((op, mut answer)) = scene.right(index, 1) {
                let flag = match op {
                    Op::Columns => &mut answer["anomaly"][3],
                    _ => &mut answer["anomaly"],
                };
                if index == wrong {
                    *flag = json!(!flag.as_bool().unwrap());
                }
                scene.tell(index, op, 10, &answer);
            }
        }
        let answers = scene.finish();
        let is_points = matches!(workload().asked(wrong), Asked::Points { .. });
        let expected = u64::from(is_points);
        assert_eq!((answers.wrong, answers.wrong_points), (expected, expected));
        assert_eq!(answers.wrong_in_time, expected);
        assert_eq!(answers.examples.len() as u64, expected);
        if let [example] = &answers.examples[..] {
            assert_eq!(example.index, wrong);
            assert!(example.what.contains("is right"), "{example:?}");
        }
    }
}

/// The first request with points about the series of the first fit, and that fit.
fn fit_and_question(workload: &Workload) -> (u64, u64, u64) {
    let fit = (0..).find_map(|index| match workload.asked(index) {
        // Training 0 would be what the series has already.
        Asked::Fit { series, training } if training > 0 => Some((index, series)),
        _ => None,
    });
    let (fit, series) = fit.unwrap();
    let about = |index: &u64| match workload.asked(*index) {
        Asked::Points { series: of, .. } => {
            of == series && workload.request(*index).op == Op::Predict
        }
        _ => false,
    };
    (fit, series, (0..).find(about).unwrap())
}

#[test]
fn an_answer_by_a_version_counts_whenever_its_fit_becomes_known() {
    for fit_first in [true, false] {
        let mut scene = Scene::new();
        let (fit, series, question) = fit_and_question(&scene.workload);
        let Asked::Fit { training, .. } = scene.workload.asked(fit) else {
            unreachable!()
        };
        scene.versions[series as usize].push(training);
        let (op, answer) = scene.right(question, 2).unwrap();
        let fit_body: Value = serde_json::from_slice(&fit_answer(2, 30)).unwrap();
        if fit_first {
            scene.tell(fit, Op::Fit, 10, &fit_body);
            scene.tell(question, op, 20, &answer);
        } else {
            scene.tell(question, op, 20, &answer);
            scene.tell(fit, Op::Fit, 10, &fit_body);
        }
        // The old model's answer in the new version's name has another mean.
        let (_, mut stale) = scene.right(question, 1).unwrap();
        stale["model_version"] = json!("2");
        scene.tell(question, op, 30, &stale);
        // And in its own name it is stale.
        let (_, old) = scene.right(question, 1).unwrap();
        scene.tell(question, op, 40, &old);
        let answers = scene.finish();
        assert_eq!((answers.checked, answers.wrong), (4, 2), "{answers:?}");
        assert!(answers.examples[0].what.contains("expected_value"));
        assert!(
            answers.examples[1]
                .what
                .contains("answered after version 2")
        );
    }
}

#[test]
fn a_fit_that_nobody_heard_of_may_have_become_a_version() {
    let mut scene = Scene::new();
    let (fit, series, question) = fit_and_question(&scene.workload);
    let Asked::Fit { training, .. } = scene.workload.asked(fit) else {
        unreachable!()
    };
    scene.versions[series as usize].push(training);
    let lost = ResponseRecord {
        class: OutcomeClass::TimedOut,
        status: None,
        ..record(fit, Op::Fit, 10)
    };
    scene.oracle.add(&scene.workload, &lost, None);
    let (op, answer) = scene.right(question, 2).unwrap();
    scene.tell(question, op, 20, &answer);
    let mut wrong = answer;
    wrong["expected_value"] = json!(0.5);
    scene.tell(question, op, 20, &wrong);
    let answers = scene.finish();
    assert_eq!((answers.checked, answers.wrong), (2, 1), "{answers:?}");
}

#[test]
fn a_version_that_no_fit_became_is_wrong_unless_the_run_was_cut_short() {
    for (interrupted, wrong, unchecked) in [(false, 1, 0), (true, 0, 1)] {
        let mut scene = Scene::new();
        let (_, _, question) = fit_and_question(&scene.workload);
        let (op, mut answer) = scene.right(question, 1).unwrap();
        answer["model_version"] = json!("9");
        scene.tell(question, op, 10, &answer);
        let answers = scene.oracle.finish(&scene.workload, interrupted);
        assert_eq!((answers.wrong, answers.unchecked), (wrong, unchecked));
    }
}

#[test]
fn answers_to_fits_are_checked() {
    let (fit, ..) = fit_and_question(&workload());
    for (version, points, wrong) in [
        ("2", 30, 0),
        ("2", 29, 1),
        ("1", 30, 1),
        ("0", 30, 1),
        ("v2", 30, 1),
    ] {
        let mut scene = Scene::new();
        let answer = json!({"series_id": "x", "version": version, "points_used": points});
        scene.tell(fit, Op::Fit, 10, &answer);
        let answers = scene.finish();
        assert_eq!(
            (answers.checked, answers.wrong),
            (1, wrong),
            "{version} {points}"
        );
    }
}

#[test]
fn what_is_not_there_is_unchecked_and_late_ones_are_not_good_anyway() {
    let mut scene = Scene::new();
    let (_, _, question) = fit_and_question(&scene.workload);
    scene
        .oracle
        .add(&scene.workload, &record(question, Op::Predict, 10), None);
    let late = ResponseRecord {
        last_ns: 5_000,
        ..record(question, Op::Predict, 10)
    };
    scene.oracle.add(&scene.workload, &late, Some(b"<html>"));
    let answers = scene.finish();
    assert_eq!(
        (answers.unchecked, answers.wrong, answers.wrong_in_time),
        (1, 1, 0)
    );
}

#[test]
fn the_same_bytes_are_right_again_until_they_are_stale() {
    let mut scene = Scene::new();
    let (fit, series, question) = fit_and_question(&scene.workload);
    let (op, answer) = scene.right(question, 1).unwrap();
    for sent_ns in [10, 11, 12] {
        scene.tell(question, op, sent_ns, &answer);
    }
    let so_far = &scene.oracle.answers;
    assert_eq!((so_far.checked, so_far.points), (3, 3));
    let Asked::Fit { training, .. } = scene.workload.asked(fit) else {
        unreachable!()
    };
    scene.versions[series as usize].push(training);
    let body: Value = serde_json::from_slice(&fit_answer(2, 30)).unwrap();
    scene.tell(fit, Op::Fit, 20, &body);
    // Sent before the fit was acknowledged, and after.
    scene.tell(question, op, 24, &answer);
    assert_eq!(scene.oracle.answers.wrong, 0);
    scene.tell(question, op, 26, &answer);
    assert_eq!(scene.oracle.answers.wrong, 1);
    // What was right for this question is nothing to another.
    let other = (0..200).find(|&index| match scene.workload.asked(index) {
        Asked::Points { series: of, .. } => of != series && scene.workload.request(index).op == op,
        _ => false,
    });
    scene.tell(other.unwrap(), op, 30, &answer);
    assert_eq!(scene.finish().wrong, 2);
}
