//! An update as it is decoded, learnt point by point: no panic, the one decision rule, and a state that is written and
//! read in between goes on bit for bit.
//!
//! The first byte says how much was learnt before; the first line is the query, and every other one a point.

use api::update::{UpdateQuery, read_line};
use detectors::online::Online;
use service::http::bodies;

use crate::laws::check_rule;
use crate::{Outcome, refusal};

/// Points that are learnt at most; what is learnt before is beside.
const POINTS_MAX: usize = 64;
/// Points learnt before, for each step of the first byte: a state that judges has warmed up.
const LEARNT_STEP: i64 = 4;

pub(crate) fn check(data: &[u8]) -> Outcome {
    let Some((&learnt, rest)) = data.split_first() else {
        return Ok(false);
    };
    let mut lines = rest.split(|byte| *byte == b'\n');
    let query = lines.next().map(std::str::from_utf8);
    let Some(Ok(query)) = query else {
        return Ok(false);
    };
    let start = UpdateQuery::read(query).and_then(|query| bodies::start(query.start));
    let params = match start {
        Ok(start) => start.params,
        Err(rejection) => return refusal::check(&rejection),
    };
    let Ok(params) = params.check() else {
        return Ok(false);
    };
    let per_second = params.time_unit().ticks_per_second();
    let points = lines.take(POINTS_MAX).enumerate();
    let points = points.filter_map(|(index, line)| read_line(index, line.trim_ascii()).ok());
    let points: Vec<(i64, f64)> = points
        .filter_map(|(time, value)| Some((time.ticks(per_second)?, value)))
        .collect();
    let from = points.first().map_or(0, |(ticks, _)| *ticks);
    let n_before = LEARNT_STEP * i64::from(learnt);
    let mut online = Online::new(&params, from.saturating_sub(60 * n_before).max(0));
    for i in 0..n_before {
        let ticks = from.saturating_sub(60 * (n_before - i)).max(0);
        observe(&mut online, ticks, ((i * 37) % 101) as f64 / 8.0)?;
    }
    // From here on beside one that was written and read.
    let mut twin = read_again(&online)?;
    for (ticks, value) in &points {
        let (one, other) = (
            observe(&mut online, *ticks, *value)?,
            observe(&mut twin, *ticks, *value)?,
        );
        if one != other {
            return Err(format!(
                "a state that was read judges as before: {one} and {other}"
            ));
        }
    }
    if online.encode() != twin.encode() || online.freeze().encode() != twin.freeze().encode() {
        return Err("a state that was read learns as before: other bytes".to_owned());
    }
    read_again(&online)?;
    Ok(!points.is_empty())
}

/// Learns a point; its verdict as text, in which the sign of a zero is seen.
fn observe(online: &mut Online, ticks: i64, value: f64) -> Result<String, String> {
    let before = online.learnt();
    let is_later = online.last_timestamp().is_none_or(|last| ticks > last);
    let observed = online.observe(ticks, value);
    check_rule(value, online.alarm_rate(), &observed.score)?;
    let learnt = online.learnt() - before;
    if observed.learnt != is_later || learnt != u64::from(is_later) {
        return Err(format!(
            "at {ticks} {learnt} points were learnt: {observed:?}"
        ));
    }
    Ok(format!("{observed:?}"))
}

fn read_again(online: &Online) -> Result<Online, String> {
    let bytes = online.encode();
    let read = Online::decode(&bytes).map_err(|error| format!("own bytes are read: {error}"))?;
    if read.encode() != bytes {
        return Err("a state that is read is written as it was".to_owned());
    }
    Ok(read)
}
