use super::*;

fn params(model: &str, alarm_rate: Option<f64>, sigma: Option<f64>) -> Params {
    Params {
        model: Some(model.to_owned()),
        alarm_rate,
        sigma,
        ..Params::default()
    }
}

fn refused(params: &Params) -> (&'static str, ParamErrorKind) {
    let error = params.check().unwrap_err();
    (error.field, error.kind)
}

#[test]
fn nothing_given_takes_the_defaults() {
    let checked = Params::default().check().unwrap();
    assert_eq!((checked.model(), checked.sigma()), ("auto", None));
    assert_eq!(
        (checked.alarm_rate(), checked.direction()),
        (0.001, Direction::Both)
    );
}

#[test]
fn every_listed_model_can_be_asked_for() {
    for model in MODELS {
        assert_eq!(params(model, None, None).check().unwrap().model(), *model);
    }
    assert_eq!(
        params("gaussian", None, Some(2.5)).check().unwrap().sigma(),
        Some(2.5)
    );
}

#[test]
fn an_unknown_model_is_named_with_those_there_are() {
    let error = params("magic", None, None).check().unwrap_err();
    assert_eq!(
        (error.field, error.kind),
        ("model", ParamErrorKind::UnknownModel)
    );
    assert_eq!(
        error.reason,
        "no model \"magic\"; there are auto, gaussian, robust, ewma, holt_winters, seasonal, pca, gmm, kmeans, one_class_svm, forest, spectral_residual, nearest, tail_views"
    );
}

#[test]
fn numbers_out_of_range_are_refused() {
    for rate in [0.0, -0.1, 0.500_001, 1e-301, f64::NAN, f64::INFINITY] {
        let refused = refused(&params("auto", Some(rate), None));
        assert_eq!(
            refused,
            ("alarm_rate", ParamErrorKind::OutOfRange),
            "{rate}"
        );
    }
    for sigma in [0.0, -3.0, f64::NAN, f64::INFINITY] {
        let refused = refused(&params("gaussian", None, Some(sigma)));
        assert_eq!(refused, ("sigma", ParamErrorKind::OutOfRange), "{sigma}");
    }
    for rate in [ALARM_RATE_MIN, ALARM_RATE_MAX] {
        assert!(params("auto", Some(rate), None).check().is_ok());
    }
    let error = params("auto", Some(0.7), None).check().unwrap_err();
    assert_eq!(
        error.to_string(),
        "alarm_rate: 0.7 is out of range; must be between 1e-300 and 0.5"
    );
}

#[test]
fn sigma_belongs_to_gaussian_alone() {
    let both = params("gaussian", Some(0.01), Some(3.0));
    assert_eq!(refused(&both), ("sigma", ParamErrorKind::Conflict));
    for model in ["auto", "robust", "ewma", "holt_winters", "seasonal"] {
        let refused = refused(&params(model, None, Some(3.0)));
        assert_eq!(refused, ("sigma", ParamErrorKind::Unsupported));
    }
    let unnamed = Params {
        sigma: Some(3.0),
        ..Params::default()
    };
    assert_eq!(refused(&unnamed), ("sigma", ParamErrorKind::Unsupported));
}

#[test]
fn seasons_belong_to_the_models_that_have_them() {
    let periods = |model: &str, periods: &[i64]| Params {
        model: Some(model.to_owned()),
        seasons: Some(Seasons::Periods(periods.to_vec())),
        ..Params::default()
    };
    for model in ["gaussian", "robust", "ewma"] {
        let seasonality = refused(&periods(model, &[60]));
        assert_eq!(seasonality, ("seasonality", ParamErrorKind::Unsupported));
        let zone = Params {
            model: Some(model.to_owned()),
            timezone: Some("Europe/Berlin".to_owned()),
            ..Params::default()
        };
        assert_eq!(refused(&zone), ("timezone", ParamErrorKind::Unsupported));
    }
    let checked = periods("seasonal", &[604_800, 86_400]).check().unwrap();
    assert_eq!(checked.seasons(), &Seasons::Periods(vec![86_400, 604_800]));
    let out_of_range = [
        periods("holt_winters", &[60, 3_600]),
        periods("auto", &[1, 2, 3, 4]),
        periods("auto", &[60, 0]),
        periods("auto", &[60, 60]),
    ];
    for params in out_of_range {
        assert_eq!(
            refused(&params),
            ("seasonality", ParamErrorKind::OutOfRange)
        );
    }
    assert_eq!(
        periods("auto", &[60, -1]).check().unwrap_err().index,
        Some(1)
    );
}

#[test]
fn an_unknown_time_zone_is_named() {
    let params = Params {
        timezone: Some("Mars/Olympus_Mons".to_owned()),
        ..Params::default()
    };
    let error = params.check().unwrap_err();
    assert_eq!(
        (error.field, error.kind),
        ("timezone", ParamErrorKind::OutOfRange)
    );
    assert!(error.reason.starts_with("\"Mars/Olympus_Mons\""));
}

#[test]
fn the_smallest_deviation_is_finite_and_not_negative() {
    for (abs, rel) in [
        (-1.0, 0.0),
        (0.0, -0.1),
        (f64::NAN, 0.0),
        (0.0, f64::INFINITY),
    ] {
        let params = Params {
            min_deviation: Some(MinDeviation { abs, rel }),
            ..Params::default()
        };
        assert_eq!(
            refused(&params),
            ("min_deviation", ParamErrorKind::OutOfRange)
        );
    }
}

#[test]
fn a_stretch_left_out_ends_after_it_begins() {
    let params = Params {
        exclude: vec![Excluded { from: 1, to: 1 }, Excluded { from: 5, to: 4 }],
        ..Params::default()
    };
    let error = params.check().unwrap_err();
    assert_eq!((error.field, error.index), ("exclude", Some(1)));
    assert_eq!(error.reason, "from 5 is after to 4");
}
