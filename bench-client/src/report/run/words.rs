//! What configurations are called in prose.

use std::borrow::Cow;

use super::super::figures::{count, exact, significant};
use crate::load::response::Op;
use crate::results::config::{Arrivals, Bound, LoadSpec, Pace, WorkloadSpec};

/// What a kind of request is called.
pub(in crate::report) fn op_name(op: Op) -> &'static str {
    match op {
        Op::Fit => "fit",
        Op::Predict => "predict",
        Op::Columns => "columns",
        Op::Ndjson => "ndjson",
        Op::Update => "update",
        Op::Health => "health",
        Op::Custom => "custom",
    }
}

/// When requests were sent.
pub(in crate::report) fn pace(pace: &Pace) -> String {
    match pace {
        Pace::Closed { clients: 1 } => "closed loop, 1 client".to_owned(),
        Pace::Closed { clients } => format!("closed loop, {} clients", count((*clients).into())),
        Pace::Open { arrivals, .. } => format!("open loop, {}", self::arrivals(arrivals)),
    }
}

fn arrivals(arrivals: &Arrivals) -> String {
    match arrivals {
        Arrivals::Constant { per_s } => format!("constant {}/s", significant(*per_s)),
        Arrivals::Poisson { per_s } => format!("Poisson {}/s", significant(*per_s)),
        Arrivals::Burst { per_s, size } => {
            format!("bursts of {size}, {}/s on average", significant(*per_s))
        }
        Arrivals::Stages { stages } => {
            let corner = |stage: &crate::results::config::Stage| {
                format!(
                    "{}/s at {}",
                    significant(stage.per_s),
                    exact(stage.at_ns as f64)
                )
            };
            let corners: Vec<_> = stages.iter().map(corner).collect();
            format!("stages {}", corners.join(", "))
        }
        Arrivals::Trace { path, arrivals, .. } => {
            format!("{} arrivals of {path}", count(*arrivals))
        }
    }
}

/// What ended it.
pub(in crate::report) fn bound(load: &LoadSpec) -> String {
    match load.bound {
        Bound::RequestsPerClient { n } => format!("{} requests a client", count(n)),
        Bound::Requests { n } => format!("{} requests", count(n)),
        Bound::Duration { ns } => exact(ns as f64),
    }
}

/// The kinds of request with their shares.
pub(super) fn mix(workload: &WorkloadSpec) -> String {
    let total: u64 = workload
        .mix
        .iter()
        .map(|share| u64::from(share.weight))
        .sum();
    let share = |share: &crate::results::config::Share| {
        let percent = 100.0 * f64::from(share.weight) / total.max(1) as f64;
        format!("{} {percent:.0} %", op_name(share.op))
    };
    workload
        .mix
        .iter()
        .map(share)
        .collect::<Vec<_>>()
        .join(", ")
}

/// A command line that a POSIX shell splits into the same words.
pub(in crate::report) fn command_line(words: &[String]) -> String {
    words
        .iter()
        .map(|word| quoted(word))
        .collect::<Vec<_>>()
        .join(" ")
}

fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_same_words() {
        let words = ["run", "--name", "it's <b>", "", "--rate=5/s"].map(str::to_owned);
        assert_eq!(
            command_line(&words),
            r"run --name 'it'\''s <b>' '' --rate=5/s"
        );
    }

    #[test]
    fn paces_in_words() {
        assert_eq!(
            pace(&Pace::Closed { clients: 2_000 }),
            "closed loop, 2,000 clients"
        );
        let arrivals = Arrivals::Burst {
            per_s: 100.0,
            size: 20,
        };
        let open = Pace::Open {
            arrivals,
            connections: 1,
            max_connections: 2,
        };
        assert_eq!(pace(&open), "open loop, bursts of 20, 100/s on average");
    }
}
