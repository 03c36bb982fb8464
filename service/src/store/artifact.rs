//! A version as a file of its own: what a server exports and another one imports.
//!
//! ```text
//! magic "TART" | format u16 | 0 u16 | payload length u32 | payload | check [16]
//! ```
//!
//! Integers are little endian; `check` is the first 16 bytes of the BLAKE3 hash of all before it. The payload is the
//! sealed [`VersionRecord`], with the model's own sealed bytes in it, and the sealed training points. What somebody
//! else made is believed in nothing: all that a fit would have refused is refused.

use api::labels;
use detectors::envelope::{self, EnvelopeError};
use detectors::{EXCLUDED_MAX, Fitted, MODELS, PERIODS_MAX};
use serde::{Deserialize, Serialize};

use super::record::{FitParameters, VersionRecord};
use super::training::TrainingPoints;

/// What every artifact begins with.
pub const MAGIC: [u8; 4] = *b"TART";
const FORMAT: u16 = 1;
/// Longest name of a time zone that is believed to be one.
const TIMEZONE_MAX_BYTES: usize = 256;

#[derive(Serialize, Deserialize)]
struct Payload {
    record: Vec<u8>,
    training: Vec<u8>,
}

/// A version with its training points.
#[derive(Clone, Debug, PartialEq)]
pub struct Artifact {
    /// The record, without the points.
    pub record: VersionRecord,
    /// The sealed training points.
    pub training: Vec<u8>,
}

impl Artifact {
    /// Writes the file.
    #[must_use]
    pub fn seal(&self) -> Vec<u8> {
        let payload = Payload {
            record: self.record.seal(),
            training: self.training.clone(),
        };
        let payload = postcard::to_stdvec(&payload).expect("plain data serialises into memory");
        envelope::seal(MAGIC, FORMAT, 0, &payload)
    }

    /// Reads a file and checks everything in it; the model comes with it. Of training points, it has up to
    /// `most_points`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn open(bytes: &[u8], most_points: usize) -> Result<(Self, Fitted), String> {
        let sealed = envelope::open(MAGIC, bytes).map_err(|error| match error {
            EnvelopeError::WrongMagic => {
                "this is no artifact: it begins with other bytes".to_owned()
            }
            error => format!("the artifact is damaged: {error}"),
        })?;
        if sealed.format != FORMAT {
            return Err(format!(
                "the artifact has format {}, this release reads format {FORMAT}",
                sealed.format
            ));
        }
        let (payload, rest) = postcard::take_from_bytes::<Payload>(sealed.payload)
            .map_err(|error| format!("the artifact is damaged: {error}"))?;
        if !rest.is_empty() {
            return Err("the artifact is damaged: bytes follow its parts".to_owned());
        }
        let artifact = Self {
            record: VersionRecord::open(&payload.record)
                .map_err(|reason| format!("the record: {reason}"))?,
            training: payload.training,
        };
        let fitted = Fitted::decode(&artifact.record.model)
            .map_err(|error| format!("the model: {error}"))?;
        artifact.check(most_points)?;
        Ok((artifact, fitted))
    }

    fn check(&self, most_points: usize) -> Result<(), String> {
        let record = &self.record;
        if record.training.is_some() {
            return Err("the record: it has training points of its own".to_owned());
        }
        let points = TrainingPoints::check(&self.training, most_points)
            .map_err(|reason| format!("the training points: {reason}"))?;
        if record.fitted_at_ms < 0 {
            return Err("the record: it was fitted before 1970".to_owned());
        }
        let (from, to) = (record.trained_from, record.trained_to);
        // Of a frozen online state there are no points.
        let (first, last) = points.range.unwrap_or((0, i64::MAX));
        if from < first || to < from || last < to {
            return Err(format!(
                "the record: it was trained from {from} to {to}, which the points do not have"
            ));
        }
        if record.points_used == 0 || (points.n > 0 && record.points_used > points.n as u64) {
            return Err(format!(
                "the record: it used {} of {} points",
                record.points_used, points.n
            ));
        }
        if let Some(named) = &record.metadata.labels {
            let named = named
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()));
            labels::check_all(named).map_err(|reason| format!("the labels: {reason}"))?;
        }
        let parameters = record.metadata.parameters.as_deref();
        parameters.map_or(Ok(()), check_parameters)
    }
}

