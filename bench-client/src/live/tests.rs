//! Whole frames, and what reaches a terminal.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use super::groups::Figures;
use super::progress::Run;
use super::recent::Recent;
use super::*;
use crate::live::text::columns;
use crate::load::response::OutcomeClass;
use crate::results::config::{Arrivals, Bound, Pace, RunConfig};
use crate::results::fixture;
use crate::tally::Tally;
use crate::tally::stats::{LatencyStats, Quantile, RunStats};

fn config(pace: Pace, bound: Bound) -> RunConfig {
    let mut config = fixture::config(bound);
    config.load.pace = pace;
    config
}

fn closed(clients: u32, bound: Bound) -> Run {
    Run::of(&config(Pace::Closed { clients }, bound))
}

fn latency(ns: [u64; 4]) -> LatencyStats {
    let quantile = |q, value_ns| Quantile {
        q,
        value_ns,
        low_ns: None,
        high_ns: None,
        enough: true,
    };
    LatencyStats {
        count: 1_000,
        max_ns: Some(ns[3]),
        quantiles: vec![
            quantile(0.5, ns[0]),
            quantile(0.95, ns[1]),
            quantile(0.99, ns[2]),
        ],
        ..LatencyStats::default()
    }
}

fn nothing() -> RunStats {
    Tally::new(Duration::from_secs(1)).stats()
}

fn some() -> RunStats {
    let mut stats = nothing();
    stats.requests = 45_000;
    stats.outcomes.insert(OutcomeClass::Ok, 44_990);
    stats.outcomes.insert(OutcomeClass::Shed, 7);
    stats.outcomes.insert(OutcomeClass::TimedOut, 3);
    stats.completed_rps = Some(10_000.0);
    stats.goodput_rps = Some(9_997.8);
    stats.send_window.offered_rps = Some(10_004.4);
    stats.points_in_per_s = Some(99_978.0);
    stats.points_out_per_s = Some(1_234_567.0);
    stats.ok.first = latency([820_000, 1_310_000, 2_470_000, 9_000_000]);
    stats.ok.last = latency([1_230_000, 2_340_000, 14_500_000, 1_994_000_000]);
    stats.ok.server = latency([412_000, 700_000, 1_050_000, 2_000_000]);
    stats
}

fn state(phase: Phase) -> LiveState {
    LiveState {
        elapsed: Duration::from_millis(4_500),
        phase,
        sent: 45_020,
        in_flight: 20,
        backlog: 1_234,
        connections: 20,
        late_sends: 3,
        cpu_share: Some(0.314),
        rss_bytes: Some(35_651_584),
    }
}

fn shows(label: &str) -> Vec<Show> {
    vec![Show {
        label: label.into(),
        statistic: "p95".parse().unwrap(),
    }]
}

fn frame(run: &Run, state: &LiveState, stats: &RunStats, width: usize) -> Vec<String> {
    let mut recent = Recent::default();
    recent.note(Duration::from_millis(4_000), stats.requests * 8 / 9);
    recent.note(Duration::from_millis(4_500), stats.requests);
    let figures = Figures {
        state,
        stats,
        recent: &recent,
        shows: &shows("all"),
    };
    render::render(run, &figures, width, false)
}

const TEN_SECONDS: Bound = Bound::Duration { ns: 10_000_000_000 };

