//! Model bytes: an [`envelope`](crate::envelope) around one postcard struct per format.
//!
//! A struct that has been written once is never changed: a new layout is a new struct `…V2` with
//! `From<…V1>`, and only the newest knows how to become a model. Enumerations are written as numbers
//! of their own, so that reordering one in the code does not change the bytes.

use serde::{Deserialize, Serialize};

mod banded;
mod tail_views;
mod windowed;

use crate::auto::Choice;
use crate::envelope::{self, Envelope, EnvelopeError};
use crate::fitted::Inner;
use crate::models::location_scale::{Kind, LocationScale, Parts, Reference};
use crate::online::tail_views::TailViews;
use crate::params::{ALARM_RATE_MIN, Direction, TimeUnit};
use crate::stats::student_t::StudentT;

/// First bytes of a model.
pub const MAGIC: [u8; 4] = *b"TMDL";

/// The newest format that is written and read. A model is written in the oldest that can hold it, so that
/// what an earlier release wrote is written again byte for byte.
pub const FORMAT: u16 = 2;

const TAG_GAUSSIAN: u16 = 1;
const TAG_ROBUST: u16 = 2;
const TAG_BANDED: u16 = 3;
const TAG_WINDOWED: u16 = 4;
const TAG_TAIL_VIEWS: u16 = 5;

/// First bytes of an online state, which goes on learning.
const ONLINE_MAGIC: [u8; 4] = *b"TONL";

/// Format of online states that is written, and the newest that is read.
const ONLINE_FORMAT: u16 = 1;

/// Why bytes are not a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The envelope does not hold.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Written by a newer release.
    #[error("format {found} is newer than {known}, the newest this release reads")]
    NewerFormat {
        /// Format of the bytes.
        found: u16,
        /// Newest format that is read.
        known: u16,
    },
    /// No release wrote this format.
    #[error("there is no format {found}")]
    UnknownFormat {
        /// Format of the bytes.
        found: u16,
    },
    /// A detector this release does not have.
    #[error("unknown detector tag {tag}")]
    UnknownDetector {
        /// Tag of the bytes.
        tag: u16,
    },
    /// The payload does not have the layout of its format.
    #[error("malformed payload")]
    Malformed,
    /// A number no fit can give.
    #[error("invalid {field}")]
    Invalid {
        /// Name of the number.
        field: &'static str,
    },
}

/// Payload of the location-scale models, format 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct LocationScaleV1 {
    center: f64,
    scale: f64,
    alarm_rate: f64,
    lower: f64,
    upper: f64,
    n: u64,
    /// Degrees of freedom of Student's t; 0 for the normal distribution.
    degrees_of_freedom: u32,
    /// 0 both, 1 above, 2 below.
    direction: u8,
    /// Of the robust model: 0 MAD, 1 mean absolute deviation. 0 otherwise.
    scale_estimate: u8,
    /// As of [`Choice`].
    choice: u8,
}

pub(crate) fn encode(model: &Inner) -> Vec<u8> {
    // Writing numbers into a growing vector has no way to fail.
    let (format, tag, payload) = match model {
        Inner::LocationScale(model) => {
            let tag = match model.kind {
                Kind::Gaussian => TAG_GAUSSIAN,
                Kind::Robust | Kind::RobustTied => TAG_ROBUST,
            };
            (1, tag, postcard::to_allocvec(&LocationScaleV1::from(model)))
        }
        Inner::Banded(model) => {
            let model = banded::BandedV2::from(model);
            match model.as_v1() {
                Some(model) => (1, TAG_BANDED, postcard::to_allocvec(model)),
                None => (2, TAG_BANDED, postcard::to_allocvec(&model)),
            }
        }
        Inner::Windowed(model) => {
            let payload = postcard::to_allocvec(&windowed::WindowedV1::from(&**model));
            (1, TAG_WINDOWED, payload)
        }
        Inner::TailViews(state) => (1, TAG_TAIL_VIEWS, payload_of(state)),
    };
    envelope::seal(MAGIC, format, tag, &payload.unwrap_or_default())
}

pub(crate) fn encode_online(state: &TailViews) -> Vec<u8> {
    let payload = payload_of(state).unwrap_or_default();
    envelope::seal(ONLINE_MAGIC, ONLINE_FORMAT, TAG_TAIL_VIEWS, &payload)
}

pub(crate) fn decode_online(bytes: &[u8]) -> Result<TailViews, DecodeError> {
    let envelope = open(ONLINE_MAGIC, ONLINE_FORMAT, bytes)?;
    match envelope.tag {
        TAG_TAIL_VIEWS => read::<tail_views::TailViewsV1>(envelope.payload)?.into_state(),
        tag => Err(DecodeError::UnknownDetector { tag }),
    }
}

fn payload_of(state: &TailViews) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_allocvec(&tail_views::TailViewsV1::from(state))
}

