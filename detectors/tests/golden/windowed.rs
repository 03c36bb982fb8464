//! One model of every kind that judges windows: `windowed-<name>.bin`, and hashes and scores in
//! `windowed.json`.
//!
//! The fits of `gmm` and `one_class_svm` take sums and logarithms whose last bits depend on the
//! processor, which their pages say: their bytes are read, written again and score as recorded, but
//! are not compared with those of a fit.

use detectors::{Fitted, Params, Series};

use crate::record::{self, Record, ScoreRecord};

/// Models whose bytes are the same on every machine.
const SAME_EVERYWHERE: [&str; 5] = ["pca", "kmeans", "forest", "spectral_residual", "nearest"];

const SAME_SCORES: [&str; 2] = ["gmm", "one_class_svm"];

/// 2026-03-01T00:00:00Z.
const START: i64 = 1_772_323_200;
const STEP: i64 = 300;
const POINTS: usize = 400;

fn models() -> impl Iterator<Item = &'static str> {
    SAME_EVERYWHERE.into_iter().chain(SAME_SCORES)
}

/// A triangle of 24 steps and eighths in an order without a pattern.
fn usual(i: usize) -> f64 {
    let phase = (i % 24) as f64;
    let noise = ((i * i * 31 + i * 17) % 97) as f64 - 48.0;
    20.0 + (phase - 12.0).abs() + noise / 64.0
}

fn fit(model: &str) -> Fitted {
    let timestamps: Vec<i64> = (0..POINTS as i64).map(|i| START + STEP * i).collect();
    let values: Vec<f64> = (0..POINTS).map(usual).collect();
    let params = Params {
        model: Some(model.to_owned()),
        alarm_rate: Some(0.01),
        ..Params::default()
    };
    let series = Series::new(&timestamps, &values).unwrap();
    params.check().unwrap().fit(&series).unwrap()
}

/// What follows the training: usual points, then one far out of place, then usual ones again.
fn record_of(name: &str, bytes: &[u8]) -> Record {
    let model = Fitted::decode(bytes).unwrap();
    let times: Vec<i64> = (0..8).map(|i| START + STEP * (POINTS as i64 + i)).collect();
    let mut values: Vec<f64> = (POINTS..POINTS + 8).map(usual).collect();
    values[5] = 75.0;
    let mut scores = Vec::new();
    let mut points = times.iter().zip(&values);
    model.score_columns(&times, &values, |score| {
        let (time, value) = points.next().unwrap();
        scores.push(ScoreRecord::of(*time, *value, &score));
    });
    Record {
        name: name.to_owned(),
        model_hash: record::hash_of(bytes),
        scores,
    }
}

fn file(name: &str) -> String {
    format!("windowed-{name}.bin")
}

/// One test, so that nothing is read while it is written.
#[test]
fn of_every_kind_are_read_and_written_and_score_as_recorded() {
    let new = models().map(|name| {
        let bytes = fit(name).encode();
        let record = record_of(name, &bytes);
        (file(name), bytes, record)
    });
    record::write_new("windowed.json", new);
    let records = record::read("windowed.json");
    assert_eq!(records.len(), models().count());
    for (name, record) in models().zip(&records) {
        let bytes = record::bytes(&file(name));
        let read = Fitted::decode(&bytes).unwrap();
        assert_eq!(read.summary().model, name);
        assert_eq!(read.encode(), bytes, "{name}: written again");
        assert_eq!(&record_of(name, &bytes), record);
        if SAME_EVERYWHERE.contains(&name) {
            assert_eq!(fit(name).encode(), bytes, "{name}: fitted today");
        }
    }
}

/// What the records are for is in them: the point out of place, and others that are not.
#[test]
fn records_tell_what_is_out_of_place() {
    for record in models().map(|name| record_of(name, &fit(name).encode())) {
        let verdicts: Vec<bool> = record.scores.iter().map(|score| score.anomaly).collect();
        assert!(!verdicts[0] && verdicts[5], "{record:?}");
    }
}

/// A bit that changed anywhere is noticed.
#[test]
fn flipped_bits_are_refused() {
    for name in models() {
        let bytes = fit(name).encode();
        for place in (0..bytes.len()).step_by(bytes.len() / 64 + 1) {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1 << (place % 8);
            assert!(Fitted::decode(&damaged).is_err(), "{name}: byte {place}");
        }
    }
}
