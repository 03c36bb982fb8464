//! What scores are worth, with labels and without.
//!
//! Without labels: how many alarms there were, by the time axis, and whether they were as many as asked for. With
//! labels: precision, recall and F1, of points and of events. Events, alerts and the delay that is in time are those of
//! [`event_f1`](crate::eval::event_f1); an event is a run of labelled points, an alert a run of alarms.

use crate::eval::event_f1::{EventMatch, delay_of};
use crate::eval::events::{Run, runs};
use crate::monitor::{BINS, Monitor, RateInterval};
use crate::score::Score;

/// Missed events that are named.
pub const EVENTS_LISTED: usize = 100;

/// Alarms that are named.
pub const TOP_ALARMS: usize = 50;

const WEEK_S: f64 = 604_800.0;

/// Points that were scored, beside each other; columns of one length.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Ticks, increasing.
    pub timestamps: &'a [i64],
    /// Whether each point was an alarm.
    pub alarms: &'a [bool],
    /// Whether each point is labelled as an anomaly, if there are labels.
    pub labels: Option<&'a [bool]>,
}

/// What the alarms of a part are worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Points scored.
    pub points: usize,
    /// Points that alarmed.
    pub alarms: usize,
    /// Runs of alarms.
    pub alerts: usize,
    /// Alarms in a week of the time axis; `None` where there is no time.
    pub alarms_per_week: Option<f64>,
    /// Alerts in a week of the time axis.
    pub alerts_per_week: Option<f64>,
    /// Alarms among the points that are not labelled, against what was asked for.
    pub rate: Rate,
    /// With labels.
    pub labelled: Option<Labelled>,
}

/// Alarms among the points that are not labelled as anomalies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// The rate asked for.
    pub target: f64,
    /// Points that are not labelled.
    pub points: usize,
    /// Alarms among them.
    pub alarms: usize,
    /// `alarms / points`; `None` without a point.
    pub observed: Option<f64>,
    /// The exact interval of 95 % for the rate behind what was observed (Clopper and Pearson).
    pub interval: RateInterval,
}

impl Rate {
    /// Whether the rate asked for is in the interval.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.interval.lower <= self.target && self.target <= self.interval.upper
    }
}

/// Alarms against labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// Points labelled.
    pub points: usize,
    /// Point by point.
    pub by_point: ByPoint,
    /// Event by event.
    pub by_event: ByEvent,
}

/// Point by point: an alarm is right if its own point is labelled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ByPoint {
    /// Share of alarms that are right; `None` without an alarm.
    pub precision: Option<f64>,
    /// Share of labelled points that alarmed; `None` without a label.
    pub recall: Option<f64>,
    /// Harmonic mean of both; `None` without a label.
    pub f1: Option<f64>,
}

/// Event by event.
#[derive(Debug, Clone, PartialEq)]
pub struct ByEvent {
    /// Events.
    pub events: usize,
    /// Events found in time.
    pub found: usize,
    /// Alerts.
    pub alerts: usize,
    /// Alerts that belong to no event.
    pub false_alerts: usize,
    /// Share of alerts that belong to an event; `None` without an alert.
    pub precision: Option<f64>,
    /// Share of events found; `None` without an event.
    pub recall: Option<f64>,
    /// `2·found / (found + false alerts + events)`; `None` without an event.
    pub f1: Option<f64>,
    /// Median over the events found of the points from the first of the event to its first alarm.
    pub median_delay_points: Option<f64>,
    /// The same in seconds.
    pub median_delay_seconds: Option<f64>,
    /// Events that were not found, the first [`EVENTS_LISTED`].
    pub missed: Vec<Event>,
}

/// A run of labelled points, by its timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Its first timestamp.
    pub from: i64,
    /// Its last timestamp.
    pub to: i64,
}

