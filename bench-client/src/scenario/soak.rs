//! A long run at a steady load: nothing grows, nothing gets slower.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::context::{Context, ScenarioError, lasting, shape, workload};
use super::regression::slope;
use super::server::resident_bytes;
use super::{Outcome, Scenario};
use crate::load::hooks::Hook;
use crate::load::response::{Op, OutcomeClass, ResponseRecord};
use crate::results::config::Pace;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "soak",
    load: "5 clients predict on 100 series for an hour (--duration; short: 20 s), in windows of 60 s (short: 2 s)",
    rule: "the server's resident memory does not grow (95 % interval of its slope reaches down to 0), errors < 1 %, \
           p95 of the last whole window ≤ 1.2 × that of the first",
    needs_binary: false,
    run,
};

const CLIENTS: u32 = 5;
const SERIES: u32 = 100;
const ERRORS: f64 = 0.01;
const SLOWER: f64 = 1.2;
/// Between two readings of memory, by a window.
const READINGS: u32 = 20;

/// Latencies of each window: 1 µs to 10 min, two digits.
struct Windows {
    length_ns: u64,
    each: Mutex<Vec<Histogram<u32>>>,
}

impl Windows {
    fn note(&self, response: &ResponseRecord) {
        let window = (response.last_ns / self.length_ns) as usize;
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        while each.len() <= window {
            match Histogram::new_with_bounds(1_000, 600_000_000_000, 2) {
                Ok(histogram) => each.push(histogram),
                // Bounds that are fixed here and right.
                Err(_) => return,
            }
        }
        each[window].saturating_record(response.last_ns.saturating_sub(response.intended_ns));
    }
}

struct Watch(Arc<Windows>);

impl Hook for Watch {
    fn name(&self) -> &str {
        "windows"
    }

    fn after_response(&self, response: &ResponseRecord) {
        if response.class == OutcomeClass::Ok {
            self.0.note(response);
        }
    }
}

fn run(context: &Context<'_>) -> Result<Outcome, ScenarioError> {
    let subject = context.subject()?;
    let window = context.pick(Duration::from_secs(2), Duration::from_secs(60));
    let whole = context.pick(Duration::from_secs(20), Duration::from_secs(3_600));
    let time = context.settings.duration.unwrap_or(whole);
    let windows = Arc::new(Windows {
        length_ns: u64::try_from(window.as_nanos()).unwrap_or(u64::MAX),
        each: Mutex::default(),
    });
    let mut load = shape(
        Pace::Closed { clients: CLIENTS },
        lasting(time),
        Duration::from_secs(6),
    );
    load.low_memory = true;
    let hooks: Vec<Box<dyn Hook>> = vec![Box::new(Watch(Arc::clone(&windows)))];
    let (over, begun) = (AtomicBool::new(false), Instant::now());
    let (data, memory) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| readings(subject.pid, window / READINGS, begun, &over));
        let spec = workload(Op::Predict, SERIES, 200, 1);
        let data = context.load_with(&subject.base, "soak", spec, load, hooks);
        over.store(true, Relaxed);
        let memory = reading
            .join()
            .unwrap_or_else(|it| std::panic::resume_unwind(it));
        (data, memory)
    });
    let data = data?;
    let mut outcome = Outcome::default();
    outcome.figure("requests", data.stats.requests as f64, "");
    outcome.figure("requests a second", data.stats.completed_rps, "/s");
    memory_grows(&mut outcome, &means(&memory, window), subject.pid.is_some());

    let rate = data.stats.error_rate();
    let reading = format!("{:.3} %", 100.0 * rate.unwrap_or(1.0));
    outcome.check(
        "errors < 1 %",
        reading,
        rate.is_some_and(|rate| rate < ERRORS),
    );

    // What comes after the last whole window is a piece of one.
    let count = (time.as_nanos() / window.as_nanos()) as usize;
    let each = windows.each.lock().unwrap_or_else(PoisonError::into_inner);
    let whole = &each[..count.min(each.len())];
    gets_slower(&mut outcome, whole);
    Ok(outcome)
}

pub(super) fn readings(
    pid: Option<u32>,
    every: Duration,
    begun: Instant,
    over: &AtomicBool,
) -> Vec<(f64, f64)> {
    let mut readings = Vec::new();
    while let Some(pid) = pid
        && !over.load(Relaxed)
    {
        if let Some(bytes) = resident_bytes(pid) {
            readings.push((begun.elapsed().as_secs_f64(), bytes as f64));
        }
        std::thread::sleep(every);
    }
    readings
}

