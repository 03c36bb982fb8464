//! A body of a fit, through all that the service does with it: decoded, checked, fitted, encoded. What comes out is
//! a model whose bytes are read again, or a refusal of a caller.
//!
//! Bytes that begin with `{` are the body itself; from others a body is made, so that most of them are JSON.

use arbitrary::{Result, Unstructured};
use detectors::{Fitted, MODELS};
use serde_json::{Map, Value, json};
use service::http::bodies;
use service::registry::RegistryOptions;

use crate::input::number;
use crate::laws::check_scores;
use crate::{Outcome, refusal};

/// More points are another target's: a fit of many takes long.
const POINTS_MAX: usize = 200;

const OPTIONS: RegistryOptions = RegistryOptions {
    min_training_points: 3,
    model_cache_bytes: 0,
};

pub(crate) fn check(data: &[u8]) -> Outcome {
    if data.first() == Some(&b'{') {
        return of_body(data);
    }
    let body = made(&mut Unstructured::new(data)).map_err(|error| error.to_string())?;
    of_body(body.to_string().as_bytes())
}

fn of_body(body: &[u8]) -> Outcome {
    let job = match bodies::fit(body, 0) {
        Ok(job) => job,
        Err(rejection) => return refusal::check(&rejection),
    };
    if job.points.timestamps.len() > POINTS_MAX {
        return Ok(false);
    }
    let ends = |points: &[i64]| (points.first().copied(), points.last().copied());
    let (first, last) = ends(&job.points.timestamps);
    let fitting = match bodies::run_fit(job, &[], &OPTIONS) {
        Ok(fitting) => fitting,
        Err(rejection) => return refusal::check(&rejection),
    };
    let (from, to) = (fitting.trained_from, fitting.trained_to);
    if fitting.points_used < OPTIONS.min_training_points
        || from > to
        || Some(from) < first
        || Some(to) > last
    {
        return Err(format!(
            "a fit of {} points from {from} to {to}",
            fitting.points_used
        ));
    }
    let bytes = fitting.fitted.encode();
    let read = Fitted::decode(&bytes).map_err(|error| error.to_string())?;
    if read.encode() != bytes {
        return Err("a model that is read is written as it was".to_owned());
    }
    check_scores(&read, to, &[0.0, 1.0])?;
    Ok(true)
}

/// A body that is nearly always JSON of the right shape, and often a fit.
fn made(u: &mut Unstructured<'_>) -> Result<Value> {
    let n = u.int_in_range(0..=80_usize)?;
    let step = *u.choose(&[1_i64, 60, 3_600, 86_400])?;
    let mut timestamps: Vec<i64> = (0..n as i64).map(|i| 1_772_928_000 + step * i).collect();
    let unit = number(u)?;
    let mut values: Vec<Value> = Vec::with_capacity(n);
    for i in 0..n {
        values.push(json!(unit * ((i * 37) % 11) as f64));
    }
    if n > 0 && u.ratio(1, 4)? {
        timestamps[u.int_in_range(0..=n - 1)?] = u.arbitrary()?;
    }
    if n > 0 && u.ratio(1, 4)? {
        values[u.int_in_range(0..=n - 1)?] = json!(number(u)?);
    }
    if u.ratio(1, 8)? {
        values.pop();
    }
    let mut body = Map::new();
    body.insert("timestamps".into(), json!(timestamps));
    body.insert("values".into(), Value::Array(values));
    for _ in 0..u.int_in_range(0..=4_u8)? {
        let (name, value) = parameter(u)?;
        body.insert(name.into(), value);
    }
    Ok(Value::Object(body))
}

fn parameter(u: &mut Unstructured<'_>) -> Result<(&'static str, Value)> {
    Ok(match u.int_in_range(0..=11_u8)? {
        0 | 1 => ("model", json!(u.choose(MODELS)?)),
        2 => ("alarm_rate", json!(number(u)?)),
        3 => ("sigma", json!(number(u)?)),
        4 => (
            "direction",
            json!(u.choose(&["both", "above", "below", "up", ""])?),
        ),
        5 => (
            "min_deviation",
            json!({ "abs": number(u)?, "rel": number(u)? }),
        ),
        6 => ("seasonality", json!([u.arbitrary::<i32>()?, 3_600])),
        7 => ("seasonality", json!("auto")),
        8 => (
            "timezone",
            json!(u.choose(&["Europe/Rome", "UTC", "Nowhere", "../etc/passwd"])?),
        ),
        9 => ("time_unit", json!(u.choose(&["s", "ms", "us", "ns", "h"])?)),
        10 => {
            let (from, to) = (u.int_in_range(0..=90_i64)?, u.int_in_range(0..=90_i64)?);
            let at = |step: i64| 1_772_928_000 + 60 * step;
            (
                "exclude",
                json!([{ "from": at(from), "to": at(to).to_string() }]),
            )
        }
        _ => ("set_alias", json!(u.arbitrary::<String>()?)),
    })
}