impl Measured {
    /// Measures a part whose model was asked for alarms at the rate `target`.
    #[must_use]
    pub fn of(part: Part<'_>, target: f64, ticks_per_second: i64) -> Self {
        let n = part.timestamps.len().min(part.alarms.len());
        let part = Part {
            timestamps: &part.timestamps[..n],
            alarms: &part.alarms[..n],
            labels: part
                .labels
                .filter(|labels| labels.len() >= n)
                .map(|labels| &labels[..n]),
        };
        let is_labelled = |i: usize| part.labels.is_some_and(|labels| labels[i]);
        let alarms = part.alarms.iter().filter(|alarm| **alarm).count();
        let alerts = runs(part.alarms);
        let normal = (0..n).filter(|i| !is_labelled(*i));
        let (mut n_normal, mut false_alarms) = (0, 0);
        for i in normal {
            n_normal += 1;
            false_alarms += usize::from(part.alarms[i]);
        }
        let weeks = weeks(part.timestamps, ticks_per_second);
        let a_week = |count: usize| weeks.map(|weeks| count as f64 / weeks);
        Self {
            points: n,
            alarms,
            alerts: alerts.len(),
            alarms_per_week: a_week(alarms),
            alerts_per_week: a_week(alerts.len()),
            rate: Rate {
                target,
                points: n_normal,
                alarms: false_alarms,
                observed: share(false_alarms, n_normal),
                interval: RateInterval::clopper_pearson(false_alarms as u64, n_normal as u64),
            },
            labelled: part.labels.map(|labels| Labelled {
                points: n - n_normal,
                by_point: by_point(alarms - false_alarms, false_alarms, n - n_normal),
                by_event: by_event(part, labels, &alerts, ticks_per_second),
            }),
        }
    }
}

fn by_point(hits: usize, false_alarms: usize, labelled: usize) -> ByPoint {
    ByPoint {
        precision: share(hits, hits + false_alarms),
        recall: share(hits, labelled),
        f1: (labelled > 0).then(|| 2.0 * hits as f64 / (hits + false_alarms + labelled) as f64),
    }
}

fn by_event(part: Part<'_>, labels: &[bool], alerts: &[Run], ticks_per_second: i64) -> ByEvent {
    let matched = EventMatch::new(labels, part.alarms).expect("they are of one length");
    let (mut points, mut seconds, mut missed) = (Vec::new(), Vec::new(), Vec::new());
    for event in runs(labels) {
        match delay_of(&event, alerts) {
            Some(delay) => {
                points.push(delay as f64);
                let first = part.timestamps[event.first];
                let ticks = part.timestamps[event.first + delay].saturating_sub(first);
                seconds.push(ticks as f64 / ticks_per_second as f64);
            }
            None if missed.len() < EVENTS_LISTED => missed.push(Event {
                from: part.timestamps[event.first],
                to: part.timestamps[event.last],
            }),
            None => {}
        }
    }
    ByEvent {
        events: matched.events,
        found: matched.found(),
        alerts: alerts.len(),
        false_alerts: matched.false_alerts,
        precision: share(alerts.len() - matched.false_alerts, alerts.len()),
        recall: share(matched.found(), matched.events),
        f1: matched.f1(),
        median_delay_points: median(points),
        median_delay_seconds: median(seconds),
        missed,
    }
}

/// Weeks that the points stand for: the last one lasts as long as they do in the mean.
fn weeks(timestamps: &[i64], ticks_per_second: i64) -> Option<f64> {
    let [first, .., last] = timestamps else {
        return None;
    };
    let n = timestamps.len() as f64;
    let span = last.saturating_sub(*first) as f64 * (n / (n - 1.0));
    Some(span / ticks_per_second as f64 / WEEK_S).filter(|weeks| *weeks > 0.0)
}

fn share(k: usize, n: usize) -> Option<f64> {
    (n > 0).then(|| k as f64 / n as f64)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    Some(if values.len() % 2 == 1 {
        upper
    } else {
        0.5 * (values[values.len() / 2 - 1] + upper)
    })
}

/// Points whose p-value was in each bin of [`EDGES`](crate::monitor::EDGES).
#[must_use]
pub fn histogram(scores: &[Score]) -> [u64; BINS] {
    let mut monitor = Monitor::new(0.5);
    scores
        .iter()
        .for_each(|score| monitor.observe(score.p_value));
    monitor.report().counts
}