fn check_parameters(parameters: &FitParameters) -> Result<(), String> {
    let FitParameters {
        model,
        sigma,
        min_deviation: (abs, rel),
        periods,
        timezone,
        exclude,
    } = parameters;
    let at_least_0 = |number: f64| number.is_finite() && number >= 0.0;
    let wrong = if !MODELS.contains(&model.as_str()) {
        "model"
    } else if sigma.is_some_and(|sigma| !at_least_0(sigma) || sigma == 0.0) {
        "sigma"
    } else if !at_least_0(*abs) || !at_least_0(*rel) {
        "min_deviation"
    } else if periods.as_ref().is_some_and(|periods| {
        periods.len() > PERIODS_MAX || periods.iter().any(|period| *period <= 0)
    }) {
        "seasonality"
    } else if timezone.is_empty()
        || timezone.len() > TIMEZONE_MAX_BYTES
        || timezone.chars().any(char::is_control)
    {
        "timezone"
    } else if exclude.len() > EXCLUDED_MAX
        || exclude.iter().any(|(from, to)| *from < 0 || to < from)
    {
        "exclude"
    } else {
        return Ok(());
    };
    Err(format!("the parameters: {wrong} is none that a fit takes"))
}

#[cfg(test)]
mod tests {
    use detectors::{Params, Series};

    use super::*;
    use crate::store::record::Metadata;

    fn artifact() -> Artifact {
        let points = TrainingPoints {
            timestamps: (0..8).map(|i| 100 + 60 * i).collect(),
            values: (0..8).map(|i| f64::from(i * 3 % 5)).collect(),
        };
        let series = Series::new(&points.timestamps, &points.values).unwrap();
        let fitted = Params::default().check().unwrap().fit(&series).unwrap();
        let parameters = FitParameters {
            model: "auto".into(),
            sigma: None,
            min_deviation: (0.0, 0.0),
            periods: None,
            timezone: "UTC".into(),
            exclude: vec![],
        };
        Artifact {
            record: VersionRecord {
                fitted_at_ms: 1_769_846_400_123,
                points_used: 8,
                trained_from: 100,
                trained_to: 520,
                model: fitted.encode(),
                training: None,
                metadata: Metadata {
                    labels: Some([("site".into(), "north".into())].into()),
                    parameters: Some(Box::new(parameters)),
                    imported_at_ms: None,
                    feedback: None,
                },
            },
            training: points.seal(),
        }
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_refused() {
        let sealed = artifact().seal();
        assert_eq!(Artifact::open(&sealed, 8).unwrap().0, artifact());
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Artifact::open(&damaged, 8).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(
                Artifact::open(&sealed[..length], 8).is_err(),
                "length {length}"
            );
        }
    }

    /// What no fit stores, under checksums that are right.
    #[test]
    fn what_no_fit_could_have_made_is_refused_in_words() {
        type Change = fn(&mut Artifact);
        fn asked(artifact: &mut Artifact) -> &mut FitParameters {
            artifact.record.metadata.parameters.as_mut().unwrap()
        }
        fn label(artifact: &mut Artifact, key: &str, value: &str) {
            artifact.record.metadata.labels = Some([(key.into(), value.into())].into());
        }
        let cases: [(&str, Change); 18] = [
            ("the model", |it| it.record.model[20] ^= 1),
            ("the model", |it| it.record.model.clear()),
            ("the training points", |it| it.training.clear()),
            ("of its own", |it| it.record.training = Some(vec![1])),
            ("before 1970", |it| it.record.fitted_at_ms = -1),
            ("trained from", |it| it.record.trained_from = 0),
            ("trained from", |it| it.record.trained_to = 521),
            ("trained from", |it| it.record.trained_to = 99),
            ("used 0", |it| it.record.points_used = 0),
            ("used 9 of 8", |it| it.record.points_used = 9),
            ("the labels", |it| label(it, "a=b", "")),
            ("the labels", |it| label(it, "a", "\0")),
            ("model", |it| asked(it).model = "other".into()),
            ("sigma", |it| asked(it).sigma = Some(f64::NAN)),
            ("min_deviation", |it| {
                asked(it).min_deviation.1 = f64::INFINITY
            }),
            ("seasonality", |it| asked(it).periods = Some(vec![0])),
            ("timezone", |it| asked(it).timezone = "\n".into()),
            ("exclude", |it| asked(it).exclude = vec![(2, 1)]),
        ];
        for (words, change) in cases {
            let mut changed = artifact();
            change(&mut changed);
            let refused = Artifact::open(&changed.seal(), 8).unwrap_err();
            assert!(refused.contains(words), "{words}: {refused}");
        }
        let refused = Artifact::open(&artifact().seal(), 7).unwrap_err();
        assert!(refused.contains("more than 7 points"), "{refused}");
    }
}
