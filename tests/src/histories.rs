//! Histories that the tests of the models share: the same points every time.

use serde_json::{Value, json};

pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 24 * HOUR;
pub(crate) const WEEK: i64 = 7 * DAY;

/// A Monday, 00:00 UTC.
pub(crate) const MONDAY: i64 = 1_700_438_400;

/// What a user may name.
pub(crate) const MODELS: [&str; 6] = [
    "auto",
    "gaussian",
    "robust",
    "ewma",
    "holt_winters",
    "seasonal",
];

/// Those of them that know seasons.
pub(crate) const WITH_SEASONS: [&str; 3] = ["auto", "holt_winters", "seasonal"];

/// In [−½, ½), with neither season nor trend: the bits of a mixed counter.
pub(crate) fn noise(i: usize) -> f64 {
    let mut bits = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d;
    bits ^= bits >> 32;
    bits = bits.wrapping_mul(0xd6e8_feb8_6659_fd93);
    bits ^= bits >> 32;
    (bits >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
}

/// A fit's body from a function of index and time.
pub(crate) fn series(timestamps: &[i64], value: impl Fn(usize, i64) -> f64) -> Value {
    let values: Vec<f64> = timestamps
        .iter()
        .enumerate()
        .map(|(i, t)| value(i, *t))
        .collect();
    json!({ "timestamps": timestamps, "values": values })
}

/// `n` times so many seconds apart, from a Monday on.
pub(crate) fn times(n: usize, step: i64) -> Vec<i64> {
    (0..n as i64).map(|i| MONDAY + step * i).collect()
}

/// Hours of so many days with a smooth daily season.
pub(crate) fn daily(days: usize) -> Value {
    series(&times(24 * days, HOUR), |i, t| {
        50.0 + 20.0 * day_wave(t) + noise(i)
    })
}

/// Hours of so many weeks with a daily season and lower weekends.
pub(crate) fn daily_and_weekly(weeks: usize) -> Value {
    series(&times(168 * weeks, HOUR), |i, t| {
        let weekend = (t - MONDAY).rem_euclid(WEEK) >= 5 * DAY;
        let lower = if weekend { 15.0 } else { 0.0 };
        50.0 + 20.0 * day_wave(t) - lower + noise(i)
    })
}

fn day_wave(t: i64) -> f64 {
    (std::f64::consts::TAU * t.rem_euclid(DAY) as f64 / DAY as f64).sin()
}

/// The body with further fields, or other values of those it has.
pub(crate) fn with(mut body: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

/// The last time of a body.
pub(crate) fn end(body: &Value) -> i64 {
    let timestamps = body["timestamps"].as_array().expect("a column");
    let last = timestamps.last().expect("a point");
    last.as_i64().expect("a time")
}
