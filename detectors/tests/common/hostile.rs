//! Bytes that may be a model: any at all, any in a valid envelope, and those of real models with
//! some of them changed and the checksum made right again.
//!
//! Without the last two kinds a fuzzer would never get past the checksum, and hardly past the
//! layout.

use std::sync::OnceLock;

use arbitrary::{Arbitrary, Result, Unstructured};
use detectors::{Fitted, MAGIC, MODELS, Params, Seasons, Series, TimeUnit, envelope};

use crate::input::{check, number};

/// Bytes, and times at which to score if they are a model.
#[derive(Debug)]
pub(crate) struct Hostile {
    bytes: Vec<u8>,
    times: [i64; 8],
    points: [f64; 3],
}

impl<'a> Arbitrary<'a> for Hostile {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let [a, b, c] = u.arbitrary::<[i64; 3]>()?;
        let near = 1_772_928_000 + i64::from(u.arbitrary::<i32>()?);
        Ok(Self {
            times: [i64::MIN, i64::MAX, 0, near, near / 1_000, a, b, c],
            points: [number(u)?, number(u)?, u.arbitrary()?],
            bytes: bytes(u)?,
        })
    }
}

impl Hostile {
    /// The laws of whatever is decoded; `true` where something was.
    pub(crate) fn check(&self) -> std::result::Result<bool, String> {
        match Fitted::decode(&self.bytes) {
            Err(_) => Ok(false),
            Ok(model) => check(&model, &self.times, &self.points).map(|()| true),
        }
    }
}

fn bytes(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let kind = u.int_in_range(0..=7_u8)?;
    if kind == 0 {
        return Ok(u.bytes(u.len())?.to_vec());
    }
    if kind == 1 {
        let (format, tag) = (u.int_in_range(0..=3)?, u.int_in_range(0..=5)?);
        return Ok(envelope::seal(MAGIC, format, tag, u.bytes(u.len())?));
    }
    let (format, tag, payload) = u.choose(models())?;
    let mut payload = payload.clone();
    for _ in 0..u.int_in_range(1..=4)? {
        change(u, &mut payload)?;
    }
    Ok(envelope::seal(MAGIC, *format, *tag, &payload))
}

fn change(u: &mut Unstructured<'_>, payload: &mut Vec<u8>) -> Result<()> {
    let at = u.choose_index(payload.len().max(1))?;
    let new = match u.int_in_range(0..=5_u8)? {
        0 => vec![u.arbitrary()?],
        1 => number(u)?.to_le_bytes().to_vec(),
        // Most of a model are 32-bit knots.
        2 => (number(u)? as f32).to_le_bytes().to_vec(),
        // The largest integer as postcard writes it.
        3 => [[0xFF; 9].as_slice(), &[1]].concat(),
        4 => {
            payload.insert(at.min(payload.len()), u.arbitrary()?);
            return Ok(());
        }
        _ => {
            payload.drain(at.min(payload.len())..(at + 1).min(payload.len()));
            return Ok(());
        }
    };
    for (slot, byte) in payload.iter_mut().skip(at).zip(new) {
        *slot = byte;
    }
    Ok(())
}

/// Format, tag and payload of a model of every kind.
fn models() -> &'static [(u16, u16, Vec<u8>)] {
    static PAYLOADS: OnceLock<Vec<(u16, u16, Vec<u8>)>> = OnceLock::new();
    PAYLOADS.get_or_init(|| {
        let named = |model: &str| Params {
            model: Some(model.to_owned()),
            ..Params::default()
        };
        let periodic = |model: &str, periods: &[i64]| Params {
            seasons: Some(Seasons::Periods(periods.to_vec())),
            timezone: Some("America/New_York".to_owned()),
            ..named(model)
        };
        let in_milliseconds = |params: Params| Params {
            time_unit: Some(TimeUnit::Milliseconds),
            ..params
        };
        let asked = [
            (named("gaussian"), 9),
            (in_milliseconds(named("gaussian")), 9),
            (
                Params {
                    sigma: Some(2.0),
                    ..named("gaussian")
                },
                9,
            ),
            (
                Params {
                    sigma: Some(2.0),
                    ..in_milliseconds(named("gaussian"))
                },
                9,
            ),
            (named("robust"), 20),
            (named("robust"), 99),
            (named("ewma"), 99),
            (periodic("holt_winters", &[600]), 99),
            (periodic("seasonal", &[600]), 99),
            (periodic("seasonal", &[600, 2_400]), 99),
        ];
        let windowed = MODELS[6..].iter().map(|model| (named(model), 320));
        let asked = asked.into_iter().chain(windowed);
        asked.map(|(params, n)| payload(&params, n)).collect()
    })
}

fn payload(params: &Params, n: usize) -> (u16, u16, Vec<u8>) {
    let timestamps: Vec<i64> = (0..n as i64).map(|i| 1_772_928_000 + 60 * i).collect();
    let values: Vec<f64> = (0..n).map(|i| ((i * 37) % 101) as f64 / 8.0).collect();
    let series = Series::new(&timestamps, &values).expect("the history is in order");
    let model = params.check().expect("the parameters hold").fit(&series);
    let bytes = model.expect("the history has a scale").encode();
    let envelope = envelope::open(MAGIC, &bytes).expect("own bytes are whole");
    (envelope.format, envelope.tag, envelope.payload.to_vec())
}
