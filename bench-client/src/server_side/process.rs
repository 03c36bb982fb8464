//! What a process uses, as `/proc` tells it (`man 5 proc`).

use std::fs;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a process used at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessUse {
    /// Its number.
    pub pid: u32,
    /// Processor time of all its threads so far, user and system, in ticks of usually 10 ms.
    pub cpu_ns: u64,
    /// Resident memory.
    pub rss_bytes: u64,
    /// Open file descriptors; unknown of a process of another user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fds: Option<u64>,
    /// Threads.
    pub threads: u64,
}

impl ProcessUse {
    /// Reads it; none when there is no such process, or it has ended and nobody has waited for it.
    #[must_use]
    pub fn read(pid: u32) -> Option<Self> {
        let dir = format!("/proc/{pid}");
        let stat = fs::read_to_string(format!("{dir}/stat")).ok()?;
        let (state, ticks, threads, pages) = fields(&stat)?;
        if state == "Z" {
            return None;
        }
        let per_s = rustix::param::clock_ticks_per_second().max(1);
        let cpu = Duration::from_secs(ticks) / u32::try_from(per_s).ok()?;
        let fds = fs::read_dir(format!("{dir}/fd")).ok();
        Some(Self {
            pid,
            cpu_ns: u64::try_from(cpu.as_nanos()).ok()?,
            rss_bytes: pages * rustix::param::page_size() as u64,
            fds: fds.map(|fds| fds.count() as u64),
            threads,
        })
    }
}

/// State, processor time in ticks, threads, resident pages. The name of the program is in parentheses and may
/// have anything in it.
fn fields(stat: &str) -> Option<(&str, u64, u64, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    // The first is field 3.
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some((
        fields.first()?,
        number(14)? + number(15)?,
        number(20)?,
        number(24)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_parentheses_in_it() {
        let stat =
            "7 (a) b ) S 1 7 7 0 -1 4194560 99 0 0 0 120 30 0 0 20 0 5 0 8 1000 250 1844 1 1";
        assert_eq!(fields(stat), Some(("S", 150, 5, 250)));
        assert_eq!(fields("7 (a) S 1"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_something_and_no_other_has_the_largest_number() {
        let this = ProcessUse::read(std::process::id()).unwrap();
        assert!(this.rss_bytes > 1 << 20 && this.threads >= 1 && this.fds.unwrap() >= 3);
        let mut x = 1_u64;
        while ProcessUse::read(this.pid).unwrap().cpu_ns == this.cpu_ns {
            x = std::hint::black_box(x.wrapping_mul(3));
        }
        assert_eq!(ProcessUse::read(u32::MAX), None);
    }
}
