//! What this process uses: a client that is short of processor time measures itself.

use std::time::Duration;

/// Processor time of all threads so far, user and system; zero where it cannot be read.
pub(super) fn cpu_time() -> Duration {
    #[cfg(unix)]
    {
        read(rustix::time::ClockId::ProcessCPUTime)
    }
    #[cfg(not(unix))]
    {
        Duration::ZERO
    }
}

/// Processor time of this thread so far; zero where it cannot be read.
pub(crate) fn thread_cpu_time() -> Duration {
    #[cfg(unix)]
    {
        read(rustix::time::ClockId::ThreadCPUTime)
    }
    #[cfg(not(unix))]
    {
        Duration::ZERO
    }
}

#[cfg(unix)]
fn read(clock: rustix::time::ClockId) -> Duration {
    let time = rustix::time::clock_gettime(clock);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(time.tv_sec.unsigned_abs(), nanos)
}

/// Resident memory now and at most, in bytes; zero where `/proc` does not tell.
pub(super) fn resident_bytes() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    (field(&status, "VmRSS:"), field(&status, "VmHWM:"))
}

/// A line such as `VmRSS:      5120 kB`.
fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1_024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc_are_bytes() {
        let status = "Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(field(status, "VmRSS:"), 1_048_576);
        assert_eq!(field(status, "VmHWM:"), 2_097_152);
        assert_eq!(field(status, "VmPeak:"), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_something() {
        let (now, most) = resident_bytes();
        assert!(now > 0 && most >= now);
        let before = cpu_time();
        let mut x = 1_u64;
        while cpu_time() == before {
            x = std::hint::black_box(x.wrapping_mul(3));
        }
        assert!(cpu_time() > before);
    }
}
