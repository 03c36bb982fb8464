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
        let parameters = record.metadata.parameters.as_ref();
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
