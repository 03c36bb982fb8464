//! The online state, and a version frozen from it: `online-state.bin` and `online-frozen.bin`, and what
//! they say of the points that follow in `online.json`.
//!
//! The state is reached point by point from nothing, so that every sum on the way is recorded too.

use detectors::online::Online;
use detectors::{Fitted, Params, Seasons};

use crate::record::{self, Record, ScoreRecord};

/// 2026-03-01T00:00:00Z: a week before the clocks of New York go forward.
const START: i64 = 1_772_323_200;
const STEP: i64 = 900;
const POINTS: i64 = 1_500;

/// Hours of work, eighths in an order without a pattern, and a level that moves once.
fn usual(i: i64) -> f64 {
    let work = if (32..72).contains(&(i % 96)) {
        20.0
    } else {
        0.0
    };
    let level = if i > 1_000 { 5.0 } else { 0.0 };
    work + level + ((i * i * 31 + i * 17) % 97) as f64 / 8.0
}

fn learnt() -> Online {
    let params = Params {
        alarm_rate: Some(0.01),
        timezone: Some("America/New_York".to_owned()),
        seasons: Some(Seasons::Periods(vec![86_400])),
        ..Params::default()
    };
    let mut online = Online::new(&params.check().unwrap(), START);
    for i in 0..POINTS {
        online.observe(START + STEP * i, usual(i));
    }
    online
}

/// What follows: usual points, one far out of place, usual ones again.
fn next_points() -> impl Iterator<Item = (i64, f64)> {
    (0..8).map(|i| {
        let value = if i == 4 { 300.0 } else { usual(POINTS + i) };
        (START + STEP * (POINTS + i), value)
    })
}

fn record_of(state: &[u8], frozen: &[u8]) -> Record {
    let mut online = Online::decode(state).unwrap();
    let scores = next_points()
        .map(|(time, value)| ScoreRecord::of(time, value, &online.observe(time, value).score));
    Record {
        name: "online".to_owned(),
        scores: scores.collect(),
        model_hash: record::hash_of(frozen),
    }
}

/// One test, so that nothing is read while it is written.
#[test]
fn state_and_version_are_read_and_written_and_score_as_recorded() {
    let (state, frozen) = (learnt().encode(), learnt().freeze().encode());
    let record = record_of(&state, &frozen);
    let is_new = !record::file("online.json").exists();
    record::write_new(
        "online.json",
        std::iter::once(("online-state.bin".to_owned(), state.clone(), record)),
    );
    if is_new && record::file("online.json").exists() {
        std::fs::write(record::file("online-frozen.bin"), &frozen).unwrap();
    }
    let recorded = (
        record::bytes("online-state.bin"),
        record::bytes("online-frozen.bin"),
    );
    assert_eq!((state, frozen), recorded, "learnt today");
    let (state, frozen) = recorded;
    assert_eq!(Online::decode(&state).unwrap().encode(), state);
    let version = Fitted::decode(&frozen).unwrap();
    assert_eq!(version.encode(), frozen);
    assert_eq!(version.summary().model, "tail_views");
    let record = record_of(&state, &frozen);
    assert_eq!(vec![record], record::read("online.json"));
    let verdicts = record_of(&state, &frozen).scores;
    let out_of_place: Vec<usize> = (0..8).filter(|i| verdicts[*i].anomaly).collect();
    assert!(out_of_place.contains(&4) && !out_of_place.contains(&0));
}
