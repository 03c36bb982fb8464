//! A version to import: any bytes, and real artifacts changed before or after their checksums were made.
//!
//! No panic; a changed file is refused; what is taken keeps the laws of what a fit stores, and written again it is read
//! as the same.
//!
//! The first byte chooses the artifact, the second one what is done with the rest.

use std::sync::OnceLock;

use detectors::{Fitted, Params, Series, envelope};
use service::store::artifact::Artifact;
use service::store::training::TrainingPoints;
use service::store::{FitParameters, Metadata, VersionRecord};

use crate::Outcome;
use crate::store_record::flip;

/// Points that an import takes here.
const MOST_POINTS: usize = 2_000;

pub(crate) fn check(data: &[u8]) -> Outcome {
    let [kind, mode, rest @ ..] = data else {
        return Ok(false);
    };
    let real = &reals()[usize::from(*kind) % reals().len()];
    match mode % 5 {
        0 => taken(rest),
        1 => changed(&real.seal(), rest),
        2 => taken(&forged(&real.seal(), rest)?),
        3 => {
            let record = forged(&real.record.seal(), rest)?;
            // Only what is a record can be in an artifact that is made here.
            let Ok(record) = VersionRecord::open(&record) else {
                return Ok(false);
            };
            let training = real.training.clone();
            taken(&Artifact { record, training }.seal())
        }
        _ => {
            let training = forged(&real.training, rest)?;
            let record = real.record.clone();
            taken(&Artifact { record, training }.seal())
        }
    }
}

/// A real record's payload with bytes changed, under a checksum that is right.
fn forged(real: &[u8], rest: &[u8]) -> Result<Vec<u8>, String> {
    let magic = *real.first_chunk::<4>().ok_or("a record has a magic")?;
    let opened = envelope::open(magic, real).map_err(|error| error.to_string())?;
    let mut payload = opened.payload.to_vec();
    flip(&mut payload, rest);
    Ok(envelope::seal(magic, opened.format, opened.tag, &payload))
}

fn changed(real: &[u8], rest: &[u8]) -> Outcome {
    let mut bytes = real.to_vec();
    flip(&mut bytes, rest);
    match Artifact::open(&bytes, MOST_POINTS) {
        Ok(_) if bytes == real => Ok(true),
        Ok(_) => Err("a changed artifact was taken".to_owned()),
        Err(reason) if bytes == real => Err(format!("a whole artifact was refused: {reason}")),
        Err(_) => Ok(true),
    }
}

fn taken(bytes: &[u8]) -> Outcome {
    let Ok((artifact, fitted)) = Artifact::open(bytes, MOST_POINTS) else {
        return Ok(false);
    };
    let again = Artifact::open(&artifact.seal(), MOST_POINTS);
    if again.map(|(again, _)| again).as_ref() != Ok(&artifact) {
        return Err("an artifact that was taken and written is another one".to_owned());
    }
    let points = TrainingPoints::open(&artifact.training)?;
    if points.values.len() > MOST_POINTS {
        return Err(format!("{} points were taken", points.values.len()));
    }
    if !points.values.is_empty() {
        Series::new(&points.timestamps, &points.values).map_err(|error| error.to_string())?;
    }
    let summary = fitted.summary();
    let is_told = serde_json::to_string(&(summary.alarm_rate, &summary.periods)).is_ok();
    if !is_told
        || artifact
            .record
            .metadata
            .imported_at_ms
            .is_some_and(|ms| ms < 0)
    {
        return Err("an artifact was taken of which nothing can be told".to_owned());
    }
    let score = fitted.score(artifact.record.trained_to, 1.0);
    if score.p_value.is_nan() || !(0.0..=1.0).contains(&score.p_value) {
        return Err(format!("a p-value is {}", score.p_value));
    }
    Ok(true)
}

/// Some of each kind: few points and many, a model that learns without points.
fn reals() -> &'static [Artifact] {
    static REALS: OnceLock<Vec<Artifact>> = OnceLock::new();
    REALS.get_or_init(|| {
        let real = |model: &str, n: i64, kept: bool| {
            let points = TrainingPoints {
                timestamps: (0..n).map(|i| 1_772_928_000 + 60 * i).collect(),
                values: (0..n).map(|i| ((i * 37) % 101) as f64 / 8.0).collect(),
            };
            let fitted = fit(model, &points);
            let record = VersionRecord {
                fitted_at_ms: 1_769_846_400_123,
                points_used: points.values.len() as u64,
                trained_from: 1_772_928_000,
                trained_to: 1_772_928_000 + 60 * (n - 1),
                model: fitted.encode(),
                training: None,
                metadata: Metadata {
                    labels: Some([("site".into(), "north".into())].into()),
                    parameters: Some(Box::new(FitParameters {
                        model: model.to_owned(),
                        sigma: None,
                        min_deviation: (0.0, 0.0),
                        periods: None,
                        timezone: "UTC".into(),
                        exclude: vec![(1, 2)],
                    })),
                    imported_at_ms: None,
                    feedback: None,
                },
            };
            let kept = if kept {
                points
            } else {
                TrainingPoints::default()
            };
            Artifact {
                record,
                training: kept.seal(),
            }
        };
        vec![
            real("gaussian", 20, true),
            real("robust", 1_000, true),
            real("ewma", 100, true),
            real("tail_views", 200, false),
        ]
    })
}

fn fit(model: &str, points: &TrainingPoints) -> Fitted {
    let params = Params {
        model: Some(model.to_owned()),
        ..Params::default()
    };
    let params = params.check().expect("the model is known");
    let series = Series::new(&points.timestamps, &points.values).expect("it is in order");
    params.fit(&series).expect("it fits")
}