/// Whether `a` is a stronger alarm than `b`.
pub(super) fn is_stronger(a: &Score, b: &Score) -> bool {
    a.anomaly_score > b.anomaly_score
}

/// Indices of the strongest alarms, at most [`TOP_ALARMS`], strongest first; equal ones in time order.
#[must_use]
pub fn top_alarms(scores: &[Score]) -> Vec<usize> {
    let mut alarms: Vec<usize> = (0..scores.len()).filter(|i| scores[*i].anomaly).collect();
    alarms.sort_by(|a, b| {
        let strength = |i: usize| scores[i].anomaly_score;
        strength(*b).total_cmp(&strength(*a))
    });
    alarms.truncate(TOP_ALARMS);
    alarms
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Flags from a drawing: anything but a dot is set.
    fn flags(drawing: &str) -> Vec<bool> {
        drawing.chars().map(|c| c != '.').collect()
    }

    fn measured(labels: &str, alarms: &str, step: i64) -> Measured {
        let (labels, alarms) = (flags(labels), flags(alarms));
        let timestamps: Vec<i64> = (0..labels.len() as i64).map(|i| step * i).collect();
        let part = Part {
            timestamps: &timestamps,
            alarms: &alarms,
            labels: Some(&labels),
        };
        Measured::of(part, 0.1, 1_000)
    }

    #[test]
    fn counts_of_a_case_worked_out_by_hand() {
        let found = measured(
            "..####..............###...........##",
            "x...x.................xx............",
            60_000,
        );
        assert_eq!((found.points, found.alarms, found.alerts), (36, 4, 3));
        assert_eq!((found.rate.points, found.rate.alarms), (27, 2));
        let labelled = found.labelled.unwrap();
        assert_eq!(labelled.points, 9);
        assert_eq!(labelled.by_point.precision, Some(2.0 / 4.0));
        assert_eq!(labelled.by_point.recall, Some(2.0 / 9.0));
        assert_eq!(labelled.by_point.f1, Some(4.0 / 13.0));
        let events = labelled.by_event;
        assert_eq!((events.events, events.found, events.alerts), (3, 2, 3));
        assert_eq!((events.false_alerts, events.f1), (1, Some(4.0 / 6.0)));
        assert_eq!(events.precision, Some(2.0 / 3.0));
        assert_eq!(events.recall, Some(2.0 / 3.0));
        assert_eq!(events.median_delay_points, Some(2.0));
        assert_eq!(events.median_delay_seconds, Some(120.0));
        let missed = Event {
            from: 34 * 60_000,
            to: 35 * 60_000,
        };
        assert_eq!(events.missed, [missed]);
        // 36 minutes of a week.
        assert!((found.alarms_per_week.unwrap() - 4.0 * 7.0 * 24.0 * 60.0 / 36.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        let none = measured("", "", 1);
        assert_eq!((none.points, none.alarms_per_week), (0, None));
        assert_eq!(none.rate.observed, None);
        assert!(none.rate.agrees(), "of no point any rate may be");
        let quiet = measured("....", "....", 1).labelled.unwrap();
        assert_eq!(quiet.by_point.f1, None);
        assert_eq!((quiet.by_event.f1, quiet.by_event.precision), (None, None));
        assert_eq!(measured("#", "x", 1).alarms_per_week, None);
    }

    #[test]
    fn a_rate_agrees_with_what_its_interval_covers() {
        let rate = |target| {
            let alarms: Vec<bool> = (0..1_000).map(|i| i % 100 == 0).collect();
            let timestamps: Vec<i64> = (0..1_000).collect();
            let part = Part {
                timestamps: &timestamps,
                alarms: &alarms,
                labels: None,
            };
            Measured::of(part, target, 1).rate
        };
        assert_eq!(rate(0.01).observed, Some(0.01));
        assert!(rate(0.01).agrees() && rate(0.015).agrees());
        assert!(!rate(0.001).agrees() && !rate(0.03).agrees());
    }

    #[test]
    fn an_even_number_has_its_median_between_two() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0]), Some(2.0));
        assert_eq!(median(vec![3.0, 1.0, 7.0]), Some(3.0));
    }
}
