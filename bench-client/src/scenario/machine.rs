//! Whether a limit in milliseconds could be kept on this machine: what others used of its processors meanwhile.
//!
//! A server that shares its machine is late for reasons of its own and for those of its neighbours, and the limit alone
//! does not tell which. So the processors' time is divided, by what the kernel counts (proc(5)): `user`, `nice` and
//! `system` of all processes, less those of this client and of the servers that it started or was given, belong to
//! others; so does `steal`, which the hypervisor gave to other guests. Time in interrupts belongs to nobody here, since
//! the load itself causes most of it.

use std::fs;

use super::{Outcome, Target};

/// With more of all processors than this used by others, a limit in time that was not kept says nothing.
const OTHERS: f64 = 0.1;

/// Fewer ticks of 10 ms than this are the counter's own coarseness.
const LEAST_TICKS: u64 = 5;

/// Ticks so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    /// Of all processors, whatever they did.
    all: u64,
    /// Of those, at work for a process, or stolen.
    at_work: u64,
    /// Of those, for the client and its servers.
    own: u64,
}

/// Reads a scenario's machine from its beginning on.
#[derive(Debug)]
pub(super) struct Machine {
    pid: Option<u32>,
    begun: Ticks,
}

impl Machine {
    /// Begins; none where `/proc` does not tell, and where the server's process is not known: its work would be
    /// that of others.
    pub(super) fn begin(target: &Target) -> Option<Self> {
        let pid = match target {
            Target::Url { pid: None, .. } => return None,
            Target::Url { pid, .. } => *pid,
            Target::Binary(_) => None,
        };
        let begun = read(pid)?;
        Some(Self { pid, begun })
    }

    /// Tells what others used since then, and takes back what a rule about time said if that was too much.
    pub(super) fn judge(&self, outcome: &mut Outcome) {
        let Some(now) = read(self.pid) else { return };
        judge(outcome, self.begun, now);
    }
}

fn judge(outcome: &mut Outcome, begun: Ticks, now: Ticks) {
    let since = |ticks: fn(&Ticks) -> u64| ticks(&now).saturating_sub(ticks(&begun));
    let all = since(|t| t.all);
    if all == 0 {
        return;
    }
    let others = since(|t| t.at_work).saturating_sub(since(|t| t.own));
    let share = others as f64 / all as f64;
    outcome.figure("processors used by others", 100.0 * share, "%");
    if share > OTHERS && others >= LEAST_TICKS {
        outcome.excuse_timed(&format!(
            "others used {:.0} % of this machine's processors meanwhile",
            100.0 * share
        ));
    }
}

fn read(pid: Option<u32>) -> Option<Ticks> {
    let (all, at_work) = of_machine(&fs::read_to_string("/proc/stat").ok()?)?;
    // With its children that are waited for: the servers.
    let mut own = of_process(&fs::read_to_string("/proc/self/stat").ok()?, 4)?;
    if let Some(pid) = pid {
        own += of_process(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?, 2)?;
    }
    Some(Ticks { all, at_work, own })
}

/// All ticks, and those at work, of `cpu user nice system idle iowait irq softirq steal …`.
fn of_machine(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    // What guests use is in `user` and `nice` already.
    let ticks: Vec<u64> = line
        .split_whitespace()
        .take(8)
        .map(|n| n.parse().ok())
        .collect::<Option<_>>()?;
    let [user, nice, system, _, _, _, _, steal] = ticks[..] else {
        return None;
    };
    Some((ticks.iter().sum(), user + nice + system + steal))
}

/// The sum of so many of `utime stime cutime cstime`, the 14th field of a process's line and those after it. The
/// second is a name in brackets, which may have anything in it.
fn of_process(stat: &str, fields: usize) -> Option<u64> {
    let after = &stat[stat.rfind(')')? + 1..];
    let times: Option<Vec<u64>> = after
        .split_whitespace()
        .skip(11)
        .take(fields)
        .map(|n| n.parse().ok())
        .collect();
    times
        .filter(|times| times.len() == fields)
        .map(|times| times.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Verdict;

    #[test]
    fn ticks_are_those_of_proc() {
        let stat = "cpu  100 20 30 400 50 6 7 80 90 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(of_machine(stat), Some((693, 230)));
        assert_eq!(of_machine("cpu  1 2 3\n"), None);
        let stat = "42 (a (name) 1) S 1 42 42 0 -1 4194560 1 2 3 4 70 30 9 1 20 0 8 0 5";
        assert_eq!(of_process(stat, 2), Some(100));
        assert_eq!(of_process(stat, 4), Some(110));
        assert_eq!(of_process("42 (name) S 1", 2), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_tells() {
        let ticks = read(Some(std::process::id())).unwrap();
        assert!(ticks.all > 0 && ticks.at_work <= ticks.all, "{ticks:?}");
    }

    /// Two processors for a second. What the client and its servers use themselves excuses nothing.
    #[test]
    fn only_others_excuse_and_only_what_is_about_time() {
        let verdicts = |at_work: u64, own: u64| {
            let mut outcome = Outcome::default();
            outcome.check("right", "wrong", false);
            outcome.timed("fast", "20 ms", false);
            outcome.timed("early", "1 ms", true);
            let ticks = |all, at_work, own| Ticks { all, at_work, own };
            judge(
                &mut outcome,
                ticks(50, 40, 30),
                ticks(250, 40 + at_work, 30 + own),
            );
            outcome
                .checks
                .iter()
                .map(|it| it.verdict)
                .collect::<Vec<_>>()
        };
        let kept = [Verdict::Fail, Verdict::Fail, Verdict::Pass];
        assert_eq!(verdicts(200, 200), kept);
        assert_eq!(verdicts(200, 180), kept, "a tenth is allowed");
        assert_eq!(verdicts(60, 70), kept, "counted by different clocks");
        let excused = [Verdict::Fail, Verdict::NotMeasurable, Verdict::Pass];
        assert_eq!(verdicts(200, 179), excused);
        assert_eq!(verdicts(30, 0), excused);
    }
}
