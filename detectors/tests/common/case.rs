//! A fit and the points to score with it, from any bytes: the input of a fuzzer.
//!
//! Bytes that have run out are zeros, so that any bytes are a case; and few bytes make a long
//! history, because its noise is drawn from a seed.

use arbitrary::{Arbitrary, Result, Unstructured};
use detectors::{
    Direction, Excluded, Feedback, MODELS, MinDeviation, Params, Seasons, Series, TimeUnit,
};

use crate::input::{check, number};

/// Points of a history at most: enough for every model to take its own path, few enough for
/// thousands of cases a minute.
const POINTS_MAX: usize = 700;

const ZONES: [&str; 5] = [
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "UTC",
    "Mars/Olympus_Mons",
];

/// What is asked of the detectors; nothing in it need hold together.
#[derive(Debug)]
pub(crate) struct Case {
    params: Params,
    timestamps: Vec<i64>,
    values: Vec<f64>,
    /// Times and values to score.
    times: Vec<i64>,
    points: Vec<f64>,
}

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let n = u.int_in_range(0..=POINTS_MAX)?;
        let timestamps = timestamps(u, n)?;
        Ok(Self {
            params: params(u, &timestamps)?,
            values: values(u, n)?,
            times: times(u, &timestamps)?,
            points: u.arbitrary::<[f64; 3]>()?.to_vec(),
            timestamps,
        })
    }
}

impl Case {
    /// The laws; says what is broken. `true` where there was a model to check.
    pub(crate) fn check(&self) -> std::result::Result<bool, String> {
        let (Ok(params), Ok(series)) = (
            self.params.check(),
            Series::new(&self.timestamps, &self.values),
        ) else {
            return Ok(false);
        };
        let fit = || params.fit(&series);
        let Ok(model) = fit() else {
            return Ok(false);
        };
        if fit().map(|again| again.encode()) != Ok(model.encode()) {
            return Err("a fit is a function of its input: other bytes".to_owned());
        }
        check(&model, &self.times, &self.points).map(|()| true)
    }
}

/// Mostly nothing; else a stretch that is expected, and one that is left out.
fn feedback(u: &mut Unstructured<'_>, timestamps: &[i64]) -> Result<Feedback> {
    if !u.ratio(1, 4)? {
        return Ok(Feedback::default());
    }
    let mut stretch = || {
        let (a, b) = (time(u, timestamps)?, time(u, timestamps)?);
        Ok(vec![Excluded {
            from: a.min(b),
            to: a.max(b),
        }])
    };
    Ok(Feedback {
        expected: stretch()?,
        left_out: stretch()?,
    })
}

fn params(u: &mut Unstructured<'_>, timestamps: &[i64]) -> Result<Params> {
    let exclude = (0..u.int_in_range(0..=5_u8)?.saturating_sub(3))
        .map(|_| {
            let (a, b) = (time(u, timestamps)?, time(u, timestamps)?);
            Ok(Excluded {
                from: a.min(b),
                to: a.max(b),
            })
        })
        .collect::<Result<_>>()?;
    let model = *u.choose(MODELS)?;
    let sigma = if model == "gaussian" && u.arbitrary()? {
        Some(number(u)?.abs())
    } else {
        None
    };
    let takes_seasons = ["auto", "holt_winters", "seasonal", "tail_views"].contains(&model);
    Ok(Params {
        model: Some(model.to_owned()),
        sigma,
        alarm_rate: match u.int_in_range(0..=4_u8)? {
            0 => Some(*u.choose(&[0.5, 1e-300, 0.5_f64.next_down()])?),
            1 => Some(libm::exp(-f64::from(u.arbitrary::<u16>()?) / 95.0)),
            2 => Some(number(u)?.abs().min(0.5)),
            _ => None,
        }
        .filter(|_| sigma.is_none()),
        direction: *u.choose(&[
            None,
            Some(Direction::Both),
            Some(Direction::Above),
            Some(Direction::Below),
        ])?,
        min_deviation: match u.int_in_range(0..=2_u8)? {
            0 => Some(MinDeviation {
                abs: number(u)?.abs(),
                rel: number(u)?.abs(),
            }),
            _ => None,
        },
        seasons: if takes_seasons {
            seasons(u, timestamps)?
        } else {
            None
        },
        timezone: if takes_seasons && u.ratio(1, 3)? {
            Some((*u.choose(&ZONES)?).to_owned())
        } else {
            None
        },
        time_unit: *u.choose(&[
            None,
            Some(TimeUnit::Seconds),
            Some(TimeUnit::Milliseconds),
            Some(TimeUnit::Microseconds),
            Some(TimeUnit::Nanoseconds),
        ])?,
        exclude,
        feedback: feedback(u, timestamps)?,
    })
}

fn seasons(u: &mut Unstructured<'_>, timestamps: &[i64]) -> Result<Option<Seasons>> {
    let (first, last) = ends(timestamps);
    let span = (last - first).max(2);
    Ok(match u.int_in_range(0..=4_u8)? {
        0 => None,
        1 => Some(Seasons::Auto),
        _ => {
            let n = u.int_in_range(0..=4_u8)?.saturating_sub(1);
            let period = |_| match u.int_in_range(0..=7_u8)? {
                0 => u.arbitrary(),
                1 => Ok(span / 2),
                _ => Ok(1 + span / u.int_in_range(2..=90)?),
            };
            Some(Seasons::Periods((0..n).map(period).collect::<Result<_>>()?))
        }
    })
}

