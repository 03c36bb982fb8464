//! One model of every kind that depends on the time, or can hold what was asked for beside its rate.
//!
//! Bytes are in `banded-<name>.bin`, hashes and scores in `banded.json`, as the fits of format 1 gave
//! them; those that today's fits give, in format 2 where they need it, are `banded2-<name>.bin` and
//! `banded2.json`. The histories are made of whole numbers and sums, and no fit asks the C library for a
//! function, so the bytes are the same on every machine.

use detectors::{Direction, Fitted, MinDeviation, Params, Seasons, Series, TimeUnit};

use detectors::envelope;
use detectors::{DecodeError, MAGIC};

use crate::record::{self, Record, ScoreRecord};

/// 2026-03-01T00:00:00Z: a week before the clocks of New York go forward.
const START: i64 = 1_772_323_200;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

struct Asked {
    name: &'static str,
    params: Params,
    step: i64,
    values: Vec<f64>,
}

fn asked() -> Vec<Asked> {
    let named = |model: &str| Params {
        model: Some(model.to_owned()),
        ..Params::default()
    };
    let seasonal = |periods: &[i64], params: Params| Params {
        seasons: Some(Seasons::Periods(periods.to_vec())),
        ..params
    };
    vec![
        Asked {
            name: "robust",
            params: named("robust"),
            step: 60,
            values: noise(120),
        },
        Asked {
            name: "ewma",
            params: Params {
                direction: Some(Direction::Above),
                ..named("ewma")
            },
            step: 60,
            values: walk(200),
        },
        Asked {
            name: "holt-winters",
            params: Params {
                alarm_rate: Some(0.01),
                ..seasonal(&[DAY], named("holt_winters"))
            },
            step: HOUR,
            values: hourly(14 * 24),
        },
        Asked {
            name: "seasonal",
            params: Params {
                timezone: Some("America/New_York".to_owned()),
                ..seasonal(&[DAY, 7 * DAY], named("seasonal"))
            },
            step: HOUR,
            values: hourly(28 * 24),
        },
        Asked {
            name: "gaussian",
            params: Params {
                min_deviation: Some(MinDeviation { abs: 1.5, rel: 0.1 }),
                time_unit: Some(TimeUnit::Milliseconds),
                ..named("gaussian")
            },
            step: 1_000,
            values: noise(40),
        },
    ]
}

/// Eighths between −6 and 6 in an order without a pattern.
fn noise(n: i32) -> Vec<f64> {
    (0..n)
        .map(|i| f64::from((i * i * 31 + i * 17) % 97 - 48) / 8.0)
        .collect()
}

/// Sums of noise.
fn walk(n: i32) -> Vec<f64> {
    let mut level = 100.0;
    let step = |noise: f64| {
        level += noise;
        level
    };
    noise(n).into_iter().map(step).collect()
}

/// Working hours of working days on a slowly rising level.
fn hourly(n: i32) -> Vec<f64> {
    let value = |(hour, noise): (i32, f64)| {
        let at_work = hour / 24 % 7 < 5 && (8..18).contains(&(hour % 24));
        let height = if at_work { 40.0 } else { 0.0 };
        200.0 + height + f64::from(hour) / 64.0 + noise / 4.0
    };
    (0..n).zip(noise(n)).map(value).collect()
}

impl Asked {
    fn fit(&self) -> Fitted {
        let n = self.values.len() as i64;
        let timestamps: Vec<i64> = (0..n).map(|i| START + self.step * i).collect();
        let series = Series::new(&timestamps, &self.values).unwrap();
        self.params.check().unwrap().fit(&series).unwrap()
    }

    /// In training, at its end and after it, on what is expected and beside it.
    fn points(&self) -> [(i64, f64); 5] {
        let at = |steps: i64| START + self.step * steps;
        let n = self.values.len() as i64;
        let typical = self.values[self.values.len() / 2];
        [
            (at(9), typical),
            (at(n - 1), typical + 3.0),
            (at(n + 20), typical - 7.5),
            (at(n + 58), typical + 90.0),
            (at(5 * n), -1e6),
        ]
    }

