//! A run for the reports' unit tests: six thousand requests of three kinds over 30 s, with a stall
//! of 2 s in the middle, requests turned away after it, and a few failures. Its figures are
//! computed here from made-up responses, so that they fit each other.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use crate::host::{ClientBuild, Host};
use crate::load::response::{Op, OutcomeClass};
use crate::results::config::{Arrivals, Bound, LoadSpec, Pace, RunConfig, Share, WorkloadSpec};
use crate::results::summary::{Before, ClientUse, Headline, RunData, RunSummary};
use crate::tally::stats::{
    Bin, ErrorKind, Latencies, LatencyStats, OpStats, Quantile, RunStats, SamplePoint, SendWindow,
    Timeline, Window,
};

const SECOND: u64 = 1_000_000_000;
const WINDOW: u64 = SECOND / 2;

/// A made-up response.
#[derive(Debug, Clone, Copy)]
struct Made {
    at: u64,
    latency: u64,
    op: Op,
    class: OutcomeClass,
}

/// The run.
pub(in crate::report) fn run() -> RunData {
    of(6_000)
}

/// Its first `n` requests.
pub(in crate::report) fn of(n: u64) -> RunData {
    data(&(0..n).map(made).collect::<Vec<_>>())
}

/// `n` requests of which none is answered.
pub(in crate::report) fn only_failures(n: u64) -> RunData {
    let fail = |i| Made {
        class: OutcomeClass::Transport,
        ..made(i)
    };
    data(&(0..n).map(fail).collect::<Vec<_>>())
}

fn made(i: u64) -> Made {
    let intended = i * SECOND / 200;
    let op = match i % 10 {
        0 => Op::Fit,
        1 | 2 => Op::Ndjson,
        _ => Op::Predict,
    };
    // A fixed sequence that looks like noise: fractional parts of a golden-ratio walk.
    let noise = (i as f64 * 0.618_033_988_75).fract();
    let base = match op {
        Op::Fit => 6.0,
        Op::Ndjson => 2.4,
        _ => 0.9,
    };
    let usual = (base * (-(1.0 - noise).ln() * 0.5).exp() * 1e6) as u64;
    let (stall_from, stall_to) = (13 * SECOND, 15 * SECOND);
    let mut latency = usual;
    if (stall_from..stall_to).contains(&intended) {
        latency += stall_to - intended;
    }
    let class = match i {
        _ if (15 * SECOND..16 * SECOND).contains(&intended) && i % 3 == 0 => OutcomeClass::Shed,
        _ if i % 997 == 996 => OutcomeClass::Failed,
        _ if i % 1_499 == 1_498 => OutcomeClass::Transport,
        2_700 => OutcomeClass::TimedOut,
        _ => OutcomeClass::Ok,
    };
    match class {
        OutcomeClass::Shed => latency = 300_000 + (noise * 200_000.0) as u64,
        OutcomeClass::TimedOut => latency = 5 * SECOND,
        _ => {}
    }
    Made {
        at: intended + latency,
        latency,
        op,
        class,
    }
}

fn data(responses: &[Made]) -> RunData {
    let stats = stats(responses);
    let ms = |q| Some(stats.ok.last.at(q)?.value_ns as f64 / 1e6);
    let headline = Headline {
        requests: stats.requests,
        ok: stats.count(OutcomeClass::Ok),
        error_rate: stats.error_rate(),
        completed_rps: stats.completed_rps,
        goodput_rps: stats.goodput_rps,
        offered_rps: stats.send_window.offered_rps,
        p50_ms: ms(0.5),
        p95_ms: ms(0.95),
        p99_ms: ms(0.99),
        max_ms: stats.ok.last.max_ns.map(|ns| ns as f64 / 1e6),
    };
    let summary = RunSummary {
        format_version: 1,
        kind: "run".to_owned(),
        run_id: "20261125_101500".to_owned(),
        finished_at: "2026-11-25T10:15:31Z".parse().ok(),
        interrupted: false,
        rebuilt: false,
        planned: None,
        unsent: Some(0),
        dropped: None,
        before: Before {
            set_up: 50,
            warm_up: 10,
            ..Before::default()
        },
        client_use: Some(ClientUse {
            cpu_s: 2.31,
            cpu_share: Some(0.038),
            max_rss_bytes: 21_400_000,
            connections: 67,
            reconnects: 3,
            senders_share: Some(0.2),
            waited_for_disk_ns: 0,
        }),
        validity: None,
        answers: None,
        headline,
        contributed: BTreeMap::from([(
            "cost".to_owned(),
            json!({"per_million_points": 0.41, "currency": "EUR", "parts": {"fit": 0.11, "predict": 0.30}}),
        )]),
    };
    RunData {
        config: config(),
        summary,
        stats,
    }
}

