//! Runs a backtest: one contender after the other, a step at a time.

use std::time::Instant;

use api::backtest::{
    BacktestAlarm, BacktestByEvent, BacktestByPoint, BacktestContender, BacktestEvent,
    BacktestLabelled, BacktestMeasured, BacktestPValues, BacktestRate, BacktestResult,
};
use detectors::Series;
use detectors::backtest::{self as replay, Measured, Part, Replay, Replayed};
use detectors::monitor::EDGES;

use super::charts::{Chart, Charts};
use super::work::{Contender, Work};

/// What a run tells while it goes on, and hears.
pub(super) trait Observer {
    /// So many points were passed, of so many.
    fn passed(&self, passed: usize, of: usize);
    /// Whether to stop.
    fn is_stopped(&self) -> bool;
}

/// A run that was stopped.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stopped;

/// One that was replayed.
struct Ran {
    told: BacktestContender,
    chart: Chart,
    /// The first point scored, the alarms from there on, and the rate asked for; none without a score.
    alarms: Option<(usize, Vec<bool>, f64)>,
}

/// Runs all contenders. Nothing is promoted yet.
pub(super) fn run(
    work: &Work,
    observer: &impl Observer,
) -> Result<(BacktestResult, Charts), Stopped> {
    let begun = Instant::now();
    let n = work.points.values.len();
    let mut all = Vec::with_capacity(work.contenders.len());
    for (index, contender) in work.contenders.iter().enumerate() {
        let of_all = |passed: usize| {
            observer.passed(index * n + passed.min(n), work.contenders.len() * n);
        };
        all.push(run_one(work, contender, observer, of_all)?);
    }
    let from = all
        .iter()
        .filter_map(|ran| ran.alarms.as_ref())
        .map(|(from, ..)| *from);
    let common = from.max().unwrap_or(n);
    let (mut contenders, mut charts) = (Vec::new(), Vec::new());
    for Ran {
        mut told,
        chart,
        alarms,
    } in all
    {
        if let Some((from, alarms, target)) = alarms
            && common < n
        {
            told.compared = Some(measured(work, common, &alarms[common - from..], target));
        }
        contenders.push(told);
        charts.push(chart);
    }
    let result = BacktestResult {
        contenders,
        compared_points: n - common,
        compared_from: work.points.timestamps.get(common).copied(),
        promotion: None,
        duration_ms: begun.elapsed().as_secs_f64() * 1e3,
    };
    Ok((result, Charts { contenders: charts }))
}

