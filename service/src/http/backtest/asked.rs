//! A backtest as its body asks for it, with every parameter checked.

use api::backtest::{BacktestRequest, CandidateRequest, LabelRequest};
use api::limits::{BACKTEST_CONTENDERS_MAX, BACKTEST_LABELS_MAX, BACKTEST_NAME_MAX_BYTES};
use api::{Alias, Code, FieldError, Loc, Rejection, Timestamp, VersionSelector};
use detectors::{Excluded, Params, TimeUnit};

use crate::http::convert;
use crate::registry::{self, Candidate, History, Rule, SetAlias, Train, VersionName};
use crate::store::training::TrainingPoints;

/// The request as the registry takes it.
pub(super) fn backtest(
    mut request: BacktestRequest,
    now_ms: i64,
) -> Result<registry::BacktestRequest, Rejection> {
    let columns = request.take_columns()?;
    let time_unit = request.time_unit.as_deref();
    let time_unit: Option<TimeUnit> = convert::optional_name("time_unit", time_unit)?;
    let time_unit = time_unit.unwrap_or_default();
    let history = match (columns, request.history_of.as_deref()) {
        (Some((timestamps, values)), None) => {
            History::Points(TrainingPoints { timestamps, values })
        }
        (None, None) => History::OfVersion(VersionSelector::Latest),
        (None, Some(version)) => {
            History::OfVersion(VersionSelector::parse_at(["body", "history_of"], version)?)
        }
        (Some(_), Some(_)) => {
            let reason = "it does not go with `timestamps` and `values`".to_owned();
            return Err(refused(Code::ConflictingFields, ["history_of"], reason));
        }
    };
    if let History::Points(points) = &history {
        let series = detectors::Series::new(&points.timestamps, &points.values);
        series.map_err(|error| convert::series_rejection(&error))?;
    }
    let labels = request.labels.map(|labels| labels_of(&labels, time_unit));
    let (candidates, versions) = contenders(request.candidates, request.versions, time_unit)?;
    let set_alias = match request.set_alias {
        None => None,
        Some(asked) => {
            let alias = Alias::parse(&asked.alias, ["body", "set_alias"])?;
            let rule = match asked.rule.as_deref() {
                None => None,
                Some("event_f1") => Some(Rule::EventF1),
                Some("alarm_rate") => Some(Rule::AlarmRate),
                Some(other) => {
                    let reason = format!("{other:?} is neither \"event_f1\" nor \"alarm_rate\"");
                    return Err(refused(
                        Code::ParameterOutOfRange,
                        ["set_alias", "if"],
                        reason,
                    ));
                }
            };
            if rule == Some(Rule::EventF1) && labels.is_none() {
                let reason = "\"event_f1\" needs `labels`".to_owned();
                return Err(refused(
                    Code::ParameterConflict,
                    ["set_alias", "if"],
                    reason,
                ));
            }
            Some(SetAlias {
                alias: alias.as_str().into(),
                rule,
            })
        }
    };
    Ok(registry::BacktestRequest {
        history,
        time_unit,
        labels: labels.transpose()?,
        candidates,
        versions,
        train: train(request.train_share, request.train_points)?,
        refit_every: positive("refit_every", request.refit_every)?,
        refit_window: match (request.refit_window, request.refit_every) {
            (Some(_), None) => {
                let reason = "it does not go without `refit_every`".to_owned();
                return Err(refused(Code::ParameterConflict, ["refit_window"], reason));
            }
            (window, _) => positive("refit_window", window)?,
        },
        set_alias,
        now_ms,
        held: None,
    })
}

fn contenders(
    candidates: Option<Vec<CandidateRequest>>,
    versions: Option<Vec<String>>,
    time_unit: TimeUnit,
) -> Result<(Vec<Candidate>, Vec<VersionName>), Rejection> {
    let (candidates, versions) = match (candidates, versions) {
        (None, None) => (vec![CandidateRequest::default()], Vec::new()),
        (candidates, versions) => (candidates.unwrap_or_default(), versions.unwrap_or_default()),
    };
    let n = candidates.len() + versions.len();
    if !(1..=BACKTEST_CONTENDERS_MAX).contains(&n) {
        let reason = format!(
            "there are {n} candidates and versions; must be between 1 and {BACKTEST_CONTENDERS_MAX}"
        );
        return Err(refused(Code::ParameterOutOfRange, ["candidates"], reason));
    }
    let mut named: Vec<Candidate> = Vec::with_capacity(candidates.len());
    for (index, candidate) in candidates.into_iter().enumerate() {
        let candidate = candidate_of(candidate, time_unit, &named);
        named.push(candidate.map_err(|rejection| in_candidate(rejection, index))?);
    }
    let version = |(index, name): (usize, &String)| {
        if let Ok(selector) = VersionSelector::parse(name) {
            return Ok(VersionName::Number(selector));
        }
        let alias = Alias::parse(name, ["body", "versions"]);
        let alias = alias.map_err(|mut rejection| {
            if let Some(error) = rejection.errors.first_mut() {
                error.loc.push(Loc::from(index));
            }
            rejection
        })?;
        Ok(VersionName::Alias(alias.as_str().into()))
    };
    let versions = versions.iter().enumerate().map(version);
    Ok((named, versions.collect::<Result<_, Rejection>>()?))
}

