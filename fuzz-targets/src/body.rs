//! Any bytes as the body of each request: no panic; a refusal is one of a caller; what is accepted keeps the
//! limits, and reads the same when it is written again.
//!
//! The first byte chooses the decoder.

use api::update::{VersionRequest, read_line};
use api::{
    Alias, AliasRequest, FitRequest, Loc, Points, PredictRequest, Rejection, Timestamp, decode,
};
use serde_json::json;
use service::http::bodies;

use crate::{Outcome, query, refusal};

pub(crate) fn check(data: &[u8]) -> Outcome {
    let Some((kind, body)) = data.split_first() else {
        return Ok(false);
    };
    match kind {
        b'f' => fit(body),
        b'd' => detection(body),
        b'p' => points(body),
        b'u' => lines(body),
        b'a' => alias(body),
        b'v' => version(body),
        b'q' => query::check(body),
        b'n' => query::check_names(body),
        _ => Ok(false),
    }
}

fn fit(body: &[u8]) -> Outcome {
    let job = match bodies::fit(body, 0) {
        Ok(job) => job,
        Err(rejection) => return refusal::check(&rejection),
    };
    if let Some(alias) = &job.set_alias
        && Alias::parse(alias, ["body", "set_alias"]).is_err()
    {
        return Err(format!("{alias:?} was taken for an alias"));
    }
    columns(&job.points.timestamps, &job.points.values)
}

fn detection(body: &[u8]) -> Outcome {
    match bodies::detection(body) {
        Ok(detection) => columns(&detection.timestamps, &detection.values),
        Err(rejection) => refusal::check(&rejection),
    }
}

/// Columns that were read are finite, and the same when they are written and read again.
fn columns(timestamps: &[i64], values: &[f64]) -> Outcome {
    finite(values)?;
    let again = json!({ "timestamps": timestamps, "values": values }).to_string();
    let again = decode::<FitRequest>(again.as_bytes()).and_then(|mut fit| fit.take_columns());
    let (again_timestamps, again_values) = again.map_err(|rejection| rejection.detail)?;
    let bits = |values: &[f64]| {
        values
            .iter()
            .map(|value| value.to_bits())
            .collect::<Vec<_>>()
    };
    if again_timestamps != timestamps || bits(&again_values) != bits(values) {
        return Err("columns that are written are not those that were read".to_owned());
    }
    Ok(true)
}

fn points(body: &[u8]) -> Outcome {
    let read = || decode::<PredictRequest>(body)?.into_points();
    for per_second in [1, 1_000, 1_000_000, 1_000_000_000] {
        match read().and_then(|points| points.in_ticks(per_second)) {
            Ok(Points::One(ticks, value)) => point(ticks, value)?,
            Ok(Points::Columns(timestamps, values)) => {
                if timestamps.len() != values.len() {
                    return Err("columns of a predict have one length".to_owned());
                }
                for (ticks, value) in timestamps.iter().zip(&values) {
                    point(*ticks, *value)?;
                }
            }
            Err(rejection) => return refusal::check(&rejection),
        }
    }
    Ok(true)
}

fn lines(body: &[u8]) -> Outcome {
    let mut is_read = false;
    for (index, line) in body.split(|byte| *byte == b'\n').enumerate() {
        match read_line(index, line.trim_ascii()) {
            Ok((time, value)) => {
                is_read = true;
                again(index, time, value)?;
            }
            Err(rejection) => {
                refusal::check(&rejection)?;
                located(index, &rejection)?;
            }
        }
    }
    Ok(is_read)
}

/// A point that was read, written and read again is the same one.
fn again(index: usize, time: Timestamp, value: f64) -> Result<(), String> {
    let Some(ticks) = time.ticks(1_000_000) else {
        return Ok(());
    };
    point(ticks, value)?;
    let line = json!({ "timestamp": ticks, "value": value }).to_string();
    let (time, again) = read_line(index, line.as_bytes()).map_err(|rejection| rejection.detail)?;
    if time.ticks(1) != Some(ticks) || again.to_bits() != value.to_bits() {
        return Err(format!("{line} is read as {time:?}, {again:e}"));
    }
    Ok(())
}

fn located(index: usize, rejection: &Rejection) -> Result<(), String> {
    match rejection.errors.first().map(|error| &error.loc[..]) {
        Some([Loc::Name(body), Loc::Index(line), ..]) if body == "body" && *line == index => Ok(()),
        _ => Err(format!("a line is refused at its place: {rejection:?}")),
    }
}

fn point(ticks: i64, value: f64) -> Result<(), String> {
    if ticks < 0 {
        return Err(format!("{ticks} is before 1970"));
    }
    finite(&[value])
}

fn finite(values: &[f64]) -> Result<(), String> {
    match values.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(format!("{value} was taken for a value")),
        None => Ok(()),
    }
}

fn alias(body: &[u8]) -> Outcome {
    match decode::<AliasRequest>(body).and_then(AliasRequest::version) {
        Ok(0) => Err("an alias points to a version, and 0 is none".to_owned()),
        Ok(_) => Ok(true),
        Err(rejection) => refusal::check(&rejection),
    }
}

fn version(body: &[u8]) -> Outcome {
    match decode::<VersionRequest>(body).and_then(VersionRequest::check) {
        Ok(()) => Ok(true),
        Err(rejection) => refusal::check(&rejection),
    }
}