fn config() -> RunConfig {
    let share = |op, weight| Share { op, weight };
    RunConfig {
        format_version: 1,
        run_id: "20261125_101500".to_owned(),
        name: Some("stall at half capacity".to_owned()),
        started_at: "2026-11-25T10:15:00Z"
            .parse()
            .unwrap_or(Timestamp::UNIX_EPOCH),
        command: [
            "tidemark-bench",
            "run",
            "--rate",
            "200/s",
            "--duration",
            "30s",
            "--name",
            "stall at half capacity",
        ]
        .map(str::to_owned)
        .to_vec(),
        base_url: "http://127.0.0.1:8000".to_owned(),
        seed: 2_718_281_828,
        workload: WorkloadSpec {
            mix: vec![
                share(Op::Predict, 7),
                share(Op::Ndjson, 2),
                share(Op::Fit, 1),
            ],
            series: 50,
            points_per_fit: 256,
            batch: 20,
            distinct: 4_096,
            payloads: None,
            set_up: true,
            sigma: None,
        },
        load: LoadSpec {
            pace: Pace::Open {
                arrivals: Arrivals::Constant { per_s: 200.0 },
                connections: 64,
                max_connections: 1_024,
            },
            bound: Bound::Duration { ns: 30 * SECOND },
            timeout_ns: 5 * SECOND,
            good_within_ns: SECOND,
            threads: 2,
            warm_up: 10,
            low_memory: false,
        },
        client: ClientBuild {
            profile: "release".to_owned(),
            ..ClientBuild::current()
        },
        merged_from: Default::default(),
        host: Host {
            os: "Linux 6.1.0".to_owned(),
            arch: "x86_64".to_owned(),
            cpus: 2,
        },
    }
}

fn stats(responses: &[Made]) -> RunStats {
    let wall = responses.iter().map(|made| made.at).max().unwrap_or(0);
    let n = responses.len() as u64;
    let per_s = |n: u64| (wall > 0).then(|| n as f64 * 1e9 / wall as f64);
    let ok: Vec<_> = of_class(responses, OutcomeClass::Ok);
    let good = ok.iter().filter(|made| made.latency <= SECOND).count() as u64;
    let points = |made: &Made| if made.op == Op::Ndjson { 20 } else { 1 };
    let points_in = responses.iter().map(points).sum();
    let points_out = ok.iter().map(points).sum();
    let last = distribution(ok.iter().map(|made| made.latency));
    let streams = || ok.iter().filter(|made| made.op == Op::Ndjson);
    let window = SECOND / 200 * n.saturating_sub(1);
    RunStats {
        format_version: 1,
        requests: n,
        outcomes: outcomes(responses),
        statuses: statuses(responses),
        errors: errors(responses),
        other_errors: u64::from(n > 1_000) * 2,
        send_window: SendWindow {
            first_sent_ns: (n > 0).then_some(12_000),
            last_sent_ns: (n > 0).then_some(12_000 + window),
            window_ns: window,
            offered_rps: (window > 0).then(|| (n - 1) as f64 * 1e9 / window as f64),
            requests_per_minute: (window > 0).then(|| 60.0 * n as f64 * 1e9 / window as f64),
            says_nothing: last.at(0.5).is_some_and(|p50| window < p50.value_ns),
        },
        wall_ns: wall,
        completed_rps: per_s(n),
        goodput_rps: per_s(good),
        good,
        points_in,
        points_out,
        points_in_per_s: per_s(points_in),
        points_out_per_s: per_s(points_out),
        bytes_out: n * 312,
        bytes_in: n * 188,
        late_sends: n / 400,
        late_by_client: n / 800,
        ok: Latencies {
            first: distribution(ok.iter().map(|made| made.latency * 4 / 5)),
            service: distribution(ok.iter().map(|made| (made.latency * 9 / 10).min(8_000_000))),
            per_point: distribution(streams().map(|made| made.latency / 100)),
            send_lag: distribution((0..n).map(|i| 8_000 + (i * 7_919) % 30_000)),
            own_lag: distribution((0..n).map(|i| 4_000 + (i * 7_919) % 15_000)),
            server: distribution(ok.iter().map(|made| (made.latency / 3).min(5_000_000))),
            last,
        },
        by_outcome: OutcomeClass::ALL
            .into_iter()
            .map(|class| (class, of_class(responses, class)))
            .filter(|(_, of_class)| !of_class.is_empty())
            .map(|(class, made)| (class, distribution(made.iter().map(|made| made.latency))))
            .collect(),
        by_op: by_op(responses),
        timeline: timeline(responses, wall),
        sample: (0_u64..)
            .zip(responses)
            .step_by(4)
            .map(|(index, made)| SamplePoint {
                index,
                at_ns: made.at,
                latency_ns: made.latency,
                class: made.class,
            })
            .collect(),
    }
}

fn of_class(responses: &[Made], class: OutcomeClass) -> Vec<Made> {
    let of_class = responses.iter().filter(|made| made.class == class);
    of_class.copied().collect()
}

fn outcomes(responses: &[Made]) -> BTreeMap<OutcomeClass, u64> {
    let count = |class| of_class(responses, class).len() as u64;
    OutcomeClass::ALL.map(|class| (class, count(class))).into()
}

fn statuses(responses: &[Made]) -> BTreeMap<i32, u64> {
    let mut statuses = BTreeMap::new();
    for made in responses {
        *statuses.entry(status(made.class)).or_default() += 1;
    }
    statuses
}

