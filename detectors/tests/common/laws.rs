//! What every model owes at any time and value, however it came to be: fitted, or read from bytes.
//!
//! One file for the property tests, the short fuzz test and the fuzz targets.

use detectors::{Fitted, Score, Side};

/// Checks the one decision rule and the ranges; says what is broken.
pub(crate) fn check_rule(value: f64, alarm_rate: f64, score: &Score) -> Result<(), String> {
    let Score {
        anomaly,
        anomaly_score,
        p_value,
        severity,
        expected,
        lower,
        upper,
        side,
        ..
    } = *score;
    let numbers = [anomaly_score, p_value, severity, expected, lower, upper];
    let outside = value < lower || value > upper || value.is_nan();
    let ratio = p_value.ln() / alarm_rate.ln();
    let laws = [
        (
            "all numbers are finite",
            numbers.iter().all(|number| number.is_finite()),
        ),
        (
            "anomaly ⇔ p_value < alarm_rate",
            anomaly == (p_value < alarm_rate),
        ),
        (
            "anomaly ⇔ anomaly_score > 1",
            anomaly == (anomaly_score > 1.0),
        ),
        ("anomaly ⇔ outside the bounds", anomaly == outside),
        (
            "p_value in [MIN_POSITIVE, 1]",
            (f64::MIN_POSITIVE..=1.0).contains(&p_value),
        ),
        (
            "anomaly_score ≥ 0",
            anomaly_score >= 0.0 && anomaly_score.is_sign_positive(),
        ),
        // A rate next to 1 has a logarithm near 0, which magnifies the rounding of p.
        (
            "anomaly_score = ln p / ln alarm_rate",
            (anomaly_score - ratio).abs() <= 1e-12 * (1.0 + ratio) / alarm_rate.ln().abs().min(1.0),
        ),
        (
            "severity > 0 ⇔ anomaly",
            (severity > 0.0) == anomaly && (0.0..=1.0).contains(&severity),
        ),
        (
            "lower ≤ expected ≤ upper",
            lower <= expected && expected <= upper,
        ),
        (
            "side is that of the value",
            side == match value.partial_cmp(&expected) {
                Some(std::cmp::Ordering::Greater) => Side::Above,
                Some(std::cmp::Ordering::Less) => Side::Below,
                Some(std::cmp::Ordering::Equal) | None => Side::Equal,
            },
        ),
    ];
    match laws.iter().find(|(_, holds)| !holds) {
        Some((law, _)) => Err(format!(
            "{law}: value {value:e}, rate {alarm_rate:e}, {score:?}"
        )),
        None => Ok(()),
    }
}

/// The points given, and those where a rule goes wrong if it can.
pub(crate) fn with_hard_points(model: &Fitted, time: i64, points: &[f64]) -> Vec<f64> {
    let band = model.interval(time);
    let mut points = points.to_vec();
    for edge in [band.lower, band.upper, band.expected] {
        points.extend([edge, edge.next_up(), edge.next_down(), -edge]);
    }
    points.extend([
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        -f64::MAX,
        0.0,
        -0.0,
    ]);
    points
}

/// The rule at one time for the points given and the hard ones; what else is said of that time and
/// of those points agrees with the scores, and is finite.
pub(crate) fn check_scores(model: &Fitted, time: i64, points: &[f64]) -> Result<(), String> {
    let alarm_rate = model.alarm_rate();
    agree("alarm_rate", alarm_rate, model.summary().alarm_rate)?;
    let band = model.interval(time);
    for value in with_hard_points(model, time, points) {
        let score = model.score(time, value);
        check_rule(value, alarm_rate, &score)?;
        agree("status", score.status, model.status(time))?;
        if !model.is_windowed() {
            let of_score = (score.expected, score.lower, score.upper);
            agree("band", of_score, (band.expected, band.lower, band.upper))?;
        }
        for reason in model.explain(time, value, &score).reasons() {
            if let Some((name, number)) = reason.numbers.iter().find(|(_, n)| !n.is_finite()) {
                return Err(format!(
                    "reasons are finite: {name} is {number} at {time}, {value:e}"
                ));
            }
        }
    }
    Ok(())
}

/// Columns, single points and verdicts agree, point by point.
///
/// A model that judges windows sees each point after those before it: there the first one agrees
/// with the single point, every entry obeys the rule, and none depends on what comes later.
pub(crate) fn check_columns(
    model: &Fitted,
    timestamps: &[i64],
    points: &[f64],
) -> Result<(), String> {
    let n_points = timestamps.len().min(points.len());
    let (timestamps, points) = (&timestamps[..n_points], &points[..n_points]);
    let scores = |n: usize| {
        let mut column = Vec::new();
        model.score_columns(&timestamps[..n], &points[..n], |score| column.push(score));
        column
    };
    let column = scores(points.len());
    let verdicts = model.anomalies(timestamps, points);
    let anomalies: Vec<bool> = column.iter().map(|score| score.anomaly).collect();
    agree("verdicts", verdicts, anomalies)?;
    let pairs = timestamps.iter().zip(points);
    if model.is_windowed() {
        for (score, &value) in column.iter().zip(points) {
            check_rule(value, model.alarm_rate(), score)?;
        }
        let half = points.len() / 2;
        agree(
            "causal",
            format!("{:?}", &column[..half]),
            format!("{:?}", scores(half)),
        )?;
        let first = pairs.map(|(&time, &value)| model.score(time, value)).next();
        return agree("first of columns", column.first().copied(), first);
    }
    let single: Vec<Score> = pairs
        .map(|(&time, &value)| model.score(time, value))
        .collect();
    // Every field is finite, so equal means equal but for the sign of zero, which the debug form
    // shows.
    agree("columns", format!("{column:?}"), format!("{single:?}"))
}

/// What is written is read again: the same bytes, the same summary, the same scores.
pub(crate) fn check_bytes(model: &Fitted, times: &[i64], points: &[f64]) -> Result<(), String> {
    let bytes = model.encode();
    let decoded = Fitted::decode(&bytes).map_err(|error| format!("own bytes are read: {error}"))?;
    agree("bytes", decoded.encode(), bytes)?;
    agree("summary", decoded.summary(), model.summary())?;
    for &time in times {
        for value in with_hard_points(model, time, points) {
            let (read, written) = (decoded.score(time, value), model.score(time, value));
            agree("score of what was read", read, written)?;
        }
    }
    Ok(())
}

fn agree<T: PartialEq + std::fmt::Debug>(what: &str, one: T, other: T) -> Result<(), String> {
    if one == other {
        Ok(())
    } else {
        Err(format!("{what} agree: {one:?} is not {other:?}"))
    }
}
