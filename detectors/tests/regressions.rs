//! What the fuzz targets found, one test a find.

#[path = "common/laws.rs"]
mod laws;

use detectors::{Fitted, Params, Seasons, Series};

fn fit(model: &str, seasons: Option<Vec<i64>>, timestamps: &[i64], values: &[f64]) -> Fitted {
    let params = Params {
        model: Some(model.to_owned()),
        seasons: seasons.map(Seasons::Periods),
        ..Params::default()
    };
    let series = Series::new(timestamps, values).unwrap();
    params.check().unwrap().fit(&series).unwrap()
}

fn obeys(model: &Fitted, times: &[i64], points: &[f64]) -> Result<(), String> {
    for &time in times {
        laws::check_scores(model, time, points)?;
    }
    laws::check_columns(model, times, points)?;
    laws::check_bytes(model, times, points)
}

fn saw(n: usize) -> Vec<f64> {
    (0..n)
        .map(|i| (i % 8) as f64 + 0.01 * (i % 3) as f64)
        .collect()
}

/// The number of steps and the length of the history were each one more than an `i64` holds.
#[test]
fn a_history_from_the_beginning_to_the_end_of_time_has_a_length() {
    let values = saw(96);
    let step = i64::MAX / 95;
    let even: Vec<i64> = (0..95).map(|i| step * i).chain([i64::MAX]).collect();
    let mut late: Vec<i64> = (0..96).collect();
    late[95] = i64::MAX;
    for model in ["seasonal", "holt_winters"] {
        for timestamps in [&even, &late] {
            let seasons = Some(vec![8 * step]);
            let model = fit(model, seasons, timestamps, &values);
            assert_eq!(
                obeys(&model, &[0, step, i64::MAX], &[0.0, 4.0, 1e9]),
                Ok(())
            );
        }
    }
}

/// Where both the probability and the factor that was taken out of it are below the range of `f64`,
/// the logarithm of a negative number made a far point look nearer than one half as far.
#[test]
fn on_many_degrees_of_freedom_the_score_rises_to_its_end() {
    let values: Vec<f64> = (0..4_000).map(|i| ((i * 37) % 101) as f64).collect();
    let timestamps: Vec<i64> = (0..4_000).collect();
    let model = fit("gaussian", None, &timestamps, &values);
    let mut last = 0.0;
    for exponent in 0..60 {
        let value = 50.0 + 10.0 * 1.1_f64.powi(exponent);
        let score = model.score(0, value);
        assert_eq!(laws::check_rule(value, model.alarm_rate(), &score), Ok(()));
        assert!(score.anomaly_score >= last, "{value}: {score:?}");
        last = score.anomaly_score;
    }
    assert!(last > 100.0, "{last}");
    assert_eq!(obeys(&model, &[0], &[1e3, 2e3, 1e9]), Ok(()));
}

/// In units of a spike that the errors of `ewma` do not see, what the other values differ by is next
/// to nothing; the scale of their tail was rounded to 0, and the model could not read its own bytes.
#[test]
fn errors_next_to_nothing_have_a_scale() {
    let mut values = vec![0.0; 299];
    values[5] = 7.8e20;
    for i in (45..299).step_by(23) {
        values[i] = 1.3e-304;
    }
    let timestamps: Vec<i64> = (0..299).collect();
    for model in ["ewma", "holt_winters", "auto"] {
        let model = fit(model, None, &timestamps, &values);
        assert_eq!(obeys(&model, &[0, 299], &[0.0, 1.0, 1e21]), Ok(()));
    }
}
