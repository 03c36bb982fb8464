//! Whether a run measured the server, or its own client.
//!
//! A client that is short of processor time, of file descriptors or of ports sends late and reads
//! late, and calls that the server's latency. So each run is judged by what it knows of itself:
//!
//! - **Send lag.** Between the moment a request was meant for and the moment it was sent lies a part
//!   that is not the client's doing: while every connection that the run may have was waiting for
//!   the server, there was nothing to send over. That part is recorded apart
//!   (`waited_ns`), counted from when the request was queued to when the connection that took it got its
//!   last reply, and only if no connection was idle and none could be opened. All else is the
//!   client's own: a pacer that wakes up late, a thread that is busy, a connection that is free and not
//!   yet noticed. A server that stalls leaves a run valid; a client that stalls does not.
//! - **Processor time** of the threads that send, by the processors that so many threads can use. A
//!   closed loop has no lag to go by, since it sends when it can; this is what gives a saturated
//!   one away.
//! - **Errors** that say that this machine, and not the server, was out of something.
//! - **Little's law**: what the records say of their times has to agree with a clock that they have no part in.
//! - **Samples**: a percentile that was asked for (`--show`) and has too few.

use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::load::hooks::Hook;
use crate::results::summary::{ClientUse, Validity};
use crate::results::text::{count, ms, share};
use crate::tally::littles_law::LittlesLaw;
use crate::tally::statistic::{Reading, Statistic};
use crate::tally::stats::RunStats;
use crate::workload::Prepared;

/// A 99th percentile of the client's own lag that is never too long, in nanoseconds.
const LAG_NS: u64 = 1_000_000;

/// The same as a share of the median latency, where that is longer.
const LAG_SHARE: f64 = 0.1;

/// Sends that the client may be late with, as a share of all.
const LATE_SHARE: f64 = 0.001;

/// What the threads that send may use of their processors.
const CPU_SHARE: f64 = 0.85;

/// Judges a run by its figures, by what its client used, and by the statistics that were asked for.
#[must_use]
pub fn verdict(stats: &RunStats, used: &ClientUse, asked: &[&Statistic]) -> Validity {
    let reasons = [
        law(stats, used),
        lag(stats),
        late(stats),
        processors(used),
        exhausted(stats, Errno::MFILE, "open files (raise ulimit -n)"),
        exhausted(stats, Errno::NFILE, "open files of the whole machine"),
        exhausted(
            stats,
            Errno::ADDRNOTAVAIL,
            "local ports (fewer connections, or wait for old ones to be released)",
        ),
    ];
    let few = asked
        .iter()
        .filter_map(|statistic| too_few(stats, statistic));
    Validity::of(reasons.into_iter().flatten().chain(few).collect())
}

fn law(stats: &RunStats, used: &ClientUse) -> Option<String> {
    LittlesLaw::of(stats, used)?.reason()
}

fn lag(stats: &RunStats) -> Option<String> {
    let p99 = stats.ok.own_lag.at(0.99)?.value_ns;
    let p50 = stats.ok.last.at(0.5).map_or(0, |p50| p50.value_ns);
    let most = LAG_NS.max((LAG_SHARE * p50 as f64) as u64);
    (p99 > most).then(|| {
        format!(
            "the client sent late by itself: p99 of its own lag is {} ms, and may be {} ms, the larger of 1 ms and a tenth of p50",
            ms(p99 as f64),
            ms(most as f64)
        )
    })
}

fn late(stats: &RunStats) -> Option<String> {
    let late = stats.late_by_client;
    let part = late as f64 / stats.requests.max(1) as f64;
    (part > LATE_SHARE).then(|| {
        format!(
            "{} requests ({}) were sent more than 1 ms late by the client itself, and 0.1 % may be",
            count(late),
            share(part)
        )
    })
}

fn processors(used: &ClientUse) -> Option<String> {
    let part = used.senders_share.filter(|part| *part > CPU_SHARE)?;
    Some(format!(
        "the threads that send used {} of their processors, and may use 85 %: what was measured is the client",
        share(part)
    ))
}

/// The text is the operating system's, and follows `cannot connect`; what a server says of itself
/// follows its status.
fn exhausted(stats: &RunStats, errno: Errno, what: &str) -> Option<String> {
    let code = format!("(os error {})", errno.raw_os_error());
    let ours = stats.errors.iter().filter(|kind| {
        kind.message.starts_with("cannot connect: ") && kind.message.ends_with(&code)
    });
    let times: u64 = ours.map(|kind| kind.count).sum();
    (times > 0).then(|| format!("the client was out of {what} {} times", count(times)))
}

fn too_few(stats: &RunStats, statistic: &Statistic) -> Option<String> {
    let few = matches!(statistic.reading(stats), Reading::TooFew);
    few.then(|| format!("{statistic} was asked for, and there are too few samples for it"))
}

/// A client that has too much to do: it works for so long before each request. For the test that
/// a verdict comes of it.
#[derive(Debug)]
pub struct Saturate(pub Duration);

impl Hook for Saturate {
    fn name(&self) -> &str {
        "saturate"
    }

