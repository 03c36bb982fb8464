//! What every fuzz input has: hard numbers, and the laws it is held to.

use arbitrary::{Result, Unstructured};
use detectors::Fitted;

use crate::laws::{check_bytes, check_columns, check_scores};

/// The laws of a model at some times.
pub(crate) fn check(
    model: &Fitted,
    times: &[i64],
    points: &[f64],
) -> std::result::Result<(), String> {
    for &time in times {
        check_scores(model, time, points)?;
    }
    let (mut timestamps, mut column) = (Vec::new(), Vec::new());
    for &time in times {
        timestamps.extend(points.iter().map(|_| time));
        column.extend(points);
    }
    check_columns(model, &timestamps, &column)?;
    check_bytes(model, times, points)
}

/// Numbers at which arithmetic changes its ways, and others.
pub(crate) fn number(u: &mut Unstructured<'_>) -> Result<f64> {
    const HARD: [f64; 16] = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        5e-324,
        -5e-324,
        f64::MIN_POSITIVE,
        1e-300,
        1e-160,
        1e150,
        1e300,
        f64::MAX,
        -f64::MAX,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
    ];
    Ok(match u.int_in_range(0..=3_u8)? {
        0 => *u.choose(&HARD)?,
        1 => f64::from(u.arbitrary::<i16>()?) / 64.0,
        2 => {
            // Every magnitude is as likely as any other.
            let mantissa = 1.0 + f64::from(u.arbitrary::<u8>()?) / 256.0;
            mantissa * libm::exp2(f64::from(u.int_in_range(-1_074..=1_023_i16)?))
        }
        _ => u.arbitrary()?,
    })
}
