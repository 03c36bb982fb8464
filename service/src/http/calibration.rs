//! `GET /series/{series_id}/calibration?version=`.

use actix_web::HttpResponse;
use api::calibration::{
    CalibrationReply, Drift, Episode, Histogram, ObservedRate, OnlineControl, RateInterval,
    UnderAlarming,
};
use api::{Code, FieldError, Loc, Rejection, VersionSelector};
use detectors::envelope::digest_hex;
use detectors::monitor::{self, CONFIDENCE, EDGES, Monitor, RateReport, Report};

use super::scoped::Series;
use super::{Call, convert, ok};
use crate::registry::{ONLINE, Observed};

pub(super) async fn handle(
    call: &Call<'_>,
    series: &Series<'_>,
) -> Result<HttpResponse, Rejection> {
    let query = call.request.query_string();
    let [version, state] = api::query::read(query, ["version", "state"])?;
    if let Some(state) = state {
        check_state(&state, version.is_some())?;
        return online(call, series).await;
    }
    let selector = version.map_or(Ok(VersionSelector::Latest), |text| {
        VersionSelector::parse(&text)
    })?;
    let registry = call.state.registry()?;
    let model = registry
        .model(series.name(), selector)
        .await
        .map_err(|error| convert::rejection(&error))?;
    let observed = registry.monitors().read(series.name(), model.version);
    let watched = Watched {
        series: series.id(),
        model_version: model.version,
        digest: model.digest,
        alarm_rate: model.fitted.alarm_rate(),
        online: None,
    };
    Ok(reply(&watched, observed.as_ref()))
}

/// The online state instead of a version.
async fn online(call: &Call<'_>, series: &Series<'_>) -> Result<HttpResponse, Rejection> {
    let registry = call.state.registry()?;
    let summary = registry.online().summary(series.name()).await;
    let summary = summary.map_err(|error| convert::rejection(&error))?;
    let observed = registry.monitors().read(series.name(), ONLINE);
    let control = summary.control;
    let share = control.alarms as f64 / control.points as f64;
    let watched = Watched {
        series: series.id(),
        model_version: summary.origin.version,
        digest: summary.origin.digest,
        alarm_rate: summary.alarm_rate,
        online: Some(OnlineControl {
            state_seq: summary.state_seq,
            n_points: control.points,
            n_alarms: control.alarms,
            observed_alarm_rate: (control.points > 0).then_some(share),
            log_factor: control.log_factor,
        }),
    };
    Ok(reply(&watched, observed.as_ref()))
}

fn check_state(state: &str, has_version: bool) -> Result<(), Rejection> {
    let refuse = |name: &str, reason: String| {
        let error = FieldError::new([Loc::from("query"), Loc::from(name)], reason);
        Err(Rejection::one(Code::InvalidQuery, error))
    };
    match state {
        "online" if has_version => refuse("version", "the online state has no version".into()),
        "online" => Ok(()),
        other => refuse(
            "state",
            format!("{other:?} is not a state: expected online"),
        ),
    }
}

/// What the reply is about.
struct Watched<'a> {
    series: &'a str,
    model_version: u64,
    digest: [u8; 16],
    alarm_rate: f64,
    online: Option<OnlineControl>,
}

fn reply(watched: &Watched<'_>, observed: Option<&Observed>) -> HttpResponse {
    let report = match observed {
        Some(observed) => observed.monitor.report(),
        None => Monitor::new(watched.alarm_rate).report(),
    };
    let Report {
        alarms,
        counts,
        rates,
        drift,
        under_alarming,
        ..
    } = report;
    ok(&CalibrationReply {
        series_id: watched.series,
        model_version: watched.model_version,
        model_hash: &digest_hex(&watched.digest),
        since: observed.map(|observed| observed.since),
        alarm_rate: alarms.requested,
        n_scored: alarms.n,
        n_alarms: alarms.n_alarms,
        observed_alarm_rate: alarms.observed,
        observed_alarm_rate_interval: interval(alarms.interval),
        ratio: alarms.ratio,
        p_value_histogram: Histogram {
            edges: &EDGES,
            counts: &counts,
        },
        rates: rates.iter().map(rate).collect(),
        drift: Drift {
            verdict: drift.verdict.as_str(),
            since: observed.map(|observed| observed.verdict_since),
            log10_evidence: drift.log10_evidence,
            log10_evidence_max: drift.log10_evidence_max,
            false_alarm_probability_bound: drift.false_alarm_probability_bound,
            method: "restarted_test_martingale",
            episode: Episode {
                n_scored: drift.episode_n_scored,
                n_alarms: drift.episode_n_alarms,
                observed_alarm_rate: drift.episode_observed(),
            },
        },
        under_alarming: UnderAlarming {
            detected: under_alarming.detected,
            log10_evidence: under_alarming.log10_evidence,
            false_alarm_probability_bound: under_alarming.false_alarm_probability_bound,
        },
        online: watched.online,
    })
}

fn rate(report: &RateReport) -> ObservedRate {
    ObservedRate {
        alarm_rate: report.requested,
        n_alarms: report.n_alarms,
        observed_alarm_rate: report.observed,
        observed_alarm_rate_interval: interval(report.interval),
        ratio: report.ratio,
    }
}

fn interval(interval: monitor::RateInterval) -> RateInterval {
    RateInterval {
        lower: interval.lower,
        upper: interval.upper,
        confidence: CONFIDENCE,
        method: "clopper_pearson",
    }
}