    fn before_request(&self, _index: u64, _request: &mut Prepared) {
        let begun = Instant::now();
        while begun.elapsed() < self.0 {
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::response::{Op, OutcomeClass, ResponseRecord};
    use crate::tally::Tally;

    const MS: u64 = 1_000_000;

    fn used(senders_share: f64) -> ClientUse {
        ClientUse {
            cpu_s: 1.0,
            cpu_share: Some(0.5),
            max_rss_bytes: 1,
            connections: 1,
            reconnects: 0,
            senders_share: Some(senders_share),
            waited_for_disk_ns: 0,
            in_flight_ns: None,
        }
    }

    /// `n` replies that took 2 ms from when they were sent, sent and free of the pool so late.
    fn stats(n: u64, lag: impl Fn(u64) -> (u64, u64), error: Option<&str>) -> RunStats {
        let mut tally = Tally::new(Duration::from_secs(1));
        for index in 0..n {
            let (lag_ns, waited_ns) = lag(index);
            let intended_ns = index * MS;
            let failed = error.filter(|_| index == 3);
            tally.add(&ResponseRecord {
                index,
                op: Op::Predict,
                client: 0,
                intended_ns,
                sent_ns: intended_ns + lag_ns,
                waited_ns: Some(waited_ns).filter(|waited| *waited > 0),
                first_ns: None,
                last_ns: intended_ns + lag_ns + 2 * MS,
                class: failed.map_or(OutcomeClass::Ok, |_| OutcomeClass::Transport),
                status: failed.is_none().then_some(200),
                points_in: 1,
                points_out: 1,
                bytes_out: 1,
                bytes_in: 1,
                server_ns: None,
                error: failed.map(Into::into),
            });
        }
        tally.stats()
    }

    fn reasons(stats: &RunStats, senders: f64, asked: &[&str]) -> Vec<String> {
        let asked: Vec<Statistic> = asked.iter().map(|name| name.parse().unwrap()).collect();
        let validity = verdict(stats, &used(senders), &asked.iter().collect::<Vec<_>>());
        assert_eq!(validity.valid, validity.reasons.is_empty());
        validity.reasons
    }

    #[test]
    fn a_client_that_kept_up_is_valid() {
        let calm = stats(10_000, |_| (50_000, 0), None);
        assert_eq!(reasons(&calm, 0.85, &["p99", "p50", "error_rate"]), [""; 0]);
        let none = stats(0, |_| (0, 0), None);
        assert_eq!(reasons(&none, 0.0, &[]), [""; 0]);
    }

    #[test]
    fn lag_is_held_against_the_client_only_where_it_is_its_own() {
        // The server stalled: every connection was busy all the time that requests waited.
        let stalled = stats(10_000, |_| (900 * MS, 900 * MS - 50_000), None);
        assert_eq!(stalled.late_sends, 10_000);
        assert_eq!(reasons(&stalled, 0.1, &[]), [""; 0]);
        // The same lag without a busy connection.
        let slow = stats(10_000, |_| (900 * MS, 0), None);
        let told = reasons(&slow, 0.1, &[]);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("p99 of its own lag"), "{told:?}");
        assert!(told[1].contains("(100.00 %)"), "{told:?}");
        // Two in a hundred.
        let at_times = stats(10_000, |i| (if i % 50 == 0 { 3 * MS } else { 0 }, 0), None);
        assert_eq!(reasons(&at_times, 0.1, &[]).len(), 2);
    }

    #[test]
    fn a_tenth_of_the_median_is_allowed() {
        // Sent 20 ms late for lack of a connection, and 1.1 ms of their own: a tenth is 2.2 ms.
        let long = stats(10_000, |_| (21_100_000, 20 * MS), None);
        let told = reasons(&long, 0.1, &[]);
        assert!(
            !told.iter().any(|reason| reason.contains("p99 of its own")),
            "{told:?}"
        );
    }

    #[test]
    fn one_late_send_in_a_thousand_is_allowed() {
        let late = |n: u64| stats(n, |i| (if i == 5 { 2 * MS } else { 0 }, 0), None);
        assert_eq!(reasons(&late(1_000), 0.1, &[]), [""; 0]);
        assert_eq!(reasons(&late(999), 0.1, &[]).len(), 1);
    }

    #[test]
    fn saturated_exhausted_and_few() {
        let calm = stats(100, |_| (0, 0), None);
        assert!(reasons(&calm, 0.86, &[])[0].contains("of their processors"));
        let told = reasons(&calm, 0.5, &["p99", "p50", "p99"]);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("too few samples"), "{told:?}");
        for (errno, what) in [
            (Errno::MFILE, "open files"),
            (Errno::ADDRNOTAVAIL, "local ports"),
        ] {
            let io = std::io::Error::from_raw_os_error(errno.raw_os_error());
            let out = stats(100, |_| (0, 0), Some(&format!("cannot connect: {io}")));
            assert!(reasons(&out, 0.5, &[])[0].contains(what));
            // What a server says of itself is no reason.
            let server = stats(100, |_| (0, 0), Some(&format!("HTTP 500: {io}")));
            assert_eq!(reasons(&server, 0.5, &[]), [""; 0]);
        }
    }
}
