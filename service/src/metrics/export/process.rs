//! The process, by the names that every exporter of Prometheus has for it, and whether it is ready.

use std::fmt;

use super::families::Families;
use crate::http;
use crate::startup::State;

pub(super) fn tell(state: &State, out: &mut Families<'_>) -> fmt::Result {
    out.info(
        "tidemark_build",
        "The release",
        [("version", env!("CARGO_PKG_VERSION"))],
    )?;
    out.gauge(
        "tidemark_ready",
        "1 where /health/ready answers 200",
        u64::from(http::is_ready(state)),
    )?;
    system(out)
}

#[cfg(target_os = "linux")]
fn system(out: &mut Families<'_>) -> fmt::Result {
    let Ok(process) = Process::read() else {
        return Ok(());
    };
    out.counter_f64(
        "process_cpu_seconds",
        "CPU time, of users and system",
        process.cpu_s,
    )?;
    out.gauge(
        "process_resident_memory_bytes",
        "Resident memory",
        process.resident_bytes,
    )?;
    out.gauge("process_open_fds", "Open descriptors", process.open_fds)?;
    out.gauge(
        "process_max_fds",
        "Most descriptors that may be open",
        process.max_fds,
    )?;
    out.gauge(
        "process_start_time_seconds",
        "When the process began, in Unix seconds",
        process.started_s,
    )
}

#[cfg(not(target_os = "linux"))]
fn system(_: &mut Families<'_>) -> fmt::Result {
    Ok(())
}

/// What the system knows of this process.
#[cfg(target_os = "linux")]
struct Process {
    cpu_s: f64,
    resident_bytes: u64,
    open_fds: u64,
    max_fds: u64,
    started_s: f64,
}

#[cfg(target_os = "linux")]
impl Process {
    fn read() -> procfs::ProcResult<Self> {
        let process = procfs::process::Process::myself()?;
        let stat = process.stat()?;
        let ticks_a_second = procfs::ticks_per_second() as f64;
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        Ok(Self {
            cpu_s: (stat.utime + stat.stime) as f64 / ticks_a_second,
            resident_bytes: stat.rss * procfs::page_size(),
            open_fds: process.fd_count()? as u64,
            max_fds: limit.current.unwrap_or(u64::MAX),
            started_s: procfs::boot_time_secs()? as f64 + stat.starttime as f64 / ticks_a_second,
        })
    }
}
