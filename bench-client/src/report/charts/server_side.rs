//! The server over time, below what the client measured and on the same axis.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::axis::Axis;
use super::frame::Frame;
use super::over_time::{Moment, RunTime};
use super::{Chart, px, y_title};
use crate::report::figures;
use crate::server_side::timeline::{Point, processors, refusals};
use crate::server_side::{EVERY, ServerSample};
use crate::tally::stats::RunStats;

/// Points of a line; of more, several are one, at their mean.
const MOST_POINTS: usize = 480;

/// Nothing was seen for so many looks: the line is interrupted.
const GAP: u64 = 4;

/// What one chart shows.
struct Shown {
    name: (&'static str, &'static str),
    y: &'static str,
    said: fn(f64) -> String,
    points: Vec<Point>,
}

/// One chart for each figure that the server told.
pub(in crate::report) fn server_over_time(
    stats: &RunStats,
    samples: &[ServerSample],
    moments: &[Moment],
) -> Vec<Chart> {
    let shown = shown(samples)
        .into_iter()
        .filter(|it| !it.points.is_empty());
    let chart = |it: Shown| {
        let points = thinned(&it.points, MOST_POINTS);
        let most = it.points.iter().map(|point| point.1).fold(0.0, f64::max);
        let mean = it.points.iter().map(|point| point.1).sum::<f64>() / it.points.len() as f64;
        let summary = format!("mean {}, most {}", (it.said)(mean), (it.said)(most));
        let line = (&points[..], most);
        Chart::wide(it.name, summary.clone(), |frame| {
            draw(frame, stats, (line, it.y), moments)
        })
        .with_note(summary)
    };
    shown.map(chart).collect()
}

fn shown(samples: &[ServerSample]) -> Vec<Shown> {
    const MIB: f64 = (1_u64 << 20) as f64;
    let gauge = |of: &dyn Fn(&ServerSample) -> Option<f64>| {
        let points = samples.iter();
        points
            .filter_map(|sample| Some((sample.at_ns, of(sample)?)))
            .collect()
    };
    let number = figures::significant;
    let mut shown = vec![
        Shown {
            name: ("server_cpu", "Processors the server used"),
            y: "Processors",
            said: number,
            points: processors(samples).collect(),
        },
        Shown {
            name: ("server_memory", "Resident memory of the server"),
            y: "MiB",
            said: |mib| figures::bytes((mib * MIB) as u64),
            points: gauge(&|sample| Some(sample.rss_bytes()? / MIB)),
        },
        Shown {
            name: (
                "server_in_flight",
                "Requests that the server was working on",
            ),
            y: "Requests",
            said: number,
            points: gauge(&|sample| sample.metrics?.in_flight),
        },
        Shown {
            name: ("server_waiting", "Requests that waited for admission"),
            y: "Requests",
            said: number,
            points: gauge(&|sample| sample.metrics?.waiting),
        },
        Shown {
            name: ("server_refusals", "Requests that the server refused"),
            y: "Requests a second",
            said: number,
            points: refusals(samples).collect(),
        },
    ];
    // Nothing waited and nothing was refused: a line along zero says no more than that.
    shown.retain(|it| {
        !(it.name.0 == "server_waiting" || it.name.0 == "server_refusals")
            || it.points.iter().any(|point| point.1 > 0.0)
    });
    shown
}

fn draw(
    frame: Frame,
    stats: &RunStats,
    ((points, most), title): ((&[Point], f64), &str),
    moments: &[Moment],
) -> (Frame, Markup) {
    let area = frame.below_legend(0);
    let time = RunTime::new(area, stats);
    let y = Axis::from_zero(&area, most);
    let end = stats.wall_ns;
    let every = points_apart(points);
    let mut d = String::new();
    let mut before: Option<u64> = None;
    // The last look is after the last reply, and beyond the axis.
    for (at_ns, value) in points.iter().filter(|(at_ns, _)| *at_ns <= end) {
        let goes_on = before.is_some_and(|before| at_ns - before <= GAP * every);
        let (step, dot) = if goes_on { ("L", "") } else { ("M", "h0") };
        let _ = write!(
            d,
            "{step}{} {}{dot}",
            px(time.x.at(*at_ns as f64)),
            px(y.at(*value))
        );
        before = Some(*at_ns);
    }
    let markup = html! {
        (y.draw_left(&area))
        @if !d.is_empty() { path.line.server d=(d) {} }
        (time.moments(moments))
        (time.draw())
        (y_title(&area, title))
    };
    (frame, markup)
}

