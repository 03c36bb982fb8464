//! A stub that fits the reference model for real and keeps what it is sent, so that answers can be
//! right, and, as told, a few of them wrong and a few writes acknowledged and not kept.
//!
//! What is wrong is exact and not by chance: of each 1/share answers one is, at a place that the seed
//! decides, so that whoever sends so many has met it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use serde::Deserialize;

use super::answer::Answer;
use crate::payload::Draw;

/// Standard deviations that a fit is given that asks for none.
const SIGMA: f64 = 3.0;

/// Series by their id, and what is done wrong.
#[derive(Debug)]
pub(super) struct Learnt {
    series: RwLock<HashMap<String, Series>>,
    answers: AtomicU64,
    writes: AtomicU64,
    wrong: Option<OneIn>,
    lose: Option<OneIn>,
}

/// One of so many, the first at an offset.
#[derive(Debug, Clone, Copy)]
struct OneIn {
    period: u64,
    offset: u64,
}

#[derive(Debug, Default)]
struct Series {
    /// From version 1; none where it was acknowledged and not kept.
    versions: Vec<Option<Version>>,
    /// Points that were acknowledged by updates.
    acknowledged: u64,
    /// Points that were learnt and kept.
    state_seq: u64,
    last_update: Option<i64>,
}

#[derive(Debug)]
struct Version {
    timestamps: Vec<i64>,
    values: Vec<f64>,
    mean: f64,
    lower: f64,
    upper: f64,
    hash: String,
}

#[derive(Debug, Deserialize)]
struct Fit {
    timestamps: Vec<i64>,
    values: Vec<f64>,
    sigma: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Points {
    One {
        timestamp: String,
        value: f64,
    },
    Many {
        timestamps: Vec<i64>,
        values: Vec<f64>,
    },
}

impl OneIn {
    fn of(share: f64, seed: u64, tag: [u8; 8]) -> Option<Self> {
        let period = (share > 0.0).then(|| (1.0 / share).round().max(1.0) as u64)?;
        let offset = (Draw::new(seed, tag, 0).unit() * period as f64) as u64;
        Some(Self { period, offset })
    }

    /// Which of the numbers from `from` on, `count` of them, it is.
    fn among(self, from: u64, count: u64) -> Option<u64> {
        let ahead = (self.offset + self.period - from % self.period) % self.period;
        (ahead < count).then_some(ahead)
    }
}

impl Learnt {
    pub(super) fn new(wrong: f64, lose: f64, seed: u64) -> Self {
        Self {
            series: RwLock::default(),
            answers: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            wrong: OneIn::of(wrong, seed, *b"stubwrng"),
            lose: OneIn::of(lose, seed, *b"stublose"),
        }
    }

    /// The answer to what is about a series; `None` where it makes no difference that they are kept.
    pub(super) fn answer(&self, head: &Parts, body: &[u8]) -> Option<Answer> {
        let path = head.uri.path();
        let query = head.uri.query().unwrap_or_default();
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find_map(|(key, value)| (key == name).then(|| value.to_owned()))
        };
        let version = || {
            parameter("version")
                .and_then(|v| v.parse().ok())
                .unwrap_or(0)
        };
        if head.method == Method::GET {
            if path == "/plot" {
                return Some(self.plot(&parameter("series_id")?, version()));
            }
            let id = path
                .strip_prefix("/series/")?
                .strip_suffix("/calibration")?;
            return Some(self.online(id));
        }
        if let Some(id) = path.strip_prefix("/fit/") {
            return Some(self.fit(id, body));
        }
        if let Some(id) = path.strip_prefix("/predict/") {
            return Some(self.predict(id, version(), body));
        }
        let id = path.strip_prefix("/update/")?;
        match serde_json::from_slice(body) {
            Ok(Points::One { timestamp, .. }) => Some(self.update(id, &timestamp)),
            _ => None,
        }
    }