/// Opens an envelope of a format up to `known`.
fn open(magic: [u8; 4], known: u16, bytes: &[u8]) -> Result<Envelope<'_>, DecodeError> {
    let envelope = envelope::open(magic, bytes)?;
    match envelope.format {
        0 => Err(DecodeError::UnknownFormat { found: 0 }),
        found if found > known => Err(DecodeError::NewerFormat { found, known }),
        _ => Ok(envelope),
    }
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Inner, DecodeError> {
    let envelope = open(MAGIC, FORMAT, bytes)?;
    let (format, tag, payload) = (envelope.format, envelope.tag, envelope.payload);
    match (tag, format) {
        (TAG_GAUSSIAN | TAG_ROBUST, 1) => {
            let model = read::<LocationScaleV1>(payload)?.into_model(tag)?;
            Ok(Inner::LocationScale(model))
        }
        (TAG_BANDED, 1) => {
            let model = banded::BandedV2::from(read::<banded::BandedV1>(payload)?);
            Ok(Inner::Banded(model.into_model()?))
        }
        (TAG_BANDED, _) => {
            let model = read::<banded::BandedV2>(payload)?;
            if model.as_v1().is_some() {
                return Err(DecodeError::Invalid { field: "format" });
            }
            Ok(Inner::Banded(model.into_model()?))
        }
        (TAG_WINDOWED, 1) => {
            let model = read::<windowed::WindowedV1>(payload)?.into_model()?;
            Ok(Inner::Windowed(Box::new(model)))
        }
        (TAG_TAIL_VIEWS, 1) => {
            let state = read::<tail_views::TailViewsV1>(payload)?.into_state()?;
            Ok(Inner::TailViews(Box::new(state)))
        }
        (TAG_GAUSSIAN | TAG_ROBUST | TAG_WINDOWED | TAG_TAIL_VIEWS, _) => {
            Err(DecodeError::UnknownFormat { found: format })
        }
        (tag, _) => Err(DecodeError::UnknownDetector { tag }),
    }
}

fn code_of_direction(direction: Direction) -> u8 {
    match direction {
        Direction::Both => 0,
        Direction::Above => 1,
        Direction::Below => 2,
    }
}

fn direction_of_code(code: u8) -> Result<Direction, DecodeError> {
    match code {
        0 => Ok(Direction::Both),
        1 => Ok(Direction::Above),
        2 => Ok(Direction::Below),
        _ => Err(DecodeError::Invalid { field: "direction" }),
    }
}

fn code_of_time_unit(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Seconds => 0,
        TimeUnit::Milliseconds => 1,
        TimeUnit::Microseconds => 2,
        TimeUnit::Nanoseconds => 3,
    }
}

fn time_unit_of_code(code: u8) -> Result<TimeUnit, DecodeError> {
    match code {
        0 => Ok(TimeUnit::Seconds),
        1 => Ok(TimeUnit::Milliseconds),
        2 => Ok(TimeUnit::Microseconds),
        3 => Ok(TimeUnit::Nanoseconds),
        _ => Err(DecodeError::Invalid { field: "time_unit" }),
    }
}

fn read<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, DecodeError> {
    match postcard::take_from_bytes(payload) {
        Ok((value, [])) => Ok(value),
        Ok(_) | Err(_) => Err(DecodeError::Malformed),
    }
}

impl From<&LocationScale> for LocationScaleV1 {
    fn from(model: &LocationScale) -> Self {
        Self {
            center: model.center,
            scale: model.scale,
            alarm_rate: model.alarm_rate,
            lower: model.lower,
            upper: model.upper,
            n: model.n,
            degrees_of_freedom: match model.reference {
                Reference::Normal => 0,
                Reference::StudentT(t) => t.df(),
            },
            direction: code_of_direction(model.direction),
            scale_estimate: match model.kind {
                Kind::Gaussian | Kind::Robust => 0,
                Kind::RobustTied => 1,
            },
            choice: model.choice as u8,
        }
    }
}

impl LocationScaleV1 {
    fn into_model(self, tag: u16) -> Result<LocationScale, DecodeError> {
        let invalid = |field| Err(DecodeError::Invalid { field });
        let kind = match (tag, self.scale_estimate) {
            (TAG_GAUSSIAN, 0) => Kind::Gaussian,
            (TAG_ROBUST, 0) => Kind::Robust,
            (TAG_ROBUST, 1) => Kind::RobustTied,
            (TAG_GAUSSIAN | TAG_ROBUST, _) => return invalid("scale_estimate"),
            (tag, _) => return Err(DecodeError::UnknownDetector { tag }),
        };
        let direction = direction_of_code(self.direction)?;
        let Some(choice) = Choice::from_code(self.choice) else {
            return invalid("choice");
        };
        let reference = match self.degrees_of_freedom {
            0 => Reference::Normal,
            df => Reference::StudentT(StudentT::new(df)),
        };
        self.check_numbers(direction)?;
        Ok(LocationScale::from_parts(Parts {
            center: self.center,
            scale: self.scale,
            alarm_rate: self.alarm_rate,
            lower: self.lower,
            upper: self.upper,
            n: self.n,
            reference,
            direction,
            kind,
            choice,
        }))
    }