fn run_one(
    work: &Work,
    contender: &Contender,
    observer: &impl Observer,
    passed: impl Fn(usize),
) -> Result<Ran, Stopped> {
    let (timestamps, values) = (&work.points.timestamps, &work.points.values);
    let series = Series::new(timestamps, values).expect("it was checked when it was asked for");
    let mut replay = Replay::new(series, contender.of_replay(), work.plan);
    let mut told = BacktestContender {
        name: contender.name(),
        kind: contender.kind().to_owned(),
        version: contender.version().map(|version| version.to_string()),
        model: None,
        error: None,
        fits: 0,
        failed_fits: 0,
        scored_from: timestamps.get(replay.from()).copied(),
        measured: None,
        compared: None,
        top_alarms: Vec::new(),
        p_values: None,
    };
    let failed = loop {
        if observer.is_stopped() {
            return Err(Stopped);
        }
        match replay.step() {
            Ok(Some(_)) => {
                let (now, all) = replay.passed();
                passed(values.len() - all + now);
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    passed(values.len());
    let replayed = replay.finish();
    if let Some(error) = failed {
        told.error = Some(format!("the first fit failed: {error}"));
        told.scored_from = None;
    } else if replayed.scores.is_empty() {
        told.error = Some(
            "it was fitted on points up to the end of the history: none is left to score"
                .to_owned(),
        );
    } else {
        return Ok(scored(work, told, &replayed));
    }
    Ok(Ran {
        chart: Chart::empty(&told.name),
        told,
        alarms: None,
    })
}

fn scored(work: &Work, mut told: BacktestContender, replayed: &Replayed) -> Ran {
    let from = replayed.from;
    let (timestamps, values) = (&work.points.timestamps[from..], &work.points.values[from..]);
    let labels = work.labels.as_ref().map(|labels| &labels[from..]);
    let alarms = replayed.alarms();
    told.model = Some(replayed.model.to_owned());
    (told.fits, told.failed_fits) = (replayed.n_fits, replayed.failed_fits);
    told.measured = Some(measured(work, from, &alarms, replayed.alarm_rate));
    told.p_values = Some(BacktestPValues {
        edges: EDGES.to_vec(),
        counts: replay::histogram(&replayed.scores).to_vec(),
    });
    let alarm = |i: usize| {
        let score = &replayed.scores[i];
        BacktestAlarm {
            timestamp: timestamps[i],
            value: values[i],
            anomaly_score: score.anomaly_score,
            p_value: score.p_value,
            expected_value: score.expected,
            lower_bound: score.lower,
            upper_bound: score.upper,
            labelled: labels.map(|labels| labels[i]),
        }
    };
    told.top_alarms = replay::top_alarms(&replayed.scores)
        .into_iter()
        .map(alarm)
        .collect();
    let buckets = replay::buckets(timestamps, values, &replayed.scores, labels);
    Ran {
        chart: Chart::of(&told.name, &buckets),
        told,
        alarms: Some((from, alarms, replayed.alarm_rate)),
    }
}

fn measured(work: &Work, from: usize, alarms: &[bool], target: f64) -> BacktestMeasured {
    let part = Part {
        timestamps: &work.points.timestamps[from..],
        alarms,
        labels: work.labels.as_ref().map(|labels| &labels[from..]),
    };
    let measured = Measured::of(part, target, work.time_unit.ticks_per_second());
    let rate = measured.rate;
    BacktestMeasured {
        points: measured.points,
        alarms: measured.alarms,
        alerts: measured.alerts,
        alarms_per_week: measured.alarms_per_week,
        alerts_per_week: measured.alerts_per_week,
        alarm_rate: BacktestRate {
            target: rate.target,
            points: rate.points,
            alarms: rate.alarms,
            observed: rate.observed,
            lower: rate.interval.lower,
            upper: rate.interval.upper,
            agrees: rate.agrees(),
        },
        labelled: measured.labelled.map(|labelled| {
            let (by_point, by_event) = (labelled.by_point, labelled.by_event);
            BacktestLabelled {
                points: labelled.points,
                by_point: BacktestByPoint {
                    precision: by_point.precision,
                    recall: by_point.recall,
                    f1: by_point.f1,
                },
                by_event: BacktestByEvent {
                    events: by_event.events,
                    found: by_event.found,
                    false_alerts: by_event.false_alerts,
                    precision: by_event.precision,
                    recall: by_event.recall,
                    f1: by_event.f1,
                    median_delay_points: by_event.median_delay_points,
                    median_delay_seconds: by_event.median_delay_seconds,
                    missed: by_event
                        .missed
                        .iter()
                        .map(|event| BacktestEvent {
                            from: event.from,
                            to: event.to,
                        })
                        .collect(),
                },
            }
        }),
    }
}

impl Contender {
    fn of_replay(&self) -> replay::Contender {
        match self {
            Self::Candidate(candidate) => {
                let params = Box::new(candidate.checked.clone());
                if candidate.is_online {
                    replay::Contender::Online(params)
                } else {
                    replay::Contender::Fit(params)
                }
            }
            Self::Version {
                model, trained_to, ..
            } => replay::Contender::Version {
                model: model.clone(),
                trained_to: *trained_to,
            },
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Candidate(candidate) if candidate.is_online => "online",
            Self::Candidate(_) => "candidate",
            Self::Version { .. } => "version",
        }
    }

    fn version(&self) -> Option<u64> {
        match self {
            Self::Candidate(_) => None,
            Self::Version { version, .. } => Some(*version),
        }
    }
}