    fn is_lost(&self) -> bool {
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        self.lose
            .is_some_and(|lose| lose.among(number, 1).is_some())
    }

    fn fit(&self, id: &str, body: &[u8]) -> Answer {
        let fit = match serde_json::from_slice::<Fit>(body) {
            Ok(fit) if fit.values.len() >= 3 && fit.values.len() == fit.timestamps.len() => fit,
            _ => return refused("expected at least 3 timestamps and as many values"),
        };
        let points = fit.values.len();
        let version = Version::fit(fit);
        let hash = version.hash.clone();
        let kept = (!self.is_lost()).then_some(version);
        let mut all = self.series.write().unwrap_or_else(PoisonError::into_inner);
        let series = all.entry(id.to_owned()).or_default();
        series.versions.push(kept);
        let number = series.versions.len();
        let id = serde_json::Value::from(id);
        Answer::One(Bytes::from(format!(
            r#"{{"series_id":{id},"version":"{number}","points_used":{points},"model_hash":"{hash}"}}"#
        )))
    }

    fn predict(&self, id: &str, version: usize, body: &[u8]) -> Answer {
        let Ok(points) = serde_json::from_slice::<Points>(body) else {
            return refused("expected timestamp and value, or timestamps and as many values");
        };
        let all = self.series.read().unwrap_or_else(PoisonError::into_inner);
        let Some((number, model)) = all.get(id).and_then(|series| series.version(version)) else {
            return Answer::Refused(StatusCode::NOT_FOUND, "there is no such version");
        };
        let outside = |value: f64| value < model.lower || value > model.upper;
        let Version {
            mean,
            lower,
            upper,
            hash,
            ..
        } = model;
        match points {
            Points::One { value, .. } => {
                let anomaly = outside(value) ^ self.wrong_among(1).is_some();
                Answer::One(Bytes::from(format!(
                    r#"{{"anomaly":{anomaly},"model_version":"{number}","expected_value":{mean},"lower_bound":{lower},"upper_bound":{upper},"model_hash":"{hash}"}}"#
                )))
            }
            Points::Many { timestamps, values } if timestamps.len() == values.len() => {
                let n = values.len();
                let mut flags: Vec<bool> = values.into_iter().map(outside).collect();
                if let Some(wrong) = self.wrong_among(n as u64) {
                    flags[wrong as usize] ^= true;
                }
                let anomalies = flags.iter().filter(|flag| **flag).count();
                let column = |entry: String| vec![entry; n].join(",");
                let flags: Vec<&str> = flags
                    .into_iter()
                    .map(|flag| if flag { "true" } else { "false" })
                    .collect();
                let body = format!(
                    r#"{{"anomaly":[{}],"model_version":"{number}","n_points":{n},"n_anomalies":{anomalies},"expected_value":[{}],"lower_bound":[{}],"upper_bound":[{}],"model_hash":"{hash}"}}"#,
                    flags.join(","),
                    column(mean.to_string()),
                    column(lower.to_string()),
                    column(upper.to_string()),
                );
                Answer::Batch(Bytes::from(body), n)
            }
            Points::Many { .. } => refused("expected as many values as timestamps"),
        }
    }

    fn wrong_among(&self, points: u64) -> Option<u64> {
        let from = self.answers.fetch_add(points, Ordering::Relaxed);
        self.wrong?.among(from, points)
    }

    fn update(&self, id: &str, timestamp: &str) -> Answer {
        let Ok(time) = timestamp.parse::<i64>() else {
            return refused("expected digits for a timestamp");
        };
        let mut all = self.series.write().unwrap_or_else(PoisonError::into_inner);
        let series = all.entry(id.to_owned()).or_default();
        let learnt = series.last_update.is_none_or(|last| last < time);
        if learnt {
            series.last_update = Some(time);
            series.acknowledged += 1;
            series.state_seq += u64::from(!self.is_lost());
        }
        let seq = series.acknowledged;
        Answer::One(Bytes::from(format!(
            r#"{{"anomaly":false,"model_version":"0","state_seq":{seq},"learnt":{learnt},"alert":false}}"#
        )))
    }

