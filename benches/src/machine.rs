//! The machine's own clocks: CPU time by process, memory by process, and what everybody else used.
//!
//! CPU time is the process' CPU clock (POSIX `clock_getcpuclockid`): nanoseconds on a CPU of all its
//! threads, also of those that ended, user and kernel together, without the time spent waiting for
//! a CPU. So a neighbour's load changes it little.

use std::fs;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::time::ClockId;
use nix::unistd::{Pid, SysconfVar, sysconf};

/// Where a measured server and the load on it run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Core {
    /// The first core.
    Server,
    /// The second core.
    Load,
}

/// Pins the calling thread, and what it starts from now on. Without a second core, nothing is
/// pinned.
///
/// # Panics
/// When the system refuses.
pub fn pin(core: Core) {
    let pinned = ALLOWED.with(|allowed| match (allowed.as_slice(), core) {
        ([first, _, ..], Core::Server) => Some(*first),
        ([_, second, ..], Core::Load) => Some(*second),
        _ => None,
    });
    if let Some(cpu) = pinned {
        let mut set = CpuSet::new();
        set.set(cpu).expect("it came from such a set");
        sched_setaffinity(THIS_THREAD, &set).expect("a thread may be pinned to a core it may use");
    }
}

thread_local! {
    /// Cores this thread could use before it was pinned.
    static ALLOWED: Vec<usize> = {
        let set = sched_getaffinity(THIS_THREAD).expect("the own affinity can be read");
        (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu) == Ok(true)).collect()
    };
}

const THIS_THREAD: Pid = Pid::from_raw(0);

/// CPU time of a process so far.
///
/// # Panics
/// When the process is gone.
#[must_use]
pub fn cpu_time(pid: u32) -> Duration {
    let pid = Pid::from_raw(pid.cast_signed());
    let clock = ClockId::pid_cpu_clock_id(pid).and_then(ClockId::now);
    clock.expect("the process is there").into()
}

/// Resident memory of a process in bytes.
///
/// # Panics
/// When the process is gone.
#[must_use]
pub fn resident_bytes(pid: u32) -> usize {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).expect("the process is there");
    let pages: usize = text
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("statm has the resident pages as its second number");
    pages * system(SysconfVar::PAGE_SIZE)
}

fn system(variable: SysconfVar) -> usize {
    let value = sysconf(variable).ok().flatten();
    value
        .and_then(|value| usize::try_from(value).ok())
        .expect("the system knows it")
}

/// Watches how much of the machine others use.
pub struct Neighbours {
    since: Instant,
    at_start: Ticks,
}

/// CPU time of the whole machine in ticks of 1/100 s.
#[derive(Clone, Copy)]
struct Ticks {
    busy: u64,
    stolen: u64,
}

impl Neighbours {
    /// Starts to watch.
    #[must_use]
    pub fn watch() -> Self {
        Self {
            since: Instant::now(),
            at_start: Ticks::now(),
        }
    }

    /// What others used since then, given the CPU time that was our own: cores, and cores stolen
    /// by the host.
    #[must_use]
    pub fn cores(&self, own: Duration) -> (f64, f64) {
        let now = Ticks::now();
        let elapsed = self.since.elapsed().as_secs_f64();
        let per_second = system(SysconfVar::CLK_TCK) as f64;
        let cores = |ticks: u64| ticks as f64 / per_second / elapsed;
        let busy = cores(now.busy - self.at_start.busy) - own.as_secs_f64() / elapsed;
        (busy.max(0.0), cores(now.stolen - self.at_start.stolen))
    }
}

impl Ticks {
    fn now() -> Self {
        let text = fs::read_to_string("/proc/stat").expect("/proc is there");
        let line = text.lines().next().unwrap_or_default();
        let field: Vec<u64> = line
            .split_whitespace()
            .skip(1)
            .filter_map(|t| t.parse().ok())
            .collect();
        // user, nice, system, idle, iowait, irq, softirq, steal
        let at = |index: usize| field.get(index).copied().unwrap_or(0);
        Self {
            busy: at(0) + at(1) + at(2) + at(5) + at(6),
            stolen: at(7),
        }
    }
}

/// The machine in a line: cores and processor.
#[must_use]
pub fn describe() -> String {
    let cores = available_parallelism().map_or(1, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("processor not named", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
    format!("{cores} cores, {model}")
}
