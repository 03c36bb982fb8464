//! A server's answer to points, held against what is right.

use serde::Deserialize;

use super::model::{Reference, Truth};

/// Which version answered.
#[derive(Debug, Deserialize)]
struct Version {
    model_version: String,
}

/// An answer to one point. What the base contract does not have is optional, and right if it is
/// there.
#[derive(Debug, Deserialize)]
struct One {
    anomaly: bool,
    expected_value: Option<f64>,
    lower_bound: Option<f64>,
    upper_bound: Option<f64>,
}

/// The same as columns.
#[derive(Debug, Deserialize)]
struct Many {
    anomaly: Vec<bool>,
    n_points: Option<usize>,
    n_anomalies: Option<usize>,
    expected_value: Option<Vec<f64>>,
    lower_bound: Option<Vec<f64>>,
    upper_bound: Option<Vec<f64>>,
}

/// How an answer compares.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Compared {
    /// Points whose every figure was compared.
    pub(super) points: u64,
    pub(super) wrong: u64,
    pub(super) undecidable: u64,
    /// What is wrong first.
    pub(super) first: Option<String>,
}

/// The version that gave the answer, or why it cannot be told.
pub(super) fn version(body: &[u8]) -> Result<u64, String> {
    let answer: Version = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    let version = answer.model_version;
    let number = version.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("model_version {version:?} is no version of the contract"))
}

/// Holds the answer to `values` against the truth.
pub(super) fn compare(
    reference: &Reference,
    values: &[f64],
    columns: bool,
    body: &[u8],
) -> Compared {
    let read = if columns {
        serde_json::from_slice(body)
    } else {
        serde_json::from_slice(body).map(One::columns)
    };
    match read {
        Ok(answer) => compare_columns(reference, values, &answer),
        Err(error) => Compared::all_wrong(values, unreadable(&error)),
    }
}

impl One {
    fn columns(self) -> Many {
        let column = |figure: Option<f64>| figure.map(|figure| vec![figure]);
        Many {
            anomaly: vec![self.anomaly],
            n_points: None,
            n_anomalies: None,
            expected_value: column(self.expected_value),
            lower_bound: column(self.lower_bound),
            upper_bound: column(self.upper_bound),
        }
    }
}

fn compare_columns(reference: &Reference, values: &[f64], answer: &Many) -> Compared {
    let n = values.len();
    let figures = [
        ("expected_value", &answer.expected_value, reference.mean),
        ("lower_bound", &answer.lower_bound, reference.lower),
        ("upper_bound", &answer.upper_bound, reference.upper),
    ];
    let lengths = figures
        .iter()
        .filter_map(|(_, column, _)| Some(column.as_ref()?.len()));
    let mut lengths = lengths.chain([answer.anomaly.len(), answer.n_points.unwrap_or(n)]);
    if let Some(other) = lengths.find(|length| *length != n) {
        return Compared::all_wrong(values, format!("{other} answers to {n} points"));
    }
    let mut compared = Compared::default();
    for (k, &value) in values.iter().enumerate() {
        compared.points += 1;
        let wrong_figure = figures.iter().find_map(|(name, column, right)| {
            let got = column.as_ref()?[k];
            (!reference.agrees(got, *right))
                .then(|| format!("{name} is {got}, and {right} is right"))
        });
        let wrong = wrong_figure.or_else(|| {
            let right = match reference.judge(value) {
                Truth::Undecidable => {
                    compared.undecidable += 1;
                    return None;
                }
                Truth::Normal => false,
                Truth::Anomaly => true,
            };
            (answer.anomaly[k] != right).then(|| {
                let (lower, upper) = (reference.lower, reference.upper);
                format!(
                    "anomaly is {}, and {right} is right: the bounds are {lower} and {upper}",
                    answer.anomaly[k]
                )
            })
        });
        if let Some(wrong) = wrong {
            compared.wrong += 1;
            compared
                .first
                .get_or_insert_with(|| format!("point {k}, {value}: {wrong}"));
        }
    }
    let anomalies = answer.anomaly.iter().filter(|anomaly| **anomaly).count();
    if answer.n_anomalies.is_some_and(|told| told != anomalies) && compared.wrong == 0 {
        compared.wrong = 1;
        compared.first = Some(format!("n_anomalies is not the {anomalies} in the column"));
    }
    compared
}