    fn check_numbers(&self, direction: Direction) -> Result<(), DecodeError> {
        let open_below = self.lower == -f64::MAX || direction != Direction::Above;
        let open_above = self.upper == f64::MAX || direction != Direction::Below;
        let checks = [
            ("center", self.center.is_finite()),
            ("scale", self.scale.is_finite() && self.scale > 0.0),
            (
                "alarm_rate",
                self.alarm_rate >= ALARM_RATE_MIN && self.alarm_rate < 1.0,
            ),
            (
                "lower",
                self.lower.is_finite() && self.lower <= self.center && open_below,
            ),
            (
                "upper",
                self.upper.is_finite() && self.upper >= self.center && open_above,
            ),
            ("n", self.n > 0),
        ];
        match checks.into_iter().find(|(_, holds)| !holds) {
            Some((field, _)) => Err(DecodeError::Invalid { field }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: LocationScaleV1 = LocationScaleV1 {
        center: 1.0,
        scale: 2.0,
        alarm_rate: 0.01,
        lower: -5.0,
        upper: 7.0,
        n: 10,
        degrees_of_freedom: 9,
        direction: 0,
        scale_estimate: 0,
        choice: 0,
    };

    fn decoded(payload: &LocationScaleV1, tag: u16) -> Result<Inner, DecodeError> {
        let payload = postcard::to_allocvec(payload).unwrap();
        decode(&envelope::seal(MAGIC, 1, tag, &payload))
    }

    #[test]
    fn sound_numbers_are_read() {
        assert!(decoded(&SOUND, TAG_GAUSSIAN).is_ok());
        assert!(
            decoded(
                &LocationScaleV1 {
                    scale_estimate: 1,
                    ..SOUND
                },
                TAG_ROBUST
            )
            .is_ok()
        );
        let one_sided = LocationScaleV1 {
            direction: 1,
            lower: -f64::MAX,
            ..SOUND
        };
        assert!(decoded(&one_sided, TAG_GAUSSIAN).is_ok());
    }

    /// Bytes with a valid checksum that no fit writes.
    #[test]
    fn unsound_numbers_are_refused() {
        let cases = [
            (
                "center",
                LocationScaleV1 {
                    center: f64::NAN,
                    ..SOUND
                },
            ),
            (
                "scale",
                LocationScaleV1 {
                    scale: 0.0,
                    ..SOUND
                },
            ),
            (
                "scale",
                LocationScaleV1 {
                    scale: f64::INFINITY,
                    ..SOUND
                },
            ),
            (
                "alarm_rate",
                LocationScaleV1 {
                    alarm_rate: 0.0,
                    ..SOUND
                },
            ),
            (
                "alarm_rate",
                LocationScaleV1 {
                    alarm_rate: 1.0,
                    ..SOUND
                },
            ),
            (
                "alarm_rate",
                LocationScaleV1 {
                    alarm_rate: f64::NAN,
                    ..SOUND
                },
            ),
            (
                "lower",
                LocationScaleV1 {
                    lower: 1.5,
                    ..SOUND
                },
            ),
            (
                "lower",
                LocationScaleV1 {
                    lower: f64::NEG_INFINITY,
                    ..SOUND
                },
            ),
            (
                "lower",
                LocationScaleV1 {
                    direction: 1,
                    ..SOUND
                },
            ),
            (
                "upper",
                LocationScaleV1 {
                    upper: 0.5,
                    ..SOUND
                },
            ),
            (
                "upper",
                LocationScaleV1 {
                    direction: 2,
                    ..SOUND
                },
            ),
            ("n", LocationScaleV1 { n: 0, ..SOUND }),
            (
                "direction",
                LocationScaleV1 {
                    direction: 3,
                    ..SOUND
                },
            ),
            (
                "scale_estimate",
                LocationScaleV1 {
                    scale_estimate: 1,
                    ..SOUND
                },
            ),
            (
                "choice",
                LocationScaleV1 {
                    choice: 99,
                    ..SOUND
                },
            ),
        ];
        for (field, payload) in cases {
            let refused = decoded(&payload, TAG_GAUSSIAN);
            assert_eq!(refused, Err(DecodeError::Invalid { field }), "{payload:?}");
        }
    }

    #[test]
    fn other_layouts_are_refused() {
        let mut payload = postcard::to_allocvec(&SOUND).unwrap();
        let sealed =
            |format, tag, payload: &[u8]| decode(&envelope::seal(MAGIC, format, tag, payload));
        assert_eq!(
            sealed(1, 99, &payload),
            Err(DecodeError::UnknownDetector { tag: 99 })
        );
        assert_eq!(
            sealed(0, 1, &payload),
            Err(DecodeError::UnknownFormat { found: 0 })
        );
        assert_eq!(
            sealed(2, 1, &payload),
            Err(DecodeError::UnknownFormat { found: 2 })
        );
        assert_eq!(
            sealed(3, 1, &payload),
            Err(DecodeError::NewerFormat { found: 3, known: 2 })
        );
        assert_eq!(sealed(1, 1, &payload[1..]), Err(DecodeError::Malformed));
        payload.push(0);
        assert_eq!(sealed(1, 1, &payload), Err(DecodeError::Malformed));
    }
}