fn status(class: OutcomeClass) -> i32 {
    match class {
        OutcomeClass::Ok => 200,
        OutcomeClass::Shed => 429,
        OutcomeClass::Refused => 422,
        OutcomeClass::Failed => 500,
        OutcomeClass::TimedOut | OutcomeClass::Transport => -1,
    }
}

fn errors(responses: &[Made]) -> Vec<ErrorKind> {
    let kinds = [
        (
            OutcomeClass::Shed,
            "HTTP 429: {\"code\":\"overloaded\",\"detail\":\"queue is full | try later\"}",
        ),
        (OutcomeClass::Failed, "HTTP 500: <h1>Internal `error`</h1>"),
        (OutcomeClass::Transport, "connection reset by peer"),
        (OutcomeClass::TimedOut, "no reply within 5 s"),
    ];
    let kind = |(class, message): (OutcomeClass, &str)| {
        let count = responses.iter().filter(|made| made.class == class).count();
        let first = responses.iter().position(|made| made.class == class)?;
        Some(ErrorKind {
            message: message.to_owned(),
            count: count as u64,
            first_index: first as u64,
        })
    };
    kinds.into_iter().filter_map(kind).collect()
}

fn by_op(responses: &[Made]) -> BTreeMap<Op, OpStats> {
    let mut ops: BTreeMap<Op, Vec<Made>> = BTreeMap::new();
    for made in responses {
        ops.entry(made.op).or_default().push(*made);
    }
    let of_op = |(op, responses): (Op, Vec<Made>)| {
        let ok = of_class(&responses, OutcomeClass::Ok);
        let stats = OpStats {
            requests: responses.len() as u64,
            outcomes: outcomes(&responses),
            points_out: ok.len() as u64,
            last: distribution(ok.iter().map(|made| made.latency)),
            first: distribution(ok.iter().map(|made| made.latency * 4 / 5)),
        };
        (op, stats)
    };
    ops.into_iter().map(of_op).collect()
}

fn timeline(responses: &[Made], wall: u64) -> Timeline {
    let count = wall.div_ceil(WINDOW);
    let window = |i: u64| {
        let within = |at: u64| (at.min(wall.saturating_sub(1))) / WINDOW == i;
        let ended: Vec<_> = responses.iter().filter(|made| within(made.at)).collect();
        let mut outcomes = BTreeMap::new();
        for made in &ended {
            *outcomes.entry(made.class).or_default() += 1;
        }
        let ok = ended.iter().filter(|made| made.class == OutcomeClass::Ok);
        let mut sorted: Vec<_> = ok.map(|made| made.latency).collect();
        sorted.sort_unstable();
        let at = |q: f64| rank(&sorted, q);
        Window {
            sent: responses
                .iter()
                .filter(|made| within(made.at - made.latency))
                .count() as u64,
            points_out: sorted.len() as u64,
            outcomes,
            min_ns: at(0.0),
            p25_ns: at(0.25),
            p50_ns: at(0.5),
            p75_ns: at(0.75),
            p95_ns: at(0.95),
            p99_ns: at(0.99),
            max_ns: at(1.0),
        }
    };
    Timeline {
        window_ns: WINDOW,
        windows: (0..count).map(window).collect(),
    }
}

fn rank(sorted: &[u64], q: f64) -> Option<u64> {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

fn distribution(values: impl Iterator<Item = u64>) -> LatencyStats {
    let mut sorted: Vec<_> = values.collect();
    sorted.sort_unstable();
    let n = sorted.len();
    let mean = sorted.iter().sum::<u64>() as f64 / n.max(1) as f64;
    let needs = [
        (0.5, 8),
        (0.75, 18),
        (0.9, 46),
        (0.95, 90),
        (0.99, 482),
        (0.999, 4_900),
        (0.9999, 49_000),
    ];
    let quantile = |(q, needs): (f64, usize)| {
        // A normal approximation of the ranks is near enough for made-up figures.
        let spread = 1.96 * (q * (1.0 - q) / n as f64).sqrt();
        Some(Quantile {
            q,
            value_ns: rank(&sorted, q)?,
            low_ns: rank(&sorted, (q - spread).max(0.0)).filter(|_| n >= needs),
            high_ns: rank(&sorted, (q + spread).min(1.0)).filter(|_| n >= needs),
            enough: n >= needs,
        })
    };
    let mut bins: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    for value in &sorted {
        let width = (value.next_power_of_two() / 32).max(1);
        let from = value / width * width;
        *bins.entry((from, from + width)).or_default() += 1;
    }
    let bin = |((from_ns, to_ns), count)| Bin {
        from_ns,
        to_ns,
        count,
    };
    LatencyStats {
        count: n as u64,
        min_ns: sorted.first().copied(),
        max_ns: sorted.last().copied(),
        mean_ns: (n > 0).then_some(mean),
        stddev_ns: (n > 0).then_some(mean / 2.0),
        quantiles: needs.into_iter().filter_map(quantile).collect(),
        bins: bins.into_iter().map(bin).collect(),
    }
}