    fn record(&self, bytes: &[u8]) -> Record {
        let model = Fitted::decode(bytes).unwrap();
        let score =
            |(timestamp, value)| ScoreRecord::of(timestamp, value, &model.score(timestamp, value));
        Record {
            name: self.name.to_owned(),
            model_hash: record::hash_of(bytes),
            scores: self.points().map(score).into(),
        }
    }

    fn file(&self, set: &str) -> String {
        format!("{set}-{}.bin", self.name)
    }
}

/// Sets of files: what was fitted when there was format 1 only, and what is fitted today.
const SETS: [&str; 2] = ["banded", "banded2"];

/// One test, so that nothing is read while it is written.
#[test]
fn of_every_kind_are_read_and_written_and_fitted_and_score_as_recorded() {
    let today = SETS[SETS.len() - 1];
    let new = asked();
    let new = new.iter().map(|asked| {
        let bytes = asked.fit().encode();
        let record = asked.record(&bytes);
        (asked.file(today), bytes, record)
    });
    record::write_new(&format!("{today}.json"), new);
    for set in SETS {
        let records = record::read(&format!("{set}.json"));
        assert_eq!(records.len(), asked().len());
        for (asked, record) in asked().iter().zip(&records) {
            let bytes = record::bytes(&asked.file(set));
            let read = Fitted::decode(&bytes).unwrap();
            assert_eq!(read.encode(), bytes, "{set} {}: written again", asked.name);
            if set == today {
                assert_eq!(asked.fit().encode(), bytes, "{}: fitted today", asked.name);
            }
            assert_eq!(&asked.record(&bytes), record);
            let kind = record.name.replace('-', "_");
            assert_eq!(read.summary().model, kind);
        }
    }
}

/// Models that need nothing of format 2 are written in format 1, as ever: those that widen with time, and
/// those without held-out deviations.
#[test]
fn are_written_in_the_oldest_format_that_can_hold_them() {
    for asked in asked() {
        let format = |bytes: &[u8]| envelope::open(MAGIC, bytes).unwrap().format;
        let stays = ["robust", "seasonal"].contains(&asked.name);
        let needs = if stays { 2 } else { 1 };
        assert_eq!(format(&asked.fit().encode()), needs, "{}", asked.name);
    }
}

/// Format 2 of what format 1 holds would be a second spelling of one model.
#[test]
fn one_model_has_one_spelling() {
    let asked = asked().remove(0);
    let bytes = record::bytes(&asked.file(SETS[0]));
    let envelope = envelope::open(MAGIC, &bytes).unwrap();
    let shape = |at: usize| {
        let bytes: [u8; 4] = envelope.payload[at..at + 4].try_into().unwrap();
        f32::from_le_bytes(bytes)
    };
    // From the end: no season, n of one byte, half_cell, then the shapes of the tails.
    let end = envelope.payload.len();
    let (above, below) = (shape(end - 10), shape(end - 22));
    let mut payload = envelope.payload.to_vec();
    for number in [below, above, 0.0, 0.0, 0.0] {
        payload.extend(number.to_le_bytes());
    }
    let respelt = envelope::seal(MAGIC, 2, envelope.tag, &payload);
    assert_eq!(
        Fitted::decode(&respelt),
        Err(DecodeError::Invalid { field: "format" })
    );
}

/// What the records are for is in them: points of both kinds, bounds that follow the time, and wider ones
/// far from the training.
#[test]
fn records_tell_models_apart() {
    for asked in asked() {
        let record = asked.record(&asked.fit().encode());
        let anomalies = record.scores.iter().filter(|score| score.anomaly).count();
        assert!((1..5).contains(&anomalies), "{record:?}");
        let follows = |of: fn(&ScoreRecord) -> f64| {
            let first = of(&record.scores[0]);
            record.scores[..4].iter().any(|score| of(score) != first)
        };
        let [near, .., far] = &*record.scores else {
            panic!("{record:?}")
        };
        let width = |score: &ScoreRecord| score.upper.min(1e9) - score.lower.max(-1e9);
        assert_eq!(
            width(far) > width(near),
            asked.name != "gaussian",
            "{record:?}"
        );
        let is_level = ["robust", "gaussian"].contains(&asked.name);
        assert_eq!(follows(|score| score.upper), !is_level, "{record:?}");
    }
}