impl Compared {
    pub(super) fn all_wrong(values: &[f64], why: String) -> Self {
        let points = values.len() as u64;
        Self {
            points,
            wrong: points.max(1),
            undecidable: 0,
            first: Some(why),
        }
    }
}

fn unreadable(error: &serde_json::Error) -> String {
    format!("the answer is not of the contract's shape: {error}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(value: f64, body: &serde_json::Value) -> Compared {
        let reference = Reference::fit(&[10.0, 11.0, 12.0], 3.0);
        compare(&reference, &[value], false, body.to_string().as_bytes())
    }

    fn many(values: &[f64], body: &serde_json::Value) -> Compared {
        let reference = Reference::fit(&[10.0, 11.0, 12.0], 3.0);
        compare(&reference, values, true, body.to_string().as_bytes())
    }

    #[test]
    fn the_flag_alone_is_checked_where_there_is_no_more() {
        assert_eq!(one(11.0, &json!({"anomaly": false})).wrong, 0);
        assert_eq!(one(99.0, &json!({"anomaly": true})).wrong, 0);
        let wrong = one(99.0, &json!({"anomaly": false, "model_version": "1"}));
        assert_eq!((wrong.points, wrong.wrong), (1, 1));
        assert!(
            wrong
                .first
                .unwrap()
                .starts_with("point 0, 99: anomaly is false, and true is")
        );
    }

    #[test]
    fn every_figure_that_is_there_has_to_be_right() {
        let (lower, upper) = (
            11.0 - 3.0 * 0.816496580927726,
            11.0 + 3.0 * 0.816496580927726,
        );
        let right = json!({
            "anomaly": false, "expected_value": 11.0, "lower_bound": lower, "upper_bound": upper,
        });
        assert_eq!(one(11.0, &right).wrong, 0);
        for name in ["expected_value", "lower_bound", "upper_bound"] {
            let mut wrong = right.clone();
            wrong[name] = json!(wrong[name].as_f64().unwrap() + 1e-9);
            let compared = one(11.0, &wrong);
            assert_eq!(compared.wrong, 1, "{name}");
            assert!(compared.first.unwrap().contains(name));
        }
    }

    #[test]
    fn at_the_bound_nothing_is_right_and_nothing_is_wrong() {
        let upper = Reference::fit(&[10.0, 11.0, 12.0], 3.0).upper;
        for anomaly in [true, false] {
            let compared = one(upper, &json!({"anomaly": anomaly}));
            assert_eq!((compared.wrong, compared.undecidable), (0, 1));
        }
    }

    #[test]
    fn columns_are_checked_point_by_point() {
        let values = [11.0, 99.0, 11.0];
        let right = json!({"anomaly": [false, true, false], "n_points": 3, "n_anomalies": 1});
        assert_eq!(many(&values, &right).wrong, 0);
        let wrong = json!({"anomaly": [false, true, true], "n_points": 3, "n_anomalies": 2});
        let compared = many(&values, &wrong);
        assert_eq!((compared.points, compared.wrong), (3, 1));
        assert!(compared.first.unwrap().starts_with("point 2, 11: "));
        for (member, value) in [
            ("anomaly", json!([false, true])),
            ("n_points", json!(4)),
            ("n_anomalies", json!(0)),
            ("expected_value", json!([11.0, 11.0])),
            ("anomaly", json!(false)),
        ] {
            let mut wrong = right.clone();
            wrong[member] = value;
            assert!(many(&values, &wrong).wrong > 0, "{wrong}");
        }
    }

    #[test]
    fn versions_are_numbers_from_1() {
        let of = |version| version_of(&json!({"model_version": version}));
        assert_eq!(of(json!("17")), Ok(17));
        for wrong in [json!("0"), json!("x"), json!(1), json!(null), json!("-1")] {
            assert!(of(wrong.clone()).is_err(), "{wrong}");
        }
    }

    fn version_of(body: &serde_json::Value) -> Result<u64, String> {
        version(body.to_string().as_bytes())
    }
}