    fn online(&self, id: &str) -> Answer {
        let all = self.series.read().unwrap_or_else(PoisonError::into_inner);
        match all.get(id).filter(|series| series.acknowledged > 0) {
            Some(series) => Answer::One(Bytes::from(format!(
                r#"{{"online":{{"state_seq":{}}}}}"#,
                series.state_seq
            ))),
            None => Answer::Refused(StatusCode::NOT_FOUND, "there is no such state"),
        }
    }

    /// The training as the page of the contract carries it.
    fn plot(&self, id: &str, version: usize) -> Answer {
        let all = self.series.read().unwrap_or_else(PoisonError::into_inner);
        let Some((_, model)) = all.get(id).and_then(|series| series.version(version)) else {
            return Answer::Refused(StatusCode::NOT_FOUND, "there is no such version");
        };
        let data = serde_json::json!({"timestamps": model.timestamps, "values": model.values});
        Answer::Page(Bytes::from(format!(
            r#"<!DOCTYPE html><script type="application/json" id="data">{data}</script>"#
        )))
    }
}

impl Series {
    /// A version by its number, 0 being the latest that is kept.
    fn version(&self, number: usize) -> Option<(usize, &Version)> {
        let number = match number {
            0 => self.versions.iter().rposition(Option::is_some)? + 1,
            number => number,
        };
        Some((number, self.versions.get(number - 1)?.as_ref()?))
    }
}

impl Version {
    /// From the left, in two passes.
    fn fit(fit: Fit) -> Self {
        let Fit {
            timestamps,
            values,
            sigma,
        } = fit;
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
        let reach = sigma.unwrap_or(SIGMA) * (squares / n).sqrt();
        let mut hasher = blake3::Hasher::new();
        for time in &timestamps {
            hasher.update(&time.to_le_bytes());
        }
        for value in &values {
            hasher.update(&value.to_le_bytes());
        }
        Self {
            mean,
            lower: mean - reach,
            upper: mean + reach,
            hash: hasher.finalize().to_hex()[..32].to_owned(),
            timestamps,
            values,
        }
    }
}

fn refused(detail: &'static str) -> Answer {
    Answer::Refused(StatusCode::UNPROCESSABLE_ENTITY, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_so_many_is_exactly_that() {
        for (share, seed) in [(0.001, 1), (1e-3, 2), (0.5, 3), (1.0, 4)] {
            let one = OneIn::of(share, seed, *b"stubwrng").unwrap();
            let singles: Vec<u64> = (0..3_000).filter(|n| one.among(*n, 1).is_some()).collect();
            assert_eq!(singles.len() as f64, 3_000.0 * share);
            // The same in columns of a hundred.
            let batches = (0..30).map(|k| 100 * k);
            let met: Vec<u64> = batches
                .filter_map(|from| Some(from + one.among(from, 100)?))
                .collect();
            assert!(met.iter().all(|n| singles.contains(n)), "{met:?}");
            assert!(!met.is_empty());
        }
        assert!(OneIn::of(0.0, 1, *b"stubwrng").is_none());
        let offset = |seed| OneIn::of(1e-5, seed, *b"stubwrng").unwrap().offset;
        assert_ne!(offset(1), offset(2));
    }

    /// The contract's second golden vector, at three standard deviations.
    #[test]
    fn it_fits_the_reference_model() {
        let fit = Fit {
            timestamps: vec![1, 2, 3],
            values: vec![10.0, 11.0, 12.0],
            sigma: None,
        };
        let version = Version::fit(fit);
        assert_eq!(version.mean, 11.0);
        assert_eq!(version.upper, 11.0 + 3.0 * 0.816496580927726);
        assert_eq!(version.lower, 11.0 - 3.0 * 0.816496580927726);
    }
}
