//! `GET /series/{series_id}/calibration?version=`.

use actix_web::HttpResponse;
use api::calibration::{
    CalibrationReply, Drift, Episode, Histogram, ObservedRate, RateInterval, UnderAlarming,
};
use api::{Rejection, SeriesId, VersionSelector};
use detectors::envelope::digest_hex;
use detectors::monitor::{self, CONFIDENCE, EDGES, Monitor, RateReport, Report};

use super::{Call, convert, ok};
use crate::registry::{Observed, ServedModel};

pub(super) async fn handle(call: &Call<'_>, id: &str) -> Result<HttpResponse, Rejection> {
    let series = SeriesId::parse(id)?;
    let [version] = api::query::read(call.request.query_string(), ["version"])?;
    let selector = version.map_or(Ok(VersionSelector::Latest), |text| {
        VersionSelector::parse(&text)
    })?;
    let registry = call.state.registry()?;
    let model = registry
        .model(series.as_str(), selector)
        .await
        .map_err(|error| convert::rejection(&error))?;
    let observed = registry.monitors().read(series.as_str(), model.version);
    Ok(reply(series, &model, observed.as_ref()))
}

fn reply(series: SeriesId<'_>, model: &ServedModel, observed: Option<&Observed>) -> HttpResponse {
    let report = match observed {
        Some(observed) => observed.monitor.report(),
        None => Monitor::new(model.fitted.summary().alarm_rate).report(),
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
        series_id: series.as_str(),
        model_version: model.version,
        model_hash: &digest_hex(&model.digest),
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
