//! The first two lines: which run this is, and how far it is.

use std::time::Duration;

use super::line::{Line, Style};
use super::state::{LiveState, Phase};
use super::text;
use crate::results::config::{Arrivals, Bound, LoadSpec, Pace, RunConfig};
use crate::tally::stats::RunStats;

const BAR_MOST: usize = 40;
const BAR_LEAST: usize = 8;

/// What does not change while the run goes on.
#[derive(Debug, Clone)]
pub(super) struct Run {
    title: String,
    until: Until,
}

/// What the bar goes up to.
#[derive(Debug, Clone, Copy)]
enum Until {
    Requests(u64),
    Elapsed(Duration),
}

impl Run {
    pub(super) fn of(config: &RunConfig) -> Self {
        let name = config.name.as_deref().map(text::harmless);
        let target = text::harmless(&config.base_url);
        let parts = name.into_iter().chain([target, pace(&config.load)]);
        Self {
            title: parts.collect::<Vec<_>>().join(" · "),
            until: Until::of(&config.load),
        }
    }

    pub(super) fn title(&self) -> Line {
        let mut line = Line::default();
        line.push(self.title.as_str(), Style::Label);
        line
    }

    pub(super) fn progress(&self, state: &LiveState, stats: &RunStats, width: usize) -> Line {
        match state.phase {
            Phase::SettingUp { done, total } => {
                let text = format!("fitted {} of {}", number(done), number(total));
                bar(done as f64 / total.max(1) as f64, &text, width)
            }
            Phase::WarmingUp => words("warming up"),
            Phase::Running => self.until.bar(state, stats, width),
            Phase::Finishing => words(&format!(
                "finishing: {} in flight, {} to write",
                plural(state.in_flight, "request"),
                plural(state.backlog, "record"),
            )),
            Phase::Writing => words(&format!("writing: {}", plural(state.backlog, "record"))),
        }
    }
}

impl Until {
    fn of(load: &LoadSpec) -> Self {
        match load.bound {
            Bound::Requests { n } => Self::Requests(n),
            Bound::Duration { ns } => Self::Elapsed(Duration::from_nanos(ns)),
            Bound::RequestsPerClient { n } => {
                let clients = match load.pace {
                    Pace::Closed { clients } => clients,
                    Pace::Open { connections, .. } => connections,
                };
                Self::Requests(n.saturating_mul(clients.into()))
            }
        }
    }

    fn bar(self, state: &LiveState, stats: &RunStats, width: usize) -> Line {
        match self {
            Self::Requests(total) => {
                let text = format!("{} of {}", number(stats.requests), number(total));
                bar(stats.requests as f64 / total.max(1) as f64, &text, width)
            }
            Self::Elapsed(total) => {
                let text = format!("{} of {}", clock(state.elapsed.min(total)), clock(total));
                let share = state.elapsed.as_secs_f64() / total.as_secs_f64().max(1e-9);
                bar(share, &text, width)
            }
        }
    }
}

/// A bar as long as the text beside it leaves room for; none where that is too short to tell.
fn bar(share: f64, text: &str, width: usize) -> Line {
    let share = share.clamp(0.0, 1.0);
    // Rounded down: 100 % means that it is over.
    let text = format!("{:3.0} %  {text}", (share * 100.0).floor());
    let room = width.saturating_sub(text::columns(&text) + 2);
    let mut line = Line::default();
    if room >= BAR_LEAST {
        let length = room.min(BAR_MOST);
        let full = (share * length as f64) as usize;
        line.push("█".repeat(full), Style::Bar);
        line.push("░".repeat(length - full), Style::Label);
        line.push(" ", Style::Plain);
    }
    line.push(text, Style::Plain);
    line
}

fn words(text: &str) -> Line {
    let mut line = Line::default();
    line.push(text, Style::Bar);
    line
}

fn pace(load: &LoadSpec) -> String {
    match &load.pace {
        Pace::Closed { clients } => plural(u64::from(*clients), "client"),
        Pace::Open { arrivals, .. } => match arrivals {
            Arrivals::Constant { per_s } => format!("{}/s constant", text::number(*per_s)),
            Arrivals::Poisson { per_s } => format!("{}/s Poisson", text::number(*per_s)),
            Arrivals::Burst { per_s, size } => {
                format!("{}/s in bursts of {size}", text::number(*per_s))
            }
            Arrivals::Stages { stages } => plural(stages.len() as u64, "stage"),
            Arrivals::Trace { path, .. } => format!("trace {}", text::harmless(path)),
        },
    }
}

fn plural(n: u64, noun: &str) -> String {
    let ending = if n == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", number(n))
}

fn number(n: u64) -> String {
    text::count(n, 10)
}

/// Seconds to the tenth while they are few, then minutes and hours.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", (time.as_secs_f64() * 10.0).floor() / 10.0),
        60..3_600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!(
            "{}:{:02}:{:02}",
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_clocks_do() {
        let shown = |ms| clock(Duration::from_millis(ms));
        assert_eq!(shown(0), "0.0 s");
        assert_eq!(shown(59_999), "59.9 s");
        assert_eq!(shown(60_000), "1:00");
        assert_eq!(shown(3_661_000), "1:01:01");
    }

    #[test]
    fn a_bar_is_full_only_at_the_end() {
        let at = |share| bar(share, "x", 30).finish(30, false);
        assert_eq!(at(0.0), "░░░░░░░░░░░░░░░░░░░░   0 %  x");
        assert_eq!(at(0.999), "███████████████████░  99 %  x");
        assert_eq!(at(1.0), "████████████████████ 100 %  x");
        assert_eq!(at(7.0), at(1.0), "never longer than its room");
        assert_eq!(bar(0.5, "x", 12).finish(12, false), " 50 %  x");
    }
}