/// Means of whole windows but the first, in which caches fill: neighbouring readings say the same.
pub(super) fn means(readings: &[(f64, f64)], window: Duration) -> Vec<(f64, f64)> {
    let mut windows: Vec<(f64, f64, f64)> = Vec::new();
    for (at, bytes) in readings {
        let window = (at / window.as_secs_f64()) as usize;
        windows.resize(windows.len().max(window + 1), (0.0, 0.0, 0.0));
        let (n, time, sum) = &mut windows[window];
        (*n, *time, *sum) = (*n + 1.0, *time + at, *sum + bytes);
    }
    windows.pop();
    let filled = windows.into_iter().skip(1).filter(|(n, ..)| *n > 0.0);
    filled.map(|(n, time, sum)| (time / n, sum / n)).collect()
}

pub(super) fn memory_grows(outcome: &mut Outcome, windows: &[(f64, f64)], has_process: bool) {
    let rule = "resident memory does not grow";
    let mib_per_h = 3_600.0 / 1_048_576.0;
    match slope(windows) {
        Some(slope) => {
            let [value, low, high] = [slope.value, slope.low, slope.high].map(|s| s * mib_per_h);
            outcome.figure(
                "memory, last window",
                windows.last().map(|w| w.1 / 1_048_576.0),
                "MiB",
            );
            outcome.figure("memory, slope", value, "MiB/h");
            outcome.check(
                rule,
                format_args!("{value:.3} MiB/h, 95 % interval {low:.3} to {high:.3}"),
                low <= 0.0,
            );
        }
        None if has_process => outcome.not_measurable(
            rule,
            "it takes five windows or more, and a server whose /proc can be read",
        ),
        None => outcome.not_measurable(
            rule,
            "no process to read it of: give --server-pid or --server-bin",
        ),
    }
}

fn gets_slower(outcome: &mut Outcome, windows: &[Histogram<u32>]) {
    let rule = "p95 of the last window ≤ 1.2 × that of the first";
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else {
        outcome.not_measurable(rule, "the run was shorter than a window");
        return;
    };
    if windows.len() < 2 || first.is_empty() || last.is_empty() {
        outcome.not_measurable(rule, "it takes two windows with replies");
        return;
    }
    let [first, last] = [first, last].map(|window| window.value_at_quantile(0.95) as f64 / 1e6);
    outcome.count("whole windows", windows.len());
    outcome.figure("p95 of the first window", first, "ms");
    outcome.figure("p95 of the last window", last, "ms");
    outcome.timed(
        rule,
        format_args!("{:.2} ×", last / first),
        last <= SLOWER * first,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Verdict;

    fn memory(bytes: impl Fn(f64) -> f64) -> Verdict {
        let readings: Vec<_> = (0..400)
            .map(|i| f64::from(i) / 10.0)
            .map(|t| (t, bytes(t)))
            .collect();
        let mut outcome = Outcome::default();
        memory_grows(
            &mut outcome,
            &means(&readings, Duration::from_secs(2)),
            true,
        );
        outcome.verdict()
    }

    #[test]
    fn memory_that_grows_is_told_from_memory_that_wavers() {
        let waver = |t: f64| 5e7 + 1e5 * (t * 12.9898).sin();
        assert_eq!(memory(waver), Verdict::Pass);
        assert_eq!(memory(|t| waver(t) + 1e5 * t), Verdict::Fail);
        assert_eq!(
            memory(|t| if t < 2.0 { 1e6 } else { 5e7 }),
            Verdict::Pass,
            "the first fills caches"
        );
        let mut outcome = Outcome::default();
        memory_grows(&mut outcome, &[], false);
        assert_eq!(outcome.verdict(), Verdict::NotMeasurable);
    }

    #[test]
    fn the_last_window_is_held_against_the_first() {
        let verdict = |ms: [u64; 3]| {
            let windows = ms.map(|ms| {
                let mut window = Histogram::new_with_bounds(1_000, 600_000_000_000, 2).unwrap();
                window.saturating_record_n(ms * 1_000_000, 100);
                window
            });
            let mut outcome = Outcome::default();
            gets_slower(&mut outcome, &windows);
            outcome.verdict()
        };
        assert_eq!(verdict([10, 50, 11]), Verdict::Pass);
        assert_eq!(verdict([10, 10, 13]), Verdict::Fail);
    }
}