/// The distance between two points of a line without gaps.
fn points_apart(points: &[Point]) -> u64 {
    let looks = u64::try_from(EVERY.as_nanos()).unwrap_or(u64::MAX);
    let mut apart: Vec<u64> = points.windows(2).map(|two| two[1].0 - two[0].0).collect();
    apart.sort_unstable();
    apart
        .get(apart.len() / 2)
        .copied()
        .unwrap_or(looks)
        .max(looks)
}

/// No more than `most` points, each the mean of its neighbours.
fn thinned(points: &[Point], most: usize) -> Vec<Point> {
    let some = points.chunks(points.len().div_ceil(most).max(1));
    let mean = |some: &[Point]| {
        let n = some.len() as f64;
        let value = some.iter().map(|point| point.1).sum::<f64>() / n;
        (some[some.len() / 2].0, value)
    };
    some.map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server_side::{Gauges, ProcessUse};
    use crate::tally::tests::sample_stats;

    fn samples(n: u64, waiting: f64) -> Vec<ServerSample> {
        let sample = |i| ServerSample {
            at_ns: i * 250_000_000,
            took_ns: 1_000_000,
            process: Some(ProcessUse {
                pid: 7,
                cpu_ns: i * 200_000_000,
                rss_bytes: 50 << 20,
                fds: Some(20),
                threads: 5,
            }),
            metrics: Some(Gauges {
                in_flight: Some(10.0),
                waiting: Some(waiting),
                refusals: Some(0.0),
                ..Gauges::default()
            }),
        };
        (0..n).map(sample).collect()
    }

    #[test]
    fn a_figure_that_the_server_told_is_a_chart_and_a_line_along_zero_is_none() {
        let stats = sample_stats(2_000);
        let slugs = |samples: &[ServerSample]| -> Vec<_> {
            let charts = server_over_time(&stats, samples, &[]);
            for chart in &charts {
                assert!(chart.is_wide());
                assert_eq!(chart.outside(), [""; 0]);
            }
            charts.iter().map(|chart| chart.slug).collect()
        };
        assert_eq!(slugs(&[]), [""; 0]);
        let three = ["server_cpu", "server_memory", "server_in_flight"];
        assert_eq!(slugs(&samples(20, 0.0)), three);
        assert_eq!(
            slugs(&samples(20, 2.0)),
            [&three[..], &["server_waiting"]].concat()
        );
        let mut unknown = samples(20, 0.0);
        unknown.iter_mut().for_each(|sample| sample.metrics = None);
        assert_eq!(slugs(&unknown), three[..2]);
    }

    #[test]
    fn where_nothing_was_seen_the_line_is_interrupted() {
        let stats = sample_stats(2_000);
        let mut seen = samples(40, 0.0);
        let strokes = |samples: &[ServerSample]| {
            let charts = server_over_time(&stats, samples, &[]);
            let page = charts[1].figure().into_string();
            page.split("line server\" d=\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
                .matches('M')
                .count()
        };
        assert_eq!(strokes(&seen), 1);
        seen.drain(1..7);
        assert_eq!(strokes(&seen), 2);
    }

    #[test]
    fn an_hour_is_no_larger_than_a_minute() {
        let hour: Vec<Point> = (0..14_400).map(|i| (i, 2.0)).collect();
        let thin = thinned(&hour, MOST_POINTS);
        assert!(thin.len() <= MOST_POINTS && thin.iter().all(|point| point.1 == 2.0));
        assert_eq!(thinned(&hour[..9], MOST_POINTS), hour[..9]);
    }
}
