//! The pause between two phases, shown on standard error: a bar on a terminal, otherwise a line
//! every ten seconds, so that a log is neither silent nor flooded.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Instant, sleep_until};

use crate::console;
use crate::interrupt::Stop;

const LINE_EVERY: Duration = Duration::from_secs(10);
const REDRAW_EVERY: Duration = Duration::from_millis(200);

/// Waits for `total`, or until `stop`. Nothing is shown for a pause of zero.
pub async fn cool_down(total: Duration, stop: &Stop) {
    if total.is_zero() {
        return;
    }
    let wait = async {
        if std::io::stderr().is_terminal() {
            bar(total).await;
        } else {
            lines(total).await;
        }
    };
    stop.guard(wait).await;
}

async fn bar(total: Duration) {
    let style = ProgressStyle::with_template("cool-down {bar:30.cyan/blue} {msg} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(total.as_millis() as u64).with_style(style);
    let end = Instant::now() + total;
    for left in remaining(total, REDRAW_EVERY) {
        sleep_until(end - left).await;
        bar.set_position((total - left).as_millis() as u64);
        bar.set_message(in_whole_seconds(left));
    }
    bar.finish_and_clear();
}

async fn lines(total: Duration) {
    let end = Instant::now() + total;
    for left in remaining(total, LINE_EVERY) {
        sleep_until(end - left).await;
        if !left.is_zero() {
            console::note(format_args!("cool-down: {} left", in_whole_seconds(left)));
        }
    }
}

/// The times left at which to show something: at once, then at every multiple of `step`, and
/// zero.
fn remaining(total: Duration, step: Duration) -> impl Iterator<Item = Duration> {
    let whole_steps = (total.as_nanos().saturating_sub(1) / step.as_nanos()) as u32;
    std::iter::once(total).chain((0..=whole_steps).rev().map(move |n| step * n))
}

/// Rounded up, as a countdown reads: `1 s` until it is over.
fn in_whole_seconds(left: Duration) -> String {
    format!("{} s", left.as_millis().div_ceil(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interrupt;

    fn seconds(total_ms: u64) -> Vec<f64> {
        remaining(Duration::from_millis(total_ms), LINE_EVERY)
            .map(|left| left.as_secs_f64())
            .collect()
    }

    #[test]
    fn shows_the_start_every_step_and_the_end() {
        assert_eq!(seconds(25_000), [25.0, 20.0, 10.0, 0.0]);
        assert_eq!(seconds(20_000), [20.0, 10.0, 0.0], "the start only once");
        assert_eq!(seconds(300), [0.3, 0.0]);
        assert_eq!(in_whole_seconds(Duration::from_millis(300)), "1 s");
        assert_eq!(in_whole_seconds(Duration::from_secs(60)), "60 s");
    }

    #[tokio::test(start_paused = true)]
    async fn takes_the_time_asked_for() {
        let (_handle, stop) = interrupt::manual();
        let begun = Instant::now();
        cool_down(Duration::from_secs(60), &stop).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(60));
        cool_down(Duration::ZERO, &stop).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(60));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_it() {
        let (handle, stop) = interrupt::manual();
        handle.stop();
        let begun = Instant::now();
        cool_down(Duration::from_secs(60), &stop).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
