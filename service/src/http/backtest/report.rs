//! The report of a backtest: one page without a script, readable offline.

use std::fmt::Write;

use api::backtest::{
    Backtest, BacktestContender, BacktestMeasured, BacktestPValues, BacktestResult,
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::registry::{Chart, Charts};

const CSS: &str = include_str!("../../../assets/backtest.css");

/// Width and height of a chart, in its own units.
const CHART: (f64, f64) = (960.0, 220.0);
/// The same of a histogram.
const HISTOGRAM: (f64, f64) = (480.0, 120.0);
/// Alarms told.
const ALARMS: usize = 20;

/// Renders the page.
pub(super) fn render(job: &Backtest, charts: &Charts) -> Markup {
    let title = format!("Backtest of {}", job.series_id);
    let asked = &job.asked;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Tidemark" }
                style { (PreEscaped(CSS)) }
            }
            body {
                header {
                    h1 { (title) }
                    p.facts {
                        span { b { (asked.points) } " points, the first " b { (asked.train_points) } " for the first fit" }
                        span {
                            @match asked.refit_every {
                                None => "fitted once",
                                Some(points) => { "fitted anew every " b { (points) } " points" }
                            }
                            @if let Some(window) = asked.refit_window { ", on the latest " b { (window) } }
                        }
                        @if let Some(version) = &asked.history_of { span { "history of version " b { (version) } } }
                        @if let Some(points) = asked.labelled_points { span { b { (points) } " points labelled" } }
                        span { "job " (job.job_id) }
                    }
                }
                @if let Some(result) = &job.result {
                    main {
                        (summary(result))
                        @for contender in &result.contenders {
                            (of_contender(contender, charts, &asked.time_unit))
                        }
                    }
                }
            }
        }
    }
}