/// Strictly increasing but for a case in many, regular or not, anywhere from 1970 to the end of time.
fn timestamps(u: &mut Unstructured<'_>, n: usize) -> Result<Vec<i64>> {
    const STARTS: [i64; 4] = [0, 1_772_928_000, 1_772_928_000_000, i64::MAX];
    let step = match u.int_in_range(0..=4_u8)? {
        0 => 1,
        1 => 60,
        2 => 1 + i64::from(u.arbitrary::<u16>()?),
        3 => 3_600_000_000_000,
        _ => (i64::MAX / (n as i64 + 1)).max(1),
    };
    let mut noise = Noise(u.arbitrary()?);
    let irregular = u.int_in_range(0..=3_u8)?;
    let mut steps: Vec<i64> = (0..n)
        .map(|_| match irregular {
            0 | 1 => step,
            2 => 1 + (noise.uniform() * step as f64) as i64,
            // A step is left out now and then, and seldom many.
            _ if noise.uniform() < 0.97 => step,
            _ => step.saturating_mul(1 + (1.0 / (noise.uniform() + 0.01)) as i64),
        })
        .collect();
    if n > 0 {
        let start = *u.choose(&STARTS)?;
        let total = steps
            .iter()
            .skip(1)
            .fold(0_i64, |sum, step| sum.saturating_add(*step));
        steps[0] = start.min(i64::MAX - total);
    }
    let mut tick = 0_i64;
    Ok(steps
        .into_iter()
        .map(|step| {
            tick = tick.saturating_add(step);
            tick
        })
        .collect())
}

fn values(u: &mut Unstructured<'_>, n: usize) -> Result<Vec<f64>> {
    let kind = u.int_in_range(0..=6_u8)?;
    let mut noise = Noise(u.arbitrary()?);
    let unit = number(u)?;
    let unit = if unit.is_finite() && unit != 0.0 {
        unit
    } else {
        1.0
    };
    // Mostly of the size of the values: a far larger one leaves nothing of them.
    let shift = match u.int_in_range(0..=7_u8)? {
        0 => number(u)?,
        shift => unit * 10.0 * f64::from(shift),
    };
    let period = u.int_in_range(2..=150_usize)?;
    let slope = f64::from(u.arbitrary::<i8>()?) / 100.0;
    let mut level = 0.0;
    let mut values = (0..n)
        .map(|i| {
            let own = match kind {
                // Noise, counts, a season, a line, a random walk.
                0 => noise.normal(),
                1 => (3.0 * noise.uniform()).floor(),
                2 | 3 => {
                    let season = if i % period < period / 2 { 3.0 } else { 0.0 };
                    season + slope * i as f64 + noise.normal()
                }
                4 => {
                    level += noise.normal();
                    level
                }
                // Mostly one value; and numbers of the fuzzer's own, one by one.
                5 => f64::from(u8::from(noise.uniform() < 0.02)),
                _ => return number(u),
            };
            Ok(unit * own + shift)
        })
        .collect::<Result<Vec<f64>>>()?;
    for value in &mut values {
        *value = value.clamp(-f64::MAX, f64::MAX);
        if value.is_nan() {
            *value = 0.0;
        }
    }
    // A spike or a value that no series may hold.
    if n > 0 && u.ratio(1, 4)? {
        values[u.int_in_range(0..=n - 1)?] = number(u)?;
    }
    Ok(values)
}

/// The ends of time, those of training, and others.
fn times(u: &mut Unstructured<'_>, timestamps: &[i64]) -> Result<Vec<i64>> {
    let (first, last) = ends(timestamps);
    let mut times = vec![i64::MIN, i64::MAX, first, last, last.saturating_add(1)];
    for _ in 0..3 {
        times.push(time(u, timestamps)?);
    }
    Ok(times)
}

fn time(u: &mut Unstructured<'_>, timestamps: &[i64]) -> Result<i64> {
    let (first, last) = ends(timestamps);
    let near = i64::from(u.arbitrary::<i16>()?);
    Ok(match u.int_in_range(0..=3_u8)? {
        0 => u.arbitrary()?,
        1 => first.saturating_add(near),
        2 => last.saturating_add((last - first).saturating_mul(near) / 1_000),
        _ => timestamps
            .get(near.unsigned_abs() as usize % timestamps.len().max(1))
            .copied()
            .unwrap_or(near),
    })
}

fn ends(timestamps: &[i64]) -> (i64, i64) {
    match timestamps {
        [] => (0, 0),
        [first, ..] => (*first, timestamps[timestamps.len() - 1]),
    }
}

/// SplitMix64 (Steele, Lea & Flood 2014).
struct Noise(u64);

impl Noise {
    /// In [0, 1).
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) >> 11) as f64 * f64::EPSILON / 2.0
    }

    /// About normal: a sum of four.
    fn normal(&mut self) -> f64 {
        (0..4).map(|_| self.uniform()).sum::<f64>() * 3.0_f64.sqrt() - 12.0_f64.sqrt()
    }
}
