//! The points of a predict as they are decoded, scored by a model of every kind: no panic, the one decision rule, and
//! columns that agree with single points.
//!
//! The first byte chooses the model, the rest is the body.

use std::sync::OnceLock;

use api::{Points, PredictRequest, decode};
use detectors::{Fitted, MODELS, Params, Series};

use crate::laws::{check_columns, check_scores};
use crate::{Outcome, refusal};

/// More points show nothing new and take long.
const POINTS_MAX: usize = 32;
/// Of one point, the laws look at many more.
const SINGLE_MAX: usize = 2;

pub(crate) fn check(data: &[u8]) -> Outcome {
    let Some((kind, body)) = data.split_first() else {
        return Ok(false);
    };
    let model = &models()[usize::from(*kind) % MODELS.len()];
    let per_second = model.time_unit().ticks_per_second();
    let points = decode::<PredictRequest>(body).and_then(PredictRequest::into_points);
    let points = points.and_then(|points| points.in_ticks(per_second));
    let (mut timestamps, mut values) = match points {
        Ok(Points::One(ticks, value)) => (vec![ticks], vec![value]),
        Ok(Points::Columns(timestamps, values)) => (timestamps, values),
        Err(rejection) => return refusal::check(&rejection),
    };
    timestamps.truncate(POINTS_MAX);
    values.truncate(POINTS_MAX);
    for (ticks, value) in timestamps.iter().zip(&values).take(SINGLE_MAX) {
        check_scores(model, *ticks, &[*value])?;
    }
    check_columns(model, &timestamps, &values).map(|()| true)
}

/// One of every kind.
fn models() -> &'static [Fitted] {
    static FITTED: OnceLock<Vec<Fitted>> = OnceLock::new();
    FITTED.get_or_init(|| {
        let timestamps: Vec<i64> = (0..320).map(|i| 1_772_928_000 + 60 * i).collect();
        let values: Vec<f64> = (0..320_i64)
            .map(|i| ((i * 37) % 101) as f64 / 8.0)
            .collect();
        let series = Series::new(&timestamps, &values).expect("the history is in order");
        let fit = |model: &&str| {
            let params = Params {
                model: Some((*model).to_owned()),
                ..Params::default()
            };
            let checked = params.check().expect("a model by its name alone holds");
            checked.fit(&series).expect("the history has a scale")
        };
        MODELS.iter().map(fit).collect()
    })
}