fn summary(result: &BacktestResult) -> Markup {
    let has_labels = result.contenders.iter().any(|contender| {
        let measured = contender.measured.as_ref();
        measured.is_some_and(|measured| measured.labelled.is_some())
    });
    html! {
        section {
            h2 { "Side by side" }
            @if let Some(promotion) = &result.promotion {
                p.promotion {
                    @if promotion.promoted {
                        "The alias " b { (promotion.alias) } " points to version "
                        b { (promotion.version.as_deref().unwrap_or("?")) } " now: "
                    } @else {
                        "The alias " b { (promotion.alias) } " was not changed: "
                    }
                    (promotion.reason) "."
                }
            }
            p.hint {
                "Over the " (result.compared_points) " points that all have scored. Each point was scored by a model that was \
                 fitted on earlier points alone."
            }
            div.wide {
                table {
                    thead {
                        tr {
                            th { "Contender" } th { "Model" } th { "Points" } th { "Alarms" } th { "a week" } th { "Alerts a week" }
                            th { "Rate asked for" } th { "Rate observed" } th { "95 % interval" }
                            @if has_labels {
                                th { "Events found" } th { "Event-F1" } th { "False alerts" } th { "Delay" }
                                th { "Precision" } th { "Recall" }
                            }
                        }
                    }
                    tbody {
                        @for contender in &result.contenders {
                            tr {
                                th scope="row" { (contender.name) }
                                @match &contender.compared {
                                    Some(measured) => (cells(contender, measured, has_labels)),
                                    None => {
                                        td colspan=(if has_labels { 14 } else { 8 }) {
                                            (contender.error.as_deref().unwrap_or("no point is left that all have scored"))
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cells(contender: &BacktestContender, measured: &BacktestMeasured, has_labels: bool) -> Markup {
    let rate = &measured.alarm_rate;
    let labelled = measured.labelled.as_ref();
    let events = labelled.map(|labelled| &labelled.by_event);
    html! {
        td { (contender.model.as_deref().unwrap_or("")) }
        td { (measured.points) }
        td { (measured.alarms) }
        td { (digits(measured.alarms_per_week)) }
        td { (digits(measured.alerts_per_week)) }
        td { (digits(Some(rate.target))) }
        td class=(if rate.agrees { "agrees" } else { "differs" }) { (digits(rate.observed)) }
        td { (digits(Some(rate.lower))) " – " (digits(Some(rate.upper))) }
        @if has_labels {
            td { @if let Some(events) = events { (events.found) " of " (events.events) } }
            td { (digits(events.and_then(|events| events.f1))) }
            td { @if let Some(events) = events { (events.false_alerts) } }
            td {
                @if let Some(events) = events && let Some(points) = events.median_delay_points {
                    (digits(Some(points))) " points, " (digits(events.median_delay_seconds)) " s"
                }
            }
            td { (digits(labelled.and_then(|labelled| labelled.by_point.precision))) }
            td { (digits(labelled.and_then(|labelled| labelled.by_point.recall))) }
        }
    }
}

fn of_contender(contender: &BacktestContender, charts: &Charts, time_unit: &str) -> Markup {
    let chart = charts
        .contenders
        .iter()
        .find(|chart| chart.name == contender.name);
    html! {
        section {
            h2 { (contender.name) }
            @if let Some(error) = &contender.error { p.promotion { (error) "." } }
            @if let Some(chart) = chart.filter(|chart| !chart.from.is_empty()) {
                figure {
                    (drawn(&contender.name, chart))
                    figcaption {
                        "Values, the band of normal ones, " span.alarm { "alarms" } " and " span.label { "labels" } " from "
                        (time(chart.from.first(), time_unit)) " to " (time(chart.to.last(), time_unit)) "."
                    }
                }
            }
            @if let Some(p_values) = &contender.p_values {
                figure {
                    (histogram(p_values))
                    figcaption { "p-values: points in each bin, as a share of what a calibrated model has there (1 is the line)." }
                }
            }
            @if !contender.top_alarms.is_empty() {
                details open {
                    summary { "Strongest alarms" }
                    div.wide {
                        table {
                            thead {
                                tr {
                                    th { "Time" } th { "Value" } th { "Expected" } th { "Normal" } th { "Score" } th { "p-value" } th { "Labelled" }
                                }
                            }
                            tbody {
                                @for alarm in contender.top_alarms.iter().take(ALARMS) {
                                    tr {
                                        td { (time(Some(&alarm.timestamp), time_unit)) }
                                        td { (digits(Some(alarm.value))) }
                                        td { (digits(Some(alarm.expected_value))) }
                                        td { (bound(alarm.lower_bound)) " – " (bound(alarm.upper_bound)) }
                                        td { (digits(Some(alarm.anomaly_score))) }
                                        td { (digits(Some(alarm.p_value))) }
                                        td { @match alarm.labelled { Some(true) => "yes", Some(false) => "no", None => "" } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if let Some(labelled) = contender.measured.as_ref().and_then(|measured| measured.labelled.as_ref())
                && !labelled.by_event.missed.is_empty()
            {
                details {
                    summary { "Missed events" }
                    ul {
                        @for event in &labelled.by_event.missed {
                            li { (time(Some(&event.from), time_unit)) " to " (time(Some(&event.to), time_unit)) }
                        }
                    }
                }
            }
        }
    }
}

/// A chart: labels, band, values and alarms, one over the other.
fn drawn(name: &str, chart: &Chart) -> Markup {
    let n = chart.from.len();
    let (width, height) = CHART;
    let finite = |values: &[f64]| {
        values
            .iter()
            .copied()
            .fold((f64::MAX, f64::MIN), |(low, high), v| {
                (low.min(v), high.max(v))
            })
    };
    let (low, high) = (finite(&chart.low).0, finite(&chart.high).1);
    // A band far wider than the values would flatten them.
    let room = 0.25 * (high * 0.5 - low * 0.5) * 2.0;
    let room = if room > 0.0 && room.is_finite() {
        room
    } else {
        1.0
    };
    let (bottom, top) = (low - room, high + room);
    let y = |value: f64| {
        let share = (value * 0.5 - bottom * 0.5) / (top * 0.5 - bottom * 0.5);
        height * (1.0 - share.clamp(0.0, 1.0))
    };
    let x = |i: f64| width * (i + 0.5) / n as f64;
    let mut band = String::new();
    let upper = |i: usize| y(chart.upper[i].unwrap_or(f64::MAX));
    let lower = |i: usize| y(chart.lower[i].unwrap_or(f64::MIN));
    for i in 0..n {
        let _ = write!(band, "{:.1},{:.1} ", x(i as f64), upper(i));
    }
    for i in (0..n).rev() {
        let _ = write!(band, "{:.1},{:.1} ", x(i as f64), lower(i));
    }
    let mut line = String::new();
    for i in 0..n {
        let _ = write!(line, "{:.1},{:.1} ", x(i as f64), y(chart.high[i]));
        if chart.low[i] < chart.high[i] {
            let _ = write!(line, "{:.1},{:.1} ", x(i as f64), y(chart.low[i]));
        }
    }
    let step = width / n as f64;
    html! {
        svg viewBox=(format!("0 0 {width} {height}")) role="img" aria-label=(format!("The replay of {name}")) preserveAspectRatio="none" {
            @for i in (0..n).filter(|i| chart.labelled[*i]) {
                rect.label x=(format!("{:.1}", x(i as f64) - 0.5 * step)) y="0" width=(format!("{:.1}", step.max(2.0))) height=(height) {}
            }
            polygon.band points=(band.trim_end()) {}
            polyline.value points=(line.trim_end()) {}
            @for i in 0..n {
                @if let Some(value) = chart.alarm[i] {
                    circle.alarm cx=(format!("{:.1}", x(i as f64))) cy=(format!("{:.1}", y(value))) r="3" {}
                }
            }
        }
    }
}

/// Bars of p-values, each as a share of what its bin has under a calibrated model.
fn histogram(p_values: &BacktestPValues) -> Markup {
    let (width, height) = HISTOGRAM;
    let total: u64 = p_values.counts.iter().sum();
    let n = p_values.counts.len();
    let ratio = |i: usize| {
        let share = p_values.counts[i] as f64 / total.max(1) as f64;
        share / (p_values.edges[i + 1] - p_values.edges[i])
    };
    const MOST: f64 = 3.0;
    let of_height = |ratio: f64| height * ratio.min(MOST) / MOST;
    let step = width / n as f64;
    html! {
        svg.bars viewBox=(format!("0 0 {width} {height}")) role="img" aria-label="p-values" {
            @for i in 0..n {
                rect.bar x=(format!("{:.1}", step * i as f64 + 1.0)) y=(format!("{:.1}", height - of_height(ratio(i))))
                    width=(format!("{:.1}", step - 2.0)) height=(format!("{:.1}", of_height(ratio(i)))) {
                    title { (format!("{} to {}: {}", p_values.edges[i], p_values.edges[i + 1], p_values.counts[i])) }
                }
            }
            line.one x1="0" x2=(width) y1=(format!("{:.1}", height - of_height(1.0))) y2=(format!("{:.1}", height - of_height(1.0))) {}
        }
    }
}

fn bound(bound: f64) -> String {
    if bound.abs() == f64::MAX {
        "any".to_owned()
    } else {
        digits(Some(bound))
    }
}

/// Four digits are enough to compare with.
fn digits(number: Option<f64>) -> String {
    let Some(number) = number else {
        return "–".to_owned();
    };
    let rounded: f64 = format!("{number:.3e}").parse().unwrap_or(number);
    if rounded != 0.0 && !(1e-4..1e7).contains(&rounded.abs()) {
        format!("{rounded:e}")
    } else {
        rounded.to_string()
    }
}

fn time(tick: Option<&i64>, time_unit: &str) -> String {
    let Some(tick) = tick else {
        return String::new();
    };
    let instant = match time_unit {
        "ms" => jiff::Timestamp::from_millisecond(*tick),
        "us" => jiff::Timestamp::from_microsecond(*tick),
        "ns" => jiff::Timestamp::from_nanosecond(i128::from(*tick)),
        _ => jiff::Timestamp::from_second(*tick),
    };
    // Past the last year that a calendar has.
    instant.map_or_else(|_| tick.to_string(), |instant| instant.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits_and_times_are_instants() {
        assert_eq!(digits(Some(0.001_349_898)), "0.00135");
        assert_eq!(digits(Some(1.234_567e-9)), "1.235e-9");
        assert_eq!((digits(Some(0.0)), digits(None)), ("0".into(), "–".into()));
        assert_eq!(time(Some(&1_700_000_000_000), "ms"), "2023-11-14T22:13:20Z");
        assert_eq!(time(Some(&i64::MAX), "s"), i64::MAX.to_string());
        assert_eq!(bound(-f64::MAX), "any");
    }
}