#[test]
fn a_wide_frame() {
    let run = closed(20, TEN_SECONDS);
    let lines = frame(&run, &state(Phase::Running), &some(), 99);
    let expected = [
        "http://127.0.0.1:8000 · 20 clients",
        "██████████████████░░░░░░░░░░░░░░░░░░░░░░  45 %  4.5 s of 10.0 s",
        "Throughput  now 10,000/s  overall 10,000/s  goodput 9,998/s   offered 10,004/s",
        "First       p50 820 µs   p95 1.31 ms  p99 2.47 ms",
        "Last        p50 1.23 ms  p95 2.34 ms  p99 14.5 ms  max 1.99 s",
        "Points      in 99,978/s    out 1234567/s",
        "Errors      rate 0.02 %   shed 7      refused 0      failed 0      timed out 3      transport 0",
        "Server      p50 412 µs   p99 1.05 ms",
        "Client      cpu 31 %    rss 34.0 MiB  late sends 3       connections 20      in flight 20",
        "Shown       all 2.34 ms",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_narrow_frame() {
    let run = closed(20, Bound::RequestsPerClient { n: 5_000 });
    let lines = frame(&run, &state(Phase::Running), &some(), 39);
    let expected = [
        "http://127.0.0.1:8000 · 20 clients",
        "█████░░░░░░░░  45 %  45,000 of 100,000",
        "Throughput now 10k/s  overall 10k/s",
        "           good 9998/s offered 10k/s",
        "First      p50 820 µs  p95 1.31 ms",
        "           p99 2.47 ms",
        "Last       p50 1.23 ms p95 2.34 ms",
        "           p99 14.5 ms max 1.99 s",
        "Points     in 100k/s out 1M/s",
        "Errors     rate 0.02 %  shed 7",
        "           refused 0    failed 0",
        "           timeout 3    transport 0",
        "Server     p50 412 µs  p99 1.05 ms",
        "Client     cpu 31 %   rss 34.0 MiB",
        "           late 3    conns 20",
        "           in flight 20",
        "Shown      all 2.34 ms",
    ];
    assert_eq!(lines, expected);
    // With the blank line and one to spare, in a terminal of 24 rows.
    assert!(lines.len() <= 22, "{lines:#?}");
}

#[test]
fn before_the_first_reply_there_is_nothing_to_say() {
    let run = closed(20, TEN_SECONDS);
    let lines = frame(&run, &state(Phase::WarmingUp), &nothing(), 99);
    for name in [
        "Throughput",
        "First",
        "Last",
        "Points",
        "Errors",
        "Server",
        "Shown",
    ] {
        let line = lines.iter().find(|line| line.starts_with(name)).unwrap();
        let cells = line
            .replace("p50", "")
            .replace("p95", "")
            .replace("p99", "");
        assert!(cells.contains('—'), "{line}");
        assert!(!cells.contains(|c: char| c.is_ascii_digit()), "{line}");
    }
}

#[test]
fn a_quantile_of_too_few_samples_is_not_given() {
    let mut stats = some();
    stats.ok.last.quantiles[2].enough = false;
    let run = closed(20, TEN_SECONDS);
    let lines = frame(&run, &state(Phase::Running), &stats, 99);
    assert_eq!(
        lines[4],
        "Last        p50 1.23 ms  p95 2.34 ms  p99 too few  max 1.99 s"
    );
}

#[test]
fn the_second_line_says_how_far_the_run_is() {
    let line = |bound, phase, elapsed_ms| {
        let mut state = state(phase);
        state.elapsed = Duration::from_millis(elapsed_ms);
        let lines = frame(&closed(20, bound), &state, &some(), 60);
        lines[1]
            .trim_start_matches(['█', '░'])
            .trim_start()
            .to_owned()
    };
    let count = Bound::Requests { n: 90_000 };
    assert_eq!(line(count, Phase::Running, 1), "50 %  45,000 of 90,000");
    let each = Bound::RequestsPerClient { n: 9_000 };
    assert_eq!(line(each, Phase::Running, 1), "25 %  45,000 of 180,000");
    let long = Bound::Duration {
        ns: 120_000_000_000,
    };
    assert_eq!(line(long, Phase::Running, 90_000), "75 %  1:30 of 2:00");
    let late = line(TEN_SECONDS, Phase::Running, 10_400);
    assert_eq!(late, "100 %  10.0 s of 10.0 s", "never past the bound");
    let set_up = Phase::SettingUp {
        done: 12,
        total: 48,
    };
    assert_eq!(line(count, set_up, 1), "25 %  fitted 12 of 48");
    assert_eq!(line(count, Phase::WarmingUp, 1), "warming up");
    assert_eq!(
        line(TEN_SECONDS, Phase::Finishing, 10_100),
        "finishing: 20 requests in flight, 1,234 records to write"
    );
    assert_eq!(
        line(TEN_SECONDS, Phase::Writing, 10_200),
        "writing: 1,234 records"
    );
}

#[test]
fn the_first_line_names_the_load() {
    let open = |arrivals| Pace::Open {
        arrivals,
        connections: 1,
        max_connections: 1,
    };
    let mut named = config(open(Arrivals::Poisson { per_s: 500.0 }), TEN_SECONDS);
    named.name = Some("night\x1b[2J".into());
    let lines = frame(&Run::of(&named), &state(Phase::Running), &some(), 99);
    assert_eq!(
        lines[0],
        "night\u{fffd}[2J · http://127.0.0.1:8000 · 500/s Poisson"
    );
    let burst = Arrivals::Burst {
        per_s: 20.0,
        size: 5,
    };
    let run = Run::of(&config(open(burst), TEN_SECONDS));
    let lines = frame(&run, &state(Phase::Running), &some(), 99);
    assert_eq!(lines[0], "http://127.0.0.1:8000 · 20/s in bursts of 5");
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_terminal(
        width in 0_usize..200,
        colours: bool,
        scale in 0_u32..63,
        label in ".{0,30}",
    ) {
        let n = 1_u64 << scale;
        let mut stats = some();
        stats.requests = n;
        for count in stats.outcomes.values_mut() {
            *count = n / 6;
        }
        stats.completed_rps = Some(n as f64);
        stats.ok.last = latency([n; 4]);
        let mut state = state(Phase::Finishing);
        (state.in_flight, state.backlog, state.connections) = (n, n, n);
        let shows = shows(&label);
        let recent = Recent::default();
        let figures = Figures { state: &state, stats: &stats, recent: &recent, shows: &shows };
        for line in render::render(&closed(20, TEN_SECONDS), &figures, width, colours) {
            let text = without_styles(&line);
            prop_assert!(columns(&text) <= width, "{text:?}");
            prop_assert!(!text.contains(char::is_control), "{text:?}");
            prop_assert!(colours || text == line);
        }
    }
}

fn without_styles(line: &str) -> String {
    let mut pieces = line.split("\x1b[");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| text + piece.split_once('m').unwrap().1)
}

/// What a display wrote.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn written_by_one_tick(rows: u16, colours: bool) -> String {
    let written = Written::default();
    let size = move || Size { columns: 100, rows };
    let target = Target::writer(written.clone(), size, colours);
    let config = config(Pace::Closed { clients: 20 }, TEN_SECONDS);
    let mut display = Display::new(&config, &shows("all"), target);
    display.tick(&state(Phase::Running), &some());
    display.finish();
    written.text()
}