fn candidate_of(
    request: CandidateRequest,
    time_unit: TimeUnit,
    before: &[Candidate],
) -> Result<Candidate, Rejection> {
    let is_online = request.online.unwrap_or(false);
    if is_online
        && request
            .model
            .as_deref()
            .is_some_and(|model| model != "tail_views")
    {
        let reason = "the online state is always \"tail_views\"".to_owned();
        return Err(refused(Code::ParameterConflict, ["model"], reason));
    }
    let direction = convert::optional_name("direction", request.direction.as_deref())?;
    let exclude = request.exclude.as_deref().unwrap_or_default();
    let params = Params {
        model: if is_online {
            Some("tail_views".to_owned())
        } else {
            request.model
        },
        alarm_rate: request.alarm_rate,
        sigma: request.sigma,
        direction,
        min_deviation: request.min_deviation.map(convert::least),
        seasons: request.seasonality.map(convert::seasons),
        timezone: request.timezone,
        time_unit: Some(time_unit),
        exclude: convert::excluded(exclude, time_unit.ticks_per_second())?,
        feedback: Default::default(),
    };
    let checked = params
        .check()
        .map_err(|error| convert::params_rejection(&error))?;
    let name = match request.name {
        Some(name) => name,
        None => {
            let model = if is_online { "online" } else { checked.model() };
            let is_free = |name: &String| before.iter().all(|other| other.name != *name);
            let numbered = (2..).map(|n| format!("{model} {n}"));
            let mut names = std::iter::once(model.to_owned()).chain(numbered);
            names.find(is_free).unwrap_or_default()
        }
    };
    let is_one = !name.is_empty()
        && name.len() <= BACKTEST_NAME_MAX_BYTES
        && !name.chars().any(char::is_control);
    if !is_one {
        let reason = format!("expected 1 to {BACKTEST_NAME_MAX_BYTES} bytes of text on one line");
        return Err(refused(Code::ParameterOutOfRange, ["name"], reason));
    }
    if before.iter().any(|other| other.name == name) {
        let reason = format!("another candidate is called {name:?}");
        return Err(refused(Code::ParameterConflict, ["name"], reason));
    }
    Ok(Candidate {
        name,
        is_online,
        params,
        checked,
    })
}

fn labels_of(labels: &[LabelRequest], time_unit: TimeUnit) -> Result<Vec<Excluded>, Rejection> {
    if labels.len() > BACKTEST_LABELS_MAX {
        let reason = format!(
            "there are {}, a backtest takes up to {BACKTEST_LABELS_MAX}",
            labels.len()
        );
        return Err(refused(Code::ParameterOutOfRange, ["labels"], reason));
    }
    let stretch = |(index, label): (usize, &LabelRequest)| {
        let at = |code, reason: String| {
            let loc = [Loc::from("body"), Loc::from("labels"), Loc::from(index)];
            Rejection::one(code, FieldError::new(loc, reason))
        };
        let ends = label.ends();
        let (from, to) = ends.map_err(|reason| at(Code::ConflictingFields, reason.to_owned()))?;
        let ticks = |time: Timestamp| {
            let reason = "past the last time that time_unit can tell";
            let ticks = time.ticks(time_unit.ticks_per_second());
            ticks.ok_or_else(|| at(Code::TimestampInvalid, reason.to_owned()))
        };
        let (from, to) = (ticks(from)?, ticks(to)?);
        if from > to {
            let reason = format!("it begins at {from} and ends at {to}, before it");
            return Err(at(Code::ParameterOutOfRange, reason));
        }
        Ok(Excluded { from, to })
    };
    labels.iter().enumerate().map(stretch).collect()
}

fn train(share: Option<f64>, points: Option<u64>) -> Result<Train, Rejection> {
    match (share, points) {
        (None, None) => Ok(Train::Share(0.5)),
        (Some(share), None) if share > 0.0 && share < 1.0 => Ok(Train::Share(share)),
        (Some(share), None) => {
            let reason = format!("{share} is out of range; must be above 0 and below 1");
            Err(refused(Code::ParameterOutOfRange, ["train_share"], reason))
        }
        (None, Some(points)) => Ok(Train::Points(usize::try_from(points).unwrap_or(usize::MAX))),
        (Some(_), Some(_)) => {
            let reason = "it does not go with `train_points`".to_owned();
            Err(refused(Code::ParameterConflict, ["train_share"], reason))
        }
    }
}

fn positive(field: &str, number: Option<u64>) -> Result<Option<usize>, Rejection> {
    match number {
        None => Ok(None),
        Some(0) => {
            let reason = "0 is out of range; must be at least 1".to_owned();
            Err(refused(Code::ParameterOutOfRange, [field], reason))
        }
        Some(number) => Ok(Some(usize::try_from(number).unwrap_or(usize::MAX))),
    }
}

/// Says of a field of the body that it is one of a candidate.
fn in_candidate(rejection: Rejection, index: usize) -> Rejection {
    let Some(mut error) = rejection.errors.into_iter().next() else {
        return Rejection::new(rejection.code, rejection.detail);
    };
    let after_body = error.loc.len().min(1);
    error.loc.insert(after_body, Loc::from(index));
    error.loc.insert(after_body, Loc::from("candidates"));
    Rejection::one(rejection.code, error)
}

fn refused<const N: usize>(code: Code, fields: [&str; N], reason: String) -> Rejection {
    let loc = std::iter::once("body").chain(fields).map(Loc::from);
    Rejection::one(code, FieldError::new(loc, reason))
}