#[test]
fn the_cursor_goes_back_to_where_it_was_and_the_display_goes_away() {
    let written = written_by_one_tick(30, false);
    let (frame, end) = written.split_at(written.rfind("\r\x1b[J").unwrap());
    assert_eq!(end, "\r\x1b[J", "cleared at the end");
    assert!(frame.starts_with("\r\x1b[K\r\n"), "a blank line above");
    let down = frame.matches('\n').count();
    assert!(
        frame.ends_with(&format!("\x1b[J\x1b[{down}A\r")),
        "{frame:?}"
    );
}

#[test]
fn no_mode_is_set_that_an_end_by_signal_would_leave_behind() {
    let written = written_by_one_tick(30, true);
    assert!(written.contains("\x1b[1m"), "with colours");
    assert!(
        !written.contains("\x1b[?"),
        "no cursor hidden, no other mode"
    );
    let plain = written_by_one_tick(30, false);
    assert!(!plain.contains('m') || !plain.contains("\x1b[1m"));
}

#[test]
fn a_block_is_lower_than_the_terminal() {
    for rows in [0, 1, 2, 3, 8, 30] {
        let down = written_by_one_tick(rows, false).matches('\n').count();
        assert!(
            down <= usize::from(rows.saturating_sub(2)),
            "{rows}: {down}"
        );
    }
}

#[test]
fn a_terminal_that_is_stopped_does_not_hold_up_the_run() {
    /// Takes nothing until the other end goes away.
    struct Stopped(std::sync::mpsc::Receiver<()>);
    impl Write for Stopped {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (_held, stopped) = std::sync::mpsc::channel();
    let size = || Size {
        columns: 80,
        rows: 24,
    };
    let target = Target::writer(Stopped(stopped), size, false);
    let config = config(Pace::Closed { clients: 20 }, TEN_SECONDS);
    let mut display = Display::new(&config, &[], target);
    // Would never return if it waited.
    for _ in 0..100 {
        display.tick(&state(Phase::Running), &some());
    }
    display.finish();
}

#[test]
fn nowhere_is_nothing() {
    let config = config(Pace::Closed { clients: 20 }, TEN_SECONDS);
    let mut display = Display::new(&config, &[], Target::nowhere());
    assert!(!display.is_shown());
    display.tick(&state(Phase::Running), &some());
}
